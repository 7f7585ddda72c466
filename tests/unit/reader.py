"""A reader who works out what is hidden: linear constraints on counts, solved."""

from collections import defaultdict
from math import inf

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_array


class Reader:
    """What a reader of the pages knows of counts under keys.

    A count that is said to be small lies from 1 to below the threshold, any other hidden one is not
    zero: the page says so. Whatever adds up does.
    """

    def __init__(self):
        self.bounds = {}
        self.rows = []

    def knows(self, key, low, high):
        """Lowest and highest value of a count; what is known of it twice has to agree."""
        before = self.bounds.get(key, (0, inf))
        self.bounds[key] = (max(low, before[0]), min(high, before[1]))

    def adds_up(self, parts, total):
        """The parts, each of which is known of, are those of the total."""
        coefficients = defaultdict(float)
        for part in parts:
            coefficients[part] += 1
        coefficients[total] -= 1
        self.rows.append((coefficients, 0, 0))

    def reads_share(self, low, high, part, whole):
        """A share from `low` to `high`: `part` and `whole` are counts with their signs."""
        for bound, least, most in ((low, 0, inf), (high, -inf, 0)):
            coefficients = defaultdict(float)
            for key, sign in part.items():
                coefficients[key] += sign
            for key, sign in whole.items():
                coefficients[key] -= bound * sign
            self.rows.append((coefficients, least, most))

    def holds(self, truth):
        """The rows that the true counts break: none, or the reader is told something wrong."""
        broken = []
        for coefficients, low, high in self.rows:
            value = sum(truth[key] * factor for key, factor in coefficients.items())
            if not low - 1e-6 <= value <= high + 1e-6:
                broken.append((dict(coefficients), low, high, value))
        return broken

    def hidden(self):
        return [key for key, (low, high) in self.bounds.items() if low != high]

    def ranges(self, truth, needed):
        """Lowest and highest whole value of each hidden count that fits everything known.

        Args:
            truth: the true counts, one solution to begin with.
            needed: how far apart the two have to lie for each key; the search of a key ends there.
        """
        found = {}
        for keys, rows in self._components():
            found |= _component_ranges(keys, rows, self.bounds, truth, needed)
        return found

    def _components(self):
        """Hidden counts that rows tie to each other, with these rows."""
        leader = {key: key for key in self.hidden()}

        def top(key):
            while leader[key] != key:
                leader[key] = leader[leader[key]]
                key = leader[key]
            return key

        open_rows = []
        for coefficients, low, high in self.rows:
            known = sum(f * self.bounds[k][0] for k, f in coefficients.items() if k not in leader)
            unknown = {k: f for k, f in coefficients.items() if k in leader and f}
            if unknown:
                open_rows.append((unknown, low - known, high - known))
                first, *others = unknown
                for other in others:
                    leader[top(other)] = top(first)
        keys, rows = defaultdict(list), defaultdict(list)
        for key in leader:
            keys[top(key)].append(key)
        for row in open_rows:
            rows[top(next(iter(row[0])))].append(row)
        return [(keys[key], rows[key]) for key in keys]


def _component_ranges(keys, rows, bounds, truth, needed):
    at = {key: n for n, key in enumerate(keys)}
    limits = np.array([bounds[key] for key in keys], float)
    if not rows:
        return {key: bounds[key] for key in keys}
    matrix = lil_array((len(rows), len(keys)))
    for n, (coefficients, _, _) in enumerate(rows):
        for key, factor in coefficients.items():
            matrix[n, at[key]] = factor
    lows, highs = (np.array([row[end] for row in rows], float) for end in (1, 2))
    constraint = LinearConstraint(matrix.tocsc(), lows - 1e-9, highs + 1e-9)
    low = np.array([truth[key] for key in keys], float)
    high = low.copy()
    for key in keys:
        for sign in (1, -1):
            if high[at[key]] - low[at[key]] >= needed[key]:
                break
            costs = np.zeros(len(keys))
            costs[at[key]] = sign
            solved = milp(
                costs,
                constraints=constraint,
                integrality=np.ones(len(keys)),
                bounds=Bounds(limits[:, 0], np.minimum(limits[:, 1], low + 1000)),
            )
            assert solved.status == 0, solved.message
            low, high = np.minimum(low, solved.x.round()), np.maximum(high, solved.x.round())
    return {key: (low[n], high[n]) for key, n in at.items()}
