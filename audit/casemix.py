"""Sites beside one another: funnel, shrunken rates, and rates adjusted for the case mix."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

import polars as pl

from audit import statistics
from audit.comparison import place_of
from audit.design import WIDTH, in_a_notebook
from audit.errors import UsageError
from audit.extra import needed

if TYPE_CHECKING:
    import altair as alt


_LEAST_GROUPS = 3
"""With fewer groups calibration has no degree of freedom left."""

_NAMES = ("rule_id", "subject_id", "patient_id", "tumour_id", "site_id", "site")
_NO_CASE_MIX = (*_NAMES, "verdict", "reason", "margin_days")
"""What names a case or its site, or is its outcome: adjusted for it, all sites look alike."""


@dataclass(frozen=True)
class CaseMix:
    """Rates of sites adjusted by logistic regression, with what tells how far to trust them.

    Attributes:
        sites: one row a site: `judged`, `observed` and `expected` conformant cases, `ratio` (of the
            two) and `adjusted` (the ratio times the registry's rate, at most 1).
        coefficients: one row a term: log odds, standard error, odds ratio with 95 % interval, p.
        diagnostics: `cases`, `left_out` (a covariate is missing), `converged`, `undetermined`
            (terms whose odds ratio the cases leave open: too few of them, or all with the same
            verdict), `c_statistic` (0.5: no better than chance), `hosmer_lemeshow_p` (small: badly
            calibrated).
    """

    sites: pl.DataFrame
    coefficients: pl.DataFrame
    diagnostics: dict[str, Any]


def funnel(counts: pl.DataFrame) -> pl.DataFrame:
    """Rates of sites between the limits that chance alone would draw around the registry's rate.

    Args:
        counts: one row a site: `site_id`, `conformant`, `non_conformant`.

    Returns:
        One row a site with a judged case: `judged`, `rate`, `target`, the exact binomial limits of
        2 and 3 SD, widened where sites scatter more than chance explains (`dispersion` times the
        variance), and the `place` of the rate among them, as the report has it.

    Raises:
        UsageError: no case was judged.
    """
    rows = _judged(counts)
    target = _share(rows)
    spread = statistics.dispersion(rows.select("conformant", "judged").rows(), target)
    limits = [statistics.funnel(n, target, spread) for n in rows["judged"]]
    places = [place_of(*one).value for one in zip(rows["rate"], limits, strict=True)]
    return rows.with_columns(
        target=pl.lit(target), dispersion=pl.lit(spread), place=pl.Series(places)
    ).hstack(pl.DataFrame([one._asdict() for one in limits]))


def plot_funnel(rows: pl.DataFrame) -> "alt.LayerChart":
    """The frame of `funnel` as the report's plot; sites beyond 2 SD are named, all on hover."""
    import altair as alt

    from audit.charts import FUNNEL_HEIGHT, funnel_layers, funnel_rows

    in_a_notebook()
    points = rows.select("place", cases="judged", share="rate", name="site_id").to_dicts()
    drawn = funnel_rows(points, *rows.select("target", "dispersion").row(0))
    layers = funnel_layers(lambda name: alt.InlineData(values=drawn[name]))
    layers["points"] = layers["points"].encode(
        tooltip=["name:N", "cases:Q", alt.Tooltip("share:Q", format=".1%")]
    )
    return alt.LayerChart(layer=[*layers.values()]).properties(width=WIDTH, height=FUNNEL_HEIGHT)


def shrunken(counts: pl.DataFrame) -> pl.DataFrame:
    """Empirical-Bayes rates: those of small sites are drawn towards the registry's.

    The prior is the beta distribution under which the sites' counts are most likely.

    Args:
        counts: one row a site: `site_id`, `conformant`, `non_conformant`.

    Returns:
        One row a site with a judged case: `judged`, `rate`, `shrunken`, and the 95 % interval
        `low` to `high` of its posterior.

    Raises:
        UsageError: the extra `notebook` is missing, or no case was judged.
    """
    special, optimize = needed("scipy.special"), needed("scipy.optimize")
    beta = needed("scipy.stats").beta
    rows = _judged(counts)
    met, failed = rows["conformant"].to_numpy(), rows["non_conformant"].to_numpy()
    centre = min(max(_share(rows), 1e-6), 1 - 1e-6)

    def unlikely(point: Sequence[float]) -> float:
        share, weight = special.expit(point[0]), special.exp10(point[1])
        a, b = share * weight, (1 - share) * weight
        return float(-(special.betaln(met + a, failed + b) - special.betaln(a, b)).sum())

    best = optimize.minimize(
        unlikely,
        [log(centre / (1 - centre)), 1.0],
        method="L-BFGS-B",
        bounds=[(-14, 14), (-1, 5)],
    ).x
    weight = special.exp10(best[1])
    a, b = special.expit(best[0]) * weight, (1 - special.expit(best[0])) * weight
    return rows.with_columns(
        shrunken=pl.Series((met + a) / (met + failed + a + b)),
        low=pl.Series(beta.ppf(0.025, met + a, failed + b)),
        high=pl.Series(beta.ppf(0.975, met + a, failed + b)),
    )


def adjusted(cases: pl.DataFrame, covariates: str | Sequence[str]) -> CaseMix:
    """Rates of sites as if each had the registry's case mix: indirect standardisation.

    A logistic regression of conformance on the covariates alone (statsmodels) gives what would be
    expected of each case anywhere; a site's ratio compares what is observed with that.

    Args:
        cases: the findings of one rule, as `Result.cases` has them.
        covariates: one column of it or several, such as `age`, `pathway`, `hr_status`; text is
            taken as categories. Cases with one of them missing are left out, and counted. What
            names the case or its site, and the outcome itself, are no case mix.

    Raises:
        UsageError: the extra `notebook` is missing, a column is unknown or no case mix, or the
            regression can't be fitted.
    """
    api = needed("statsmodels.api")
    covariates = [covariates] if isinstance(covariates, str) else list(dict.fromkeys(covariates))
    known = [name for name in cases.columns if name not in _NO_CASE_MIX]
    unknown = [name for name in covariates if name not in known]
    if unknown or not covariates:
        raise UsageError(
            f"can't adjust for {', '.join(unknown) or 'nothing'}",
            f"choose from: {', '.join(known)}",
        )
    judged = cases.filter(pl.col("verdict").is_in(["conformant", "non_conformant"]))
    used = judged.drop_nulls([*covariates, "site_id"])
    met = (used["verdict"] == "conformant").cast(pl.Float64)
    if used.is_empty() or met.n_unique() == 1:
        raise UsageError(
            "the judged cases are all alike",
            "choose a rule with both verdicts, or fewer covariates",
        )
    terms = used.select(covariates).to_dummies(
        [n for n in covariates if not used.schema[n].is_numeric()], drop_first=True
    )
    design = terms.with_columns(intercept=pl.lit(1.0)).cast(pl.Float64)
    try:
        fit = api.GLM(met.to_numpy(), design.to_numpy(), family=api.families.Binomial()).fit()
    except (ValueError, ArithmeticError) as error:
        raise UsageError(
            f"the regression can't be fitted: {error}", "take fewer covariates"
        ) from error
    scored = used.with_columns(met=met, expected=pl.Series(fit.fittedvalues))
    overall = sum(met.to_list()) / used.height
    sites = (
        scored.group_by("site_id")
        .agg(judged=pl.len(), observed=pl.col("met").sum(), expected=pl.col("expected").sum())
        .with_columns(ratio=pl.col("observed") / pl.col("expected"))
        .with_columns(adjusted=(pl.col("ratio") * overall).clip(0, 1))
        .sort("site_id")
    )
    interval = fit.conf_int()
    coefficients = pl.DataFrame(
        {
            "term": design.columns,
            "log_odds": fit.params,
            "standard_error": fit.bse,
            "low": interval[:, 0],
            "high": interval[:, 1],
            "p": fit.pvalues,
        }
    ).with_columns(
        pl.col("log_odds").exp().alias("odds_ratio"),
        pl.col("low").exp(),
        pl.col("high").exp(),
    )
    diagnostics = {
        "cases": used.height,
        "left_out": judged.height - used.height,
        "converged": bool(fit.converged),
        "undetermined": coefficients.filter(pl.col("high").is_infinite())["term"].to_list(),
        "c_statistic": _c_statistic(scored),
        "hosmer_lemeshow_p": _hosmer_lemeshow(scored),
    }
    return CaseMix(sites, coefficients, diagnostics)


def _share(rows: pl.DataFrame) -> float:
    judged: int = sum(rows["judged"].to_list())
    met: int = sum(rows["conformant"].to_list())
    return met / judged


def _judged(counts: pl.DataFrame) -> pl.DataFrame:
    rows = (
        counts.select("site_id", "conformant", "non_conformant")
        .with_columns(judged=pl.col("conformant") + pl.col("non_conformant"))
        .filter(pl.col("judged") > 0)
        .with_columns(rate=pl.col("conformant") / pl.col("judged"))
    )
    if rows.is_empty():
        raise UsageError("no case was judged under this rule", "choose another rule")
    return rows


def _c_statistic(scored: pl.DataFrame) -> float:
    """The chance that a case that met the rule had the higher expectation of two."""
    ranks = scored["expected"].rank()
    met = scored["met"] == 1
    hits, misses = int(met.sum()), int((~met).sum())
    reached: float = sum(ranks.filter(met).to_list())
    return (reached - hits * (hits + 1) / 2) / (hits * misses)


def _hosmer_lemeshow(scored: pl.DataFrame, groups: int = 10) -> float | None:
    """The p value of observed against expected in tenths of the expectation; None if too few."""
    tenths = (
        scored.with_columns(
            tenth=(pl.col("expected").rank("ordinal") - 1) * groups // scored.height
        )
        .group_by("tenth")
        .agg(n=pl.len(), observed=pl.col("met").sum(), expected=pl.col("expected").sum())
        .with_columns(left=pl.col("n") - pl.col("expected"))
        .filter((pl.col("expected") > 0) & (pl.col("left") > 0))
    )
    if tenths.height < _LEAST_GROUPS:
        return None
    gap = (tenths["observed"] - tenths["expected"]) ** 2
    statistic = float((gap / tenths["expected"] + gap / tenths["left"]).sum())
    return float(needed("scipy.stats").chi2.sf(statistic, tenths.height - 2))
