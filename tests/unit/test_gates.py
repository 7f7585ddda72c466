"""A hospital whose stream is not linked has nobody for review, and nothing else changes."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
import report_fixtures as fixtures
from extracts import write_extract
from report_registry import CATALOGUE

from audit.figures import rule_figures
from audit.guideline import Catalogue, Edition, Gate
from audit.outputs import summary
from audit.pages import rule_view
from audit.pipeline import evaluate_extract
from audit.present import present
from audit.report import render
from audit.settings import Settings

RULE = "postneo-residual-tdm1"

# What becomes of a patient stands in fields that no gate reads: grade is what the rule finds.
SQL = """
select
    t.patient_key,
    t.tumour_id,
    t.site_id,
    t.diagnosis_date as decision_date,
    t.diagnosis_date as due_date,
    case when t.laterality = 'right' then 'pcr' end as excluded,
    case t.grade when 1 then 'on-time' end as met,
    case t.grade when 2 then 'trial' end as excepted,
    case t.grade when 3 then 'conjugate-not-recorded' end as failed,
    t.her2_summary = 'positive' and t.laterality = 'left' as gate_expected,
    t.er_status = 'positive' as gate_seen,
    '{}' as evidence
from (select w.*, r.grade from stg_tumours as w join tumours as r on w.tumour_id = r.tumour_id) as t
"""


@pytest.fixture
def catalogue(monkeypatch):
    """The catalogue with one rule in place of another, judged as the patients themselves say."""
    real = Catalogue.read()
    rule = real.rules[RULE]
    gate = Gate(stream="radiotherapy", share="gate_share", says="Said by the card.")
    card = rule.card.model_copy(
        update={"gate": gate, "needs_streams": [], "guards_streams": [], "interrupted_by": []}
    )
    since = Edition(since=date(2015, 1, 1), source="made up", status="expert")
    made_up = replace(rule, card=card, sql=SQL, editions={"default": {"US": since}})
    monkeypatch.setattr(
        Catalogue, "read", lambda *_: replace(real, rules={**real.rules, RULE: made_up})
    )
    return made_up


def patient(site, verdict=3, *, seen=False, expected=True, excluded=False, diagnosed="2020-05-04"):
    return {
        "site_id": site,
        "grade": verdict,
        "er_status": "positive" if seen else "negative",
        "her2_summary": "positive" if expected else "negative",
        "laterality": "right" if excluded else "left",
        "diagnosis_date": diagnosed,
    }


def audit(folder, tumours):
    """Findings and tables of an extract with one patient a tumour."""
    rows = [{"patient_id": f"P{n}", "tumour_id": f"T{n}", **t} for n, t in enumerate(tumours)]
    people = [{"patient_id": row["patient_id"]} for row in rows]
    write_extract(folder, {"patients": people, "tumours": rows})
    settings = Settings(extract=folder, cutoff=date(2024, 1, 1), rules=(RULE,))
    return evaluate_extract(settings)


def told(evaluation, site):
    rows = evaluation.findings.filter(pl.col("site_id").eq_missing(site))
    return sorted(rows.select("verdict", "reason").rows())


def gate(evaluation, site):
    rows = evaluation.tables["gated_sites"].filter(pl.col("site_id").eq_missing(site))
    return rows.select("expected", "seen", "share", "gated").row(0)


FAILED = ("non_conformant", "conjugate-not-recorded")
GATED = ("not_evaluable", "stream-not-linked")


@pytest.mark.usefixtures("catalogue")
def test_the_share_itself_is_enough_and_less_is_not(tmp_path):
    found = audit(
        tmp_path / "e",
        [patient("H1", seen=n < 8) for n in range(10)]
        + [patient("H2", seen=n < 7) for n in range(9)],
    )
    assert told(found, "H1") == [FAILED] * 10
    assert gate(found, "H1") == (10, 8, 0.8, False)
    assert told(found, "H2") == [GATED] * 9
    assert gate(found, "H2") == (9, 7, 7 / 9, True)
    missing = found.findings.filter(pl.col("site_id") == "H2")["missing"].unique().to_list()
    assert missing == [["radiotherapy"]]


@pytest.mark.usefixtures("catalogue")
def test_only_would_be_failures_change(tmp_path):
    found = audit(
        tmp_path / "e",
        [patient("H1", 1), patient("H1", 2), patient("H1", 3), patient("H1", 3, excluded=True)],
    )
    assert told(found, "H1") == [
        ("conformant", "on-time"),
        ("excepted", "trial"),
        ("not_applicable", "pcr"),
        GATED,
    ]


@pytest.mark.usefixtures("catalogue")
def test_only_those_count_for_whom_the_stream_is_expected(tmp_path):
    outside = [
        patient("H1", expected=False),
        patient("H1", excluded=True),
        patient("H1", diagnosed="2014-01-01"),
    ]
    found = audit(tmp_path / "e", [patient("H1", seen=True), *outside])
    assert gate(found, "H1") == (1, 1, 1.0, False)
    assert told(found, "H1").count(FAILED) == 2


@pytest.mark.usefixtures("catalogue")
def test_a_site_where_nobody_is_expected_has_no_gate(tmp_path):
    found = audit(tmp_path / "e", [patient("H1", expected=False)])
    assert told(found, "H1") == [FAILED]
    assert found.tables["gated_sites"].is_empty()


@pytest.mark.usefixtures("catalogue")
def test_an_imprecise_date_counts_its_patient_once(tmp_path):
    # Three placements of the date stand for one patient.
    found = audit(
        tmp_path / "e",
        [patient("H1", seen=True, diagnosed="2020-05"), patient("H1"), patient("H1")],
    )
    assert gate(found, "H1")[:2] == (3, 1)
    assert told(found, "H1") == [GATED] * 3


@pytest.mark.usefixtures("catalogue")
def test_cases_without_a_site_have_a_gate_of_their_own(tmp_path):
    found = audit(tmp_path / "e", [patient(None), patient("H1", seen=True)])
    assert told(found, None) == [GATED]
    assert told(found, "H1") == [FAILED]


@pytest.mark.usefixtures("catalogue")
def test_a_gated_site_shows_no_rate(tmp_path):
    met = [patient(site, 1, seen=site == "H2") for site in ("H1", "H2") for _ in range(20)]
    found = audit(tmp_path / "e", met)
    figures = rule_figures(found.tables, RULE, 10)
    rates = {group.id: group.rate for group in figures.sites}
    assert rates["H1"].share is None and rates["H1"].why == "stream-not-linked"
    assert rates["H2"].share == 1.0
    assert figures.registry.rate.share == 1.0
    printed = {row["group_id"]: row for row in summary([figures], 10, {}).to_dicts()}
    assert printed["H1"]["rate"] == printed["H1"]["bound_high"] == "stream-not-linked"
    assert printed["H1"]["conformant"] == "20"
    assert printed["H2"]["rate"] == "1.000000"


@pytest.mark.usefixtures("catalogue")
def test_no_rate_anywhere_where_every_site_is_gated(tmp_path):
    found = audit(tmp_path / "e", [patient("H1", 1) for _ in range(20)])
    figures = rule_figures(found.tables, RULE, 10)
    for group in (figures.registry, *figures.sites, *figures.periods):
        assert group.rate.share is None
        assert group.rate.why == "stream-not-linked"


def test_the_page_says_so_in_place_of_the_rate():
    page = present(fixtures.tables(), fixtures.manifest(), CATALOGUE)
    rule = next(rule for rule in page.rules if rule.id == fixtures.GATED)
    context = {"page": page, "rule": rule, "view": rule_view(rule, "US", "year")}
    told = render("rule.html", context)
    assert told.count('<span class="quiet">stream not linked</span>') == 1
    assert "at 1 of 4 hospitals too few of the cases" in told


def test_the_page_says_that_no_hospital_is_linked():
    tables = fixtures.tables()
    everywhere = pl.DataFrame(
        [(fixtures.GATED, site, "receptor_tests", 40, 20, 0.5, True) for site in fixtures.SITES],
        orient="row",
        schema=tables["gated_sites"].schema,
    )
    page = present({**tables, "gated_sites": everywhere}, fixtures.manifest(), CATALOGUE)
    (said,) = [one.says for one in page.unrated if "stream" in one.says]
    assert said == "No rate: the stream is not linked at the hospitals concerned (receptor tests)."


def test_where_no_hospital_judges_anybody_the_registry_has_nothing_to_close():
    tables = fixtures.tables()
    own = pl.col("rule_id") == fixtures.GATED
    nobody = [
        pl.when(own).then(0).otherwise(pl.col(name)).alias(name)
        for name in ("conformant", "non_conformant")
    ]
    figures = rule_figures(
        {**tables, "rates": tables["rates"].with_columns(nobody)}, fixtures.GATED, 1
    )
    assert figures.registry.rate.why == "none-judged"
