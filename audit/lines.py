"""What other windows would make of the lines of treatment of metastatic disease."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from audit.disclosure import Cell, Mark, is_small

COUNTED = ("first_lines", "second_lines", "third_lines", "later_lines")


@dataclass(frozen=True)
class Window:
    """The lines that one pair of windows makes; `cells` holds a count a line number."""

    join_days: int
    gap_days: int
    in_force: bool
    cells: Mapping[str, Cell]


def windows(counts: pl.DataFrame, threshold: int) -> list[Window]:
    """The counts of the table `window_lines`, those of the windows in force first.

    Lines are nested and the windows differ in a few patients, so a count is shown only where it
    differs from every count shown before it by nothing or by a number large enough to show.

    Args:
        counts: a row a pair of windows, with a count a line number.
        threshold: counts of people from 1 to one below it are hidden.
    """
    shown: list[int] = [0]

    def cell(count: int) -> Cell:
        gaps = [abs(count - one) for one in shown]
        if any(is_small(gap, threshold) for gap in gaps):
            return Cell(None, Mark.SMALL if is_small(count, threshold) else Mark.COVER)
        shown.append(count)
        return Cell(count)

    rows = counts.sort("is_default", "join_days", "gap_days", descending=[True, False, False])
    return [
        Window(
            row["join_days"],
            row["gap_days"],
            row["is_default"],
            {name: cell(row[name]) for name in COUNTED},
        )
        for row in rows.to_dicts()
    ]
