"""A reader who works out what is hidden: everything published as linear constraints, solved."""

from collections import defaultdict
from math import inf

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_array

from audit.disclosure import Mark
from audit.periods import PERIODS

ROUNDED = 0.0005
"""Half of what a percentage with one decimal leaves open."""


class Reader:
    """What a reader of the pages knows of counts under keys.

    A count that is said to be small lies from 1 to below the threshold, any other hidden one is not
    zero: the page says so. Whatever adds up does.
    """

    def __init__(self, threshold):
        self.threshold = threshold
        self.bounds = {}
        self.rows = []

    def sees(self, key, cell):
        """A count as it is printed; what is printed of it twice has to agree."""
        low, high = {
            Mark.SHOWN: (cell.value, cell.value),
            Mark.SMALL: (1, self.threshold - 1),
            Mark.COVER: (1, inf),
        }[cell.mark]
        before = self.bounds.get(key, (0, inf))
        self.bounds[key] = (max(low, before[0]), min(high, before[1]))

    def adds_up(self, parts, total):
        """The parts, each of which is seen, are those of the total."""
        coefficients = defaultdict(float)
        for part in parts:
            coefficients[part] += 1
        coefficients[total] -= 1
        self.rows.append((coefficients, 0, 0))

    def reads_share(self, share, part, whole):
        """A percentage with one decimal: `part` and `whole` are counts with their signs."""
        for bound, low, high in ((share - ROUNDED, 0, inf), (share + ROUNDED, -inf, 0)):
            coefficients = defaultdict(float)
            for key, sign in part.items():
                coefficients[key] += sign
            for key, sign in whole.items():
                coefficients[key] -= bound * sign
            self.rows.append((coefficients, low, high))

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


def read(figures, threshold, truth):
    """A reader of every page about some rules, and the keys under which they see the counts.

    Args:
        figures: the figures of the rules as they may be shown.
        threshold: counts from 1 to one below it are hidden.
        truth: the true counts; what adds up, and which steps of two rules are the same, is taken
            from them.
    """
    reader = Reader(threshold)
    for rule in figures.values():
        _read_rule(reader, rule, truth)
        _read_reviews(reader, rule, truth)
    _read_steps_across(reader, figures, truth)
    return reader


def seen(figures):
    """Every count of the figures under its key, as (key, cell)."""
    for rule_id, rule in figures.items():
        for group in _groups(rule):
            for name, cell in group.cells.items():
                yield (rule_id, group.level, group.id, name), cell
            if group.review:
                yield _accepted(rule_id, group), group.review.adjudicated
        for verdict, reasons in rule.reasons.items():
            for code, cell in reasons:
                yield (rule_id, "reason", verdict, code), cell
        for field, cell in rule.missing:
            yield (rule_id, "missing", field), cell
        for repair in rule.repairs:
            yield (rule_id, "repair", repair.fields), repair.settled
        for number, step in enumerate(rule.steps):
            if step.removed is not None:
                yield (rule_id, "removed", number), step.removed
            yield (rule_id, "left", number), step.remaining
        if rule.margins:
            for verdict, bands in rule.margins.cells.items():
                for code, cell in bands.items():
                    yield (rule_id, "margin", verdict, code), cell


def _groups(rule):
    return [
        rule.registry,
        *rule.sites,
        *rule.periods,
        *(group for groups in rule.strata.values() for group in groups),
    ]


IN_POPULATION = ("conformant", "non_conformant", "excepted", "pending", "not_evaluable")


def _read_rule(reader, rule, truth):
    for key, cell in seen({rule.rule_id: rule}):
        reader.sees(key, cell)
    id_ = rule.rule_id
    whole = (id_, "registry", "")
    for group in _groups(rule):
        at = (id_, group.level, group.id)
        reader.adds_up([(*at, name) for name in IN_POPULATION], (*at, "population"))
        _read_rates(reader, at, group.rate)
    for level in ("site", *PERIODS, *rule.strata):
        members = [group for group in _groups(rule) if group.level == level]
        for name in members[0].cells if members else ():
            reader.adds_up([(id_, level, group.id, name) for group in members], (*whole, name))
    for verdict, reasons in rule.reasons.items():
        reader.adds_up([(id_, "reason", verdict, code) for code, _ in reasons], (*whole, verdict))
    if rule.repairs:
        reader.adds_up(
            [(id_, "repair", repair.fields) for repair in rule.repairs], (*whole, "not_evaluable")
        )
    for field, _ in rule.missing:
        with_it = [(id_, "repair", r.fields) for r in rule.repairs if field in r.fields]
        if with_it and sum(truth[key] for key in with_it) == truth[id_, "missing", field]:
            reader.adds_up(with_it, (id_, "missing", field))
    for number, step in enumerate(rule.steps):
        if step.removed is not None:
            left = (id_, "left", number)
            reader.adds_up([left, (id_, "removed", number)], (id_, "left", number - 1))
            if step.code in IN_POPULATION:
                reader.adds_up([(id_, "removed", number)], (*whole, step.code))
    last = next((n for n, step in enumerate(rule.steps) if step.code == "not_evaluable"), None)
    if last is not None:
        reader.adds_up([(id_, "left", last - 1)], (*whole, "population"))
    for verdict in rule.margins.cells if rule.margins else ():
        reader.adds_up(
            [(id_, "margin", verdict, code) for code in rule.margins.cells[verdict]],
            (*whole, verdict),
        )


def _accepted(rule_id, group):
    """The registry's cases accepted on review are those of the reason: one count, printed twice."""
    if group.level == "registry":
        return (rule_id, "reason", "excepted", "adjudicated")
    return (rule_id, group.level, group.id, "adjudicated")


def _read_reviews(reader, rule, truth):
    """What else was excepted is not printed: it is what accepted cases leave of all excepted."""
    sites = [group for group in rule.sites if group.review]
    for group in [rule.registry, *sites] if sites else ():
        at, accepted = (rule.rule_id, group.level, group.id), _accepted(rule.rule_id, group)
        rate = group.review.before
        if rate.share is not None:
            met, unmet = {(*at, "conformant"): 1}, {(*at, "non_conformant"): 1}
            reader.reads_share(rate.share, met, met | unmet | {accepted: 1})
    for group in sites:
        at = (rule.rule_id, group.level, group.id)
        others = (*at, "excepted otherwise")
        truth[others] = truth[*at, "excepted"] - truth[*at, "adjudicated"]
        reader.bounds[others] = (0, inf)
        reader.adds_up([(*at, "adjudicated"), others], (*at, "excepted"))
    if sites:
        parts = [_accepted(rule.rule_id, group) for group in sites]
        reader.adds_up(parts, _accepted(rule.rule_id, rule.registry))


def _read_rates(reader, at, rate):
    met, unmet, unjudged, population = (
        {(*at, name): 1} for name in ("conformant", "non_conformant", "not_evaluable", "population")
    )
    if rate.share is not None:
        reader.reads_share(rate.share, met, met | unmet)
    if rate.bounds is not None:
        reader.reads_share(rate.bounds.low, met, met | unmet | unjudged)
        reader.reads_share(rate.bounds.high, met | unjudged, met | unmet | unjudged)
    if rate.completeness is not None:
        evaluated = population | {(*at, "not_evaluable"): -1}
        reader.reads_share(rate.completeness, evaluated, population)


def _read_steps_across(reader, figures, truth):
    """Rules that take out the same in the same order, in truth as many, are known to do so."""
    first = {}
    for rule_id, rule in figures.items():
        told = ()
        for number, step in enumerate(rule.steps):
            if step.code in IN_POPULATION:
                break
            keys = [(rule_id, "left", number)]
            keys += [(rule_id, "removed", number)] if step.removed is not None else []
            told += (step.code, *(truth[key] for key in keys))
            for what, key in zip(("left", "removed"), keys, strict=False):
                same = first.setdefault((what, told), key)
                if same != key:
                    reader.adds_up([same], key)
