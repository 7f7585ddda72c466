"""Reporting periods: by what part of the calendar decisions are counted where a trend is shown."""

from datetime import date
from typing import Literal, get_args

import polars as pl

Period = Literal["year", "half-year", "quarter"]
PERIODS: tuple[Period, ...] = get_args(Period)
"""Each is also the level under which its rates stand."""

_MONTHS: dict[Period, int] = {"year": 12, "half-year": 6, "quarter": 3}
_LETTER: dict[Period, str] = {"year": "", "half-year": "-H", "quarter": "-Q"}


def period_of(day: date, period: Period) -> str:
    """The name of the period that a day lies in: 2024, 2024-H1, 2024-Q3; names sort by time."""
    return f"{day.year}{_part(day.month, period)}"


def period_parts(period: Period) -> pl.DataFrame:
    """What follows the year in a period's name: a row a `month` (1 to 12) with its `part`.

    The parts of a year are empty texts, never null.
    """
    months = range(1, 13)
    return pl.DataFrame({"month": months, "part": [_part(month, period) for month in months]})


def _part(month: int, period: Period) -> str:
    letter = _LETTER[period]
    return letter and f"{letter}{(month - 1) // _MONTHS[period] + 1}"
