"""The figures of one rule as they may be shown: counts after disclosure control, and their rates.

The page and `summary.csv` both print these, so that neither gives away what the other hides.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import inf

import polars as pl

from audit import statistics
from audit.attrition import Attrition, Step
from audit.disclosure import Cell, Mark, Sum, is_small, protect, single
from audit.margins import JUDGED, Margins, banded, margins
from audit.shared_steps import Way, protected_together
from audit.verdicts import IN_POPULATION, VERDICTS

_SIDE_COUNTS = ("population",)
NO_SITE = "(not recorded)"
"""Stands for a missing site in the rates."""
STRATA = {
    "age": ("younger", "middle", "older", "unknown"),
    "receptors": ("positive", "negative", "unknown"),
    "stage": ("I", "II", "III", "IV", "unknown"),
    "adjacent_dcis": ("present", "absent", "unknown"),
    "anthracycline": ("given", "none"),
    "era": ("trastuzumab", "pertuzumab", "emtansine", "deruxtecan", "unknown"),
}
"""Ways in which cases are told apart beside hospital and year, each with its groups in order."""
TOGETHER = " + "
"""Stands between fields that a case lacks together."""
LEAST_JUDGED = 10
"""A unit with fewer judged cases shows no rate, whatever the threshold for small counts."""

# How dear a count is where another one needs cover: without the first two there is no rate, without
# the next two no completeness. The registry's rate is given up when nothing else is left.
_WORTH = {"conformant": 100.0, "non_conformant": 100.0, "population": 10.0, "not_evaluable": 3.0}
_REGISTRY_WORTH = 20.0
_REPAIR_WORTH = 0.5
_STRATUM_WORTH = 0.2
_MARGIN_WORTH = 0.1
_RATE = ("conformant", "non_conformant", "population")
_REGISTRY = pl.col("level") == "registry"


Tables = Mapping[str, pl.DataFrame]
"""The result tables of an audit by name."""


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
class Group:
    """The counts of one rule in the registry, at a site, or in a year."""

    level: str
    id: str
    name: str
    cells: dict[str, Cell]
    rate: Rate


@dataclass(frozen=True)
class Reading:
    """How a rule comes out under a choice that is not in force.

    `differs` is false where no count differs, and None where one differs by a small number: then
    there is no rate, which would give that number away.
    """

    variant: str
    choice: str
    differs: bool | None
    rate: Rate | None


@dataclass(frozen=True)
class RuleFigures:
    """All figures of one rule. `reasons`, `missing` and `repairs` are sorted by how many cases.

    Repairs are those of the registry: by site nearly all of them are small, and covering for them
    would cost the rates.
    """

    rule_id: str
    registry: Group
    sites: list[Group]
    years: list[Group]
    strata: dict[str, list[Group]]
    margins: Margins | None
    steps: list[Step]
    reasons: dict[str, list[tuple[str, Cell]]]
    missing: list[tuple[str, Cell]]
    readings: list[Reading]
    repairs: list[Repair]


class _Counts:
    """Counts under keys, with the sums among them and how dear each is."""

    def __init__(self) -> None:
        self.counts: dict[Hashable, int] = {}
        self.sums: list[Sum] = []
        self.weights: dict[Hashable, float] = {}

    def add(self, key: Hashable, count: int, weight: float = 1.0) -> None:
        self.counts[key] = count
        self.weights[key] = weight

    def tie(self, parts: Iterable[Hashable], total: Hashable) -> None:
        """Ties the parts to the total, where they add up to it: only then can a reader subtract."""
        parts = tuple(parts)
        if parts and sum(self.counts[part] for part in parts) == self.counts[total]:
            self.sums.append(Sum(parts, total))

    def protected(self, threshold: int, hidden: Collection[Hashable] = ()) -> dict[Hashable, Cell]:
        """What may be shown of the counts, where some are hidden already."""
        return protect(self.counts, self.sums, threshold, self.weights, hidden)


@dataclass(frozen=True)
class _Gathered:
    """One rule's counts before it is decided what shows, and the order in which they are told."""

    counts: _Counts
    groups: list[tuple[str, str, str]]
    reasons: dict[str, list[str]]
    missing: list[str]
    repairs: list[str]
    attrition: Attrition
    own: Tables


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
    gathered = {rule_id: _gather(tables, rule_id, threshold) for rule_id in rule_ids}
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


def _gather(tables: Tables, rule_id: str, threshold: int) -> _Gathered:
    own = {
        name: frame.filter(pl.col("rule_id") == rule_id)
        for name, frame in tables.items()
        if "rule_id" in frame.columns
    }
    counts = _Counts()
    groups = _add_groups(counts, own["rates"], threshold)
    groups += _add_strata(counts, own["strata"], threshold)
    reasons = _add_reasons(counts, own["verdict_reasons"], own["exception_reasons"])
    missing = _add_missing(counts, own["missing_fields"])
    repairs = _add_repairs(counts, own["repairs"])
    _add_margins(counts, own["margins"])
    attrition = Attrition(own["attrition"], counts.counts, threshold)
    counts.counts |= attrition.counts
    counts.sums += attrition.sums
    _tie_exclusions(counts, own["verdict_reasons"])
    return _Gathered(counts, groups, reasons, missing, repairs, attrition, own)


def _figures(
    rule_id: str, rule: _Gathered, cells: Mapping[Hashable, Cell], threshold: int
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
        years=[group for group in shown if group.level == "year"],
        strata={level: [group for group in shown if group.level == level] for level in STRATA},
        margins=margins(
            cells, shown[0].cells["conformant"], shown[0].cells["non_conformant"], threshold
        ),
        steps=rule.attrition.steps(cells),
        reasons={
            verdict: [(code, cells["reason", verdict, code]) for code in codes]
            for verdict, codes in rule.reasons.items()
        },
        missing=[(field, cells["missing", field]) for field in rule.missing],
        readings=_readings(own["variant_rates"], _one(own["rates"].filter(_REGISTRY)), threshold),
        repairs=[
            _repair(fields, shown[0].cells, cells["repair", fields]) for fields in rule.repairs
        ],
    )


def _add_groups(counts: _Counts, rates: pl.DataFrame, threshold: int) -> list[tuple[str, str, str]]:
    rates = rates.with_columns(
        pl.col("group_id").cast(pl.String).fill_null(""),
        pl.col("group_name").cast(pl.String).fill_null(pl.col("group_id").cast(pl.String)),
    ).sort("level", "group_name", "group_id")
    groups = [("registry", "", "Registry")]
    _add_group(counts, groups[0], _one(rates.filter(_REGISTRY)), threshold)
    for level in ("site", "year"):
        members = []
        for row in rates.filter(pl.col("level") == level).to_dicts():
            members.append((level, row["group_id"], row["group_name"] or "not recorded"))
            _add_group(counts, members[-1], row, threshold)
        for name in (*VERDICTS, *_SIDE_COUNTS):
            counts.tie(((level, id_, name) for _, id_, _ in members), ("registry", "", name))
        groups.extend(members)
    return groups


def _add_strata(
    counts: _Counts, strata: pl.DataFrame, threshold: int
) -> list[tuple[str, str, str]]:
    """The cases concerned, told apart: a group without a case is none."""
    groups = []
    for level, order in STRATA.items():
        rows = {row["group_id"]: row for row in strata.filter(pl.col("level") == level).to_dicts()}
        members = [(level, id_, id_) for id_ in order if id_ in rows]
        for group in members:
            _add_group(counts, group, rows[group[1]], threshold, IN_POPULATION)
        for name in (*IN_POPULATION, *_SIDE_COUNTS):
            counts.tie(((level, id_, name) for _, id_, _ in members), ("registry", "", name))
        groups.extend(members)
    return groups


def _one(rows: pl.DataFrame) -> dict[str, int]:
    return rows.to_dicts()[0] if rows.height else dict.fromkeys(VERDICTS, 0)


def _add_group(
    counts: _Counts,
    group: tuple[str, str, str],
    row: dict[str, int],
    threshold: int,
    verdicts: Iterable[str] = VERDICTS,
) -> None:
    """A small count among the judged leaves no rate: its other count is then as cheap as any."""
    level, id_, _ = group
    values = {name: int(row[name] or 0) for name in verdicts}
    values["population"] = sum(values[name] for name in IN_POPULATION)
    rated = not any(is_small(values[name], threshold) for name in JUDGED)
    for name, value in values.items():
        worth = _WORTH.get(name, 1.0) if rated or name not in JUDGED else 1.0
        if level in STRATA:
            worth *= _STRATUM_WORTH
        if level == "registry":
            worth = inf if rated and name in _RATE else worth * _REGISTRY_WORTH
        counts.add((level, id_, name), value, worth)
    counts.tie(((level, id_, name) for name in IN_POPULATION), (level, id_, "population"))


def _add_margins(counts: _Counts, rows: pl.DataFrame) -> None:
    for key, count in (found := banded(rows)).items():
        counts.add(key, count, _MARGIN_WORTH)
    for verdict in JUDGED if found else ():
        parts = (("margin", verdict, code) for _, verdict_, code in found if verdict_ == verdict)
        counts.tie(parts, ("registry", "", verdict))


def _add_reasons(
    counts: _Counts, verdict_reasons: pl.DataFrame, exception_reasons: pl.DataFrame
) -> dict[str, list[str]]:
    """Reasons by verdict. Those of `not_applicable` are left to the attrition."""
    rows = pl.concat(
        [
            verdict_reasons.filter(~pl.col("verdict").is_in(["not_applicable", "excepted"])).select(
                "verdict", "reason", pl.col("n").cast(pl.Int64)
            ),
            exception_reasons.select(
                pl.lit("excepted").alias("verdict"), "reason", pl.col("n").cast(pl.Int64)
            ),
        ]
    ).filter(pl.col("reason").is_not_null())
    reasons: dict[str, list[str]] = {}
    for row in rows.sort("n", "reason", descending=[True, False]).to_dicts():
        reasons.setdefault(row["verdict"], []).append(row["reason"])
        counts.add(("reason", row["verdict"], row["reason"]), row["n"])
    for verdict, codes in reasons.items():
        counts.tie((("reason", verdict, code) for code in codes), ("registry", "", verdict))
    return reasons


def _add_missing(counts: _Counts, missing_fields: pl.DataFrame) -> list[str]:
    """Missing fields overlap: the repairs tell how, and tie them to the cases."""
    rows = missing_fields.sort("n", "field", descending=[True, False]).to_dicts()
    for row in rows:
        counts.add(("missing", row["field"]), row["n"])
    return [row["field"] for row in rows]


def _add_repairs(counts: _Counts, repairs: pl.DataFrame) -> list[str]:
    """The fields lacking together in the registry; those of most cases come first."""
    rows = repairs.filter(pl.col("site_id").is_null())
    lacking = []
    for row in rows.sort("verdicts_settled", "field", descending=[True, False]).to_dicts():
        lacking.append(row["field"])
        counts.add(("repair", row["field"]), row["verdicts_settled"], _REPAIR_WORTH)
    counts.tie((("repair", fields) for fields in lacking), ("registry", "", "not_evaluable"))
    for key in [key for key in counts.counts if isinstance(key, tuple) and key[0] == "missing"]:
        among = [fields for fields in lacking if key[1] in fields.split(TOGETHER)]
        counts.tie((("repair", fields) for fields in among), key)
    return lacking


def _tie_exclusions(counts: _Counts, verdict_reasons: pl.DataFrame) -> None:
    """Ties the exclusions that have findings to the number of findings not applicable."""
    excluded = verdict_reasons.filter(pl.col("verdict") == "not_applicable")["reason"].unique()
    removed = [("step", code) for code in excluded.sort()]
    if all(key in counts.counts for key in removed):
        counts.tie(removed, ("registry", "", "not_applicable"))


def _gated(rates: pl.DataFrame, gated_sites: pl.DataFrame) -> set[tuple[str, str]]:
    """Level and id of each group without a rate because a stream is not linked.

    Gated sites keep what conforms and lose what fails. So registry and years have no rate either
    once every site with a judged case is gated.
    """
    closed = set(gated_sites.filter("gated")["site_id"].fill_null(NO_SITE))
    judged = rates.filter(
        (pl.col("level") == "site") & (pl.col("conformant") + pl.col("non_conformant") > 0)
    )
    if not closed:
        return set()
    elsewhere = rates.filter(pl.col("level") != "site").select("level", "group_id").rows()
    everywhere = judged.height > 0 and set(judged["group_id"]) <= closed
    return {("site", id_) for id_ in closed} | (set(elsewhere) if everywhere else set())


def _readings(others: pl.DataFrame, in_force: Mapping[str, int], threshold: int) -> list[Reading]:
    """The other readings, each shown only where it is far enough from every one shown so far."""
    shown = [in_force]
    readings = []
    for row in others.to_dicts():
        gaps = [abs(row[name] - one[name]) for one in shown for name in JUDGED]
        if any(is_small(gap, threshold) for gap in gaps):
            readings.append(Reading(row["variant"], row["choice"], None, None))
            continue
        shown.append(row)
        cells = {name: single(row[name], threshold) for name in JUDGED}
        hidden = dict.fromkeys(("not_evaluable", "population"), Cell(None, Mark.COVER))
        differs = any(row[name] != in_force[name] for name in JUDGED)
        rate = _rate(cells | hidden, threshold, gated=False)
        readings.append(Reading(row["variant"], row["choice"], differs, rate))
    return readings


def _group(
    level: str, id_: str, name: str, cells: Mapping[Hashable, Cell], threshold: int, gated: bool
) -> Group:
    own = {
        count: cells[level, id_, count]
        for count in (*VERDICTS, *_SIDE_COUNTS)
        if (level, id_, count) in cells
    }
    return Group(level, id_, name, own, _rate(own, threshold, gated))


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
