"""Steps of the attrition that several rules share: none shows what another hides.

Many rules begin by taking out the same cases. A reader who has the pages of all of them adds up
what each shows, so what protects a small step in one rule must not follow from another.
"""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from audit.attrition import POPULATION, UNITS, StepKey
from audit.disclosure import Cell, is_small

Cells = dict[Hashable, Cell]
_NOTHING = 1e-9
"""Strength below which an axis is rounding alone."""
_KNOWN = 1 - 1e-6
"""Share of a count's axis above which the sums alone give the count away."""


@dataclass(frozen=True)
class Way:
    """A rule's steps in order, its counts, and what hides them with some hidden already."""

    order: list[StepKey]
    counts: Mapping[Hashable, int]
    protect: Callable[[int, Collection[Hashable]], Cells]


def protected_together(ways: Mapping[str, Way], threshold: int) -> dict[str, Cells]:
    """The cells of each rule, alike where rules share steps, with no small step left to be solved.

    Args:
        ways: the rules by id.
        threshold: counts from 1 to one below it are hidden.
    """
    steps = _steps(ways)
    hidden: dict[str, set[Hashable]] = {rule_id: set() for rule_id in ways}
    cells = {rule_id: way.protect(threshold, ()) for rule_id, way in ways.items()}
    while True:
        gone = {
            step
            for rule_id, own in steps.items()
            for key, step in own.items()
            if cells[rule_id][key].value is None
        }
        more: dict[str, set[Hashable]] = {
            rule_id: set[Hashable](key for key, step in own.items() if step in gone)
            - hidden[rule_id]
            for rule_id, own in steps.items()
        }
        more = {
            rule_id: keys
            for rule_id, keys in more.items()
            if any(cells[rule_id][key].value is not None for key in keys)
        }
        more = more or _covers(ways, steps, cells, threshold)
        if not more:
            return cells
        for rule_id, keys in more.items():
            hidden[rule_id] |= keys
            cells[rule_id] = ways[rule_id].protect(threshold, hidden[rule_id])


def _steps(ways: Mapping[str, Way]) -> dict[str, dict[StepKey, Hashable]]:
    """By rule and key: what tells that two rules take out the same there: the way until then.

    How many each step took out is part of it, as rules may count different units.
    """
    steps: dict[str, dict[StepKey, Hashable]] = {}
    for rule_id, way in ways.items():
        so_far: tuple[object, ...] = ()
        steps[rule_id] = {}
        for key in way.order:
            so_far = (*so_far, key, way.counts[key])
            steps[rule_id][key] = so_far
    return steps


def _covers(
    ways: Mapping[str, Way],
    steps: Mapping[str, Mapping[StepKey, Hashable]],
    cells: Mapping[str, Cells],
    threshold: int,
) -> dict[str, set[Hashable]]:
    """For each rule with a small step that follows from all rules' sums: a step of its own to hide.

    Once every rule that has the small step hides one that no other rule has, no sum tells of it.
    """
    taken = Counter(step for own in steps.values() for step in own.values())
    solved = _solved(steps, cells)
    covers: dict[str, set[Hashable]] = {}
    for rule_id, own in steps.items():
        if any(
            step in solved and is_small(ways[rule_id].counts[key], threshold)
            for key, step in own.items()
        ):
            counts = ways[rule_id].counts
            free = [
                key
                for key, step in own.items()
                if taken[step] == 1 and counts[key] and cells[rule_id][key].value is not None
            ]
            if free:
                covers[rule_id] = {min(free, key=lambda key: (counts[key], key))}
    return covers


def _solved(
    steps: Mapping[str, Mapping[StepKey, Hashable]], cells: Mapping[str, Cells]
) -> set[Hashable]:
    """The hidden steps that the sums of all rules with a shown population give away."""
    rows = [
        {
            step
            for key, step in own.items()
            if key[1] not in UNITS and cells[rule_id][key].value is None
        }
        for rule_id, own in steps.items()
        if own and POPULATION in cells[rule_id] and cells[rule_id][POPULATION].value is not None
    ]
    unknown = sorted({step for row in rows for step in row}, key=repr)
    if not unknown:
        return set()
    matrix = np.array([[step in row for step in unknown] for row in rows], dtype=np.float64)
    _, strengths, axes = np.linalg.svd(matrix, full_matrices=False)
    known = (axes[strengths > _NOTHING] ** 2).sum(axis=0)
    return {step for step, share in zip(unknown, known, strict=True) if share > _KNOWN}
