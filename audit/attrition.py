"""From everyone loaded to the rate: which numbers of the way may be shown.

What a step takes out is a count of its own. What it leaves is never decided by itself: it is shown
where it follows from counts that are shown, and hidden where it doesn't.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import polars as pl

from audit.disclosure import Cell, Mark, Sum, is_small

UNITS = ("patients", "tumours", "subjects")
"""Codes of the first steps, each with another unit: nothing is taken out between them."""
StepKey = tuple[str, str]
"""The word `step` and the code of a step."""
AFTER_POPULATION = ("not_evaluable", "excepted", "pending")
"""What is taken out of a rule's population before its rate, in this order."""

POPULATION = ("registry", "", "population")


@dataclass(frozen=True)
class Step:
    """A step of the attrition; `removed` is None where the unit changes and nothing is removed."""

    code: str
    says: str
    removed: Cell | None
    remaining: Cell


@dataclass(frozen=True)
class _Part:
    """Counts taken one after the other out of `start`; `ends` are what is left at last."""

    start: Hashable
    items: list[tuple[Hashable, str, str]]
    ends: tuple[Hashable, ...]

    def after(self, at: int) -> list[Hashable]:
        """The counts that make up what is left after item `at`."""
        return [*(key for key, _, _ in self.items[at + 1 :]), *self.ends]

    def before(self, at: int) -> list[Hashable]:
        """The counts taken out up to and with item `at`."""
        return [key for key, _, _ in self.items[: at + 1]]


class Attrition:
    """The attrition of one rule: its counts and sums, and the steps once it is known what shows.

    Attributes:
        counts: what the steps remove and where they start, beside the counts of the registry.
        sums: the sums a reader can do among these and those of the registry.
        order: the keys of the first steps in order, up to the rule's population.
    """

    def __init__(
        self, rows: pl.DataFrame, registry: Mapping[Hashable, int], threshold: int
    ) -> None:
        """Takes the rule's rows of `attrition` and the registry's counts under their keys."""
        self.counts: dict[Hashable, int] = {}
        self.sums: list[Sum] = []
        self.order: list[StepKey] = []
        self._units: list[tuple[Hashable, str, str]] = []
        self._parts: list[_Part] = []
        exclusions: list[tuple[Hashable, str, str]] = []
        left = 0
        for row in rows.sort("step").to_dicts():
            key = ("step", row["code"])
            unit = row["code"] in UNITS
            self.counts[key] = row["remaining"] if unit else row["removed"]
            self.order.append(key)
            (self._units if unit else exclusions).append((key, row["code"], row["says"]))
            left = row["remaining"]
        if not self._units:
            return
        start = self._units[-1][0]
        if left != registry[POPULATION]:
            self.counts["left"] = left
            self._parts = [_Part(start, exclusions, ("left",))]
        else:
            verdicts: list[tuple[Hashable, str, str]] = [
                (("registry", "", name), name, "") for name in AFTER_POPULATION
            ]
            judged = tuple(("registry", "", name) for name in ("conformant", "non_conformant"))
            self._parts = [
                _Part(start, exclusions, (POPULATION,)),
                _Part(POPULATION, verdicts, judged),
            ]
        self._tie({**registry, **self.counts}, threshold)

    def _tie(self, counts: Mapping[Hashable, int], threshold: int) -> None:
        first = self._parts[0]
        self.sums.append(Sum((*first.before(len(first.items)), *first.ends), first.start))
        for part in self._parts:
            for at in range(len(part.items)):
                left = sum(counts[key] for key in part.after(at))
                if is_small(left, threshold):
                    key = ("remaining", part.start, at)
                    self.counts[key] = left
                    self.sums.append(Sum(tuple(part.after(at)), key))
                    self.sums.append(Sum((*part.before(at), key), part.start))

    def steps(self, cells: Mapping[Hashable, Cell]) -> list[Step]:
        """The steps in order, under what may be shown of the counts."""
        shown = [Step(code, says, None, cells[key]) for key, code, says in self._units]
        for part in self._parts:
            for at, (key, code, says) in enumerate(part.items):
                shown.append(Step(code, says, cells[key], _left(part, at, cells)))
        return shown


def _left(part: _Part, at: int, cells: Mapping[Hashable, Cell]) -> Cell:
    """What is left after a step, from above or from below, as far as that is shown."""
    small = cells.get(("remaining", part.start, at))
    if small is not None:
        return small
    above = [cells[key].value for key in (part.start, *part.before(at))]
    below = [cells[key].value for key in part.after(at)]
    if None not in above:
        whole, *taken = (value or 0 for value in above)
        return Cell(whole - sum(taken))
    if None not in below:
        return Cell(sum(value or 0 for value in below))
    return Cell(None, Mark.COVER)
