"""Rates before and after review. Owns: what pages and summary show of answers that count."""

import re

import polars as pl
import pytest
import report_fixtures as fixtures
from report_registry import CATALOGUE

from audit.adjudicate import reviewed_rates
from audit.disclosure import Mark
from audit.figures import all_figures
from audit.outputs import machine_readable, summary
from audit.present import present
from audit.published import published
from audit.report import render_report

RULES = fixtures.RULES[:4]
THRESHOLD = 10


@pytest.fixture(scope="module")
def found():
    """Half of the cases excepted were accepted on review, under all rules but the first."""
    found = fixtures.findings(5000, 12)
    own = pl.col("rule_id") == RULES[0]
    return pl.concat([found.filter(own), fixtures.reviewed(found.filter(~own), 2)])


@pytest.fixture(scope="module")
def tables(found):
    return fixtures.tables(found)


def test_the_cases_accepted_are_those_that_reviewers_excepted(found, tables):
    for rule_id, rule in all_figures(tables, RULES, 1).items():
        own = found.filter(pl.col("rule_id") == rule_id)
        accepted = own.filter(pl.col("reason") == "adjudicated")
        if accepted.is_empty():
            assert [group.review for group in (rule.registry, *rule.sites)] == [None] * 5
            continue
        assert rule.registry.review.adjudicated.value == accepted.height
        for site in rule.sites:
            at_site = pl.col("site_id") == site.id
            assert site.review.adjudicated.value == accepted.filter(at_site).height
            before = own.filter(
                at_site,
                pl.col("verdict").is_in(["conformant", "non_conformant"])
                | (pl.col("reason") == "adjudicated"),
            )
            met = before.filter(pl.col("verdict") == "conformant").height
            assert site.review.before.share == met / before.height
            assert site.review.before.share < site.rate.share
        assert {group.review for group in (*rule.periods, *rule.strata["age"])} == {None}


def test_the_rate_of_the_registry_is_that_of_the_message(tables):
    told = reviewed_rates(tables["rates"])
    for rule_id, rule in all_figures(tables, RULES[1:], 1).items():
        review = rule.registry.review
        assert told[rule_id] == {
            "adjudicated": review.adjudicated.value,
            "before": review.before.share,
            "after": rule.registry.rate.share,
        }


def test_no_rate_before_review_stands_beside_a_hidden_number(tables):
    groups = [
        group
        for rule in all_figures(tables, RULES[1:], THRESHOLD).values()
        for group in (rule.registry, *rule.sites)
    ]
    hidden = [group for group in groups if group.review.adjudicated.mark is not Mark.SHOWN]
    assert hidden and len(hidden) < len(groups)
    assert all(group.review.before.share is None for group in hidden)
    assert any(group.review.before.share is not None for group in groups)


def test_page_summary_and_markdown_say_it_alike(tables, tmp_path):
    manifest = fixtures.manifest() | {"verdicts": {rule_id: {} for rule_id in RULES}}
    page = present(tables, manifest, CATALOGUE, THRESHOLD)
    render_report(page, tmp_path)
    rules = tmp_path / "report" / "rules"
    assert 'id="review"' not in (rules / f"{RULES[0]}.html").read_text("utf-8")
    numbers = published(sorted((tmp_path / "report").rglob("*.html")))
    figures = [rule.figures for rule in page.rules]
    twin = machine_readable(summary(figures, THRESHOLD, numbers))
    shown = dict(twin.select("id", "shown").iter_rows())
    markdown = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert markdown.count("| Before and after review |") == len(RULES) - 1
    for rule in figures[1:]:
        text = (rules / f"{rule.rule_id}.html").read_text("utf-8")
        (table,) = re.findall(r'<section id="review">.*?</section>', text, re.DOTALL)
        own = rule.rule_id
        for site in rule.sites:
            assert shown[f"{own}/site/{site.id}/adjudicated"] == (
                f"<{THRESHOLD}"
                if site.review.adjudicated.mark is Mark.SMALL
                else str(site.review.adjudicated.value or "suppressed")
            )
            before = site.review.before.share
            id_ = f"{own}/site/{site.id}/before_review/rate"
            assert (id_ in shown) == (before is not None)
            assert before is None or float(shown[id_]) == pytest.approx(before, abs=0.0005)
        assert f'"{own}/registry/before_review/rate"' in table
        assert f'"{own}/reason/excepted/adjudicated"' in table
        assert f'"{own}/registry/adjudicated"' not in text
