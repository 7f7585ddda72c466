"""The windows of lines compared: what they count, and what they may not show."""

import polars as pl
import report_fixtures as fixtures

from audit.lines import COUNTED, windows


def shown(counts, threshold=10):
    return [[window.cells[name].value for name in COUNTED] for window in windows(counts, threshold)]


def test_the_windows_in_force_come_first():
    told = windows(fixtures.tables()["window_lines"].reverse(), 10)
    assert [(one.join_days, one.in_force) for one in told] == [(42, True), (28, False), (56, False)]


def test_small_counts_and_small_differences_are_hidden():
    assert shown(fixtures.tables()["window_lines"]) == [
        [412, 338, 235, None],
        [412, None, 235, 0],
        [412, 320, 200, 0],
    ]


def test_nearly_as_many_second_lines_as_first_are_hidden():
    row = {"is_default": True, "join_days": 42, "gap_days": 90}
    row |= dict(zip(COUNTED, (100, 91, 80, 0), strict=True))
    assert shown(pl.DataFrame([row])) == [[100, None, 80, 0]]


def test_a_threshold_of_one_hides_nothing():
    assert shown(fixtures.tables()["window_lines"], threshold=1)[1] == [412, 345, 235, 0]
