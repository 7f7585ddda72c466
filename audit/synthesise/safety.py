"""What the safety rules find: anthracyclines beside antibodies, reactions, T-DXd after ILD.

Drawn last and from the rows as given, in a stream of its own. Only tidy records depart here.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from audit.synthesise.batch import Batch
from audit.synthesise.chance import Bools, Chance, Ints
from audit.synthesise.departures import Excuse, Mess
from audit.synthesise.metastatic import Later, Metastatic
from audit.synthesise.names import Drug
from audit.synthesise.rows import PALLIATIVE_INTENT

ANTIBODIES = (Drug.TRASTUZUMAB, Drug.TRASTUZUMAB_SC, Drug.PERTUZUMAB, Drug.FIXED_DOSE)
OTHER_HER2 = (Drug.TDM1, Drug.TDXD, Drug.TCHP, Drug.TCH)
ANTHRACYCLINES = (Drug.DOXORUBICIN, Drug.EPIRUBICIN)
# An anthracycline keeps these days from the antibody before and after it; a longer pause splits.
AFTER_ANTIBODY, BEFORE_ANTIBODY, PAUSE = 21, 14, 63
NOT_ANSWERED, GIVEN_ON = 0.02, 0.35
ILD_AFTER = 60


@dataclass(frozen=True)
class Safety:
    """Departures from the safety rules; arrays run over patients.

    `unanswered` tells whose first antibody brought a reaction that nobody answered, `given_on`
    whose trastuzumab deruxtecan went on after ILD of grade 2.
    """

    unanswered: Bools
    given_on: Bools
    planted: dict[str, Ints]


def draw_safety(batch: Batch, rows: pl.DataFrame, lines: Metastatic, chance: Chance) -> Safety:
    """Draw who departs from the safety rules.

    Args:
        batch: the patients.
        rows: treatment rows as codes.
        lines: the treatment of metastatic disease.
        chance: draws.
    """
    deviations, size = batch.deviations, chance.size
    tidy = (deviations.mess == Mess.NONE) & (deviations.excuse == Excuse.SILENT) & ~batch.second
    single = rows.filter(pl.col("course") == 0)
    curative = rows.filter(
        pl.col("intent") != PALLIATIVE_INTENT, _is(ANTIBODIES) | _is(OTHER_HER2)
    ).with_columns(first=pl.col("day").min().over("who"))
    begun = curative.filter(
        pl.col("day") == pl.col("first"), _is(ANTIBODIES), pl.col("course") == 0
    )
    unanswered = _among(begun["who"], size) & tidy & chance.yes(NOT_ANSWERED)

    suspected = lines.second + ILD_AFTER
    deruxtecan = single.filter(_is((Drug.TDXD,)))
    after = deruxtecan["day"].to_numpy() > suspected[deruxtecan["who"].to_numpy()]
    given_on = _among(deruxtecan.filter(after)["who"], size) & tidy & chance.yes(GIVEN_ON)
    # ILD before the first dose is not one under this drug.
    given_on &= _among(deruxtecan.filter(~after)["who"], size) & (lines.departs == Later.NOT)

    beside = _among(_overlapping(single), size) & ~deviations.trial
    found = {"R23": beside, "R28": unanswered, "R29": given_on}
    return Safety(unanswered, given_on, {rule: who.astype(np.int64) for rule, who in found.items()})


def _is(drugs: tuple[Drug, ...]) -> pl.Expr:
    return pl.col("drug").is_in([int(drug) for drug in drugs])


def _among(who: pl.Series, size: int) -> Bools:
    found = np.zeros(size, np.bool_)
    found[who.to_numpy()] = True
    return found


def _overlapping(rows: pl.DataFrame) -> pl.Series:
    """Who was given an anthracycline too close to the antibody's dose before or after it."""
    antibody = rows.filter(_is(ANTIBODIES)).select("who", day="day").unique().sort("day")
    toxic = rows.filter(_is(ANTHRACYCLINES)).select("who", "day").unique().sort("day")
    before, after = antibody.with_columns(before="day"), antibody.with_columns(after="day")
    # All are sorted, which can't be checked patient by patient.
    near = toxic.join_asof(
        before, on="day", by="who", strategy="backward", check_sortedness=False
    ).join_asof(after, on="day", by="who", strategy="forward", check_sortedness=False)
    since, until = pl.col("day") - pl.col("before"), pl.col("after") - pl.col("day")
    return near.filter(
        (since <= AFTER_ANTIBODY)
        | (until < BEFORE_ANTIBODY)
        | (pl.col("after") - pl.col("before") <= PAUSE)
    )["who"]
