"""Doses as they follow from the gaps between visits, and those that depart from what is right."""

import numpy as np
import polars as pl

from audit.synthesise.aftercare import Aftercare
from audit.synthesise.chance import NEVER, Bools, Chance, Floats, Ints, day
from audit.synthesise.departures import Excuse, Mess
from audit.synthesise.deviations import Deviations
from audit.synthesise.disease import METASTATIC, POSITIVE, Disease
from audit.synthesise.names import Drug
from audit.synthesise.rows import MG_PER_KG, MG_PER_M2, PALLIATIVE_INTENT, SCHEDULES

HER2_ANTIBODIES = {
    "trastuzumab": (Drug.TRASTUZUMAB, Drug.TRASTUZUMAB_SC, Drug.FIXED_DOSE, Drug.TCHP, Drug.TCH),
    "pertuzumab": (Drug.PERTUZUMAB, Drug.FIXED_DOSE, Drug.TCHP),
}
THREE_WEEKLY_ON_LABEL = day("2006-11-16")
# Longest interval without loading again, and the longest gap that is one and needs no reason.
LATE, SIX_WEEKS, COURSE_END = 28, 42, 180
WEEKLY_AT_MOST = 5  # mg/kg: no three-weekly dose is as small
FIRST_PERTUZUMAB_MINUTES = 60
HALF, TOO_LITTLE = 0.5, 0.7
FEWEST_TO_TELL_A_SCHEDULE = 3
NOT_LOADED, UNEXPLAINED = 1, 2


def settle_doses(
    rows: pl.DataFrame,
    disease: Disease,
    deviations: Deviations,
    aftercare: Aftercare,
    shares: dict[str, Floats],
    chance: Chance,
) -> tuple[pl.DataFrame, dict[str, Ints]]:
    """Load antibodies again after long gaps, and get some doses of tidy records wrong.

    Args:
        rows: treatment rows as codes.
        disease: the patients.
        deviations: departures decided before.
        aftercare: departures of aftercare, HER2 therapy paused for radiotherapy among them.
        shares: by rule number, how often each patient's hospital departs.
        chance: draws.

    Returns:
        The rows, with `planted` true for a dose that must be on record; and for each dosing rule
        what the audit must find, as positions in `KINDS`.
    """
    rows = rows.with_row_index("row").with_columns(
        trastuzumab=_days_since(rows, "trastuzumab"), pertuzumab=_days_since(rows, "pertuzumab")
    )
    rows = _loaded(rows, pl.Series(disease.weight).gather(rows["who"]))
    left = (deviations.mess == Mess.NONE) & (deviations.excuse == Excuse.SILENT) & ~deviations.any
    left &= ~aftercare.departs & (disease.her2 == POSITIVE) & (disease.pathway != METASTATIC)
    planted: dict[str, Ints] = {}
    wrong = np.full(rows.height, np.nan)

    def plant(rule: str, eligible: pl.Expr, factor: float) -> None:
        """Get one dose of some patients wrong: the first that is eligible."""
        drawn = chance.yes(shares[rule]) & left & ~_any(planted, left)
        early = (pl.col("intent") != PALLIATIVE_INTENT) & (pl.col("course") == 0)
        early &= pl.col("day") >= THREE_WEEKLY_ON_LABEL
        ours = pl.Series(np.flatnonzero(drawn)).implode()
        first = rows.filter(pl.col("who").is_in(ours) & early & eligible).sort("who", "day")
        first = first.unique("who", keep="first", maintain_order=True)
        wrong[first["row"].to_numpy()] = factor
        planted[rule] = np.zeros(len(left), np.int64)
        planted[rule][first["who"].to_numpy()] = NOT_LOADED

    by_weight = (pl.col("drug") == int(Drug.TRASTUZUMAB)) & (pl.col("unit") == MG_PER_KG)
    on_time = pl.col("trastuzumab").is_between(17, LATE) & (pl.col("dose") > WEEKLY_AT_MOST)
    late = pl.col("trastuzumab").is_between(LATE + 1, COURSE_END)
    usual, first = (SCHEDULES[Drug.TRASTUZUMAB].amount, SCHEDULES[Drug.TRASTUZUMAB].first)
    plant("R18", by_weight & late & (pl.col("dose") > WEEKLY_AT_MOST), usual / first)
    plant("R20", by_weight & on_time, HALF)
    again = pl.col("pertuzumab").is_between(14, SIX_WEEKS - 1)
    plant("R21", (pl.col("drug") == int(Drug.PERTUZUMAB)) & again, 2)
    begun = pl.col("day") == pl.col("day").min().over("who", "drug")
    taxane = pl.col("drug").is_in([int(Drug.DOCETAXEL), int(Drug.PACLITAXEL)])
    again_soon = pl.col("day").n_unique().over("who", "drug") >= FEWEST_TO_TELL_A_SCHEDULE
    plant("R22", taxane & begun & again_soon & (pl.col("unit") == MG_PER_M2), TOO_LITTLE)

    paused = pl.Series(np.flatnonzero(aftercare.planted["R31"])).implode()
    gap = pl.max_horizontal(
        pl.when(pl.col("drug") == int(Drug.TRASTUZUMAB)).then("trastuzumab"),
        pl.when(pl.col("drug").is_in([int(Drug.PERTUZUMAB), int(Drug.FIXED_DOSE)])).then(
            "pertuzumab"
        ),
    )
    unexplained = rows.filter(
        pl.col("who").is_in(paused)
        & gap.is_between(SIX_WEEKS + 1, COURSE_END)
        & (pl.col("intent") != PALLIATIVE_INTENT)
    )
    planted["R18"][unexplained["who"].to_numpy()] = UNEXPLAINED
    factor = pl.Series(wrong).fill_nan(None)
    rows = rows.with_columns(
        dose=pl.col("dose") * factor.fill_null(1.0), planted=factor.is_not_null()
    )
    return rows.drop("row", "trastuzumab", "pertuzumab"), planted


def _any(planted: dict[str, Ints], like: Bools) -> Bools:
    found: Bools = np.any([np.zeros_like(like), *(code > 0 for code in planted.values())], axis=0)
    return found


def _days_since(rows: pl.DataFrame, antibody: str) -> pl.Series:
    """Give for each row the days since the patient's last day of the antibody, null for none."""
    drugs = [int(drug) for drug in HER2_ANTIBODIES[antibody]]
    given = rows.filter(pl.col("drug").is_in(drugs))
    ended = given.filter((pl.col("course") == 1) & (pl.col("end") < NEVER))
    days = pl.concat(
        [given.select("who", "day"), ended.select("who", pl.col("end").alias("day"))]
    ).unique()
    days = days.sort("who", "day").with_columns(earlier=pl.col("day").shift().over("who"))
    found = rows.join(days, on=["who", "day"], how="left", maintain_order="left")
    return found["day"] - found["earlier"]


def _loaded(rows: pl.DataFrame, weight: pl.Series) -> pl.DataFrame:
    """Give loading doses where there is no dose close enough before, and only there."""
    drug, kilograms = pl.col("drug"), pl.when(pl.col("unit") == MG_PER_KG).then(1).otherwise(weight)
    single = pl.col("course") == 0
    three_weekly = (drug == int(Drug.TRASTUZUMAB)) & (pl.col("dose") / kilograms > WEEKLY_AT_MOST)
    dose = pl.col("dose")
    for which, code, limit, per in (
        (three_weekly, Drug.TRASTUZUMAB, LATE + 1, kilograms),
        (drug == int(Drug.PERTUZUMAB), Drug.PERTUZUMAB, SIX_WEEKS, pl.lit(1)),
        (drug == int(Drug.FIXED_DOSE), Drug.FIXED_DOSE, SIX_WEEKS, pl.lit(1)),
    ):
        plan = SCHEDULES[code]
        since = pl.col("trastuzumab" if code == Drug.TRASTUZUMAB else "pertuzumab")
        amount = pl.when(since.is_null() | (since >= limit)).then(plan.first).otherwise(plan.amount)
        dose = pl.when(which & single).then((amount * per).round(1)).otherwise(dose)
    first = (drug == int(Drug.PERTUZUMAB)) & single & pl.col("pertuzumab").is_null()
    minutes = pl.when(first).then(FIRST_PERTUZUMAB_MINUTES).otherwise(pl.col("minutes"))
    return rows.with_columns(dose=dose.cast(pl.Float64), minutes=minutes.cast(pl.Float64))
