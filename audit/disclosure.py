"""Small numbers: which counts may be shown, so that none that is hidden follows from the rest.

A count from 1 to below the threshold is *small* and is hidden. Where sums on the page would give
it back, further counts are hidden with it. A reader is taken to know how this works: that a count
said to be small lies between 1 and the threshold, that any other hidden count may be any number,
and that a zero is never hidden (hiding it would protect nothing).
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isinf

THRESHOLD = 10
"""Counts from 1 to one below this are small."""
SPREAD = 2
"""How far apart the lowest and the highest value of a hidden count must be able to lie."""
ENDLESS = 10**9
"""Above any count of people."""
ROUNDS = 8
"""How often the limits of counts narrow those of others; more would find hardly anything."""
STEPS = 500
"""Steps after which the search for another reading gives up; the count then gets more cover."""


class Mark(StrEnum):
    """Why a count is or isn't shown."""

    SHOWN = "shown"
    SMALL = "small"
    COVER = "cover"


@dataclass(frozen=True)
class Cell:
    """A count as it may be shown: `value` is None where it is hidden."""

    value: int | None
    mark: Mark = Mark.SHOWN


@dataclass(frozen=True)
class Sum:
    """A sum that a reader can do: the parts add up to the total.

    Without a total key the total is taken as known to the reader from elsewhere.
    """

    parts: tuple[Hashable, ...]
    total: Hashable | None = None


def is_small(count: int, threshold: int = THRESHOLD) -> bool:
    """Whether a count of people is too small to show: 1 to threshold - 1. Zero is not."""
    return 0 < count < threshold


def single(count: int, threshold: int = THRESHOLD) -> Cell:
    """A count that stands in no sum."""
    return Cell(None, Mark.SMALL) if is_small(count, threshold) else Cell(count)


def protect(
    counts: Mapping[Hashable, int],
    sums: Iterable[Sum],
    threshold: int = THRESHOLD,
    weights: Mapping[Hashable, float] | None = None,
    hidden: Collection[Hashable] = (),
) -> dict[Hashable, Cell]:
    """Decides which of the counts are shown.

    Args:
        counts: every count a reader would see, none negative.
        sums: the sums among them. A sum that does not hold in `counts` is an error.
        threshold: counts from 1 to one below it are hidden; 1 or less hides nothing.
        weights: how dear a count is to the reader; the cheapest of weight times value is hidden
            first where another count needs cover, an infinitely dear one when nothing else is left.
            Missing: 1.
        hidden: counts that are hidden in any case, small or not; a zero is shown all the same.

    Returns:
        A cell a count. Every small count could, for all a reader can work out, take values that lie
        at least `SPREAD` apart, unless all the counts it is tied to are hidden already.

    Raises:
        ValueError: a sum names a key without a count, or does not add up.
    """
    table = _Table(counts, tuple(sums), threshold, weights or {})
    table.unmark()
    small = sorted(table.hidden, key=repr)
    table.hide(key for key in hidden if counts[key])
    for key in small:
        while not table.is_open(key):
            cover = table.next_cover(key)
            if cover is None:
                break
            table.hide([cover])
    return {key: table.cell(key) for key in counts}


class _Table:
    """The counts, the sums that tie them, and what is hidden so far."""

    def __init__(
        self,
        counts: Mapping[Hashable, int],
        sums: tuple[Sum, ...],
        threshold: int,
        weights: Mapping[Hashable, float],
    ) -> None:
        self.counts = counts
        self.threshold = threshold
        self.weights = weights
        self.hidden = {key for key, count in counts.items() if is_small(count, threshold)}
        self.signs = [_signs(s) for s in sums]
        self.sums_of: dict[Hashable, list[int]] = {key: [] for key in counts}
        for at, (one, signs) in enumerate(zip(sums, self.signs, strict=True)):
            unknown = [key for key in signs if key not in counts]
            if unknown:
                raise ValueError(f"a sum names {unknown[0]!r}, which has no count")
            if one.total is not None and sum(counts[k] * n for k, n in signs.items()) != 0:
                raise ValueError(f"the parts of {one.total!r} do not add up to it")
            for key in signs:
                self.sums_of[key].append(at)
        self.wholes = [sum(counts[k] * n for k, n in signs.items()) for signs in self.signs]
        self.spread = min(SPREAD, threshold - 2)
        self.unmarked: set[Hashable] = set()
        self.hidden_in: dict[int, list[tuple[Hashable, int]]] = {}
        self.takers: dict[int, dict[int, list[tuple[Hashable, int]]]] = {}
        self.ranges = {key: self._range(key) for key in counts}
        self.limits = self._limits()

    def cell(self, key: Hashable) -> Cell:
        if key not in self.hidden:
            return Cell(self.counts[key])
        return Cell(None, Mark.SMALL if self._is_marked(key) else Mark.COVER)

    def hide(self, keys: Iterable[Hashable]) -> None:
        for key in keys:
            self.hidden.add(key)
            for at in self.sums_of[key]:
                self.hidden_in.pop(at, None)
                self.takers.pop(at, None)

    def is_open(self, key: Hashable) -> bool:
        """Whether other values of the hidden counts fit all that is shown, far enough apart."""
        spread = min(self.spread, self._reach(key))
        return any(
            self._moves(key, up) and self._moves(key, up - spread) for up in range(spread, -1, -1)
        )

    def unmark(self) -> None:
        """Takes the mark from small counts that no cover could protect, the largest of them first.

        Eight small counts that add up to a small one leave it eight or nine, whatever is hidden:
        such a sum must not be said to be small.
        """
        while pinned := [
            key for key in self.hidden - self.unmarked if self._reach(key) < self.spread
        ]:
            most = max(self.counts[key] for key in pinned)
            self.unmarked.update(key for key in pinned if self.counts[key] == most)
            self.ranges = {key: self._range(key) for key in self.counts}
            self.limits = self._limits()

    def _reach(self, key: Hashable) -> int:
        """How far apart its values can lie at most, were all but zeros hidden."""
        low, high = self.limits[key]
        return high - low

    def _limits(self) -> dict[Hashable, tuple[int, int]]:
        """Lowest and highest value of each count that the sums allow, were all but zeros hidden."""
        limits = dict(self.ranges)
        waiting = set(range(len(self.signs)))
        for _ in range(ROUNDS):
            narrowed = {key for at in sorted(waiting) for key in self._narrow(at, limits)}
            waiting = {at for key in narrowed for at in self.sums_of[key]}
        return limits

    def _narrow(self, at: int, limits: dict[Hashable, tuple[int, int]]) -> Iterator[Hashable]:
        """Narrows the limits of a sum's counts by those of the others; gives those narrowed."""
        ends = [sorted(sign * limit for limit in limits[k]) for k, sign in self.signs[at].items()]
        least, most = (sum(end) for end in zip(*ends, strict=True))
        for (key, sign), (low, high) in zip(self.signs[at].items(), ends, strict=True):
            known = sorted(
                sign * (self.wholes[at] - others) for others in (least - low, most - high)
            )
            before = limits[key]
            limits[key] = max(before[0], known[0]), min(before[1], known[1])
            if limits[key] != before:
                yield key

    def _range(self, key: Hashable) -> tuple[int, int]:
        """The values that a count can have for all that its mark tells, were it hidden."""
        if not self.counts[key]:
            return 0, 0
        return 1, self.threshold - 1 if self._is_marked(key) else ENDLESS

    def _is_marked(self, key: Hashable) -> bool:
        return is_small(self.counts[key], self.threshold) and key not in self.unmarked

    def _moves(self, key: Hashable, by: int) -> bool:
        if not by:
            return True
        if not self._allows(key, by):
            return False
        self._left = STEPS
        return self._settle(self._after({}, key, by), {key})

    def _allows(self, key: Hashable, by: int) -> bool:
        low, high = self.ranges[key]
        return low <= self.counts[key] + by <= high

    def _after(self, gaps: dict[int, int], key: Hashable, by: int) -> dict[int, int]:
        """By how much each sum is off once the count has moved; settled sums are left out."""
        gaps = dict(gaps)
        for at in self.sums_of[key]:
            gaps[at] = gaps.get(at, 0) + self.signs[at][key] * by
            if not gaps[at]:
                del gaps[at]
        return gaps

    def _settle(self, gaps: dict[int, int], moved: set[Hashable]) -> bool:
        """Whether hidden counts not moved yet can take up the gaps, so that every sum holds."""
        if not gaps:
            return True
        # The sum with the fewest ways goes first: one without any ends the attempt at once.
        ways = min((self._ways(at, gap, moved) for at, gap in gaps.items()), key=len)
        for key, by in sorted(ways, key=lambda way: len(self._after(gaps, *way))):
            self._left -= 1
            if self._left < 0:
                return False
            if self._settle(self._after(gaps, key, by), moved | {key}):
                return True
        return False

    def _ways(self, at: int, gap: int, moved: set[Hashable]) -> list[tuple[Hashable, int]]:
        """The hidden counts, each with its change, that alone would take up the gap of a sum.

        Where none can, those that would take up one of it: two counts of two can give what one of
        them can't.
        """
        for part in dict.fromkeys((gap, 1 if gap > 0 else -1)):
            ways = [way for way in self._takers(at, part) if way[0] not in moved]
            if ways:
                return ways
        return []

    def _takers(self, at: int, part: int) -> list[tuple[Hashable, int]]:
        """The hidden counts of a sum that can take up so much of a gap, each with its change."""
        takers = self.takers.setdefault(at, {})
        if part not in takers:
            changes = ((key, -part * sign) for key, sign in self._hidden(at))
            takers[part] = [change for change in changes if self._allows(*change)]
        return takers[part]

    def _hidden(self, at: int) -> list[tuple[Hashable, int]]:
        """The hidden counts of a sum with their signs: few of many, and asked for often."""
        if at not in self.hidden_in:
            self.hidden_in[at] = [one for one in self.signs[at].items() if one[0] in self.hidden]
        return self.hidden_in[at]

    def next_cover(self, key: Hashable) -> Hashable | None:
        """The count to hide next so that `key` gets a second reading; None where none is left."""
        tied = self._tied(key)
        alone = {at for at in tied if len(self._hidden(at)) == 1}
        for last_resort in (False, True):
            for among in (alone, set(self.sums_of[key]), tied):
                shown = {
                    k
                    for at in among
                    for k in self.signs[at]
                    if k not in self.hidden
                    and self.counts[k]
                    and isinf(self.weights.get(k, 1.0)) == last_resort
                }
                if shown:
                    return min(shown, key=lambda k: (self._cost(k, alone), repr(k)))
        return None

    def _cost(self, key: Hashable, alone: set[int]) -> float:
        """How dear the count is, the less so the more sums with one hidden count it would help."""
        helps = sum(at in alone for at in self.sums_of[key])
        return self.counts[key] * self.weights.get(key, 1.0) / max(helps, 1)

    def _tied(self, key: Hashable) -> set[int]:
        """The sums that hold the key, and those linked to them through hidden counts."""
        found: set[int] = set()
        waiting = set(self.sums_of[key])
        while waiting:
            found |= waiting
            hidden = {k for at in waiting for k, _ in self._hidden(at)}
            waiting = {at for k in hidden for at in self.sums_of[k]} - found
        return found


def _signs(one: Sum) -> dict[Hashable, int]:
    signs = dict.fromkeys(one.parts, 1)
    return signs if one.total is None else {**signs, one.total: -1}
