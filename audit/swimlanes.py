"""Where everything stands in the swimmer plot of a case: numbers alone, drawn by a template.

A worklist has hundreds of plots on a page. A chart library takes longer for one of them than all
the rest of the page does, so the page draws them itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

LABELS, DAYS = 168, 520
"""Width of the lanes' names and of the plot beside them, in the drawing's own units."""
LANE = 18
"""Height of a lane."""
_LEAST = 3.0
"""Width of the shortest bar, so that a course of a day is seen."""
_BORDER = timedelta(days=30)
_FOLLOW_UP = frozenset({"cut-off", "last-contact", "transfer"})
_COURSES = frozenset({"drug", "radiotherapy", "line"})
_ABOVE = ("Diagnosis", "Receptor test", "Surgery", "Line of treatment", "Radiotherapy")
"""Lanes above those of the drugs; whatever else there is stands below them."""


@dataclass(frozen=True)
class Bar:
    """A course, or the days between which an imprecise fact lies."""

    kind: str
    x: float
    width: float


@dataclass(frozen=True)
class Mark:
    """A fact of one day; of kind `open` where a course began whose end is not recorded."""

    kind: str
    x: float


@dataclass(frozen=True)
class Lane:
    """A drug, or another kind of fact; `doses` are the places of single doses."""

    name: str
    y: float
    bars: list[Bar]
    vague: list[Bar]
    marks: list[Mark]
    doses: list[float]


@dataclass(frozen=True)
class Plot:
    """A drawing `LABELS + DAYS` wide: its lanes, the years' beginnings, and the deciding days."""

    height: float
    lanes: list[Lane]
    years: list[tuple[float, int]]
    days: list[tuple[str, float]]


@dataclass(frozen=True)
class Fact:
    """A dated fact in words."""

    when: str
    what: str


def plot(facts: pl.DataFrame, days: Mapping[str, date | None]) -> Plot:
    """The swimmer plot of one case.

    It reaches from the first fact to a month after the last one of care or the last deciding day:
    years of follow-up alone would press the treatment together.

    Args:
        facts: rows of `audit.timeline.timeline` of one patient, at least one.
        days: days to mark by name, such as the due date; None is left out.
    """
    rows = facts.filter(~pl.col("kind").is_in(list(_FOLLOW_UP))).to_dicts()
    deciding = {name: day for name, day in days.items() if day}
    known = [day for row in rows for day in _reach(row)] + list(deciding.values())
    known = known or facts["start_date"].to_list()
    first, last = min(known) - _BORDER, max(known) + _BORDER

    def along(day: date) -> float:
        return LABELS + DAYS * (day - first).days / (last - first).days

    names = _ordered(rows)
    lanes = [
        _lane(name, LANE * at, [row for row in rows if row["lane"] == name], along)
        for at, name in enumerate(names)
    ]
    years = [(along(date(year, 1, 1)), year) for year in range(first.year + 1, last.year + 1)]
    return Plot(
        LANE * (len(names) + 1),
        lanes,
        years,
        [(name, along(day)) for name, day in deciding.items()],
    )


def told(facts: pl.DataFrame) -> list[Fact]:
    """The dated facts of one patient in words, in the order of their days."""
    return [Fact(_when(row), _what(row)) for row in facts.to_dicts()]


def _lane(
    name: str, y: float, rows: Sequence[Mapping[str, Any]], along: Callable[[date], float]
) -> Lane:
    bars, vague, marks, doses = [], [], [], []
    for row in rows:
        start, end = row["start_date"], row["end_date"]
        if _is_vague(row):
            vague.append(
                _bar(row["kind"], row["earliest_date"], row["latest_date"] or start, along)
            )
        if row["kind"] not in _COURSES:
            marks.append(Mark(row["kind"], along(start)))
        elif end is None:
            marks.append(Mark("open", along(start)))
        else:
            bars.append(_bar(row["kind"], start, end, along))
        doses += [along(day) for day in row["dose_dates"] or []]
    return Lane(name, y, bars, vague, marks, doses)


def _bar(kind: str, start: date, end: date, along: Callable[[date], float]) -> Bar:
    return Bar(kind, along(start), max(along(end) - along(start), _LEAST))


def _reach(row: Mapping[str, Any]) -> Iterable[date]:
    days = (row["start_date"], row["end_date"], row["earliest_date"], row["latest_date"])
    return (day for day in days if day)


def _ordered(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Diagnosis and operations first, drugs in the order of their first day, the rest below."""
    drugs = dict.fromkeys(row["lane"] for row in rows if row["kind"] == "drug")
    others = sorted({row["lane"] for row in rows} - drugs.keys())
    above = [lane for lane in _ABOVE if lane in others]
    return [*above, *drugs, *(lane for lane in others if lane not in above)]


def _is_vague(row: Mapping[str, Any]) -> bool:
    end = row["end_date"]
    return row["earliest_date"] != row["start_date"] or bool(end and row["latest_date"] != end)


def _when(row: Mapping[str, Any]) -> str:
    start, end = row["start_date"], row["end_date"]
    if _is_vague(row):
        return f"between {row['earliest_date']} and {row['latest_date'] or 'an end not recorded'}"
    if end is None:
        return f"from {start}"
    return str(start) if start == end else f"{start} to {end}"


def _what(row: Mapping[str, Any]) -> str:
    lane, label = row["lane"], row["label"]
    return label if label.casefold().startswith(lane.casefold()) else f"{lane}: {label}"
