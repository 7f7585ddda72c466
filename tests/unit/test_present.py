"""What the page says of the numbers, and that figures of one rule give no hidden count away."""

import polars as pl
import pytest
import report_fixtures as fixtures
from attack import solved
from report_registry import CATALOGUE

from audit.disclosure import Cell, Mark, Sum
from audit.figures import all_figures, rule_figures
from audit.present import present
from audit.verdicts import IN_POPULATION, VERDICTS
from audit.wording import sentence, words

RULE = "neoadj-dual-blockade"


@pytest.fixture(scope="module")
def page():
    return present(fixtures.tables(), fixtures.manifest(), CATALOGUE)


def rule_of(page, rule_id):
    return next(rule for rule in page.rules if rule.id == rule_id)


def test_rules_come_in_the_order_of_their_numbers(page):
    numbers = [rule.card.number for rule in page.rules]
    assert numbers == sorted(card.number for card in (r.card for r in CATALOGUE.rules.values()))


def test_the_headline_names_rules_by_their_cases_for_review(page):
    first = page.headline[0]
    most = max(page.rules, key=lambda rule: rule.registry.cells["non_conformant"].value or 0)
    assert first.about == most.card.title
    assert first.says.startswith(f"{most.registry.cells['non_conformant'].value} for review of ")


def test_a_rule_without_a_case_says_what_excluded_them(page):
    rule = rule_of(page, "early-her2-one-year")
    assert rule.registry.rate.share is None
    assert rule.registry.rate.why == "none-judged"
    assert rule.nothing.startswith("No case falls under this rule")
    assert "Decided before the rule was in force (1,200)" in rule.nothing


def test_attrition_is_numbered_from_everyone_loaded_to_the_rate(page):
    rule = rule_of(page, RULE)
    cells = rule.registry.cells
    assert [step.number for step in rule.steps] == list(range(1, len(rule.steps) + 1))
    assert rule.steps[0].remaining == Cell(15_000) and rule.steps[0].removed is None
    judged = cells["conformant"].value + cells["non_conformant"].value
    assert rule.steps[-1].remaining == Cell(judged)
    before = rule.steps[2].remaining.value
    for step in rule.steps[3:]:
        assert step.remaining.value == before - step.removed.value
        before = step.remaining.value


def test_completeness_and_bounds_stand_beside_the_rate(page):
    rule = rule_of(page, RULE)
    cells = {name: cell.value for name, cell in rule.registry.cells.items()}
    rate = rule.registry.rate
    assert rate.completeness == 1 - cells["not_evaluable"] / cells["population"]
    assert rate.bounds.low <= rate.share <= rate.bounds.high
    assert rate.interval.low < rate.share < rate.interval.high


def test_low_completeness_is_said_with_the_field_most_often_missing():
    rates = fixtures.tables()["rates"].with_columns(
        pl.when(pl.col("rule_id") == RULE)
        .then(pl.col("not_evaluable") * 9)
        .otherwise("not_evaluable")
        .alias("not_evaluable")
    )
    page = present({**fixtures.tables(), "rates": rates}, fixtures.manifest(), CATALOGUE)
    said = [finding.says for finding in page.headline if finding.says.startswith("Rests on part")]
    assert len(said) == 1 and "most often missing: " in said[0]


def test_streams_not_linked_say_what_could_not_be_credited(page):
    (label, says), = page.not_linked  # fmt: skip
    assert label == "Documented exceptions"
    assert "nobody could be credited" in says


def test_every_optional_table_has_its_sentence():
    assert set(words()["tables"]) - {"patients", "tumours"} == set(words()["not_linked"])


def test_rows_read_are_rows_loaded_duplicates_and_quarantined(page):
    whole = [x for x in page.loads if None not in (x.read.value, x.quarantined.value)]
    assert whole
    for x in whole:
        assert x.read.value == x.loaded.value + x.duplicates.value + x.quarantined.value


def test_a_few_rows_in_quarantine_do_not_follow_from_those_read(page):
    (treatments,) = (x for x in page.loads if x.name == "treatments")
    assert treatments.quarantined == Cell(None, Mark.SMALL)
    assert treatments.read == Cell(None, Mark.COVER)
    assert treatments.loaded == Cell(90_000)
    assert all(cell.value is None for cell in treatments.reasons.values() if cell.value != 0)


def test_a_drug_text_of_few_patients_is_counted_but_not_named(page):
    (drug,) = page.drugs
    assert (drug.text, drug.rows, drug.patients) == ("study <drug>", Cell(40), Cell(12))
    assert page.drugs_left_out == 1


def test_unreadable_stages_are_counted_by_column_without_their_texts(page):
    (m, m_rows), t = page.stages
    assert (m, m_rows.mark) == ("clinical_m", Mark.SMALL)
    assert t == ("yp_t", Cell(42))


def test_a_fact_that_is_a_sum_of_others_does_not_give_a_small_one_away(page):
    status = {one.says: one.cell for one in page.facts["HER2 status of patients"]}
    assert status["of these discordant"].mark is Mark.SMALL
    assert status["positive without those"].mark is Mark.COVER
    assert status["positive"] == Cell(2100)
    assert status["equivocal"].mark is Mark.SMALL
    assert status["negative"] == Cell(11_800)


def test_a_reason_is_worded_by_the_card_before_the_common_words():
    card = CATALOGUE.rules["postneo-residual-tdm1"].card
    assert (
        sentence("drug-unavailable-fallback-met", card)
        == card.reasons["drug-unavailable-fallback-met"]
    )
    assert sentence("patient-refusal", card) == "The patient declined"
    assert sentence("some-new-code", card) == "Some new code"


def test_every_code_of_every_card_has_words():
    for rule in CATALOGUE.rules.values():
        assert rule.card.severity in words()["severity"]
        assert rule.card.kind in words()["kind"]
        for code in rule.card.exceptions.reasons:
            assert code in rule.card.reasons or code in words()["reasons"], code


def attrition_and_reasons(figures):
    """What a reader can subtract in the other tables of a rule, read off the page."""
    cells, sums = {}, []
    for at, step in enumerate(figures.steps):
        cells["left", at] = step.remaining
        if step.removed is not None:
            cells["out", at] = step.removed
            sums.append(Sum((("out", at), ("left", at)), ("left", at - 1)))
        if step.code in ("not_evaluable", "excepted", "pending"):
            sums.append(Sum((("out", at),), ("registry", "", step.code)))
    judged = (("registry", "", "conformant"), ("registry", "", "non_conformant"))
    sums.append(Sum(judged, ("left", len(figures.steps) - 1)))
    sums.append(Sum((("left", len(figures.steps) - 4),), ("registry", "", "population")))
    for verdict, reasons in figures.reasons.items():
        keys = tuple((verdict, code) for code, _ in reasons)
        cells |= dict(zip(keys, (cell for _, cell in reasons), strict=True))
        sums.append(Sum(keys, ("registry", "", verdict)))
    return cells, sums


def repair_list(figures):
    """What a reader can subtract on the repair list, read off the page."""
    cells = {one.fields: one.settled for one in figures.repairs}
    sums = [Sum(tuple(cells), ("registry", "", "not_evaluable"))]
    cells |= {("missing", field): cell for field, cell in figures.missing}
    for field, _ in figures.missing:
        parts = [one.fields for one in figures.repairs if field in one.fields]
        if ("exact dates",) not in cells:  # which date fields those lack is told nowhere
            sums.append(Sum(tuple(parts), ("missing", field)))
    return cells, sums


@pytest.mark.parametrize("size", [40, 150, 400, 1200])
@pytest.mark.parametrize("reason", ["imprecise-date", "undated-row"])
def test_no_small_count_of_a_rule_follows_from_the_tables_of_its_page(size, reason):
    found = fixtures.findings(size)
    tables = fixtures.tables(
        found.with_columns(pl.col("reason").replace({"imprecise-date": reason}))
    )
    for figures in all_figures(tables, fixtures.RULES, 10).values():
        groups = [figures.registry, *figures.sites, *figures.periods]
        cells = {
            (group.level, group.id, name): cell
            for group in groups
            for name, cell in group.cells.items()
        }
        rows = [
            Sum(tuple((g.level, g.id, v) for v in IN_POPULATION), (g.level, g.id, "population"))
            for g in groups
        ]
        columns = [
            Sum(tuple((g.level, g.id, name) for g in members), ("registry", "", name))
            for members in (figures.sites, figures.periods)
            for name in (*VERDICTS, "population")
        ]
        more, reasons = attrition_and_reasons(figures)
        mended, repairs = repair_list(figures)
        cells |= more | mended
        given_away = solved(cells, [*rows, *columns, *reasons, *repairs])
        assert not [key for key in given_away if cells[key].mark is Mark.SMALL]


@pytest.mark.parametrize("size", [40, 150, 400])
def test_no_rate_rests_on_a_hidden_count_or_on_few_cases(size):
    figures = rule_figures(fixtures.tables(fixtures.findings(size)), RULE, 10)
    for group in (figures.registry, *figures.sites, *figures.periods):
        met, unmet = (group.cells[name].value for name in ("conformant", "non_conformant"))
        if group.rate.share is not None:
            assert met + unmet >= 10
        else:
            assert met is None or unmet is None or met + unmet < 10
        if group.rate.bounds is not None:
            assert group.cells["not_evaluable"].value is not None


@pytest.mark.parametrize("size", [150, 400])
def test_completeness_of_a_small_count_is_a_floor_of_what_it_may_be(size):
    for figures in all_figures(
        fixtures.tables(fixtures.findings(size)), fixtures.RULES, 10
    ).values():
        for group in (figures.registry, *figures.sites, *figures.periods):
            if group.rate.completeness_least is not None:
                assert group.cells["not_evaluable"].mark is Mark.SMALL
                population = group.cells["population"].value
                assert group.rate.completeness_least == (population - 9) / population
                assert group.rate.completeness is None


def test_without_suppression_a_unit_with_few_judged_cases_still_shows_no_rate():
    figures = rule_figures(fixtures.tables(fixtures.findings(40)), RULE, 1)
    assert all(cell.mark is Mark.SHOWN for cell in figures.registry.cells.values())
    few = [
        site
        for site in figures.sites
        if site.cells["conformant"].value + site.cells["non_conformant"].value < 10
    ]
    assert few and all(site.rate.share is None for site in few)


def test_drug_texts_are_named_from_the_threshold_on_however_many_rows_they_have():
    drugs = pl.DataFrame(
        {
            "drug": ["of nine", "of ten", "of eleven"],
            "rows": [90, 10, 11],
            "patients": [9, 10, 11],
        }
    )
    page = present(
        {**fixtures.tables(), "unrecognised_drugs": drugs}, fixtures.manifest(), CATALOGUE
    )
    assert [drug.text for drug in page.drugs] == ["of eleven", "of ten"]
    assert page.drugs_left_out == 1


def test_a_few_rows_are_hidden_with_their_share_and_places_but_not_of_hospitals(page):
    warned = {one.id: one for one in page.quality.failed["warn"]}
    for few in (warned["aged"], warned["dosed"]):
        assert few.rows.mark is Mark.SMALL
        assert few.share is None and few.examples == [] and few.past == []
    assert (warned["placed"].rows, warned["placed"].examples) == (Cell(2), [6])


def test_the_trend_of_an_expectation_on_people_leaves_out_runs_that_found_few():
    checks = fixtures.tables()["quality_checks"].with_columns(rows_unexpected=pl.lit(40))
    history = fixtures.tables()["quality_history"]
    found = pl.when(pl.col("run_id") == "run-2").then(3).otherwise("rows_unexpected")
    tables = {
        **fixtures.tables(),
        "quality_checks": checks,
        "quality_history": history.with_columns(rows_unexpected=found),
    }
    page = present(tables, fixtures.manifest(), CATALOGUE)
    past = {one.id: [run.rows for run in one.past] for one in page.quality.failed["warn"]}
    assert past == {"aged": [35, 25], "dosed": [35, 25], "placed": []}
