"""Other readings of a rule beside the one in force: what they count, and what they may not show."""

from datetime import date

import polars as pl
import pytest
import report_fixtures as fixtures
from report_registry import CATALOGUE

from audit.evaluate import VARIANT_RATES
from audit.figures import rule_figures
from audit.pipeline import evaluate_extract
from audit.present import present
from audit.report import render_report
from audit.settings import Settings
from audit.synthesise import synthesise

RULE = "neoadj-dual-blockade"
COUNTS = ["conformant", "non_conformant", "not_evaluable"]


def with_readings(*changes: tuple[int, int, int]) -> dict[str, pl.DataFrame]:
    """The fixture's tables, with readings of RULE that differ by so much from the one in force."""
    tables = fixtures.tables()
    rates = tables["rates"].filter((pl.col("rule_id") == RULE) & (pl.col("level") == "registry"))
    own = rates.select(COUNTS).row(0)
    choices = ("all-early", "high-risk", "stage-ii-iii")
    rows = [
        (RULE, "population", choice, *(a + b for a, b in zip(own, change, strict=True)))
        for choice, change in zip(choices, changes, strict=False)
    ]
    return {**tables, "variant_rates": pl.DataFrame(rows, VARIANT_RATES, orient="row")}


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readings") / "extract"
    synthesise(400, 3, folder)
    return folder


def registry_counts(tables: dict[str, pl.DataFrame]) -> tuple[int, ...]:
    rates = tables["rates"].filter((pl.col("rule_id") == RULE) & (pl.col("level") == "registry"))
    return rates.select(COUNTS).row(0)


def test_a_reading_counts_what_a_run_under_it_counts(extract):
    cutoff = date(2025, 12, 31)
    compared = evaluate_extract(
        Settings(extract=extract, cutoff=cutoff, rules=(RULE,), compare_variants=True)
    )
    readings = compared.tables["variant_rates"]
    assert set(readings.select("variant", "choice").rows()) == {
        ("population", "all-early"),
        ("population", "high-risk"),
        ("size", "20-mm-or-more"),
    }
    for row in readings.to_dicts():
        chosen = {RULE: {row["variant"]: row["choice"]}}
        alone = evaluate_extract(
            Settings(extract=extract, cutoff=cutoff, rules=(RULE,), variants=chosen)
        )
        assert tuple(row[name] for name in COUNTS) == registry_counts(alone.tables)


def test_comparing_changes_no_finding(extract):
    settings = Settings(extract=extract, cutoff=date(2025, 12, 31))
    compared = settings.model_copy(update={"compare_variants": True})
    plain, beside = evaluate_extract(settings), evaluate_extract(compared)
    assert plain.findings.equals(beside.findings)
    assert plain.tables["variant_rates"].is_empty()


def test_a_reading_that_differs_in_a_few_cases_shows_no_rate():
    nine, ten, none = rule_figures(
        with_readings((9, 0, 0), (0, 10, 0), (0, 0, 0)), RULE, 10
    ).readings
    assert nine.why == "close" and nine.rate is None
    assert not ten.why and ten.rate.share is not None
    assert none.why == "alike"


def test_a_reading_that_judges_a_few_cases_more_shows_no_rate():
    (reading,) = rule_figures(with_readings((20, -15, 0)), RULE, 10).readings
    assert reading.why == "close"


def test_no_reading_stands_beside_a_hidden_rate():
    """Eleven for review there would tell that in force it is one, where that is said to be few."""
    few = pl.when(pl.col("rule_id") == RULE).then(1).otherwise("non_conformant")
    tables = with_readings((40, 0, 0), (0, 0, 0))
    rates = tables["rates"].with_columns(few.alias("non_conformant"))
    readings = rule_figures({**tables, "rates": rates}, RULE, 10).readings
    assert [(one.why, one.rate) for one in readings] == [("hidden", None)] * 2


def test_two_readings_a_few_cases_apart_are_not_both_shown():
    first, second = rule_figures(with_readings((0, 20, 0), (0, 23, 0)), RULE, 10).readings
    assert first.rate.share is not None
    assert second.why == "close" and second.rate is None


def test_the_page_shows_the_readings_side_by_side(tmp_path):
    page = present(with_readings((0, 50, 0), (3, 0, 0)), fixtures.manifest(), CATALOGUE)
    render_report(page, tmp_path)
    html = (tmp_path / "report" / "rules" / f"{RULE}.html").read_text(encoding="utf-8")
    assert html.count("Readings side by side, one choice changed at a time") == 1
    assert "fewer than 10 cases more or less than in a row above" in html
