"""Rates, intervals, bounds and the limits of funnel plots: pure functions of counts."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution: two-sided 95 %."""
TAIL_2SD = 0.0228
"""The share of a normal distribution beyond two standard deviations, on one side."""
TAIL_3SD = 0.00135
"""The same beyond three."""
WINSORISED = 0.1
"""Share of the z-scores pulled in at either end before they tell how far units scatter."""
LEAST_FOR_DISPERSION = 10
"""With fewer units than this their scatter is not estimated: a tenth of them is none."""


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


class Funnel(NamedTuple):
    """Control limits around a target for one number of judged cases, as shares from 0 to 1."""

    low_3sd: float
    low_2sd: float
    high_2sd: float
    high_3sd: float


def funnel(judged: int, target: float, dispersion: float = 1.0) -> Funnel:
    """The limits that chance alone crosses with the tails of 2 and 3 SD, from the exact binomial.

    Between two counts they are interpolated by the probabilities (Spiegelhalter, Statistics in
    Medicine 2005;24:1185-1202, appendix A.1.1; recalled). The upper limits mirror the lower ones of
    the cases that did not meet the recommendation: a rate lies beyond a limit exactly where chance
    reaches it with less than the limit's tail.

    Args:
        judged: cases in the rate, 1 or more.
        target: the rate to compare with, 0 to 1.
        dispersion: how many times wider than chance the variance is; the limits move away from the
            target by its square root, and stay within 0 and 1.
    """
    if not 0 < target < 1:
        return Funnel(*[target] * 4)

    def limit(exact: float) -> float:
        return min(max(target + (exact - target) * sqrt(dispersion), 0.0), 1.0)

    return Funnel(
        limit(_lower(judged, target, TAIL_3SD)),
        limit(_lower(judged, target, TAIL_2SD)),
        limit(1 - _lower(judged, 1 - target, TAIL_2SD)),
        limit(1 - _lower(judged, 1 - target, TAIL_3SD)),
    )


def _lower(judged: int, target: float, tail: float) -> float:
    """The share below which chance stays with less than `tail`."""
    cumulated = _binomial(judged, target)
    reached = int(np.searchsorted(cumulated, tail))
    below = cumulated[reached - 1] if reached else 0.0
    step = (cumulated[reached] - tail) / (cumulated[reached] - below)
    return max(reached - float(step), 0.0) / judged


def _binomial(judged: int, target: float) -> NDArray[np.float64]:
    """The probability of each number of cases or fewer, from none to all of them."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, judged + 1)))])
    met = np.arange(judged + 1)
    ways = logs[judged] - logs - logs[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.exp(ways + met * np.log(target) + (judged - met) * np.log1p(-target))
    cumulated: NDArray[np.float64] = np.cumsum(weights)
    cumulated[-1] = 1.0
    return np.minimum(cumulated, 1.0)


def dispersion(counts: Sequence[tuple[int, int]], target: float) -> float:
    """How many times wider than by chance the rates of units scatter; 1 where that can't be said.

    The mean square of the z-scores, of which the outer tenth at either end is pulled in to the rest
    (Spiegelhalter, Quality and Safety in Health Care 2005;14:347-351; recalled). It is 1 unless it
    exceeds what chance gives by two standard deviations, 1 + 2 sqrt(2 / units).

    Args:
        counts: met and judged cases of each unit, none of them without a judged case.
        target: the rate they are compared with, 0 to 1.
    """
    if len(counts) < LEAST_FOR_DISPERSION or not 0 < target < 1:
        return 1.0
    met, judged = np.array(counts, dtype=np.float64).T
    scores = (met / judged - target) / np.sqrt(target * (1 - target) / judged)
    ends = np.quantile(scores, [WINSORISED, 1 - WINSORISED])
    found = float(np.mean(np.clip(scores, *ends) ** 2))
    return found if found > 1 + 2 * sqrt(2 / len(counts)) else 1.0


def false_alarms(units: int, tail: float) -> float:
    """How many units lie beyond either limit by chance alone, where none differs from the target.

    Args:
        units: how many are compared.
        tail: the share beyond the limit on one side, such as TAIL_2SD.
    """
    return 2 * tail * units
