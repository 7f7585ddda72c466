"""Worklists: where a plot's facts stand, what a case's row says, and what its hash rests on."""

import csv
import re
from datetime import date, timedelta

import duckdb
import polars as pl
import pytest
import report_fixtures as fixtures
from report_registry import CATALOGUE, SETTINGS

from audit import resources, worklist
from audit.adjudicate import ANSWERS
from audit.swimlanes import DAYS, LABELS, plot, told

DAY = date(2019, 3, 1)


@pytest.fixture
def facts():
    return fixtures.timeline(None, ["P"], date(2024, 12, 31))


def test_a_plot_reaches_a_month_beyond_its_first_and_last_day(facts):
    drawn = plot(told(facts)["P"], {"due by": date(2019, 12, 1), "decided on": None})
    first, last = date(2019, 2, 1) - timedelta(days=30), date(2019, 12, 1) + timedelta(days=30)

    def along(day):
        return round(LABELS + DAYS * (day - first).days / (last - first).days, 1)

    assert drawn.days == [("due by", along(date(2019, 12, 1)))]
    assert drawn.years == [] or all(year > first.year for _, year in drawn.years)
    assert [lane.name for lane in drawn.lanes] == ["Diagnosis", "Surgery", "<b>wonder</b>"]
    diagnosis, surgery, drug = drawn.lanes
    assert [(mark.kind, mark.x) for mark in diagnosis.marks] == [("diagnosis", along(DAY))]
    assert diagnosis.vague == drug.vague == []
    assert surgery.vague[0].x == along(date(2019, 2, 1))
    vague = along(date(2019, 4, 1)) - surgery.vague[0].x
    assert surgery.vague[0].width == pytest.approx(vague, abs=0.11)
    assert drug.bars == [] and [mark.kind for mark in drug.marks] == ["open"]
    assert drug.doses == [along(DAY)]


def test_follow_up_alone_draws_no_lane_and_breaks_nothing(facts):
    drawn = plot(told(facts.filter(pl.col("kind") == "cut-off"))["P"], {})
    assert drawn.lanes == []


def test_facts_are_told_with_what_is_not_exact(facts):
    assert [(fact.when, fact.what) for fact in told(facts)["P"]] == [
        ("2019-03-01", "diagnosis, cT2"),
        ("between 2019-02-01 and 2019-04-01", "Surgery: mastectomy"),
        ("from 2019-03-01", "<b>wonder</b>: course, end not recorded"),
        ("2019-03-01 to 2024-12-31", "Follow-up: data cut-off"),
    ]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Worklists of three cases a page."""
    folder = tmp_path_factory.mktemp("audit")
    found = fixtures.findings().with_columns(patient_id="<i>" + pl.col("patient_id"))
    con = fixtures.database(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worklist, "CASES_ON_PAGE", 3)
        patch.setattr(worklist, "timeline", fixtures.timeline)
        worklist.write_worklists(con, CATALOGUE, folder, SETTINGS)
    con.close()
    return folder / "worklist"


def test_a_row_says_what_the_record_shows_and_what_it_does_not(written):
    with (written / "S1.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    first = rows[0]
    assert first["verdict"] == "For review"
    card = CATALOGUE.rules[first["rule_id"]].card
    assert first["record_does_not_show"].startswith(card.numerator)
    assert "reasons are not linked" in first["record_does_not_show"]
    assert "mastectomy" in first["timeline"]
    assert first["evidence_hash"] == f"{first['subject_id']}-hash"
    assert list(first)[-5:] == ["answer", "reason", "reviewer", "reviewed_on", "evidence"]
    assert not any(row[name] for row in rows for name in list(first)[-5:])
    assert [bool(row["timeline"]) for row in rows[:5]] == [True, True, True, False, False]
    unjudged = rows[-1]
    assert unjudged["verdict"] == "Could not be judged" and unjudged["record_does_not_show"]


def test_a_page_draws_each_case_for_review_and_keeps_html_as_text(written):
    html = (written / "S1.html").read_text("utf-8")
    assert html.count("<article") == html.count('class="swimmer"') == 3
    assert all(f"<code>{answer}</code>" in html for answer in ANSWERS)
    assert "For review" in html and "It is a question, not a finding" in html
    assert "&lt;i&gt;patient-" in html and "<i>" not in html
    assert "&lt;b&gt;wonder" in html and "<b>" not in html
    assert 'href="' not in html.replace('href="data:,"', "").replace('href="#cases"', "")


def test_the_timelines_of_a_patient_under_several_rules_are_told_apart_by_ear(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(worklist, "timeline", fixtures.timeline)
    found = fixtures.findings().with_columns(patient_id=pl.lit("patient-1"))
    con = fixtures.database(found)
    worklist.write_worklists(con, CATALOGUE, tmp_path, SETTINGS)
    con.close()
    html = (tmp_path / "worklist/S1.html").read_text("utf-8")
    named = re.findall(r'role="region"[^>]* aria-label="([^"]*)"', html)
    assert len(set(named)) == len(named) > 3


def test_a_hash_changes_with_the_facts_and_not_with_the_end_of_observation():
    sql = resources.root("sql") / "results" / "findings" / "01_case_hashes.sql"
    con = duckdb.connect()
    rows = {
        "one": '{"observable_through":"2024-01-01","first_dose":"2020-01-01"}',
        "later": '{"observable_through":"2025-01-01","first_dose":"2020-01-01"}',
        "moved": '{"observable_through":"2024-01-01","first_dose":"2020-01-02"}',
    }
    hashes = {}
    for name, evidence in rows.items():
        con.execute("create or replace table judgements (rule_id text, subject_id text, "
                    "verdict text, evidence text)")  # fmt: skip
        con.execute("insert into judgements values ('R', 'S', 'non_conformant', ?)", [evidence])
        con.execute(sql.read_text("utf-8"))
        hashes[name] = con.sql("select evidence_hash from case_hashes").fetchall()
    assert hashes["one"] == hashes["later"] != hashes["moved"]
