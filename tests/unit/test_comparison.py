"""Which hospitals are compared, where they lie, and who is left out."""

from dataclasses import replace

import polars as pl
import pytest
import report_fixtures as fixtures

from audit.comparison import Place, compare
from audit.figures import rule_figures
from audit.verdicts import VERDICTS

RULE = "neoadj-dual-blockade"


def figures(sites, threshold=10):
    """Figures of a rule at hospitals with so many met and for review."""
    columns = dict.fromkeys((*VERDICTS, "lost"), 0)
    rated = [
        {"rule_id": RULE, "level": "site", "group_id": f"H{n}", "group_name": f"Hospital {n:02}"}
        | {**columns, "conformant": met, "non_conformant": unmet}
        for n, (met, unmet) in enumerate(sites)
    ]
    whole = {name: sum(row[name] for row in rated) for name in columns}
    registry = {"rule_id": RULE, "level": "registry", "group_id": "", "group_name": ""} | whole
    none = {name: frame.clear() for name, frame in fixtures.tables().items()}
    return rule_figures({**none, "rates": pl.DataFrame([registry, *rated])}, RULE, threshold)


def test_hospitals_lie_where_the_exact_limits_put_them():
    found = compare(figures([(80, 20), (160, 40), (240, 60), (130, 70), (190, 10), (60, 40)]))
    places = {position.group.id: position.place for position in found.positions}
    assert places == {
        "H0": Place.INSIDE,
        "H1": Place.INSIDE,
        "H2": Place.INSIDE,
        "H3": Place.BELOW_3SD,
        "H4": Place.ABOVE_3SD,
        "H5": Place.BELOW_3SD,
    }
    assert found.count(Place.BELOW_3SD) == 2
    assert [position.judged for position in found.positions] == [300, 200, 200, 200, 100, 100]
    assert found.false_alarms_2sd == pytest.approx(6 * 0.0456)


def test_a_hospital_with_a_hidden_count_is_left_out_and_counted():
    large = [(100, 20), (100, 30), (100, 25), (90, 24), (80, 21)]
    found = compare(figures([(40, 3), (0, 0), *large]))
    compared = {position.group.id for position in found.positions}
    assert "H0" not in compared and len(compared) >= 3
    assert found.left_out == 6 - len(compared)


def test_fewer_than_three_hospitals_are_not_compared():
    assert compare(figures([(100, 20), (100, 30)])) is None


def test_no_comparison_without_a_rate_of_the_registry():
    three = figures([(100, 20), (100, 30), (90, 30)])
    hidden = replace(three.registry.rate, share=None)
    assert compare(replace(three, registry=replace(three.registry, rate=hidden))) is None


def test_overdispersed_hospitals_have_wider_limits():
    spread = [(140 if n % 2 else 180, 60 if n % 2 else 20) for n in range(12)]
    found = compare(figures(spread))
    assert found.dispersion > 2
    assert found.count(Place.INSIDE) == 12
