"""Data quality: every expectation fails on what it is about and on nothing sound.

Owns: the suites of checks/quality, the queries behind them, and what a failure means for a run.
"""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
import quality_cases as cases

from audit import pipeline, quality
from audit.errors import ExitCode, UsageError
from audit.extract.contract import tables as contract_tables
from audit.guideline import Catalogue
from audit.quality_suites import read_suites
from audit.resources import root
from audit.settings import Settings

NUMBERS = Catalogue.read().numbers
CHECKS = read_suites(root("checks") / "quality", list(contract_tables()), NUMBERS)
IDS = [check.about.id for check in CHECKS]
CROWD = [f"P{at}" for at in range(100)]


def write(folder: Path, patients, sites=()) -> Path:
    """The patients' rows, each under its id, as CSV files."""
    folder.mkdir()
    for table in cases.SOUND:
        found = [row for tables in patients.values() for row in tables.get(table, [])]
        if table == "sites":
            found = [cases.SOUND["sites"], *(cases.SOUND["sites"] | site for site in sites)]
        pl.DataFrame(found, infer_schema_length=None).write_csv(folder / f"{table}.csv")
    return folder


def settings(folder: Path, **more) -> Settings:
    return Settings(
        extract=folder,
        cutoff=date(2024, 12, 31),
        rules=("R03",),
        **{"block_on_quality": False} | more,
    )


def look(folder: Path, **more):
    """The checks of a validation, the rows that break them, and the refusal it would end in."""
    found = []

    def keep(con, **given):
        found.append(quality.check_quality(con, **given))
        found.append(con.table("quality_rows").pl())
        return found[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "check_quality", keep)
        refusal = pipeline.validate(settings(folder, **more), None).refusal
    return *found, refusal


def judged(folder: Path) -> dict[str, bool]:
    checks, _, _ = look(folder)
    return dict(checks.select("check_id", "success").iter_rows())


def everybody(table: str, column: str, value):
    return {table: {column: value}}


def together(changes):
    """One change out of several."""
    merged = {}
    for change in changes:
        for table, cells in change.items():
            merged[table] = merged.get(table, {}) | cells
    return merged


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound") / "extract"
    return judged(write(folder, {p: cases.rows(p) for p in CROWD}))


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """Every expectation's own patient, and a sound one, in one registry: who breaks what."""
    folder = tmp_path_factory.mktemp("broken") / "extract"
    patients = {check: cases.rows(check, change) for check, change in cases.BREAKS.items()}
    patients |= {sound: cases.rows(sound) for sound in ("fine", "other")}
    write(folder, patients, cases.SITES.values())
    _, rows, _ = look(folder)
    return rows


@pytest.fixture(scope="module")
def crowds(tmp_path_factory):
    """Registries in which the same is wrong with everybody."""
    empty = together(everybody(t, c, None) for t, c in cases.SPARSE.values())
    filled = together(everybody(*place) for place in cases.PILED.values())
    unusable = everybody("patients", "birth_date", "long ago")
    folder = tmp_path_factory.mktemp("crowds")
    return {
        name: judged(write(folder / name, {p: cases.rows(p, change) for p in CROWD}))
        for name, change in (("sparse", empty), ("piled", filled), ("unusable", unusable))
    }


def test_every_expectation_has_a_case_that_breaks_it() -> None:
    broken = [*cases.BREAKS, *cases.SPARSE, *cases.PILED, *cases.UNUSABLE, *cases.SITES]
    assert sorted(broken) == sorted(IDS)


@pytest.mark.parametrize("check", IDS)
def test_a_sound_registry_meets_it(sound, check: str) -> None:
    assert sound[check]


@pytest.mark.parametrize("check", cases.BREAKS)
def test_the_broken_patient_fails_it_and_the_sound_one_does_not(broken, check: str) -> None:
    who = set(broken.filter(check_id=check)["patient_id"])
    # A row that names nobody, or nobody known, is listed under what it names.
    named = {check} if not check.endswith(("-keys", "-links")) else {check, None, "nobody"}
    assert who & named
    assert "fine" not in who


def test_every_way_a_response_contradicts_itself_is_found(tmp_path: Path) -> None:
    clear, none = {"yp_t": "ypT0", "yp_n": "ypN0"}, {"residual_invasive": None}
    changes = {
        "agrees": clear | none | {"rcb_class": "0"},
        "class": clear | none | {"rcb_class": "III"},
        "nodes": none | {"yp_t": "ypT0", "yp_n": "ypN1", "rcb_class": "0"},
        "words": clear | {"residual_invasive": "true", "rcb_class": None},
    }
    patients = {name: cases.rows(name, {"surgeries": cells}) for name, cells in changes.items()}
    _, rows, _ = look(write(tmp_path / "extract", patients))
    found = rows.filter(pl.col("check_id") == "surgeries-response-contradicts")["patient_id"]
    assert set(found) == set(changes) - {"agrees"}


def test_operations_of_an_unknown_breast_do_not_follow_one_another(tmp_path: Path) -> None:
    patients = {
        name: cases.rows(
            name,
            {
                "surgeries": {"tumour_id": None, "procedure": "mastectomy", "surgery_date": day},
                **cases.TWO_TUMOURS,
            },
        )
        for name, day in {"A": "2020-08-03", "B": "2020-09-15"}.items()
    }
    _, rows, _ = look(write(tmp_path / "extract", patients))
    assert rows.filter(check_id="surgeries-after-mastectomy").is_empty()


@pytest.mark.parametrize("check", cases.SITES)
def test_the_broken_site_fails_it(broken, check: str) -> None:
    assert broken.filter(check_id=check).height == (2 if check == "sites-without-tumour" else 1)


@pytest.mark.parametrize(
    ("crowd", "check"),
    [
        *(("sparse", check) for check in cases.SPARSE),
        *(("piled", check) for check in cases.PILED),
        *(("unusable", check) for check in cases.UNUSABLE),
    ],
)
def test_what_is_wrong_with_everybody_fails_it(crowds, crowd: str, check: str) -> None:
    assert not crowds[crowd][check]


def test_only_what_leaves_nothing_to_audit_blocks() -> None:
    blocking = [check.about.id for check in CHECKS if check.about.severity == "block"]
    assert blocking == ["patients-none", "tumours-none", "tumours-never-dated"]


def test_a_block_refuses_the_extract_and_says_what_to_do(tmp_path: Path) -> None:
    change = everybody("tumours", "diagnosis_date", None)
    folder = write(tmp_path / "extract", {p: cases.rows(p, change) for p in CROWD})
    _, _, refused = look(folder, block_on_quality=True)
    assert refused.exit_code == ExitCode.REFUSED
    assert "tumours-never-dated" in refused.found
    assert "Send diagnosis dates" in refused.todo
    assert "P1" not in str(refused)
    assert look(folder)[2] is None


def test_a_few_unusable_rows_never_block(tmp_path: Path) -> None:
    change = everybody("patients", "birth_date", "long ago")
    folder = write(tmp_path / "extract", {p: cases.rows(p, change) for p in CROWD[:9]})
    assert look(folder, block_on_quality=True)[2] is None


def test_the_quarantine_limit_is_inclusive_and_names_the_table(tmp_path: Path) -> None:
    patients = {p: cases.rows(p) for p in CROWD[:4]}
    patients["P9"] = cases.rows("P9", everybody("treatments", "dose", "much"))
    folder = write(tmp_path / "extract", patients)
    assert look(folder, quarantine_limit=0.2)[2] is None
    over = look(folder, quarantine_limit=0.19)[2]
    assert "treatments: 1 of 5 rows are in quarantine" in over.found


def suite(folder: Path, expectation) -> Path:
    (folder / "patients.json").write_text(
        json.dumps({"name": "patients", "expectations": [expectation]})
    )
    return folder


def expectation(query="select * from {batch} where sex is null", **meta):
    return {
        "type": "unexpected_rows_expectation",
        "kwargs": {"unexpected_rows_query": query},
        "meta": {"id": "one", "severity": "warn", "says": "So.", "do": "Do."} | meta,
    }


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (expectation(severity="grave"), "meta.severity"),
        (expectation(id="Not a slug"), "meta.id"),
        (expectation(endangers=["R99"]), "endangers 'R99', which is no rule"),
        (expectation("select * from patients"), "must name {batch} once"),
        (expectation("select * from (select * from {batch})"), "as `from {batch} where`"),
        ({**expectation(), "type": "expect_table_row_count_to_equal"}, "can't list the rows"),
        ({"meta": expectation()["meta"]}, "has no 'type'"),
    ],
)
def test_a_broken_suite_says_where_and_what(tmp_path: Path, written, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_suites(suite(tmp_path, written), ["patients"], NUMBERS)
    assert said in refused.value.found
    assert "patients.json, expectation 1" in refused.value.found


def test_two_expectations_of_one_id_are_refused(tmp_path: Path) -> None:
    text = json.dumps({"name": "patients", "expectations": [expectation(), expectation()]})
    (tmp_path / "patients.json").write_text(text)
    with pytest.raises(UsageError, match="a second expectation is called one"):
        read_suites(tmp_path, ["patients"], NUMBERS)


def on_a_column(type_: str, **kwargs):
    return {"type": type_, "kwargs": kwargs, "meta": expectation()["meta"]}


@pytest.mark.parametrize(
    ("type_", "value_set", "unexpected"),
    [
        ("expect_column_values_to_be_in_set", ["female"], 0),
        ("expect_column_values_to_be_in_set", ["male", "o'ther"], 1),
        ("expect_column_values_to_not_be_in_set", ["female"], 1),
        ("expect_column_values_to_not_be_in_set", ["male", "o'ther"], 0),
    ],
)
def test_an_analyst_may_expect_values_of_a_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: str, value_set, unexpected: int
) -> None:
    written = on_a_column(type_, column="sex", value_set=value_set)
    checks = read_suites(suite(tmp_path, written), ["patients"], NUMBERS)
    monkeypatch.setattr(quality, "read_suites", lambda *_: checks)
    found, rows, _ = look(write(tmp_path / "extract", {"P1": cases.rows("P1")}))
    assert found["rows_unexpected"].to_list() == [unexpected]
    assert rows["column_name"].to_list() == ["sex"] * unexpected


def test_a_column_that_is_not_there_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = on_a_column("expect_column_values_to_not_be_null", column="birht_date")
    checks = read_suites(suite(tmp_path, written), ["patients"], NUMBERS)
    monkeypatch.setattr(quality, "read_suites", lambda *_: checks)
    with pytest.raises(UsageError) as refused:
        look(write(tmp_path / "extract", {"P1": cases.rows("P1")}))
    assert refused.value.found == "patients.json, one: patients has no column 'birht_date'"
    assert "birth_date" in refused.value.todo


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("select * from {batch} where no_such_column = 1", "Binder Error"),
        ("select * from {batch} where cast(sex as integer) = 1", "could not be computed"),
    ],
)
def test_an_expectation_that_crashes_is_an_error_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, says: str
) -> None:
    checks = read_suites(suite(tmp_path, expectation(query)), ["patients"], NUMBERS)
    monkeypatch.setattr(quality, "read_suites", lambda *_: checks)
    folder = write(tmp_path / "extract", {"P1": cases.rows("P1")})
    with pytest.raises(quality.CheckCrashed, match=says) as crashed:
        pipeline.validate(settings(folder), None)
    assert crashed.value.exit_code == ExitCode.INTERNAL
    assert "female" not in str(crashed.value)


def test_a_crash_is_put_down_to_the_expectation_that_caused_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = expectation("select * from {batch} where no_such_column = 1", id="two")
    text = json.dumps({"name": "patients", "expectations": [expectation(), bad]})
    (tmp_path / "patients.json").write_text(text)
    checks = read_suites(tmp_path, ["patients"], NUMBERS)
    monkeypatch.setattr(quality, "read_suites", lambda *_: checks)
    folder = write(tmp_path / "extract", {"P1": cases.rows("P1")})
    with pytest.raises(quality.CheckCrashed, match="the data quality check two could not"):
        pipeline.validate(settings(folder), None)
