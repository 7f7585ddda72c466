"""Steps of the attrition that several rules share: none shows what another hides.

Many rules begin by taking out the same cases. A reader who has the pages of all of them adds up
what each shows, so what protects a small step in one rule must not follow from another.
"""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True)
class _Link:
    """A count of a rule's chain under a name that rules share where they share the step."""

    name: Hashable
    count: int
    hidden: bool


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
    """For each rule with a small count that all rules' sums give away: a step of its own to hide.

    Once every rule that has a small step hides one that no other rule has, no sum tells of it.
    """
    taken = Counter(step for own in steps.values() for step in own.values())
    chains = {rule_id: _chain(rule_id, ways, steps, cells) for rule_id, own in steps.items() if own}
    covers: dict[str, set[Hashable]] = {}
    for rule_id in _given_away(chains, threshold):
        counts = ways[rule_id].counts
        free = [
            key
            for key, step in steps[rule_id].items()
            if taken[step] == 1 and counts[key] and cells[rule_id][key].value is not None
        ]
        if free:
            covers[rule_id] = {min(free, key=lambda key: (counts[key], key))}
    return covers


def _chain(
    rule_id: str,
    ways: Mapping[str, Way],
    steps: Mapping[str, Mapping[StepKey, Hashable]],
    cells: Mapping[str, Cells],
) -> list[_Link]:
    """What a rule's steps take out one after the other, and at the end whom they leave."""
    counts = ways[rule_id].counts
    named: list[tuple[Hashable, Hashable]] = [
        (key, step) for key, step in steps[rule_id].items() if key[1] not in UNITS
    ]
    named.append(("left" if "left" in counts else POPULATION, rule_id))
    return [_Link(name, counts[key], cells[rule_id][key].value is None) for key, name in named]


def _given_away(chains: Mapping[str, list[_Link]], threshold: int) -> list[str]:
    """The rules of which a small count follows from the sums of all rules.

    A chain adds up to those considered, whom a reader may know. Small may be what a step takes out,
    and what it leaves: the rest of the chain.
    """
    hidden = {link.name for chain in chains.values() for link in chain if link.hidden}
    if not hidden:
        return []
    columns = {name: at for at, name in enumerate(sorted(hidden, key=repr))}
    matrix = np.array([_row(chain, columns) for chain in chains.values()])
    _, strengths, axes = np.linalg.svd(matrix, full_matrices=False)
    axes = axes[strengths > _NOTHING]

    def follows(part: Sequence[_Link]) -> bool:
        row = _row(part, columns)
        return bool(row.any() and ((axes @ row) ** 2).sum() > _KNOWN * row.sum())

    return [
        rule_id
        for rule_id, chain in chains.items()
        if any(
            is_small(sum(link.count for link in part), threshold) and follows(part)
            for at in range(len(chain))
            for part in (chain[at : at + 1], chain[at:])
        )
    ]


def _row(part: Sequence[_Link], columns: Mapping[Hashable, int]) -> NDArray[np.float64]:
    """One under each hidden count of the part."""
    row = np.zeros(len(columns))
    row[[columns[link.name] for link in part if link.hidden]] = 1
    return row
