"""The figures of one rule as they may be shown: counts after disclosure control, and their rates.

The page and `summary.csv` both print these, so that neither gives away what the other hides.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from audit import statistics
from audit.attrition import Step
from audit.counting import (
    ADJUDICATED,
    REGISTRY,
    SIDE_COUNTS,
    STRATA,
    TOGETHER,
    Gathered,
    Tables,
    gather,
    only,
)
from audit.disclosure import Cell, Mark, is_small, single
from audit.margins import JUDGED, Margins, margins
from audit.periods import PERIODS
from audit.shared_steps import Way, protected_together
from audit.verdicts import VERDICTS

NOT_RECORDED = "(not recorded)"
"""Stands for a missing site or day of decision in the rates."""
LEAST_JUDGED = 10
"""A unit with fewer judged cases shows no rate, whatever the threshold for small counts."""


@dataclass(frozen=True)
class Rate:
    """A rate with what belongs beside it; each part is None where it can't be shown.

    `completeness_least` stands in for completeness where only a small count is hidden: it takes
    the largest number that this count can be.
    `why` is empty where the rate is shown, `none-judged` where there is nothing to divide by,
    `small` where counts are too small, and `stream-not-linked` where a gate of the rule is closed.
    """

    share: float | None
    interval: statistics.Interval | None
    bounds: statistics.Interval | None
    completeness: float | None
    completeness_least: float | None
    why: str


@dataclass(frozen=True)
class Repair:
    """What would settle cases that could not be judged: the fields that they lack together.

    `now` and `after` say how far apart the bounds of the rate lie, 0 to 1, before and after the
    repair; None where the counts behind them can't be shown.
    """

    fields: tuple[str, ...]
    settled: Cell
    now: float | None
    after: float | None


@dataclass(frozen=True)
class Review:
    """What reviewers' answers did: the cases that they excepted, and the rate without them.

    Before review these cases were non-conformant. No rate where one of the counts is hidden.
    """

    adjudicated: Cell
    before: Rate


@dataclass(frozen=True)
class Group:
    """The counts of one rule in the registry, at a site, or in a reporting period.

    `review` is None but for the registry and its sites, and where no answer counts under the rule.
    """

    level: str
    id: str
    name: str
    cells: dict[str, Cell]
    rate: Rate
    review: Review | None


@dataclass(frozen=True)
class Reading:
    """How a rule comes out under a choice that is not in force.

    `why` is empty where the rate is told, `alike` where no count differs, `close` where one differs
    by a small number, which a rate would give away, and `hidden` where the rate in force is.
    """

    variant: str
    choice: str
    rate: Rate | None
    why: str


@dataclass(frozen=True)
class RuleFigures:
    """All figures of one rule. `reasons`, `missing` and `repairs` come as `_most_first` puts them.

    Repairs are those of the registry: by site nearly all of them are small, and covering for them
    would cost the rates.
    """

    rule_id: str
    registry: Group
    sites: list[Group]
    periods: list[Group]
    strata: dict[str, list[Group]]
    margins: Margins | None
    steps: list[Step]
    reasons: dict[str, list[tuple[str, Cell]]]
    missing: list[tuple[str, Cell]]
    readings: list[Reading]
    repairs: list[Repair]


def rule_figures(tables: Tables, rule_id: str, threshold: int) -> RuleFigures:
    """`all_figures` of one rule that stands alone."""
    return all_figures(tables, [rule_id], threshold)[rule_id]


def all_figures(tables: Tables, rule_ids: Iterable[str], threshold: int) -> dict[str, RuleFigures]:
    """The figures of rules, with small counts hidden across all of their tables at once.

    Many rules begin by taking out the same cases: what one of them hides, no other may show.

    Args:
        tables: the result tables; rows of other rules are passed over.
        rule_ids: the long ids, in the order wanted.
        threshold: counts from 1 to one below it are hidden; 1 hides nothing.
    """
    gathered = {rule_id: gather(tables, rule_id, threshold) for rule_id in rule_ids}
    cells = protected_together(
        {
            rule_id: Way(rule.attrition.order, rule.counts.counts, rule.counts.protected)
            for rule_id, rule in gathered.items()
        },
        threshold,
    )
    return {
        rule_id: _figures(rule_id, rule, cells[rule_id], threshold)
        for rule_id, rule in gathered.items()
    }


def _figures(
    rule_id: str, rule: Gathered, cells: Mapping[Hashable, Cell], threshold: int
) -> RuleFigures:
    own = rule.own
    gated = _gated(own["rates"], own["gated_sites"])
    shown = [
        _group(level, id_, name, cells, threshold, (level, id_) in gated)
        for level, id_, name in rule.groups
    ]
    return RuleFigures(
        rule_id=rule_id,
        registry=shown[0],
        sites=[group for group in shown if group.level == "site"],
        periods=[group for group in shown if group.level in PERIODS],
        strata={level: [group for group in shown if group.level == level] for level in STRATA},
        margins=margins(
            cells, shown[0].cells["conformant"], shown[0].cells["non_conformant"], threshold
        ),
        steps=rule.attrition.steps(cells),
        reasons={
            verdict: _most_first((code, cells["reason", verdict, code]) for code in codes)
            for verdict, codes in rule.reasons.items()
        },
        missing=_most_first((field, cells["missing", field]) for field in rule.missing),
        readings=_readings(
            own["variant_rates"], only(own["rates"].filter(REGISTRY)), shown[0].rate, threshold
        ),
        repairs=[
            _repair(fields, shown[0].cells, settled)
            for fields, settled in _most_first((f, cells["repair", f]) for f in rule.repairs)
        ],
    )


def _most_first(counts: Iterable[tuple[str, Cell]]) -> list[tuple[str, Cell]]:
    """Those of most cases first, by name where as many: then the hidden ones, by name alone.

    A hidden count between others would lie between their numbers.
    """
    return sorted(counts, key=lambda one: (one[1].value is None, -(one[1].value or 0), one[0]))


def _gated(rates: pl.DataFrame, gated_sites: pl.DataFrame) -> set[tuple[str, str]]:
    """Level and id of each group without a rate because a stream is not linked.

    Gated sites keep what conforms and lose what fails. So registry and periods have no rate either
    once every site with a judged case is gated.
    """
    closed = set(gated_sites.filter("gated")["site_id"].fill_null(NOT_RECORDED))
    judged = rates.filter(
        (pl.col("level") == "site") & (pl.col("conformant") + pl.col("non_conformant") > 0)
    )
    if not closed:
        return set()
    elsewhere = rates.filter(pl.col("level") != "site").select("level", "group_id").rows()
    everywhere = judged.height > 0 and set(judged["group_id"]) <= closed
    return {("site", id_) for id_ in closed} | (set(elsewhere) if everywhere else set())


def _readings(
    others: pl.DataFrame, in_force: Mapping[str, int], rate: Rate, threshold: int
) -> list[Reading]:
    """The other readings, each shown only where it is far enough from every one shown so far.

    Where the rate in force is hidden none is shown: how far it must at least lie from that of
    another reading would tell something of it.
    """
    if rate.why in ("small", "stream-not-linked"):
        return [Reading(row["variant"], row["choice"], None, "hidden") for row in others.to_dicts()]
    shown = [in_force]
    readings = []
    for row in others.to_dicts():
        moves = [[row[name] - one[name] for name in JUDGED] for one in shown]
        gaps = [abs(gap) for move in moves for gap in (*move, sum(move))]
        if any(is_small(gap, threshold) for gap in gaps):
            readings.append(Reading(row["variant"], row["choice"], None, "close"))
            continue
        shown.append(row)
        if not any(moves[0]):
            readings.append(Reading(row["variant"], row["choice"], None, "alike"))
            continue
        cells = {name: single(row[name], threshold) for name in JUDGED}
        hidden = dict.fromkeys(("not_evaluable", "population"), Cell(None, Mark.COVER))
        told = _rate(cells | hidden, threshold, gated=False)
        readings.append(Reading(row["variant"], row["choice"], told, ""))
    return readings


def _group(
    level: str, id_: str, name: str, cells: Mapping[Hashable, Cell], threshold: int, gated: bool
) -> Group:
    own = {
        count: cells[level, id_, count]
        for count in (*VERDICTS, *SIDE_COUNTS)
        if (level, id_, count) in cells
    }
    accepted = cells.get(ADJUDICATED if level == "registry" else (level, id_, "adjudicated"))
    review = None if accepted is None else _review(own, accepted, threshold, gated)
    return Group(level, id_, name, own, _rate(own, threshold, gated), review)


def _review(cells: Mapping[str, Cell], accepted: Cell, threshold: int, gated: bool) -> Review:
    unmet = cells["non_conformant"].value
    together = Cell(None, Mark.COVER)
    if unmet is not None and accepted.value is not None:
        together = Cell(unmet + accepted.value)
    return Review(accepted, _rate({**cells, "non_conformant": together}, threshold, gated))


def _repair(fields: str, cells: Mapping[str, Cell], settled: Cell) -> Repair:
    met, unmet, unjudged = (
        cells[name].value for name in ("conformant", "non_conformant", "not_evaluable")
    )
    now = after = None
    if met is not None and unmet is not None and unjudged is not None:
        now = statistics.width(met, unmet, unjudged)
        if settled.value is not None:
            # Wherever in the rate the settled cases end, the bounds lie equally far apart.
            after = statistics.width(met + settled.value, unmet, unjudged - settled.value)
    return Repair(tuple(fields.split(TOGETHER)), settled, now, after)


def _rate(cells: Mapping[str, Cell], threshold: int, gated: bool) -> Rate:
    """Every part comes from what is shown, so it tells nothing that the counts don't."""
    conformant, non_conformant, not_evaluable, population = (
        cells[name].value
        for name in ("conformant", "non_conformant", "not_evaluable", "population")
    )
    complete = least = share = interval = bounds = None
    if population is not None and not_evaluable is not None:
        complete = statistics.completeness(population, not_evaluable)
    elif population is not None and cells["not_evaluable"].mark is Mark.SMALL:
        least = statistics.completeness(population, threshold - 1)
    why = "small"
    if gated:
        why = "stream-not-linked"
    elif conformant is not None and non_conformant is not None:
        judged = conformant + non_conformant
        if judged >= LEAST_JUDGED:
            why = ""
            share = statistics.rate(conformant, non_conformant)
            interval = statistics.wilson(conformant, non_conformant)
            if not_evaluable is not None:
                bounds = statistics.bounds(conformant, non_conformant, not_evaluable)
        elif not judged:
            why = "none-judged"
    return Rate(share, interval, bounds, complete, least, why)
