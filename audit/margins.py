"""How far inside or outside the limit that decides each rule's cases lie, in bands of days.

What a stricter or more lenient limit would make of the rate is worked out from the bands that are
shown, so it tells nothing that they don't.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import polars as pl

from audit import statistics
from audit.disclosure import Cell, Mark, is_small

EDGES = (7, 14, 30, 60, 90)
"""Days from the limit at which a band ends; the outermost bands have no end."""
TOLERANCES = EDGES[:3]
"""Days by which the limit is tried more lenient and stricter."""
JUDGED = ("conformant", "non_conformant")
NO_WINDOW = "none"
"""Stands for cases without a margin."""
WAITING = "waiting"
"""Stands for cases in which nothing was recorded by the end of observation."""


@dataclass(frozen=True)
class Band:
    """Days inside the limit (`inside`) or outside it, from `low` to `high`, both included."""

    code: str
    inside: bool
    low: int
    high: int | None

    def crossed_by(self, days: int) -> bool:
        """Whether the limit passes over the band when it becomes so many days more lenient."""
        if not days or self.high is None or self.inside != (days < 0):
            return False
        return self.high <= days if days > 0 else self.high < -days


def _bands() -> tuple[Band, ...]:
    outside, inside = [], []
    for low, high in zip((0, *EDGES), (*EDGES, None), strict=True):
        last = None if high is None else high - 1
        inside.append(Band(f"inside-{low}", True, low, last))
        outside.append(Band(f"outside-{low + 1}", False, low + 1, high))
    return (*reversed(outside), *inside)


BANDS = _bands()
"""From furthest outside to furthest inside."""
_CODES = (*(band.code for band in BANDS), WAITING, NO_WINDOW)


@dataclass(frozen=True)
class Tolerance:
    """The rate with a limit `days` more lenient, stricter where negative; None where not shown."""

    days: int
    conformant: Cell
    share: float | None


@dataclass(frozen=True)
class Margins:
    """Cases by band: `cells` holds met and for review under their codes, with WAITING beside."""

    cells: Mapping[str, Mapping[str, Cell]]
    tolerances: list[Tolerance]


def banded(rows: pl.DataFrame) -> dict[tuple[str, str, str], int]:
    """Counts by verdict and band under keys ("margin", verdict, code).

    Takes a rule's rows of the table `margins`. Empty where no judged case has a margin of its own;
    else every band of both verdicts is there, and those of a verdict add up to it.
    """
    if not rows.filter(~pl.col("waiting"))["margin_days"].count():
        return {}
    counts: dict[tuple[str, str, str], int] = {
        ("margin", verdict, code): 0 for verdict in JUDGED for code in _CODES
    }
    for row in rows.to_dicts():
        days = row["margin_days"]
        code = NO_WINDOW if days is None else WAITING if row["waiting"] else _band(days)
        counts["margin", row["verdict"], code] += row["n"]
    return counts


def _band(days: int) -> str:
    distance = days if days >= 0 else -days
    return next(
        band.code
        for band in BANDS
        if band.inside == (days >= 0)
        and band.low <= distance
        and (band.high is None or distance <= band.high)
    )


def margins(
    cells: Mapping[Hashable, Cell], met: Cell, unmet: Cell, threshold: int
) -> Margins | None:
    """What may be shown of the margins; None for a rule without a limit.

    Args:
        cells: the counts of `banded` as they may be shown, among others.
        met: the conformant cases of the registry.
        unmet: the non-conformant ones.
        threshold: counts from 1 to one below it are hidden.
    """
    if ("margin", JUDGED[0], NO_WINDOW) not in cells:
        return None
    own = {verdict: {code: cells["margin", verdict, code] for code in _CODES} for verdict in JUDGED}
    days = (*(-day for day in reversed(TOLERANCES)), 0, *TOLERANCES)
    return Margins(own, [_tolerance(own, met, unmet, day, threshold) for day in days])


def _tolerance(
    cells: Mapping[str, Mapping[str, Cell]], met: Cell, unmet: Cell, days: int, threshold: int
) -> Tolerance:
    """A lenient limit takes up cases just outside; a strict one gives up those just inside."""
    crossing = cells["non_conformant" if days > 0 else "conformant"]
    crossed = [crossing[band.code].value for band in BANDS if band.crossed_by(days)]
    if None in crossed or met.value is None or unmet.value is None:
        return Tolerance(days, Cell(None, Mark.COVER), None)
    moved = sum(count or 0 for count in crossed)
    conformant = met.value + (moved if days > 0 else -moved)
    others = met.value + unmet.value - conformant
    if is_small(conformant, threshold) or is_small(others, threshold):
        return Tolerance(days, Cell(None, Mark.COVER), None)
    return Tolerance(days, Cell(conformant), statistics.rate(conformant, others))
