"""Intervals against published values, bounds against arithmetic."""

from statistics import fmean, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from audit import statistics

# Newcombe, Statistics in Medicine 1998;17:857-872, table I, method 3 (score, no correction).
NEWCOMBE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]
COUNTS = st.integers(min_value=0, max_value=10**6)


@pytest.mark.parametrize(("met", "judged", "low", "high"), NEWCOMBE)
def test_wilson_meets_the_published_values(met, judged, low, high):
    interval = statistics.wilson(met, judged - met)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@given(COUNTS, COUNTS)
def test_wilson_surrounds_the_rate_and_mirrors(met, unmet):
    interval, mirror = statistics.wilson(met, unmet), statistics.wilson(unmet, met)
    if met + unmet == 0:
        assert interval is None and statistics.rate(met, unmet) is None
        return
    assert 0 <= interval.low <= statistics.rate(met, unmet) <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirror.high)


@given(COUNTS, COUNTS, COUNTS)
def test_bounds_surround_the_rate(met, unmet, unknown):
    bounds = statistics.bounds(met, unmet, unknown)
    if met + unmet:
        assert bounds.low <= statistics.rate(met, unmet) <= bounds.high


def test_bounds_count_every_case_that_could_not_be_judged():
    assert statistics.bounds(60, 20, 20) == (0.6, 0.8)
    assert statistics.bounds(0, 0, 5) == (0.0, 1.0)
    assert statistics.bounds(0, 0, 0) is None


def test_completeness_is_the_evaluable_share():
    assert statistics.completeness(200, 50) == 0.75
    assert statistics.completeness(0, 0) is None


def interpolated(judged, target, share):
    """The limit worked out from scipy's distribution, one count after the other."""
    met = 0
    while binom.cdf(met, judged, target) < share:
        met += 1
    reached, below = binom.cdf(met, judged, target), binom.cdf(met - 1, judged, target)
    return max(met - (reached - share) / (reached - below), 0) / judged


@pytest.mark.parametrize("judged", [1, 10, 47, 300, 5000])
@pytest.mark.parametrize("target", [0.02, 0.5, 0.87])
def test_funnel_limits_are_those_of_the_exact_binomial(judged, target):
    limits = statistics.funnel(judged, target)
    rounded = [0.00135, 0.0228]
    assert rounded == pytest.approx([norm.sf(3), norm.sf(2)], abs=1e-4)
    assert limits[:2] == pytest.approx([interpolated(judged, target, t) for t in rounded], abs=1e-9)
    mirrored = [1 - interpolated(judged, 1 - target, t) for t in reversed(rounded)]
    assert limits[2:] == pytest.approx(mirrored, abs=1e-9)
    assert limits.low_3sd <= limits.low_2sd <= limits.high_2sd <= limits.high_3sd


@pytest.mark.parametrize("judged", [1, 5, 30])
@pytest.mark.parametrize("target", [0.34, 0.66, 0.95])
def test_a_rate_is_beyond_a_limit_where_chance_reaches_it_less_often(judged, target):
    limits = statistics.funnel(judged, target)
    for met in range(judged + 1):
        assert (met / judged < limits.low_2sd) == (binom.cdf(met, judged, target) < 0.0228)
        assert (met / judged > limits.high_3sd) == (binom.sf(met - 1, judged, target) < 0.00135)


def test_overdispersion_moves_limits_by_its_square_root():
    plain, wide = statistics.funnel(400, 0.8), statistics.funnel(400, 0.8, 4.0)
    assert wide.low_2sd - 0.8 == pytest.approx(2 * (plain.low_2sd - 0.8))
    assert wide.high_3sd == 1.0 or wide.high_3sd - 0.8 == pytest.approx(2 * (plain.high_3sd - 0.8))


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_a_target_of_all_or_none_leaves_chance_nothing(target):
    assert set(statistics.funnel(30, target)) == {target}
    assert statistics.dispersion([(30, 30)] * 12, target) == 1.0


def test_rates_that_scatter_by_chance_are_not_called_overdispersed():
    draws = binom.rvs(200, 0.8, size=40, random_state=4)
    assert statistics.dispersion([(int(met), 200) for met in draws], 0.8) == 1.0


def test_dispersion_is_the_mean_square_of_winsorised_scores():
    shares = [0.6, 0.62, 0.64, 0.7, 0.72, 0.75, 0.8, 0.85, 0.9, 0.9, 0.92, 0.99]
    counts = [(round(200 * share), 200) for share in shares]
    scores = [(met / 200 - 0.8) / (0.8 * 0.2 / 200) ** 0.5 for met, _ in counts]
    low, high = quantiles(scores, n=10, method="inclusive")[0::8]
    pulled = [min(max(score, low), high) for score in scores]
    assert statistics.dispersion(counts, 0.8) == pytest.approx(fmean(s * s for s in pulled))
    assert statistics.dispersion(counts[:9], 0.8) == 1.0


def test_one_hospital_far_out_does_not_hide_itself_by_widening_the_limits():
    counts = [(160, 200)] * 19 + [(20, 200)]
    assert statistics.dispersion(counts, 0.8) == 1.0


def test_false_alarms_count_both_sides():
    assert statistics.false_alarms(20, statistics.TAIL_2SD) == pytest.approx(0.912)
    assert statistics.false_alarms(20, statistics.TAIL_3SD) == pytest.approx(0.054)
