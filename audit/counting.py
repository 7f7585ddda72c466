"""What there is to count of a rule, before it is decided which counts show.

Each count stands under a key, tied to others by the sums that a reader of the page can do.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import inf

import polars as pl

from audit.attrition import Attrition
from audit.disclosure import Cell, Sum, is_small, protect
from audit.margins import JUDGED, banded
from audit.periods import PERIODS
from audit.verdicts import IN_POPULATION, VERDICTS

SIDE_COUNTS = ("population",)
STRATA = {
    "age": ("younger", "middle", "older", "unknown"),
    "receptors": ("positive", "negative", "unknown"),
    "stage": ("I", "II", "III", "IV", "unknown"),
    "adjacent_dcis": ("present", "absent", "unknown"),
    "anthracycline": ("given", "none"),
    "era": ("trastuzumab", "pertuzumab", "emtansine", "deruxtecan", "unknown"),
}
"""Ways in which cases are told apart beside hospital and period, each with its groups in order."""
TOGETHER = " + "
"""Stands between fields that a case lacks together."""

# How dear a count is where another one needs cover: without the first two there is no rate, without
# the next two no completeness. The registry's rate is given up when nothing else is left.
_WORTH = {"conformant": 100.0, "non_conformant": 100.0, "population": 10.0, "not_evaluable": 3.0}
_REGISTRY_WORTH = 20.0
_REPAIR_WORTH = 0.5
_STRATUM_WORTH = 0.2
_MARGIN_WORTH = 0.1
_RATE = ("conformant", "non_conformant")
REGISTRY = pl.col("level") == "registry"
ADJUDICATED = ("reason", "excepted", "adjudicated")
"""The key of the registry's cases that a reviewer's answer excepts."""

Tables = Mapping[str, pl.DataFrame]
"""The result tables of an audit by name."""


class Counts:
    """Counts under keys, with the sums among them and how dear each is."""

    def __init__(self) -> None:
        self.counts: dict[Hashable, int] = {}
        self.sums: list[Sum] = []
        self.weights: dict[Hashable, float] = {}
        self.unprinted: set[Hashable] = set()

    def add(self, key: Hashable, count: int, weight: float = 1.0) -> None:
        """Takes a count under its key; a dear one is hidden late where another needs cover."""
        self.counts[key] = count
        self.weights[key] = weight

    def add_unprinted(self, key: Hashable, count: int) -> None:
        """Takes a count that no page prints but that would follow from counts they do print."""
        self.add(key, count)
        self.unprinted.add(key)

    def tie(self, parts: Iterable[Hashable], total: Hashable) -> None:
        """Ties the parts to the total, where they add up to it: only then can a reader subtract."""
        parts = tuple(parts)
        if parts and sum(self.counts[part] for part in parts) == self.counts[total]:
            self.sums.append(Sum(parts, total))

    def protected(self, threshold: int, hidden: Collection[Hashable] = ()) -> dict[Hashable, Cell]:
        """What may be shown of the counts, where some are hidden already."""
        unseen = self.unprinted.union(hidden)
        return protect(self.counts, self.sums, threshold, self.weights, unseen)


@dataclass(frozen=True)
class Gathered:
    """One rule's counts before it is decided what shows, and the order in which they are told."""

    counts: Counts
    groups: list[tuple[str, str, str]]
    reasons: dict[str, list[str]]
    missing: list[str]
    repairs: list[str]
    attrition: Attrition
    own: Tables


def gather(tables: Tables, rule_id: str, threshold: int) -> Gathered:
    """Counts one rule; `tables` and `threshold` are those of `audit.figures.all_figures`."""
    own = {
        name: frame.filter(pl.col("rule_id") == rule_id)
        for name, frame in tables.items()
        if "rule_id" in frame.columns
    }
    counts = Counts()
    groups = _add_groups(counts, own["rates"], threshold)
    groups += _add_strata(counts, own["strata"], threshold)
    reasons = _add_reasons(counts, own["verdict_reasons"], own["exception_reasons"])
    _add_reviewed(counts, own["rates"])
    missing = _add_missing(counts, own["missing_fields"])
    repairs = _add_repairs(counts, own["repairs"])
    _add_margins(counts, own["margins"])
    attrition = Attrition(own["attrition"], counts.counts, threshold)
    counts.counts |= attrition.counts
    counts.sums += attrition.sums
    _tie_exclusions(counts, own["verdict_reasons"])
    return Gathered(counts, groups, reasons, missing, repairs, attrition, own)


def _add_groups(counts: Counts, rates: pl.DataFrame, threshold: int) -> list[tuple[str, str, str]]:
    rates = rates.with_columns(
        pl.col("group_id").cast(pl.String).fill_null(""),
        pl.col("group_name").cast(pl.String).fill_null(pl.col("group_id").cast(pl.String)),
    ).sort("level", "group_name", "group_id")
    groups = [("registry", "", "Registry")]
    _add_group(counts, groups[0], only(rates.filter(REGISTRY)), threshold)
    for level in ("site", *PERIODS):
        members = []
        for row in rates.filter(pl.col("level") == level).to_dicts():
            members.append((level, row["group_id"], row["group_name"] or "not recorded"))
            _add_group(counts, members[-1], row, threshold)
        for name in (*VERDICTS, *SIDE_COUNTS):
            counts.tie(((level, id_, name) for _, id_, _ in members), ("registry", "", name))
        groups.extend(members)
    return groups


def _add_strata(counts: Counts, strata: pl.DataFrame, threshold: int) -> list[tuple[str, str, str]]:
    """The cases concerned, told apart: a group without a case is none."""
    groups = []
    for level, order in STRATA.items():
        rows = {row["group_id"]: row for row in strata.filter(pl.col("level") == level).to_dicts()}
        members = [(level, id_, id_) for id_ in order if id_ in rows]
        for group in members:
            _add_group(counts, group, rows[group[1]], threshold, IN_POPULATION)
        for name in (*IN_POPULATION, *SIDE_COUNTS):
            counts.tie(((level, id_, name) for _, id_, _ in members), ("registry", "", name))
        groups.extend(members)
    return groups


def only(rows: pl.DataFrame) -> dict[str, int]:
    """The one row of a rule's registry; nobody under any verdict where there is none."""
    return rows.to_dicts()[0] if rows.height else dict.fromkeys(VERDICTS, 0)


def _add_group(
    counts: Counts,
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


def _add_margins(counts: Counts, rows: pl.DataFrame) -> None:
    for key, count in (found := banded(rows)).items():
        counts.add(key, count, _MARGIN_WORTH)
    for verdict in JUDGED if found else ():
        parts = (("margin", verdict, code) for _, verdict_, code in found if verdict_ == verdict)
        counts.tie(parts, ("registry", "", verdict))


def _add_reasons(
    counts: Counts, verdict_reasons: pl.DataFrame, exception_reasons: pl.DataFrame
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
    for row in rows.sort("reason").to_dicts():
        reasons.setdefault(row["verdict"], []).append(row["reason"])
        counts.add(("reason", row["verdict"], row["reason"]), row["n"])
    for verdict, codes in reasons.items():
        counts.tie((("reason", verdict, code) for code in codes), ("registry", "", verdict))
    return reasons


def _add_reviewed(counts: Counts, rates: pl.DataFrame) -> None:
    """What reviewers accepted at each site, beside what else was: each follows from the other."""
    if ADJUDICATED not in counts.counts:
        return
    accepted = []
    for row in rates.filter(pl.col("level") == "site").to_dicts():
        site, count = ("site", row["group_id"]), int(row["adjudicated"])
        accepted.append((*site, "adjudicated"))
        counts.add(accepted[-1], count)
        counts.add_unprinted((*site, "excepted otherwise"), int(row["excepted"]) - count)
        counts.tie((accepted[-1], (*site, "excepted otherwise")), (*site, "excepted"))
    counts.tie(accepted, ADJUDICATED)


def _add_missing(counts: Counts, missing_fields: pl.DataFrame) -> list[str]:
    """Missing fields overlap: the repairs tell how, and tie them to the cases."""
    rows = missing_fields.sort("field").to_dicts()
    for row in rows:
        counts.add(("missing", row["field"]), row["n"])
    return [row["field"] for row in rows]


def _add_repairs(counts: Counts, repairs: pl.DataFrame) -> list[str]:
    """The fields lacking together in the registry."""
    rows = repairs.filter(pl.col("site_id").is_null())
    lacking = []
    for row in rows.sort("field").to_dicts():
        lacking.append(row["field"])
        counts.add(("repair", row["field"]), row["verdicts_settled"], _REPAIR_WORTH)
    counts.tie((("repair", fields) for fields in lacking), ("registry", "", "not_evaluable"))
    for key in [key for key in counts.counts if isinstance(key, tuple) and key[0] == "missing"]:
        among = [fields for fields in lacking if key[1] in fields.split(TOGETHER)]
        counts.tie((("repair", fields) for fields in among), key)
    return lacking


def _tie_exclusions(counts: Counts, verdict_reasons: pl.DataFrame) -> None:
    """Ties the exclusions that have findings to the number of findings not applicable."""
    excluded = verdict_reasons.filter(pl.col("verdict") == "not_applicable")["reason"].unique()
    removed = [("step", code) for code in excluded.sort()]
    if all(key in counts.counts for key in removed):
        counts.tie(removed, ("registry", "", "not_applicable"))
