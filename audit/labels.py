"""Where the names of points stand in a chart, so that none lies on another name or on a point."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

LETTER = 6.2
"""Width of a letter of a label, in the chart's units: names are measured generously."""
WIDEST = 220
"""Width at which a label is cut."""
LINE = 15
"""Height of a label."""
BESIDE = 8
"""How far from the middle of its point a label begins."""
AROUND = 6
"""How far from the middle of a point no other label may come."""
STEPS = sorted((half / 2 for half in range(-20, 21)), key=lambda step: (abs(step), step))
"""Lines up (negative) or down by which a label is moved, the first that is free is taken.

By half lines: between two names in the way there may be room for one at no whole line.
"""


class Point(NamedTuple):
    """The middle of a point in the chart's units, y from above."""

    x: float
    y: float


@dataclass(frozen=True)
class Label:
    """A name that begins at `x`, or ends there if it is `before` its point; `y` is its middle."""

    text: str
    x: float
    y: float
    before: bool

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, right, top and bottom."""
        width = min(LETTER * len(self.text), WIDEST)
        left = self.x - width if self.before else self.x
        return left, left + width, self.y - LINE / 2, self.y + LINE / 2


def labels(
    named: Sequence[tuple[str, Point]], points: Sequence[Point], width: float, height: float
) -> list[Label]:
    """A label for each of the named points, in their order.

    A name stands on the right of its point, or on the left, at its height or as near to it as is
    free within the chart. One without any free place stands beside its point all the same.

    Args:
        named: names with their points.
        points: every point of the chart.
        width: of the chart.
        height: the same.
    """
    placed: list[Label] = []
    for text, point in named:
        tried = [
            Label(text, point.x + (-BESIDE if before else BESIDE), point.y + step * LINE, before)
            for step, before in product(STEPS, (False, True))
        ]
        inside = [label for label in tried if _is_inside(label, width, height)]
        free = [label for label in inside if _is_free(label, placed, points)]
        placed.append((free or inside or tried)[0])
    return placed


def _is_inside(label: Label, width: float, height: float) -> bool:
    left, right, top, bottom = label.box
    return left >= 0 and right <= width and top >= 0 and bottom <= height


def _is_free(label: Label, placed: Sequence[Label], points: Sequence[Point]) -> bool:
    around = [(p.x - AROUND, p.x + AROUND, p.y - AROUND, p.y + AROUND) for p in points]
    left, right, top, bottom = label.box
    return not any(
        left < other[1] and other[0] < right and top < other[3] and other[2] < bottom
        for other in (*(one.box for one in placed), *around)
    )
