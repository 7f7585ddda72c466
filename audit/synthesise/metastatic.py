"""Metastatic disease: three lines of treatment, as the standard of their day had them."""

from dataclasses import dataclass

import numpy as np

from audit.synthesise.chance import NEVER, Bools, Chance, Ints, day
from audit.synthesise.course import (
    TAXANE_DOSES,
    THREE_WEEKLY,
    Course,
    Fate,
)
from audit.synthesise.departures import Lacking, Unproven
from audit.synthesise.deviations import Deviations
from audit.synthesise.disease import (
    EQUIVOCAL,
    IHC_0,
    METASTATIC,
    NEGATIVE,
    Disease,
)
from audit.synthesise.names import Drug
from audit.synthesise.rows import (
    PALLIATIVE_INTENT,
    Treatments,
)

PERTUZUMAB_METASTATIC = day("2012-06-08")
TDM1_METASTATIC = day("2013-02-22")
TUCATINIB = day("2020-04-17")
TDXD_SECOND_LINE = day("2022-05-04")
TDXD_HER2_LOW = day("2022-08-05")


@dataclass(frozen=True)
class Metastatic:
    """The treatment of metastatic disease; `NEVER` where there is none."""

    start: Ints
    second: Ints
    third: Ints
    doses: Ints
    second_doses: Ints
    third_doses: Ints
    her2: Bools
    her2_low: Bools


def draw_metastatic(
    disease: Disease, course: Course, fate: Fate, deviations: Deviations, chance: Chance
) -> Metastatic:
    """Draw three lines of treatment, for disease metastatic at diagnosis or later.

    HER2 therapy goes to patients who had a claim to it in early disease, and trastuzumab
    deruxtecan to some with low expression once that was approved.
    """
    de_novo = disease.pathway == METASTATIC
    treated = chance.yes(0.87) | (deviations.unproven > Unproven.NONE)
    recurred = fate.metastasis < NEVER
    start = np.where(recurred, fate.metastasis + chance.between(14, 35), NEVER)
    start = np.where(de_novo, course.start, start)
    # Who went without any treatment of early disease goes without it later as well.
    start = np.where(treated & (deviations.lacking != Lacking.BOTH), start, NEVER)
    negative = disease.her2 == NEGATIVE
    given_before = (deviations.unproven > Unproven.NONE) & (
        deviations.unproven != Unproven.BRIDGING_DOSE
    )
    her2_low = (
        negative
        & ~given_before
        & (disease.ihc > IHC_0)
        & (start >= TDXD_HER2_LOW)
        & (start < NEVER)
    )
    her2_low &= (deviations.unproven == Unproven.NONE) & chance.yes(0.5)
    her2 = np.where(negative, given_before, True)
    her2 &= (disease.her2 != EQUIVOCAL) | (
        course.her2_therapy & (deviations.lacking == Lacking.NONE)
    )
    doses = 3 + chance.wait(13 * 21) // 21
    second_doses = 2 + chance.wait(9 * 21) // 21
    second = start + doses * 21 + chance.between(14, 30)
    third = second + second_doses * 21 + chance.between(14, 30)
    return Metastatic(
        start=start,
        second=np.where(start < NEVER, second, NEVER),
        third=np.where(start < NEVER, third, NEVER),
        doses=doses,
        second_doses=second_doses,
        third_doses=2 + chance.wait(5 * 21) // 21,
        her2=her2,
        her2_low=her2_low,
    )


def give_metastatic(treatments: Treatments, lines: Metastatic, until: Ints) -> None:
    """Three lines as the standard of their day had them."""
    intent = np.full(len(until), PALLIATIVE_INTENT)
    her2, low = lines.her2, lines.her2_low
    first = treatments.visits(lines.start, lines.doses, 21, until)
    antibody = first.where(her2[first.who])
    treatments.give(Drug.TRASTUZUMAB, antibody, intent, loading=antibody.turn == 0)
    dual = antibody.where((lines.start >= PERTUZUMAB_METASTATIC)[antibody.who])
    treatments.give(Drug.PERTUZUMAB, dual, intent, loading=dual.turn == 0)
    treatments.give(Drug.TDXD, first.where(low[first.who]), intent)
    taxane = (first.turn < TAXANE_DOSES[THREE_WEEKLY]) & ~low[first.who]
    treatments.give(Drug.DOCETAXEL, first.where(taxane), intent)

    second = treatments.visits(lines.second, np.where(her2, lines.second_doses, 0), 21, until)
    deruxtecan = (lines.second >= TDXD_SECOND_LINE)[second.who]
    emtansine = (lines.second >= TDM1_METASTATIC)[second.who] & ~deruxtecan
    treatments.give(Drug.TDXD, second.where(deruxtecan), intent)
    treatments.give(Drug.TDM1, second.where(emtansine), intent)
    second_end = np.minimum(lines.second + lines.second_doses * 21, until)
    begun = lines.second <= until
    neither = begun & her2 & (lines.second < TDM1_METASTATIC)
    treatments.run(Drug.LAPATINIB, np.flatnonzero(neither), lines.second, second_end, intent)
    tablets = np.flatnonzero(neither | (begun & ~her2))
    treatments.run(Drug.CAPECITABINE, tablets, lines.second, second_end, intent)

    third = treatments.visits(lines.third, np.where(her2, lines.third_doses, 0), 21, until)
    treatments.give(Drug.TRASTUZUMAB, third, intent)
    third_end = np.minimum(lines.third + lines.third_doses * 21, until)
    tucatinib = lines.third >= TUCATINIB
    treatments.give(Drug.VINORELBINE, third.where(~tucatinib[third.who]), intent)
    oral = np.flatnonzero(her2 & tucatinib & (lines.third <= until))
    treatments.run(Drug.TUCATINIB, oral, lines.third, third_end, intent)
    treatments.run(Drug.CAPECITABINE, oral, lines.third, third_end, intent)
