"""How much a rate rests on one number or reading: the rule judged anew, on facts that stay."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isnan, nan

import polars as pl

from audit.errors import UsageError
from audit.evaluate import judge, settle, shared_values
from audit.extra import needed
from audit.finished import Finished
from audit.guideline import Rule, Scalar
from audit.resources import root
from audit.settings import Settings
from audit.warehouse import Connection, run_sql

LEAST_JUDGED = 10
"""A site with fewer judged cases has no place in a ranking."""


def by_parameter(
    finished: Finished, asked: str, parameter: str, values: Sequence[Scalar]
) -> pl.DataFrame:
    """One rule's verdicts at each site under other values of one of its numbers.

    Args:
        finished: the audit; nothing in it is changed.
        asked: the rule's id or number.
        parameter: the name on the card.
        values: in the card's unit.

    Returns:
        One row a value and site, with verdict counts; `value` is what was tried.

    Raises:
        UsageError: no such rule or parameter, or a value of another kind.
    """
    rule = finished.rule(asked)
    tried = [
        (value, finished.catalogue.with_parameters({rule.id: {parameter: value}}).rules[rule.id])
        for value in values
    ]
    with _judging(finished) as con:
        frames = [
            _counts(con, finished, other, finished.settings).with_columns(value=pl.lit(value))
            for value, other in tried
        ]
    return pl.concat(frames).select("value", pl.exclude("value"))


def by_variant(finished: Finished, asked: str) -> pl.DataFrame:
    """One rule's verdicts at each site under each reading that its card offers.

    Returns:
        One row a variant, choice and site, with verdict counts; `in_force` marks the audit's own.

    Raises:
        UsageError: no such rule, or its card offers one reading alone.
    """
    rule = finished.rule(asked)
    if not rule.card.variants:
        raise UsageError(f"rule {rule.id} has no variants", "choose a rule with several readings")
    own = rule.variants(finished.settings.variants)
    frames = []
    with _judging(finished) as con:
        for name, variant in rule.card.variants.items():
            for choice in variant.choices:
                chosen = {**finished.settings.variants, rule.id: own | {name: choice}}
                settings = finished.settings.model_copy(update={"variants": chosen})
                frames.append(
                    _counts(con, finished, rule, settings).with_columns(
                        variant=pl.lit(name),
                        choice=pl.lit(choice),
                        in_force=pl.lit(choice == own[name]),
                    )
                )
    columns = ("variant", "choice", "in_force")
    return pl.concat(frames).select(*columns, pl.exclude(*columns))


def ranking_stability(counts: pl.DataFrame, by: str, in_force: object) -> pl.DataFrame:
    """How alike the ranking of sites is to that under the value in force.

    Args:
        counts: verdict counts by `by` and `site_id`.
        by: the column with what was tried.
        in_force: its value in the audit.

    Returns:
        `by`, `kendall_tau` (1: the same order; null with fewer than two sites to rank, or where all
        their rates are alike) and `sites_ranked`: those with 10 judged cases or more under both.
    """
    kendalltau = needed("scipy.stats").kendalltau
    judged = pl.col("conformant") + pl.col("non_conformant")
    ranked = counts.filter(judged >= LEAST_JUDGED).select(
        by, "site_id", share=pl.col("conformant") / judged
    )
    base = ranked.filter(pl.col(by) == in_force).select("site_id", base="share")
    rows = []
    for value in counts[by].unique(maintain_order=True):
        both = ranked.filter(pl.col(by) == value).join(base, on="site_id")
        tau = kendalltau(both["share"], both["base"]).statistic if both.height > 1 else nan
        rows.append((value, None if isnan(tau) else float(tau), both.height))
    schema = {by: counts.schema[by], "kendall_tau": pl.Float64(), "sites_ranked": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


@contextmanager
def _judging(finished: Finished) -> Iterator[Connection]:
    """A database in memory in which a rule can be judged; the audit's facts are read in place."""
    con = finished.open()
    try:
        con.execute("set search_path = 'memory.main,published.main'")
        with finished.judged_anew():
            yield con
    finally:
        con.close()


def _counts(con: Connection, finished: Finished, rule: Rule, settings: Settings) -> pl.DataFrame:
    shared = shared_values(
        finished.catalogue,
        settings,
        linked=finished.linked,
        conjugates_told_apart=finished.manifest["conjugates_told_apart"],
    )
    run_sql(con, _read("results/verdict_tables.sql"), {})
    run_sql(con, _read("results/verdict_inputs.sql"), {})
    judge(con, rule, settings, linked=finished.linked, shared=shared)
    settle(con, shared)
    counted: pl.DataFrame = con.sql(_read("results/sites.sql")).pl()
    return counted


def _read(name: str) -> str:
    return (root("sql") / name).read_text(encoding="utf-8")
