"""A site's own rates by reporting period, for its private page.

Nearly all of a site's counts by period are small, so the shared report can't hold them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from audit.guideline import Card, Catalogue
from audit.periods import Period, period_parts
from audit.resources import root
from audit.warehouse import Connection, lay_beside


@dataclass(frozen=True)
class OwnRates:
    """A rule with met and judged cases in each period of the table; None where none was judged."""

    card: Card
    cells: list[tuple[int, int] | None]


@dataclass(frozen=True)
class OwnTrend:
    """The periods of a site's judged cases, and a row a rule in the order of their numbers."""

    periods: list[str]
    rules: list[OwnRates]


def own_trends(con: Connection, catalogue: Catalogue, period: Period) -> dict[str, OwnTrend]:
    """The trend of each site by its id; unsuppressed, so patient level.

    Args:
        con: the audit's database, with `findings`.
        catalogue: the rules' cards and their order.
        period: by what to count.
    """
    lay_beside(con, "period_parts", period_parts(period))
    statement = (root("sql") / "results" / "own_trend.sql").read_text(encoding="utf-8")
    counted = con.sql(statement).pl().partition_by("site_id", as_dict=True)
    return {str(site_id): _trend(own, catalogue) for (site_id,), own in counted.items()}


def _trend(own: pl.DataFrame, catalogue: Catalogue) -> OwnTrend:
    periods = sorted(own["period"].unique())
    counts: Mapping[tuple[str, str], tuple[int, int]] = {
        (row["rule_id"], row["period"]): (row["met"], row["judged"]) for row in own.to_dicts()
    }
    judged = set(own["rule_id"])
    rules = [rule for rule in catalogue.rules.values() if rule.id in judged]
    rows = [OwnRates(r.card, [counts.get((r.id, period)) for period in periods]) for r in rules]
    return OwnTrend(periods, rows)
