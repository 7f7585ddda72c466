"""Everything published of an audit, solved by a reader who knows how pages hide small numbers."""

import pytest
import report_fixtures as fixtures
from reader import read, seen

from audit.disclosure import SPREAD, Mark
from audit.figures import all_figures

RULES = fixtures.RULES[:6]


def attacked(tables, threshold):
    """Counts that a reader knows too well: with what they know of each, and the truth."""
    truth = {key: cell.value for key, cell in seen(all_figures(tables, RULES, 1))}
    figures = all_figures(tables, RULES, threshold)
    marks = dict(seen(figures))
    reader = read(figures, threshold, truth)
    assert reader.holds(truth) == []
    small = [key for key in reader.hidden() if 0 < truth[key] < threshold]
    assert small
    needed = dict.fromkeys(reader.bounds, 1) | dict.fromkeys(small, min(SPREAD, threshold - 2))
    ranges = reader.ranges(truth, needed)
    assert all(marks[key].mark is not Mark.SHOWN for key in ranges if key in marks)
    return {
        key: (truth[key], *ranges[key])
        for key in small
        if ranges[key][1] - ranges[key][0] < needed[key]
    }


@pytest.mark.parametrize(
    ("size", "seed", "threshold"),
    [(1200, 7, 10), (300, 1, 10), (300, 2, 5), (600, 3, 20), (120, 4, 10)],
)
def test_no_small_count_of_several_rules_can_be_worked_out(size, seed, threshold):
    assert attacked(fixtures.tables(fixtures.findings(size, seed)), threshold) == {}


@pytest.mark.parametrize(
    ("size", "seed", "kind"), [(1200, 5, "half-year"), (300, 6, "half-year"), (1200, 8, "quarter")]
)
def test_none_follows_from_finer_periods(size, seed, kind):
    assert attacked(fixtures.tables(fixtures.findings(size, seed), period=kind), 10) == {}


@pytest.mark.parametrize(
    ("size", "seed", "of", "threshold"),
    [(1200, 9, 3, 10), (1200, 10, 1, 10), (300, 11, 2, 5), (5000, 12, 2, 10), (300, 13, 1, 10)],
)
def test_none_follows_from_what_reviewers_accepted(size, seed, of, threshold):
    tables = fixtures.tables(fixtures.reviewed(fixtures.findings(size, seed), of))
    assert attacked(tables, threshold) == {}


def test_the_reader_would_find_what_is_hidden_badly():
    """Hidden alone, a small count follows from its total: the attack has to see that."""
    tables = fixtures.tables()
    truth = {key: cell.value for key, cell in seen(all_figures(tables, RULES[:1], 1))}
    reader = read(all_figures(tables, RULES[:1], 1), 10, truth)
    key = next(key for key, (low, _) in reader.bounds.items() if key[1] == "site" and low > 0)
    reader.bounds[key] = (1, float("inf"))
    assert reader.ranges(truth, {key: 2})[key] == (truth[key], truth[key])
