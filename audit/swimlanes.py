"""Where everything stands in the swimmer plot of a case: numbers alone, drawn by a template.

A worklist has hundreds of plots on a page. A chart library takes longer for one of them than all
the rest of the page does, so the page draws them itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from audit.timeline import ordered

LABELS, DAYS = 168, 520
"""Width of the lanes' names and of the plot beside them, in the drawing's own units."""
LANE = 18
"""Height of a lane."""
_LEAST = 3.0
"""Width of the shortest bar, so that a course of a day is seen."""
_BORDER = 30
"""Days that a plot reaches beyond its first and last one."""
_FOLLOW_UP = frozenset({"cut-off", "last-contact", "transfer"})
_COURSES = frozenset({"drug", "radiotherapy", "line"})
_EPOCH = date(1970, 1, 1)
_DATES = ("start_date", "end_date", "earliest_date", "latest_date")


class Bar(NamedTuple):
    """A course, or the days between which an imprecise fact lies."""

    kind: str
    x: float
    width: float


class Mark(NamedTuple):
    """A fact of one day; of kind `open` where a course began whose end is not recorded."""

    kind: str
    x: float


class Lane(NamedTuple):
    """A drug, or another kind of fact; `doses` are the places of single doses."""

    name: str
    y: int
    bars: list[Bar]
    vague: list[Bar]
    marks: list[Mark]
    doses: list[float]


class Plot(NamedTuple):
    """A drawing `LABELS + DAYS` wide: its lanes, the years' beginnings, and the deciding days.

    Places are rounded to tenths of a unit.
    """

    height: int
    lanes: list[Lane]
    years: list[tuple[float, int]]
    days: list[tuple[str, float]]


class Fact(NamedTuple):
    """A dated fact: in words (`when`, `what`), and with its days as numbers.

    `start` to `doses` are those of `audit.timeline.timeline`, `first` and `last` the outermost days
    among them; each counts from 1970-01-01.
    """

    when: str
    what: str
    kind: str
    lane: str
    start: int
    end: int | None
    earliest: int
    latest: int | None
    first: int
    last: int
    vague: bool
    doses: list[int]


def told(facts: pl.DataFrame) -> dict[str, list[Fact]]:
    """The dated facts of each patient in the order of their days.

    Takes rows of `audit.timeline.timeline`. All patients are worded at once: a national registry's
    worklists name tens of thousands.
    """
    start, end, earliest, latest = (pl.col(name) for name in _DATES)
    vague = (earliest != start) | (end.is_not_null() & latest.ne_missing(end))
    lane, label = pl.col("lane"), pl.col("label")
    when = (
        pl.when(vague)
        .then(
            pl.format(
                "between {} and {}",
                earliest,
                latest.cast(pl.String).fill_null("an end not recorded"),
            )
        )
        .when(end.is_null())
        .then(pl.format("from {}", start))
        .when(start == end)
        .then(start.cast(pl.String))
        .otherwise(pl.format("{} to {}", start, end))
    )
    named = label.str.to_lowercase().str.starts_with(lane.str.to_lowercase())
    days = facts.with_columns(
        when=when,
        what=pl.when(named).then(label).otherwise(pl.format("{}: {}", lane, label)),
        vague=vague,
        first=pl.min_horizontal(_DATES),
        last=pl.max_horizontal(_DATES),
    ).with_columns(pl.selectors.date().cast(pl.Int32), pl.col("dose_dates").cast(pl.List(pl.Int32)))
    by_patient: dict[str, list[Fact]] = {}
    for patient, *fact in days.select(
        "patient_id",
        "when",
        "what",
        "kind",
        "lane",
        *_DATES,
        "first",
        "last",
        "vague",
        "dose_dates",
    ).iter_rows():
        by_patient.setdefault(patient, []).append(Fact._make(fact))
    return by_patient


def plot(facts: Sequence[Fact], days: Mapping[str, date | None]) -> Plot:
    """The swimmer plot of one case.

    It reaches from the first fact to a month after the last one of care or the last deciding day:
    years of follow-up alone would press the treatment together.

    Args:
        facts: those of one patient as `told` gives them, at least one.
        days: days to mark by name, such as the due date; None is left out.
    """
    care = [fact for fact in facts if fact.kind not in _FOLLOW_UP]
    deciding = {name: _number(day) for name, day in days.items() if day}
    known = [*deciding.values(), *(f.first for f in care), *(f.last for f in care)]
    known = known or [fact.start for fact in facts]
    first, last = min(known) - _BORDER, max(known) + _BORDER

    def along(day: int) -> float:
        return LABELS + DAYS * (day - first) / (last - first)

    names = ordered((fact.kind, fact.lane) for fact in care)
    lanes = [
        _lane(name, LANE * at, [fact for fact in care if fact.lane == name], along)
        for at, name in enumerate(names)
    ]
    years = range(_year(first) + 1, _year(last) + 1)
    return Plot(
        LANE * (len(names) + 1),
        lanes,
        [(round(along(_number(date(year, 1, 1))), 1), year) for year in years],
        [(name, round(along(day), 1)) for name, day in deciding.items()],
    )


def _lane(name: str, y: int, facts: Iterable[Fact], along: Callable[[int], float]) -> Lane:
    bars, vague, marks, doses = [], [], [], []
    for fact in facts:
        if fact.vague:
            end = fact.start if fact.latest is None else fact.latest
            vague.append(_bar(fact.kind, fact.earliest, end, along))
        if fact.kind not in _COURSES:
            marks.append(Mark(fact.kind, round(along(fact.start), 1)))
        elif fact.end is None:
            marks.append(Mark("open", round(along(fact.start), 1)))
        else:
            bars.append(_bar(fact.kind, fact.start, fact.end, along))
        doses += [round(along(day), 1) for day in fact.doses]
    return Lane(name, y, bars, vague, marks, doses)


def _bar(kind: str, start: int, end: int, along: Callable[[int], float]) -> Bar:
    left = along(start)
    return Bar(kind, round(left, 1), round(max(along(end) - left, _LEAST), 1))


def _number(day: date) -> int:
    return (day - _EPOCH).days


def _year(number: int) -> int:
    return date.fromordinal(_EPOCH.toordinal() + number).year
