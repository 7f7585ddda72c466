"""Reporting periods. Owns: where one ends, and what it is called in SQL and on the page."""

import re
from datetime import date

import polars as pl
import pytest
import report_fixtures as fixtures
from report_registry import CATALOGUE, SETTINGS

from audit import pages
from audit.figures import all_figures
from audit.outputs import machine_readable, summary
from audit.periods import PERIODS, period_of, period_parts
from audit.present import present
from audit.published import published
from audit.report import render_report
from audit.resources import root


@pytest.mark.parametrize(
    ("day", "year", "half", "quarter"),
    [
        ("2023-12-31", "2023", "2023-H2", "2023-Q4"),
        ("2024-01-01", "2024", "2024-H1", "2024-Q1"),
        ("2024-03-31", "2024", "2024-H1", "2024-Q1"),
        ("2024-04-01", "2024", "2024-H1", "2024-Q2"),
        ("2024-06-30", "2024", "2024-H1", "2024-Q2"),
        ("2024-07-01", "2024", "2024-H2", "2024-Q3"),
        ("2024-09-30", "2024", "2024-H2", "2024-Q3"),
        ("2024-10-01", "2024", "2024-H2", "2024-Q4"),
        ("2024-12-31", "2024", "2024-H2", "2024-Q4"),
        ("2025-01-01", "2025", "2025-H1", "2025-Q1"),
    ],
)
def test_a_day_lies_in_one_period_of_each_kind(day, year, half, quarter):
    names = [period_of(date.fromisoformat(day), kind) for kind in PERIODS]
    assert names == [year, half, quarter]
    for kind, name in zip(PERIODS, names, strict=True):
        assert counted(day, kind) == [("R05", kind, name, name, 1)]


def counted(day, kind):
    """The periods that the audit's own SQL gives one judgement, or one without a day."""
    con = fixtures.duckdb.connect()
    con.register("period_parts", period_parts(kind).to_arrow())
    con.execute(
        "create table judgements as select 'R05' as rule_id, 'T1' as subject_id, 'S1' as site_id, "
        "cast($day as date) as decision_date, 'conformant' as verdict, 'on-time' as reason",
        {"day": day},
    )
    con.execute("create table applied_answers (rule_id varchar, subject_id varchar)")
    con.execute("create table sites (site_id varchar, name varchar)")
    tables = root("sql") / "results" / "tables"
    con.execute((tables / "01_judgement_counts.sql").read_text("utf-8"))
    rates, *_ = con.extract_statements((tables / "03_rates.sql").read_text("utf-8"))
    con.execute(rates, {"period": kind})
    asked = "select rule_id, level, group_id, group_name, conformant from rates"
    return con.sql(f"{asked} where level not in ('registry', 'site')").fetchall()


@pytest.mark.parametrize("kind", PERIODS)
def test_a_decision_without_a_day_has_no_period(kind):
    assert counted(None, kind) == [("R05", kind, "(not recorded)", "(not recorded)", 1)]


@pytest.mark.parametrize("kind", PERIODS)
def test_names_sort_by_time_and_cover_it(kind):
    days = pl.date_range(date(1999, 12, 1), date(2001, 2, 1), eager=True)
    names = [period_of(day, kind) for day in days]
    assert names == sorted(names)
    parts = period_parts(kind)
    assert parts["month"].to_list() == list(range(1, 13))
    assert names[31] == f"2000{parts['part'][0]}"


def test_an_edition_is_marked_in_the_period_in_which_it_begins():
    tables = fixtures.tables(period="quarter")
    manifest = fixtures.manifest() | {"period": "quarter"}
    views = pages.rule_views(present(tables, manifest, CATALOGUE))
    by_year = pages.rule_views(present(fixtures.tables(), fixtures.manifest(), CATALOGUE))
    changed = [view for view in views if view.changes and view.trend]
    assert changed
    for view, same in zip(views, by_year, strict=True):
        assert {one.edition for one in view.changes} <= {one.edition for one in same.changes}
        begun = {period_of(one.edition.since, "quarter") for one in view.changes}
        assert begun <= {"2018-Q1", *(one.name for one in view.periods)}
    for view in changed:
        assert "by quarter of decision" in view.trend
        assert ">Quarter of decision<" in view.trend


def test_pages_and_summary_count_by_the_period_and_say_so(tmp_path):
    rules = fixtures.RULES[:3]
    tables = fixtures.tables(period="half-year")
    verdicts = {"verdicts": {rule_id: {} for rule_id in rules}, "period": "half-year"}
    page = present(tables, fixtures.manifest() | verdicts, CATALOGUE)
    render_report(page, tmp_path)
    texts = {path.name: path.read_text("utf-8") for path in (tmp_path / "report").rglob("*.*")}
    assert "By half-year of decision" in texts[f"{rules[0]}.html"]
    assert "| Half-year of decision |" in texts["report.md"]
    assert '<th scope="col">By half-year</th>' in texts["index.html"]
    for name, text in texts.items():
        told = re.sub(r"By year of diagnosis|within the years|by years", "", text)
        assert not re.search(r"[Bb]y year|(?<!-)[Yy]ear of decision|Recent years", told), name
    figures = all_figures(tables, rules, SETTINGS.small_number)
    numbers = published((tmp_path / "report").rglob("*.html"))
    rows = machine_readable(summary(figures.values(), SETTINGS.small_number, numbers))
    shown = {row["id"]: row["shown"] for row in rows.to_dicts()}
    own = f"{rules[0]}/half-year/"
    counts = [id_ for id_ in numbers if re.fullmatch(rf"{own}[^/]+/conformant", id_)]
    assert f"{own}2020-H2/conformant" in counts
    assert {id_: numbers[id_] for id_ in counts} == {id_: shown[id_] for id_ in counts}
