"""What to repair first: the fields whose repair settles most cases, as far as it may be shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from audit.counting import TOGETHER
from audit.disclosure import SPREAD, Cell
from audit.figures import Repair, RuleFigures
from audit.guideline import Card, Catalogue

FIRST_AT_A_SITE = 3
"""Repairs named for each hospital."""


@dataclass(frozen=True)
class Settles:
    """What a repair does for one rule."""

    rule_id: str
    card: Card
    repair: Repair


@dataclass(frozen=True)
class Mending:
    """Fields to repair together, and what that settles; the rule with most cases comes first.

    `shown` adds up what may be shown, and decides the order.
    """

    fields: tuple[str, ...]
    rules: list[Settles]
    shown: int


@dataclass(frozen=True)
class AtSite:
    """What to repair first at a hospital: the fields, with the numbers of the rules they help."""

    id: str
    name: str
    first: list[tuple[tuple[str, ...], list[str]]]


def mendings(figures: Iterable[RuleFigures], catalogue: Catalogue) -> list[Mending]:
    """The repairs of the whole registry; the one that settles most cases comes first."""
    found: dict[tuple[str, ...], list[Settles]] = {}
    for rule in figures:
        card = catalogue.rules[rule.rule_id].card
        for repair in rule.repairs:
            found.setdefault(repair.fields, []).append(Settles(rule.rule_id, card, repair))
    listed = [
        Mending(
            fields,
            sorted(rules, key=lambda one: (-_value(one.repair.settled), one.card.number)),
            sum(_value(one.repair.settled) for one in rules),
        )
        for fields, rules in found.items()
    ]
    return sorted(listed, key=lambda one: (-one.shown, -len(one.rules), one.fields))


def first_at_sites(
    repairs: pl.DataFrame,
    site_names: Mapping[str, str],
    catalogue: Catalogue,
    threshold: int,
) -> list[AtSite]:
    """What each hospital would best repair first, without counts; by name.

    A repair is named for the rules under which it settles at least `threshold` cases there, and
    only while the cases of the hospital and of the registry leave the rest open: a reader who knows
    both sums must not learn a small count from what is named.

    Args:
        repairs: the result table `repairs`.
        site_names: names of hospitals by id; an id without a name stands for itself.
        catalogue: the numbers of the rules.
        threshold: counts from 1 to one below it are small.
    """
    at_sites = repairs.filter(pl.col("site_id").is_not_null())
    named: dict[str, dict[str, list[tuple[int, str]]]] = {}
    for (rule_id,), rows in at_sites.group_by("rule_id", maintain_order=True):
        number = catalogue.rules[str(rule_id)].card.number
        for row in _open(rows, threshold).to_dicts():
            fields = named.setdefault(row["site_id"], {})
            fields.setdefault(row["field"], []).append((row["verdicts_settled"], number))
    sites = sorted((site_names.get(id_, id_), id_) for id_ in at_sites["site_id"].unique())
    return [AtSite(id_, name, _first(named.get(id_, {}))) for name, id_ in sites]


def _open(rows: pl.DataFrame, threshold: int) -> pl.DataFrame:
    """The rows of one rule that may be named: large, with enough left over in row and column."""
    if threshold <= 1:
        return rows
    left_over = rows.with_columns(pl.lit(True).alias("named"))
    for group in ("site_id", "field"):
        large = (pl.col("verdicts_settled") >= threshold) & pl.col("named")
        rank = pl.col("verdicts_settled").rank("ordinal", descending=True).over(group)
        least = threshold * rank + SPREAD
        whole = pl.col("verdicts_settled").sum().over(group)
        left_over = left_over.with_columns((large & (whole >= least)).alias("named"))
    return left_over.filter("named")


def _first(named: Mapping[str, list[tuple[int, str]]]) -> list[tuple[tuple[str, ...], list[str]]]:
    ranked = sorted(named, key=lambda field: (-sum(n for n, _ in named[field]), field))
    return [
        (tuple(field.split(TOGETHER)), sorted(number for _, number in named[field]))
        for field in ranked[:FIRST_AT_A_SITE]
    ]


def _value(cell: Cell) -> int:
    return cell.value or 0
