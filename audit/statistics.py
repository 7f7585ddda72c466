"""Rates, intervals and bounds: pure functions of counts."""

from math import sqrt
from typing import NamedTuple

Z_95 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution: two-sided 95 %."""


class Interval(NamedTuple):
    """A range of shares between 0 and 1, both ends included."""

    low: float
    high: float


def rate(conformant: int, non_conformant: int) -> float | None:
    """The share of judged cases that met the recommendation, 0 to 1; None where none was judged."""
    judged = conformant + non_conformant
    return conformant / judged if judged else None


def wilson(conformant: int, non_conformant: int) -> Interval | None:
    """The 95 % Wilson score interval of the rate, without continuity correction.

    Takes the two counts of the rate; gives None where none was judged.
    """
    judged = conformant + non_conformant
    if not judged:
        return None
    share = conformant / judged
    weight = 1 + Z_95**2 / judged
    centre = (share + Z_95**2 / (2 * judged)) / weight
    half = Z_95 * sqrt(share * (1 - share) / judged + Z_95**2 / (4 * judged**2)) / weight
    # Rounding must not pull an end past the share it surrounds: 0 of n starts at exactly 0.
    return Interval(
        0.0 if not conformant else centre - half, 1.0 if not non_conformant else centre + half
    )


def bounds(conformant: int, non_conformant: int, not_evaluable: int) -> Interval | None:
    """The rate if every case that could not be judged had failed, and if every one had met it.

    Gives None where there is no case at all; cases not evaluable alone give 0 to 1.
    """
    cases = conformant + non_conformant + not_evaluable
    if not cases:
        return None
    return Interval(conformant / cases, (conformant + not_evaluable) / cases)


def width(conformant: int, non_conformant: int, not_evaluable: int) -> float | None:
    """How far apart the bounds lie, 0 to 1; None where there is no case at all."""
    limits = bounds(conformant, non_conformant, not_evaluable)
    return limits and limits.high - limits.low


def completeness(population: int, not_evaluable: int) -> float | None:
    """The share of the population that could be evaluated, 0 to 1; None where it is empty."""
    return (population - not_evaluable) / population if population else None
