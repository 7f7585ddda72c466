"""Completeness and repairs on the page: what is said, and that no small count follows from it."""

import re

import polars as pl
import pytest
import report_fixtures as fixtures
from attack import solved
from hypothesis import given, settings
from hypothesis import strategies as st
from report_registry import CATALOGUE

from audit.completeness import Recorded, _cells, completeness
from audit.disclosure import Mark, Sum
from audit.present import present
from audit.repairs import first_at_sites
from audit.report import render


@pytest.fixture(scope="module")
def page():
    return present(fixtures.tables(), fixtures.manifest(), CATALOGUE)


def row(page, name):
    return next(row for row in page.completeness.fields if row.name == name)


def test_a_field_is_shown_by_hospital_and_year(page):
    assert page.completeness.sites == sorted(fixtures.SITES.values())
    assert page.completeness.years == ["2019", "2020", "2021"]
    nodes = row(page, "tumours.clinical_n")
    assert nodes.registry == Recorded(40, "")
    assert nodes.missing.value == 600
    assert nodes.sites == [Recorded(p, "") for p in (40, 34, 34, 100)]
    assert nodes.years == [Recorded(0, ""), Recorded(70, ""), Recorded(50, "")]
    assert nodes.rules == ["R01", "R02"]


def alone(expected, present, threshold=10):
    """What is said where one hospital and one year make up the registry."""
    one = pl.col("site_id").fill_null("S1").eq("S1") & pl.col("year").fill_null("2020").eq("2020")
    counted = fixtures.completeness().filter(one)
    told = completeness(
        counted.with_columns(expected=expected, present=present), {}, CATALOGUE, threshold
    )
    return {cell for row in told.fields for cell in (row.registry, *row.sites, *row.years)}


def test_everything_recorded_is_a_hundred_per_cent_and_nothing_else_is(page):
    assert row(page, "tumours.diagnosis_date").registry == Recorded(100, "")
    assert alone(100_000, 99_900) == {Recorded(99, "")}
    assert alone(100_000, 100) == {Recorded(1, "")}
    assert alone(40, 0) == {Recorded(0, "")}
    assert alone(3, 1, threshold=1) == {Recorded(34, "")}


def test_few_are_not_told():
    assert alone(100, 91) == {Recorded(None, "few-missing")}
    assert alone(100, 90) == {Recorded(90, "")}
    assert alone(100, 9) == {Recorded(None, "few-recorded")}
    assert alone(9, 9) == {Recorded(None, "few")}


def test_the_total_does_not_tell_the_few(page):
    assay = row(page, "receptor_tests.her2_ihc")
    assert assay.sites[2] == Recorded(None, "few-missing")
    assert Recorded(None, "hidden") in assay.sites
    response = row(page, "surgeries.yp_t")
    assert response.sites[0] == Recorded(None, "few-recorded")
    assert Recorded(None, "hidden") in (*response.sites, response.registry)


def test_shades_are_those_of_the_legend():
    told = {p: Recorded(p, "").shade for p in (100, 98, 97, 90, 89, 75, 74, 50, 49, 0)}
    assert list(told.values()) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=6))
def test_no_small_count_follows_from_the_others(places):
    counts = {("site", str(n)): (a + b, a) for n, (a, b) in enumerate(places) if a + b}
    if not counts:
        return
    whole = tuple(map(sum, zip(*counts.values(), strict=True)))
    cells = _cells(counts | {("registry", ""): whole, ("year", "2020"): whole}, 10)
    members = [*counts, ("registry", ""), ("year", "2020")]
    sums = [Sum((("present", *g), ("missing", *g)), ("expected", *g)) for g in members]
    sums += [
        Sum(tuple((what, *group) for group in among), (what, "registry", ""))
        for what in ("expected", "present", "missing")
        for among in (list(counts), [("year", "2020")])
    ]
    given_away = solved(cells, sums)
    assert not [key for key in given_away if cells[key].mark is Mark.SMALL]


def repairs(rows):
    schema = {"rule_id": pl.String, "site_id": pl.String, "field": pl.String}
    return pl.DataFrame(rows, schema={**schema, "verdicts_settled": pl.Int64}, orient="row")


RULE = "postneo-residual-tdm1"
T, N = "surgeries.yp_t", "tumours.clinical_n"


def named(rows, threshold=10):
    listed = first_at_sites(repairs(rows), {"S1": "Alder"}, CATALOGUE, threshold)
    return {site.name: [fields for fields, _ in site.first] for site in listed}


def test_a_hospital_s_repairs_are_named_in_the_order_of_what_they_settle():
    both = f"{T} + {N}"
    rows = [(RULE, "S1", T, 20), (RULE, "S1", both, 40), (RULE, "S2", N, 3), (RULE, "S2", T, 30)]
    assert named(rows) == {"Alder": [(T, N), (T,)], "S2": [(T,)]}


@pytest.mark.parametrize(
    "rows",
    [
        [(RULE, "S1", T, 9)],
        [(RULE, "S1", T, 10), (RULE, "S1", N, 1)],  # of 11 cases at S1 at most one lacks the other
        [(RULE, "S1", T, 10), (RULE, "S2", T, 1)],  # of 11 cases that lack T one is elsewhere
    ],
)
def test_a_repair_is_not_named_where_it_would_tell_of_the_rest(rows):
    assert named(rows)["Alder"] == []


def test_without_a_threshold_everything_is_named():
    assert named([(RULE, "S1", T, 1)], threshold=1) == {"Alder": [(T,)]}


def test_the_repair_that_settles_most_comes_first(page):
    shown = [mending.shown for mending in page.repairs]
    assert shown == sorted(shown, reverse=True) and shown[0] > 0
    for mending in page.repairs:
        for one in mending.rules:
            if one.repair.after is not None:
                assert 0 <= one.repair.after <= one.repair.now


def test_the_page_says_it_in_words(page):
    told = render("quality.html", {"page": page})
    assert "Clinical N + Clinical T or size" in told
    assert "few lack it" in told and "Missing for a small number, which is hidden." in told
    assert re.search(r'<td class="heat shade-5"><data [^>]*value="0.40">40%</data></td>', told)
