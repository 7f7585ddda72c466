"""Everything published of an audit, solved by a reader who knows how pages hide small numbers."""

from math import inf

import polars as pl
import pytest
import report_fixtures as fixtures
from reader import Reader
from reading import Book, printed
from report_registry import CATALOGUE

from audit.disclosure import SPREAD
from audit.evaluate import VARIANT_RATES
from audit.present import present
from audit.verdicts import IN_POPULATION

RULES = fixtures.RULES[:6]


def book(tables, threshold, folder, rules=RULES, period="year"):
    """What a reader knows of the pages of an audit with these tables."""
    of_rules = {name: frame for name, frame in tables.items() if "rule_id" in frame.columns}
    tables |= {
        name: frame.filter(pl.col("rule_id").is_in(rules)) for name, frame in of_rules.items()
    }
    manifest = fixtures.manifest()
    manifest |= {"verdicts": {rule_id: {} for rule_id in rules}, "period": period}
    hidden, openly = (present(tables, manifest, CATALOGUE, at) for at in (threshold, 1))
    return Book(
        hidden, printed(hidden, folder / "hidden"), openly, printed(openly, folder / "open"), tables
    )


def readings(rates):
    """Other readings of each rule that has some: in turn far from and near to the one in force."""
    moves = [(40, -30, 0), (41, -31, 0), (0, 25, 3), (0, 0, 4)]
    own = {row["rule_id"]: row for row in rates.filter(level="registry").to_dicts()}
    rows = []
    for rule_id in RULES:
        counts = [own[rule_id][name] for name in ("conformant", "non_conformant", "not_evaluable")]
        for name, variant in CATALOGUE.rules[rule_id].card.variants.items():
            for choice, move in zip(variant.choices, moves, strict=False):
                other = (max(n + by, 0) for n, by in zip(counts, move, strict=True))
                rows.append((rule_id, name, choice, *other))
    return pl.DataFrame(rows, VARIANT_RATES, orient="row")


def known_too_well(book):
    """Small counts of which a reader knows too much: with what they know of each, and the truth."""
    assert book.unread() == []
    assert book.reader.holds(book.truth) == []
    small = [key for key in book.reader.hidden() if 0 < book.truth[key] < book.threshold]
    assert small
    spread = min(SPREAD, book.threshold - 2)
    needed = dict.fromkeys(book.truth, 1) | dict.fromkeys(small, spread)
    ranges = book.reader.ranges(book.truth, needed)
    return {
        key: (book.truth[key], *ranges[key])
        for key in small
        if ranges[key][1] - ranges[key][0] < spread
    }


@pytest.mark.parametrize(
    ("size", "seed", "threshold"),
    [(1200, 7, 10), (300, 1, 10), (300, 2, 5), (600, 3, 20), (120, 4, 10)],
)
def test_no_small_count_of_several_rules_can_be_worked_out(size, seed, threshold, tmp_path):
    tables = fixtures.tables(fixtures.findings(size, seed))
    tables["variant_rates"] = readings(tables["rates"])
    assert known_too_well(book(tables, threshold, tmp_path)) == {}


@pytest.mark.parametrize(
    ("size", "seed", "kind"), [(1200, 5, "half-year"), (300, 6, "half-year"), (1200, 8, "quarter")]
)
def test_none_follows_from_finer_periods(size, seed, kind, tmp_path):
    tables = fixtures.tables(fixtures.findings(size, seed), period=kind)
    assert known_too_well(book(tables, 10, tmp_path, period=kind)) == {}


@pytest.mark.parametrize(
    ("size", "seed", "of", "threshold"),
    [(1200, 9, 3, 10), (1200, 10, 1, 10), (300, 11, 2, 5), (5000, 12, 2, 10), (300, 13, 1, 10)],
)
def test_none_follows_from_what_reviewers_accepted(size, seed, of, threshold, tmp_path):
    tables = fixtures.tables(fixtures.reviewed(fixtures.findings(size, seed), of))
    assert known_too_well(book(tables, threshold, tmp_path)) == {}


@pytest.fixture(scope="module")
def small_book(tmp_path_factory):
    tables = fixtures.tables(fixtures.findings(300, 1))
    return book(tables, 10, tmp_path_factory.mktemp("small"), RULES[:1])


def test_the_reader_would_find_what_is_hidden_badly(small_book):
    """Hidden alone, a small count follows from its total: the attack has to see that."""
    reader, truth = Reader(), small_book.truth
    reader.rows = small_book.reader.rows
    reader.bounds = {key: (value, value) for key, value in truth.items()}
    key = next(key for key in truth if key[1] == "site" and key[-1] in IN_POPULATION and truth[key])
    reader.bounds[key] = (1, inf)
    assert reader.ranges(truth, {key: 2})[key] == (truth[key], truth[key])


def test_a_number_of_a_kind_that_nobody_reads_is_noticed(small_book):
    small_book.numbers["registry", "secrets", "1"] = "3"
    assert small_book.unread() == ["registry/secrets/1"]
