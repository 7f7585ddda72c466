"""Intervals against published values, bounds against arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
