"""Bands of margins, what may be shown of them, and what moving the limit would make of the rate."""

import polars as pl
import pytest

from audit.disclosure import Cell, Mark
from audit.margins import BANDS, NO_WINDOW, TOLERANCES, WAITING, banded, margins
from audit.wording import words


def rows(*told):
    columns = ["verdict", "margin_days", "waiting", "n"]
    return pl.DataFrame(told, orient="row", schema=columns)


def shown(counts, threshold=10):
    met, unmet = (
        Cell(sum(n for (_, verdict, _), n in counts.items() if verdict == name))
        for name in ("conformant", "non_conformant")
    )
    cells = {
        key: Cell(None, Mark.SMALL) if 0 < n < threshold else Cell(n) for key, n in counts.items()
    }
    return margins(cells, met, unmet, threshold)


def test_the_bands_hold_every_day_once():
    for days in range(-200, 200):
        distance = abs(days)
        held = [
            band
            for band in BANDS
            if band.inside == (days >= 0)
            and band.low <= distance
            and (band.high is None or distance <= band.high)
        ]
        assert len(held) == 1
        (key,) = [key for key, n in banded(rows(("conformant", days, False, 1))).items() if n]
        assert key == ("margin", "conformant", held[0].code)


def test_every_band_has_its_words():
    assert set(words()["margins"]) == {*(band.code for band in BANDS), WAITING, NO_WINDOW}


def test_what_was_awaited_and_what_has_no_margin_stand_apart():
    counts = banded(
        rows(
            ("non_conformant", -400, True, 30),
            ("non_conformant", -3, False, 12),
            ("conformant", None, False, 5),
            ("conformant", 0, False, 40),
        )
    )
    assert counts["margin", "non_conformant", WAITING] == 30
    assert counts["margin", "non_conformant", "outside-1"] == 12
    assert counts["margin", "conformant", NO_WINDOW] == 5
    assert counts["margin", "conformant", "inside-0"] == 40
    assert sum(counts.values()) == 87


@pytest.mark.parametrize(
    "told",
    [[("conformant", None, False, 50)], [("non_conformant", -30, True, 9)]],
)
def test_a_rule_without_a_limit_in_days_has_no_bands(told):
    assert banded(rows(*told)) == {}
    assert margins({}, Cell(50), Cell(0), 10) is None


def test_a_limit_that_moves_takes_up_or_gives_up_exactly_the_bands_it_passes():
    counts = banded(
        rows(
            ("non_conformant", -300, True, 100),
            ("non_conformant", -31, False, 11),
            ("non_conformant", -30, False, 13),
            ("non_conformant", -8, False, 17),
            ("non_conformant", -7, False, 19),
            ("conformant", 6, False, 23),
            ("conformant", 7, False, 29),
            ("conformant", 30, False, 200),
        )
    )
    by_days = {one.days: one for one in shown(counts).tolerances}
    assert list(by_days) == sorted((*TOLERANCES, 0, *(-day for day in TOLERANCES)))
    met = {days: one.conformant.value for days, one in by_days.items()}
    assert met == {-30: 200, -14: 200, -7: 229, 0: 252, 7: 271, 14: 288, 30: 301}
    assert by_days[30].share == 301 / 412


def test_nothing_is_said_where_a_hidden_band_decides():
    counts = banded(
        rows(
            ("non_conformant", -3, False, 4),
            ("non_conformant", -10, False, 20),
            ("conformant", 3, False, 50),
        )
    )
    by_days = {one.days: one for one in shown(counts).tolerances}
    assert [by_days[days].share for days in (7, 14, 30)] == [None] * 3
    assert by_days[-7].share == 0.0


def test_a_small_count_is_not_said_though_its_bands_are_shown():
    counts = banded(
        rows(
            ("conformant", 3, False, 50),
            ("conformant", 12, False, 4),
            ("non_conformant", -3, False, 20),
        )
    )
    by_days = {one.days: one for one in shown(counts).tolerances}
    assert by_days[-7].share is None and by_days[-7].conformant.value is None
