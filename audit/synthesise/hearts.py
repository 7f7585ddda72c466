"""Ejection fractions before and during HER2 therapy, and care that departs from them."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from audit.synthesise.aftercare import Aftercare
from audit.synthesise.batch import Batch, numbers, words
from audit.synthesise.chance import NEVER, Bools, Chance, Floats, Ints, as_dates, day
from audit.synthesise.departures import Excuse, Mess, StopGiven
from audit.synthesise.deviations import Deviations
from audit.synthesise.disease import METASTATIC, POSITIVE, Disease
from audit.synthesise.names import Drug
from audit.synthesise.rows import PALLIATIVE_INTENT

HER2_DRUGS = (
    Drug.TRASTUZUMAB, Drug.TRASTUZUMAB_SC, Drug.PERTUZUMAB, Drug.FIXED_DOSE, Drug.TDM1, Drug.TDXD,
    Drug.TCHP, Drug.TCH,
)  # fmt: skip
EVERY_DAYS, BEFORE_DAYS = 84, 9
IN_FORCE = day("2006-11-01")
LONG_ENOUGH = 300  # days of early treatment in which any departure shows
FALL, USUAL, LEAST = 20, 63, 51
FAILURE_DAY, FAILURE_GRADE = 100, 3  # from the first dose
SKIPPED_TURN, COURSE_GAP = 2, 91
# A gap at least this long leaves time for a low value and a repeat that shows recovery.
HELD_GAP, LONGEST_GAP, REPEAT_DAYS = 29, 80, 20


@dataclass(frozen=True)
class Hearts:
    """Departures of one batch from the cardiac rules; arrays run over patients.

    `failure` is the day of heart failure after which treatment went on, `held` that of a low value
    after which it was paused; days are `NEVER` where there is none.
    """

    unmeasured: Bools
    unwatched: Bools
    fallen: Bools
    failure: Ints
    held: Ints
    planted: dict[str, Ints]


def her2_spans(rows: pl.DataFrame) -> pl.DataFrame:
    """Give the first and last day of HER2 therapy of each patient, early and palliative apart."""
    ended = pl.when(pl.col("end") < NEVER).then("end").otherwise("day")
    return (
        rows.filter(pl.col("drug").is_in([int(drug) for drug in HER2_DRUGS]))
        .group_by("who", palliative=pl.col("intent") == PALLIATIVE_INTENT)
        .agg(first=pl.col("day").min(), last=pl.max_horizontal("day", ended).max())
        .sort("who", "palliative")
    )


def draw_hearts(
    disease: Disease,
    deviations: Deviations,
    aftercare: Aftercare,
    rows: pl.DataFrame,
    shares: dict[str, Floats],
    chance: Chance,
) -> Hearts:
    """Draw who departs from which cardiac rule, one a patient at most, and only in tidy records.

    Args:
        disease: the patients.
        deviations: departures decided before.
        aftercare: departures of aftercare.
        rows: treatment rows as codes; `planted` marks those of other departures.
        shares: by rule number, how often each patient's hospital departs.
        chance: draws.
    """
    spans = her2_spans(rows).filter(~pl.col("palliative"))
    first, last = np.full(chance.size, NEVER), np.full(chance.size, -NEVER)
    first[spans["who"].to_numpy()] = spans["first"].to_numpy()
    last[spans["who"].to_numpy()] = spans["last"].to_numpy()
    tidy = (deviations.mess == Mess.NONE) & (deviations.excuse == Excuse.SILENT) & ~deviations.any
    tidy &= ~aftercare.departs & (disease.her2 == POSITIVE) & (disease.pathway != METASTATIC)
    tidy[rows.filter("planted")["who"].to_numpy()] = False
    tidy[rows.filter(pl.col("course") == 1)["who"].to_numpy()] = False
    left = tidy & (first >= IN_FORCE) & (last - first >= LONG_ENOUGH)
    # A long gap begins another course, in which nothing may be amiss.
    left &= _before_a_gap(rows, chance.size, COURSE_GAP, NEVER) >= NEVER
    planted: dict[str, Ints] = {}
    for rule in ("R24", "R25", "R26", "R27"):
        drawn = chance.yes(shares[rule]) & left
        planted[rule] = drawn.astype(np.int64)
        left &= ~drawn
    held = _before_a_gap(rows, chance.size, HELD_GAP, LONGEST_GAP)
    return Hearts(
        unmeasured=planted["R24"] > 0,
        unwatched=planted["R25"] > 0,
        fallen=planted["R26"] > 0,
        failure=np.where(planted["R27"] > 0, first + FAILURE_DAY, NEVER),
        held=np.where(left & chance.yes(0.3), held, NEVER),
        planted=planted,
    )


def _before_a_gap(rows: pl.DataFrame, size: int, least: int, most: int) -> Ints:
    """Give the last day of early HER2 therapy before the first gap of so many days."""
    days = (
        rows.filter(
            pl.col("drug").is_in([int(drug) for drug in HER2_DRUGS]),
            pl.col("intent") != PALLIATIVE_INTENT,
        )
        .select("who", "day")
        .unique()
        .sort("who", "day")
        .with_columns(earlier=pl.col("day").shift().over("who"))
        .filter((pl.col("day") - pl.col("earlier")).is_between(least, most))
        .unique("who", keep="first", maintain_order=True)
    )
    found = np.full(size, NEVER)
    found[days["who"].to_numpy()] = days["earlier"].to_numpy()
    return found


def cardiac_assessments(batch: Batch, rows: pl.DataFrame, hearts: Hearts) -> pl.DataFrame:
    """Give ejection fractions: before HER2 therapy and about every three months during it."""
    chance = batch.chance
    spans = her2_spans(rows).with_columns(
        first=pl.col("first") - pl.lit(BEFORE_DAYS) * ~pl.col("palliative")
    )
    visits = (spans["last"].to_numpy() - spans["first"].to_numpy()) // EVERY_DAYS + 1
    span = np.repeat(np.arange(spans.height), visits)
    turn = np.arange(len(span)) - np.repeat(np.cumsum(visits) - visits, visits)
    who, early = spans["who"].to_numpy()[span], ~spans["palliative"].to_numpy()[span]
    when = spans["first"].to_numpy()[span] + EVERY_DAYS * turn
    missed = early & hearts.unmeasured[who] & (turn == 0)
    missed |= early & hearts.unwatched[who] & (turn == SKIPPED_TURN)
    low = early & hearts.fallen[who] & (turn == 1)
    who, when, low = who[~missed], when[~missed], low[~missed]
    ends = batch.deviations.stop_given == StopGiven.HEART_FAILURE
    ends &= np.isin(np.arange(chance.size), spans["who"].to_numpy())
    stopped = np.full(chance.size, NEVER)
    stopped[spans["who"].to_numpy()] = spans["last"].to_numpy() + 8
    for days, fell in (
        (np.where(ends, stopped, NEVER), True),
        (hearts.held + 1, True),
        (hearts.held + 1 + REPEAT_DAYS, False),
    ):
        more = np.flatnonzero(days <= batch.fate.end)
        who, when = np.append(who, more), np.append(when, days[more])
        low = np.append(low, np.full(len(more), fell))
    usual = np.clip(chance.around(USUAL, 4), 57, 69)[who]
    change = np.clip(chance.rng.normal(-1, 3, len(who)), -6, 6)
    fraction = np.where(low, usual - FALL, np.maximum(usual + change, LEAST))
    # Without a number before it there is no fall.
    worded = chance.yes(0.03, len(who)) & ~low & ~hearts.fallen[who]
    columns = {
        "assessment_date": as_dates(when),
        "method": words(("echocardiogram", "muga", "mri"), chance.pick((85, 13, 2))[who]),
        "lvef_percent": numbers(fraction.round(), ~worded),
        "result": words(
            ("normal", "abnormal"), low.astype(np.int64), worded | chance.yes(0.3, len(who))
        ),
    }
    return batch.table(who, columns, tumour=False)
