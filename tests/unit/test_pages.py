"""What the pages say again of the figures: hospitals, exceptions, changes of the rules."""

import pytest
import report_fixtures as fixtures
from report_registry import CATALOGUE

from audit import pages
from audit.comparison import Place
from audit.present import present


@pytest.fixture(scope="module")
def page():
    return present(fixtures.tables(), fixtures.manifest(), CATALOGUE)


@pytest.fixture(scope="module")
def views(page):
    return pages.rule_views(page)


def test_a_hospital_s_page_says_what_the_rules_pages_say_of_it(page, views):
    sites = pages.site_views(page, views)
    assert [site.id for site in sites] == list(fixtures.SITES)
    for site in sites:
        for row in site.rows:
            same = next(group for group in row.rule.figures.sites if group.id == site.id)
            assert row.group is same
    assert sum(site.count(*Place) for site in sites) == pages.alarms(views).compared


def test_the_plan_begins_with_most_cases_for_review(page, views):
    site = pages.site_views(page, views)[0]
    counts = [row.group.cells["non_conformant"].value for row in site.plan]
    assert len(counts) == pages.PLANNED and counts == sorted(counts, reverse=True)
    assert counts[0] == max(row.group.cells["non_conformant"].value or 0 for row in site.rows)


def test_every_documented_reason_stands_with_its_rules(page):
    told = {(rule.id, code) for one in pages.exceptions(page) for rule, code, _ in one.rules}
    assert told == {
        (rule.id, one.code) for rule in page.rules for one in rule.reasons.get("excepted", [])
    }


def test_only_editions_within_the_years_audited_are_changes(views):
    years = {period.name for view in views for period in view.periods}
    changes = [change for view in views for change in view.changes]
    assert changes
    assert {str(change.edition.since.year) for change in changes} <= years
    for view in views:
        since = [change.edition.since for change in view.changes]
        assert since == sorted(since)
    unchanged = next(view for view in views if view.rule.id == "early-her2-one-year")
    assert unchanged.periods == [] and unchanged.changes == []


def test_the_map_of_completeness_marks_what_is_hidden(page):
    drawn = pages.completeness_map(page)
    cells = [cell for row in page.completeness.fields for cell in row.sites]
    hidden = sum(cell.percent is None and cell.why != "nobody" for cell in cells)
    assert hidden
    assert drawn.count(f">{pages.HIDDEN}</text>") == hidden
