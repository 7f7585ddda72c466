"""Stage, adjacent DCIS, anthracycline and era tell cases apart; the response before surgery."""

from datetime import date

import polars as pl
import pytest
from extracts import write_extract

from audit.building import Stages
from audit.pipeline import judge_extract
from audit.responses import responses
from audit.settings import Settings
from audit.warehouse import open_database

# T, N, M and size in mm before treatment, and the stage that they make.
STAGES = {
    "T1N0": ("T1c", "N0", "M0", None, "I"),
    "T1mi": ("T1mi", "N1mi", "M0", None, "I"),
    "T1N1": ("T1", "N1", "M0", None, "II"),
    "T2N0": ("T2", "N0", "M0", None, "II"),
    "T2N1mi": ("T2", "N1mi", "M0", None, "II"),
    "T3N0": ("T3", "N0", "M0", None, "II"),
    "T3N1": ("T3", "N1", "M0", None, "III"),
    "T1N2": ("T1", "N2", "M0", None, "III"),
    "T4N0": ("T4b", "N0", "M0", None, "III"),
    "M1": ("T1", "N0", "M1", None, "IV"),
    "no M, operated on": ("T1", "N0", None, None, "I"),
    "no N": ("T2", None, "M0", None, "unknown"),
    "20 mm": (None, "N0", "M0", 20, "I"),
    "21 mm": (None, "N0", "M0", 21, "II"),
    "no T": (None, "N0", "M0", None, "unknown"),
    "no T, N1": (None, "N1", "M0", None, "unknown"),
}


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """Each stage, in patients operated on after TCHP; T2N0 with an anthracycline, T3N0 later."""
    day = {name: "2014-02-01" if name != "T3N0" else "2020-02-01" for name in STAGES}
    tables = {
        "patients": [{"patient_id": name, "birth_date": "1960-01-01"} for name in STAGES],
        "tumours": [
            {"tumour_id": name, "patient_id": name, "site_id": "H", "diagnosis_date": day[name],
             "histology": "8500/3", "clinical_t": t, "clinical_n": n, "clinical_m": m,
             "clinical_size_mm": size, "er_status": "positive",
             "adjacent_dcis": {"T1N0": "true", "T1N1": "false"}.get(name)}
            for name, (t, n, m, size, _) in STAGES.items()
        ],
        "receptor_tests": [
            {"test_id": name, "patient_id": name, "tumour_id": name, "specimen_site": "primary",
             "specimen_date": day[name], "her2_ihc": "3+", "invasive": "true"}
            for name in STAGES
        ],
        "treatments": [
            {"treatment_id": f"{name} {drug} {month}", "patient_id": name, "tumour_id": name,
             "drug": drug, "start_date": f"{day[name][:5]}{month:02}-20"}
            for name in STAGES
            for drug in ("trastuzumab", "pertuzumab",
                         "doxorubicin" if name == "T2N0" else "docetaxel")
            for month in ((3, 4, 5) if drug == "doxorubicin" else (2, 3, 4))
        ],
        "surgeries": [
            {"surgery_id": name, "patient_id": name, "tumour_id": name, "procedure": "mastectomy",
             "surgery_date": f"{day[name][:5]}08-01",
             "residual_invasive": {"T1N0": "false", "T1N1": "true"}.get(name)}
            for name in STAGES
        ],
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("strata")
    con = open_database(None, folder)
    settings = Settings(
        extract=write_extract(folder / "extract", tables),
        cutoff=date(2024, 12, 31),
        rules=("early-her2-therapy-initiated",),
    )
    judge_extract(con, settings, folder, Stages())
    yield con
    con.close()


def test_stage_follows_from_t_n_m_and_size(audited):
    stages = dict(audited.sql("select tumour_id, stage from fct_strata").fetchall())
    assert stages == {name: expected for name, (*_, expected) in STAGES.items()}


def test_every_case_is_in_one_group_of_each_kind(audited):
    told = audited.sql(
        "select level, group_id, not_evaluable + conformant + excepted + pending + non_conformant"
        " from strata order by all"
    ).fetchall()
    groups = {(level, group): n for level, group, n in told}
    cases = sum(n for (level, _), n in groups.items() if level == "age")
    for level in ("receptors", "stage", "adjacent_dcis", "anthracycline", "era"):
        assert sum(n for (one, _), n in groups.items() if one == level) == cases
    # The first trastuzumab of all but two fell after the end of September 2013.
    assert groups["era", "pertuzumab"] == cases - 1 and groups["era", "emtansine"] == 1
    assert groups["adjacent_dcis", "present"] == groups["adjacent_dcis", "absent"] == 1


def test_an_anthracycline_after_the_decision_is_none_yet(audited):
    dated = audited.sql(
        "select tumour_id, first_anthracycline_date from fct_strata"
        " where first_anthracycline_date is not null"
    ).fetchall()
    assert dated == [("T2N0", date(2014, 3, 20))]
    given = audited.sql("select group_id from strata where level = 'anthracycline'").fetchall()
    assert given == [("none",)]


def test_responses_are_counted_for_those_treated_before_surgery(audited):
    counts = audited.table("responses").pl()
    told = {
        (row.level, row.group): [cell.value for cell in row.cells.values()]
        for row in responses(counts, threshold=1)
    }
    early = sum(m != "M1" for _, _, m, _, _ in STAGES.values())
    assert told["all", "all"] == [early, 1, 1, early - 2] == told["receptors", "positive"]
    assert told["adjacent_dcis", "present"] == [1, 1, 0, 0]
    assert told["adjacent_dcis", "absent"] == [1, 0, 1, 0]


def rows(*groups):
    names = ("level", "group_id", "pcr", "residual", "unknown")
    return pl.DataFrame([dict(zip(names, group, strict=True)) for group in groups])


def test_a_small_count_of_responses_takes_others_with_it():
    counts = rows(
        ("all", "all", 100, 60, 20),
        ("receptors", "positive", 40, 57, 20),
        ("receptors", "negative", 60, 3, 0),
    )
    whole, positive, negative = responses(counts, threshold=10)
    assert whole.share == 100 / 160
    assert negative.cells["residual"].value is None is positive.cells["residual"].value
    assert negative.share is None is positive.share


def test_few_responses_have_no_rate():
    (whole,) = responses(rows(("all", "all", 5, 4, 30)), threshold=1)
    assert whole.share is None and whole.cells["pcr"].value == 5
