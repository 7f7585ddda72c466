"""Hospitals beside each other: where each lies among the limits that chance alone would keep."""

from dataclasses import dataclass
from enum import StrEnum

from audit import statistics
from audit.figures import Group, RuleFigures

LEAST_COMPARED = 3
"""Fewer hospitals than this are not compared: one would stand against the other."""


class Place(StrEnum):
    """Where a rate lies among the limits of the funnel."""

    BELOW_3SD = "below-3sd"
    BELOW_2SD = "below-2sd"
    INSIDE = "inside"
    ABOVE_2SD = "above-2sd"
    ABOVE_3SD = "above-3sd"


@dataclass(frozen=True)
class Position:
    """A hospital with a rate, its limits, and where it lies among them."""

    group: Group
    judged: int
    share: float
    limits: statistics.Funnel
    place: Place


@dataclass(frozen=True)
class Comparison:
    """A rule's hospitals against the registry's rate, largest first.

    `left_out` counts hospitals with cases of the rule but without a rate that may be shown.
    `false_alarms_2sd` and `false_alarms_3sd` say how many of the hospitals compared would lie
    beyond either limit if none differed from the registry.
    """

    target: float
    dispersion: float
    positions: list[Position]
    left_out: int
    false_alarms_2sd: float
    false_alarms_3sd: float

    def count(self, *places: Place) -> int:
        """How many hospitals lie in one of the places."""
        return sum(position.place in places for position in self.positions)


def compare(figures: RuleFigures) -> Comparison | None:
    """The comparison of one rule's hospitals; None where fewer than LEAST_COMPARED show a rate.

    It rests on counts that are shown alone, so it gives nothing away.
    """
    target = figures.registry.rate.share
    concerned = [group for group in figures.sites if group.cells["population"].value != 0]
    rated = [(group, *_counts(group)) for group in concerned if group.rate.share is not None]
    if target is None or len(rated) < LEAST_COMPARED:
        return None
    dispersion = statistics.dispersion([(met, judged) for _, met, judged in rated], target)
    positions = []
    for group, met, judged in sorted(rated, key=lambda one: (-one[2], one[0].name, one[0].id)):
        limits = statistics.funnel(judged, target, dispersion)
        share = met / judged
        positions.append(Position(group, judged, share, limits, place_of(share, limits)))
    return Comparison(
        target=target,
        dispersion=dispersion,
        positions=positions,
        left_out=len(concerned) - len(rated),
        false_alarms_2sd=statistics.false_alarms(len(rated), statistics.TAIL_2SD),
        false_alarms_3sd=statistics.false_alarms(len(rated), statistics.TAIL_3SD),
    )


def _counts(group: Group) -> tuple[int, int]:
    """Met and judged cases of a group whose rate is shown, and so both counts behind it."""
    met, unmet = (group.cells[name].value or 0 for name in ("conformant", "non_conformant"))
    return met, met + unmet


def place_of(share: float, limits: statistics.Funnel) -> Place:
    """Where a rate lies among its limits."""
    if share < limits.low_3sd:
        return Place.BELOW_3SD
    if share < limits.low_2sd:
        return Place.BELOW_2SD
    if share > limits.high_3sd:
        return Place.ABOVE_3SD
    return Place.ABOVE_2SD if share > limits.high_2sd else Place.INSIDE
