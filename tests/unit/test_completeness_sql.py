"""Completeness counts those for whom a field is expected; repairs add up to what was not judged."""

import re
from datetime import date

import polars as pl
import pytest
from extracts import write_extract

from audit import resources, statistics
from audit.guideline import Catalogue
from audit.pipeline import evaluate_extract
from audit.settings import Settings
from audit.synthesise import synthesise

CATALOGUE = Catalogue.read()


def tumour(n, site="H1", diagnosed="2020-03-01", **fields):
    return {
        "tumour_id": f"T{n}",
        "patient_id": f"P{n}",
        "site_id": site,
        "diagnosis_date": diagnosed,
        "histology": "8500/3",
        "clinical_m": "M0",
        **fields,
    }


def assay(n, **fields):
    return {
        "test_id": f"R{n}",
        "patient_id": f"P{n}",
        "tumour_id": f"T{n}",
        "specimen_date": "2020-03-01",
        **fields,
    }


def dose(key, n, **fields):
    return {"treatment_id": key, "patient_id": f"P{n}", "tumour_id": f"T{n}", **fields}


def course(key, n, **fields):
    return dose(key, n, record_kind="course", **fields)


def operation(key, n, **fields):
    return {
        "surgery_id": key,
        "patient_id": f"P{n}",
        "tumour_id": f"T{n}",
        "procedure": "mastectomy",
        **fields,
    }


# P1, P2: neoadjuvant, operated on; P3: operated on first; P4: in situ; P5: HER2-negative, dead.
# P6: no assay, no diagnosis date, no site.
TABLES = {
    "patients": [
        {"patient_id": "P1", "last_contact_date": "2023-01-01"},
        {"patient_id": "P2"},
        {"patient_id": "P3", "last_contact_date": "2023-01"},
        {"patient_id": "P4", "last_contact_date": "2023-01-01"},
        {"patient_id": "P5", "death_date": "2022-01-01"},
        {"patient_id": "P6"},
    ],
    "tumours": [
        tumour(1, clinical_t="T2", clinical_n="N0"),
        tumour(2, clinical_size_mm="31", clinical_n="NX"),
        tumour(3, site="H2", diagnosed="2021-04", pathological_t="pT1c"),
        tumour(4, histology="8500/2"),
        tumour(5, diagnosed="2019-03-01"),
        tumour(6, diagnosed=None, site=None),
    ],
    "receptor_tests": [
        assay(1, her2_ihc="3+"),
        assay(2, her2_ihc="2+", her2_ish="amplified"),
        assay(3, her2_ihc="2+", her2_ratio="2.4", her2_copies="5", er_percent="90"),
        assay(5, her2_ihc="2+"),
    ],
    "treatments": [
        dose("A1", 1, start_date="2020-04-01", drug="TCHP"),
        course("A2", 1, start_date="2020-05-01", end_date="2020-07-01", drug="TCHP"),
        dose("A3", 2, start_date="2020-04-01", drug="docetaxel"),
        course("A4", 2, start_date="2020-04-01", drug="trastuzumab"),
        dose("A5", 3, drug="trastuzumab"),
        dose("A6", 3, start_date="2021-07-01", drug="study drug X"),
    ],
    "surgeries": [
        operation("S1", 1, surgery_date="2020-08-01", yp_t="ypT0", yp_n="ypN0"),
        operation("S2", 2, surgery_date="2020-08-01"),
        operation("S3", 3, surgery_date="2021-05-20"),
        operation("S4", 3, procedure="axillary"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    folder = write_extract(tmp_path_factory.mktemp("completeness") / "extract", TABLES)
    return evaluate_extract(Settings(extract=folder, cutoff=date(2024, 1, 1)))


# Field: for the registry, recorded among expected.
EXPECTED = {
    "tumours.diagnosis_date": (5, 6),
    "tumours.histology": (6, 6),
    "tumours.clinical_m": (5, 5),
    "receptor_tests.her2_ihc": (4, 5),
    "receptor_tests.her2_ish": (2, 3),
    "receptor_tests.specimen_date": (4, 4),
    "tumours.clinical_t": (2, 3),
    "tumours.clinical_n": (1, 3),
    "tumours.pathological_t": (1, 1),
    "tumours.pathological_n": (0, 1),
    "surgeries.yp_t": (1, 2),
    "surgeries.yp_n": (1, 2),
    "surgeries.surgery_date": (2, 3),
    "surgeries.procedure": (3, 3),
    "patients.last_contact_date": (3, 5),
    "treatments.start_date": (2, 3),
    "treatments.drug": (2, 3),
    "treatments.end_date": (1, 2),
}


@pytest.mark.parametrize("field", EXPECTED)
def test_registry(evaluation, field):
    completeness = evaluation.tables["completeness"]
    rows = completeness.filter(
        pl.col("field") == field, pl.col("site_id").is_null(), pl.col("year").is_null()
    )
    assert rows.select("present", "expected").rows() == [EXPECTED[field]]


def test_by_site_and_year(evaluation):
    rows = evaluation.tables["completeness"].filter(pl.col("field") == "receptor_tests.her2_ihc")
    told = {(r["site_id"], r["year"]): (r["present"], r["expected"]) for r in rows.to_dicts()}
    assert told == {
        (None, None): (4, 5),
        ("H1", None): (3, 3),
        ("H2", None): (1, 1),
        ("(not recorded)", None): (0, 1),
        (None, "2019"): (1, 1),
        (None, "2020"): (2, 2),
        (None, "2021"): (1, 1),
        (None, "(not recorded)"): (0, 1),
    }


def test_only_fields_that_an_audited_rule_needs(tmp_path):
    folder = write_extract(tmp_path / "extract", TABLES)
    settings = Settings(extract=folder, cutoff=date(2024, 1, 1), rules=("R01",))
    completeness = evaluate_extract(settings).tables["completeness"]
    assert "surgeries.yp_t" not in set(completeness["field"])
    assert completeness["rules"].explode().unique().to_list() == [
        "her2-positive-before-her2-therapy"
    ]


def test_the_sql_counts_each_field_of_the_list():
    folder = resources.root("sql") / "results" / "tables"
    sql = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.sql"))
    counted = re.findall(r"field := '([\w.]+)'", sql)
    assert len(counted) == len(set(counted))
    assert set(counted) == set(CATALOGUE.fields)


def test_the_list_names_rules_of_the_specification():
    for field in CATALOGUE.fields.values():
        assert set(field.rules) <= set(CATALOGUE.numbers)


# ---- repairs


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repairs")
    synthesise(400, 5, folder / "extract")
    return evaluate_extract(Settings(extract=folder / "extract", cutoff=date(2025, 12, 31)))


def not_evaluable(evaluation, rule, site):
    level, group = ("registry", "") if site is None else ("site", site)
    rates = evaluation.tables["rates"]
    return rates.filter(
        pl.col("rule_id") == rule, pl.col("level") == level, pl.col("group_id") == group
    ).to_dicts()[0]


def test_repairs_add_up_to_what_was_not_judged(registry):
    repairs = registry.tables["repairs"]
    assert repairs.height
    settled = repairs.group_by("rule_id", "site_id").agg(pl.col("verdicts_settled").sum())
    for rule, site, count in settled.rows():
        assert count == not_evaluable(registry, rule, site)["not_evaluable"]
    unjudged = registry.findings.filter(pl.col("verdict") == "not_evaluable")
    whole = repairs.filter(pl.col("site_id").is_null())["verdicts_settled"].sum()
    assert whole == unjudged.height


def test_a_repair_never_widens_the_bounds_whatever_comes_of_the_cases(registry):
    for repair in registry.tables["repairs"].to_dicts():
        counts = not_evaluable(registry, repair["rule_id"], repair["site_id"])
        met, unmet, unjudged = (
            counts[name] for name in ("conformant", "non_conformant", "not_evaluable")
        )
        settled = repair["verdicts_settled"]
        now = statistics.bounds(met, unmet, unjudged)
        assert repair["bound_width_now"] == pytest.approx(now.high - now.low)
        assert 0 <= repair["bound_width_after"] < repair["bound_width_now"]
        assert repair["narrowing"] == pytest.approx(
            repair["bound_width_now"] - repair["bound_width_after"]
        )
        for met_then in {0, settled // 2, settled}:
            then = statistics.bounds(met + met_then, unmet + settled - met_then, unjudged - settled)
            assert repair["bound_width_after"] == pytest.approx(then.high - then.low)
            assert now.low <= then.low + 1e-12 and then.high <= now.high + 1e-12
        excused = statistics.bounds(met, unmet, unjudged - settled)
        if excused is not None:
            assert excused.high - excused.low <= now.high - now.low + 1e-12


def test_a_case_that_lacks_several_fields_counts_once_under_all_of_them(evaluation):
    repairs = evaluation.tables["repairs"].filter(pl.col("rule_id") == "postneo-residual-tdm1")
    assert repairs.select("site_id", "field", "verdicts_settled").sort("site_id").rows() == [
        (None, "surgeries.yp_n + surgeries.yp_t", 1),
        ("H1", "surgeries.yp_n + surgeries.yp_t", 1),
    ]


def test_imprecise_dates_are_one_gap_whichever_dates_they_are(tmp_path):
    vague = [
        row | {"start_date": "2020"} for row in TABLES["treatments"] if row["patient_id"] == "P1"
    ]
    folder = write_extract(tmp_path / "extract", TABLES | {"treatments": vague})
    found = evaluate_extract(Settings(extract=folder, cutoff=date(2024, 1, 1)))
    unclear = found.findings.filter(pl.col("reason") == "imprecise-date")
    repairs = found.tables["repairs"].filter(
        pl.col("field") == "exact dates", pl.col("site_id").is_null()
    )
    assert repairs["verdicts_settled"].sum() == unclear.height > 0
