"""The library gives the numbers of the audit, as frames, and changes nothing."""

import subprocess
import sys
from datetime import date

import duckdb
import polars as pl
import pytest

import audit
from audit.errors import UsageError
from audit.frames import write_frames
from audit.synthesise import synthesise

CUTOFF = date(2025, 12, 31)


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library") / "extract"
    synthesise(250, 6, folder)
    return folder


@pytest.fixture(scope="module")
def result(extract):
    with audit.run(extract, cutoff="2025-12-31", rules=["R10", "R17"]) as result:
        yield result


def frames(extract):
    tables = {}
    for path in sorted(extract.iterdir()):
        name, ending = path.name.split(".", 1)
        tables[name] = (
            pl.read_parquet(path)
            if ending == "parquet"
            else pl.read_csv(path, infer_schema=False, separator="\t" if "tsv" in ending else ",")
        )
    return tables


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("audit", {"polars", "duckdb", "pydantic"}), ("audit.report", {"altair"})],
)
def test_importing_a_module_brings_in_nothing_heavy(module, heavy):
    code = f"import {module}, sys; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_a_notebook_can_complete_the_public_names():
    code = "import audit, sys; print(*dir(audit)); print({'polars'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == ["Result open rules run", "set()"]


def test_rates_are_the_audits_own(result):
    stored = result.sql(
        "select rule_id, conformant, non_conformant, not_evaluable, excepted, pending from rates"
        " where level = 'registry' order by rule_id"
    )
    own = result.rates().select(stored.columns)
    assert own.equals(stored)
    by_site = result.rates(by=["site_id"])
    assert by_site["conformant"].sum() == own["conformant"].sum()
    assert by_site.filter(pl.col("rate") < pl.col("low")).is_empty()
    pathways = result.rates(by=["pathway", "year"], rule="R17")
    assert set(pathways["rule_id"]) == {"early-her2-one-year"}
    with pytest.raises(UsageError, match="can't group by moon"):
        result.rates(by=["moon"])


@pytest.mark.parametrize(
    ("level", "column"),
    [
        ("age", "age_group"),
        ("receptors", "hr_status"),
        ("stage", "stage"),
        ("adjacent_dcis", "adjacent_dcis"),
        ("anthracycline", "anthracycline"),
        ("era", "era"),
    ],
)
def test_rates_by_a_stratum_are_the_reports(result, level, column):
    counts = ["rule_id", column, "conformant", "non_conformant", "not_evaluable", "pending"]
    stored = result.sql(f"select *, group_id as {column} from strata where level = '{level}'")
    assert stored[column].n_unique() > 1
    assert result.rates(by=column).select(counts).equals(stored.select(counts).sort(counts[:2]))


def test_tables_in_memory_give_the_same_findings_as_files(extract, result):
    con = duckdb.connect()
    for name, frame in frames(extract).items():
        con.register(name, frame.to_pandas())
    with audit.run(con, cutoff=CUTOFF, rules=["R10", "R17"], period="quarter") as other:
        assert other.findings.equals(result.findings)
        stored = other.sql(
            "select rule_id, group_id as period, conformant, non_conformant from rates"
            " where level = 'quarter' and group_id like '%-Q_' order by all"
        )
        counted = other.rates(by=["period"]).select(stored.columns)
        assert stored.height > 10
        assert counted.equals(
            stored.join(counted, on=["rule_id", "period"], how="semi", maintain_order="left")
        )


@pytest.mark.parametrize("to", [pl.DataFrame.lazy, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_frames_of_every_library_are_taken(to, tmp_path):
    frame = pl.DataFrame({"patient_id": ["P", "Q"], "birth_date": [date(1960, 1, 2), None]})
    folder = write_frames({"patients": to(frame)}, tmp_path / "extract")
    assert pl.read_parquet(folder / "patients.parquet").equals(frame)


def test_what_is_no_extract_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no table 'people'"):
        audit.run({"people": pl.DataFrame({"a": [1]})}, cutoff=CUTOFF)
    with pytest.raises(UsageError, match="is a list"):
        audit.run({"patients": [1]}, cutoff=CUTOFF)
    with pytest.raises(UsageError, match="shows no table"):
        audit.run(duckdb.connect(), cutoff=CUTOFF)
    with pytest.raises(UsageError, match="not a date"):
        audit.run(tmp_path, cutoff="soon")
    with pytest.raises(UsageError, match="no audit"):
        audit.open(tmp_path)


def test_facts_courses_and_attrition_are_frames(result):
    assert {"patient_id", "first_dose_date", "covered_days"} <= set(result.courses.columns)
    tumours = result.facts("fct_tumours")
    assert tumours["patient_id"].n_unique() == result.sql("from patients").height
    steps = result.attrition("R10")
    last = result.rates(rule="R10").select("conformant", "non_conformant", "not_evaluable",
                                           "excepted", "pending").sum_horizontal()[0]  # fmt: skip
    assert steps["remaining"][-1] == last
    for frame in (result.lines, result.quarantine, result.quality, result.missing()):
        assert isinstance(frame, pl.DataFrame)
    with pytest.raises(UsageError, match="no fact 'treatments'"):
        result.facts("treatments")


def test_only_the_facts_that_the_rules_rest_on_are_built(extract, result):
    with audit.run(extract, cutoff=CUTOFF, rules=["R17", "R27"]) as other:
        mine = other.findings.filter(pl.col("rule_id") == "early-her2-one-year")
        theirs = result.findings.filter(pl.col("rule_id") == "early-her2-one-year")
        assert mine.equals(theirs)
        assert other.facts("fct_lvef_falls").height
    with pytest.raises(UsageError, match="fct_lvef_falls"):
        result.facts("fct_lvef_falls")


def test_bounds_hold_the_rate(result):
    for row in result.bounds().iter_rows(named=True):
        assert row["worst"] <= row["rate"] <= row["best"]


def test_sql_reads_alone(result, extract):
    assert result.sql("select count(*) as n from patients")["n"][0] == 250
    for attack in (
        "drop table patients",
        "create table x as select 1",
        f"copy patients to '{extract}/stolen.csv'",
        f"select * from read_parquet('{extract}/patients.parquet')",
        "set enable_external_access = true",
        "create temp view findings as select 1",
        "begin",
        "select 1; drop table patients",
        f"attach '{extract}/other.db'",
        "install httpfs",
        "from duckdb_secrets()",
        "",
    ):
        with pytest.raises(UsageError):
            result.sql(attack)
    assert not (extract / "stolen.csv").exists()
    assert result.sql("show tables").height > 50
    assert result.findings.height == result.sql("from findings").height


def test_other_numbers_judge_otherwise_and_show_in_the_manifest(extract, result):
    params = {"R17": {"min_covered_days": 1, "min_three_weekly_doses": 1}}
    with audit.run(extract, cutoff=CUTOFF, rules=["R17"], params=params) as loose:
        assert loose.manifest["parameters"]["early-her2-one-year"]["min_covered_days"] == 1
        met = loose.rates()["conformant"][0]
        tumour = loose.findings.filter(pl.col("verdict") == "conformant")["tumour_id"][0]
        assert loose.explain(tumour, "R17")[0].verdict == "conformant"
    assert met > result.rates(rule="R17")["conformant"][0]
    with pytest.raises(UsageError, match="no parameter 'days'"):
        audit.run(extract, cutoff=CUTOFF, params={"R17": {"days": 3}})
    with pytest.raises(UsageError, match=r"params\.early-her2-one-year\.min_covered_days"):
        audit.run(extract, cutoff=CUTOFF, params={"R17": {"min_covered_days": "long"}})


def test_a_reading_is_chosen_by_the_rules_number_as_by_its_id(extract):
    chosen = {"population": "all-early"}
    ways = {"R05": chosen}, {"r05": chosen}, {"neoadj-dual-blockade": chosen}
    for variants in ways:
        with audit.run(extract, cutoff=CUTOFF, rules="R05", variants=variants) as other:
            readings = other.variants("R05")
            mine = readings.filter(pl.col("choice") == "all-early").row(0, named=True)
            assert other.manifest["variants"]["neoadj-dual-blockade"]["population"] == "all-early"
            assert mine["in_force"] and mine["rate"] == other.rates()["rate"][0]
            assert readings["rate"].n_unique() > 1
    for wrong in ({"variants": {"R05.population": "all-early"}}, {"params": {"late_days": 84}}):
        with pytest.raises(UsageError, match="not names and values"):
            audit.run(extract, cutoff=CUTOFF, **wrong)


def test_everything_shows_itself(result):
    assert "Cut-off" in result._repr_html_() and "2 rules" in repr(result)
    frame = audit.rules.frame
    assert frame.height == len(audit.rules) and "R10" in frame["number"]
    card = audit.rules["R10"]._repr_markdown_()
    assert "T-DM1" in card and "## Numbers" in card and "## Patients and" not in card
    assert "R10" in audit.rules._repr_html_()
    tumour = result.findings.filter(pl.col("rule_id") == "early-her2-one-year")["tumour_id"][0]
    assert "early" not in result.explain(tumour, "R17")._repr_html_()[:10]
    assert result.plot_timeline(tumour).to_dict()["layer"]
