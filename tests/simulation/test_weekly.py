"""The first weeks of the simulated year. The whole year is run by hand: weekly_year.py."""

from pathlib import Path

from weekly_year import mistakes, simulate


def test_every_change_is_put_down_to_what_the_registry_changed(tmp_path: Path) -> None:
    told = list(simulate(tmp_path, weeks=2, patients=60, seed=7))
    assert [week.factors for week, _ in told] == [{"data", "clock"}, {"data", "rule"}]
    for week, found in told:
        assert found.changes
        assert mistakes(week, found) == []
