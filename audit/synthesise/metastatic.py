"""Metastatic disease: lines of treatment as the standard of their day had them, and departures."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import polars as pl

from audit.synthesise.chance import NEVER, Bools, Chance, Ints, as_dates, day
from audit.synthesise.course import (
    TAXANE_DOSES,
    THREE_WEEKLY,
    Course,
    Fate,
)
from audit.synthesise.departures import Lacking, Mess, Unproven
from audit.synthesise.deviations import Deviations
from audit.synthesise.disease import (
    EQUIVOCAL,
    IHC_0,
    METASTATIC,
    NEGATIVE,
    POSITIVE,
    Disease,
)
from audit.synthesise.names import Drug
from audit.synthesise.rows import (
    PALLIATIVE_INTENT,
    Treatments,
)

PERTUZUMAB_METASTATIC = day("2012-06-08")
TDM1_METASTATIC = day("2013-02-22")
EARLY_RELAPSE_RULE = day("2014-05-01")
CHEMOTHERAPY_RULE = day("2014-05-05")
BIOPSY_RULE = day("2015-07-01")
TUCATINIB = day("2020-04-17")
TDXD_SECOND_LINE = day("2022-05-04")
TDXD_HER2_LOW = day("2022-08-05")
TDXD_FIRST_LINE = day("2025-12-15")
EARLY_RELAPSE = "12mo"
AT_DIAGNOSIS = 150
SHORT_CHEMOTHERAPY = 3
UNTIL_PROGRESSION = 15
LONG_FIRST_LINE, YEAR_OF_FIRST_LINE = 9, 12  # doses


class Later(IntEnum):
    """How the treatment of metastatic disease departs; one way a patient."""

    NOT = 0
    NOT_RETESTED = 1
    NO_HER2 = 2
    NO_PERTUZUMAB = 3
    SHORT = 4
    STOPPED = 5
    FIRST_AGAIN = 6
    TDM1_SECOND = 7
    CHEMOTHERAPY_THIRD = 8
    TDXD_FIRST = 9
    ENDOCRINE = 10


SHARES = {
    Later.NOT_RETESTED: 0.08, Later.NO_HER2: 0.02, Later.NO_PERTUZUMAB: 0.04, Later.SHORT: 0.04,
    Later.STOPPED: 0.04, Later.FIRST_AGAIN: 0.10, Later.TDM1_SECOND: 0.06,
    Later.CHEMOTHERAPY_THIRD: 0.08, Later.TDXD_FIRST: 0.03, Later.ENDOCRINE: 0.04,
}  # fmt: skip
"""How often those whom it can concern depart so; endocrine treatment is always justified."""


@dataclass(frozen=True)
class Metastatic:
    """The treatment of metastatic disease; `NEVER` where there is none.

    `early` is a relapse within a year of the last HER2 antibody or T-DM1 dose, whose first line is
    what others have as second. `last` is the day of the last dose on record of the last line.
    """

    start: Ints
    second: Ints
    third: Ints
    doses: Ints
    second_doses: Ints
    third_doses: Ints
    her2: Bools
    her2_low: Bools
    early: Bools
    departs: Ints
    recurred: Bools

    @property
    def departing(self) -> Bools:
        """Departs in some way that an audit finds."""
        found: Bools = (self.departs != Later.NOT) & (self.departs != Later.ENDOCRINE)
        return found

    @property
    def last(self) -> Ints:
        """Day by which the last line would be over."""
        third = self.third + 21 * self.third_doses
        second = self.second + 21 * self.second_doses
        first = self.start + 21 * self.doses
        second = np.where(self.second < NEVER, second, first)
        found: Ints = np.where(self.third < NEVER, third, second)
        return np.where(self.start < NEVER, found, NEVER)


def draw_metastatic(
    disease: Disease,
    course: Course,
    fate: Fate,
    deviations: Deviations,
    departs_already: Bools,
    last_her2: Ints,
    chances: tuple[Chance, Chance],
) -> Metastatic:
    """Draw up to three lines of treatment, for disease metastatic at diagnosis or later.

    HER2 therapy goes to patients who had a claim to it in early disease, and trastuzumab
    deruxtecan to some with low expression once that was approved.

    Args:
        disease: the patients.
        course: the treatment meant.
        fate: recurrence, death and the last day on record.
        deviations: departures in early disease; who has one has none here.
        departs_already: who departs from a rule on what follows treatment of early disease.
        last_her2: day of the last HER2 antibody or T-DM1 dose for early disease, or `-NEVER`.
        chances: draws of the lines, and draws of the departures.
    """
    chance, fortune = chances
    de_novo = disease.pathway == METASTATIC
    treated = chance.yes(0.87) | (deviations.unproven > Unproven.NONE)
    recurred = fate.metastasis < NEVER
    start = np.where(recurred, fate.metastasis + chance.between(14, 35), NEVER)
    # Found so soon, the metastasis was there at diagnosis.
    start = np.where(fate.metastasis <= disease.diagnosed + AT_DIAGNOSIS, NEVER, start)
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
    third_doses = 2 + chance.wait(5 * 21) // 21
    early = recurred & (last_her2 > -NEVER) & her2 & (start < NEVER)
    early &= _within_a_year(last_her2, fate.metastasis)
    tidy = (disease.her2 == POSITIVE) & her2 & (deviations.mess == Mess.NONE)
    tidy &= ~deviations.any & ~departs_already & (start < NEVER)
    can = {
        Later.NOT_RETESTED: recurred & (fate.metastasis >= BIOPSY_RULE),
        Later.NO_HER2: ~early & (doses >= LONG_FIRST_LINE) & (start >= PERTUZUMAB_METASTATIC),
        Later.NO_PERTUZUMAB: ~early & (start >= PERTUZUMAB_METASTATIC),
        Later.SHORT: ~early & (doses >= LONG_FIRST_LINE) & (start >= CHEMOTHERAPY_RULE),
        Later.STOPPED: ~early & (doses >= YEAR_OF_FIRST_LINE) & (start >= PERTUZUMAB_METASTATIC),
        Later.FIRST_AGAIN: early & (start >= EARLY_RELAPSE_RULE),
        Later.TDM1_SECOND: ~early & (second >= TDXD_SECOND_LINE),
        Later.CHEMOTHERAPY_THIRD: ~early & (third >= CHEMOTHERAPY_RULE),
        Later.TDXD_FIRST: ~early & (start >= TDXD_SECOND_LINE),
        Later.ENDOCRINE: ~early & disease.er & (start >= PERTUZUMAB_METASTATIC),
    }
    departs = np.full(fortune.size, int(Later.NOT))
    for way, who in can.items():
        chosen = tidy & who & (departs == Later.NOT) & fortune.yes(SHARES[way])
        departs = np.where(chosen, int(way), departs)
    only_one = (departs == Later.NO_HER2) | (departs == Later.FIRST_AGAIN)
    only_one |= early & (start < TDM1_METASTATIC)
    second = np.where((start < NEVER) & ~only_one, second, NEVER)
    third = np.where((second < NEVER) & ~early, third, NEVER)
    return Metastatic(
        start=start,
        second=second,
        third=third,
        doses=doses,
        second_doses=second_doses,
        third_doses=third_doses,
        her2=her2,
        her2_low=her2_low,
        early=early,
        departs=departs,
        recurred=recurred,
    )


def _within_a_year(last: Ints, relapse: Ints) -> Bools:
    """Whether the relapse is no more than twelve calendar months after the last dose."""
    known = (last > -NEVER) & (relapse < NEVER)
    days = pl.DataFrame(
        {
            "last": as_dates(np.where(known, last, 0)),
            "relapse": as_dates(np.where(known, relapse, 0)),
        }
    )
    near = days.select(pl.col("relapse") <= pl.col("last").dt.offset_by(EARLY_RELAPSE))
    found: Bools = near.to_series().to_numpy()
    return known & found


def give_metastatic(treatments: Treatments, lines: Metastatic, until: Ints) -> None:
    """The lines as the standard of their day had them, but for the departures."""
    _first_line(treatments, lines, until)
    later = lines.second
    _conjugates(treatments, lines, later, lines.second_doses, ~lines.early, until)
    _without_her2(treatments, lines, until)
    last = np.where(lines.early, lines.second, lines.third)
    doses = np.where(lines.early, lines.second_doses, lines.third_doses)
    _last_line(treatments, lines, last, doses, until)


def _first_line(treatments: Treatments, lines: Metastatic, until: Ints) -> None:
    intent = np.full(len(until), PALLIATIVE_INTENT)
    departs = lines.departs
    conjugate = lines.early & (departs != Later.FIRST_AGAIN)
    _conjugates(treatments, lines, lines.start, lines.doses, conjugate, until)
    first = treatments.visits(
        lines.start, np.where(conjugate | (departs == Later.TDXD_FIRST), 0, lines.doses), 21, until
    )
    antibody = first.where((lines.her2 & (departs != Later.NO_HER2))[first.who])
    stopped = (departs == Later.STOPPED)[antibody.who]
    antibody = antibody.where(~stopped | (antibody.turn < TAXANE_DOSES[THREE_WEEKLY]))
    treatments.give(Drug.TRASTUZUMAB, antibody, intent, loading=antibody.turn == 0)
    dual = (lines.start >= PERTUZUMAB_METASTATIC) & (departs != Later.NO_PERTUZUMAB)
    dual_visits = antibody.where(dual[antibody.who])
    treatments.give(Drug.PERTUZUMAB, dual_visits, intent, loading=dual_visits.turn == 0)
    treatments.give(Drug.TDXD, first.where(lines.her2_low[first.who]), intent)
    deruxtecan = np.where(departs == Later.TDXD_FIRST, lines.doses, 0)
    treatments.give(Drug.TDXD, treatments.visits(lines.start, deruxtecan, 21, until), intent)
    most = np.where(departs == Later.SHORT, SHORT_CHEMOTHERAPY, TAXANE_DOSES[THREE_WEEKLY])
    taxane = (first.turn < most[first.who]) & ~lines.her2_low[first.who]
    taxane &= (departs != Later.ENDOCRINE)[first.who]
    treatments.give(Drug.DOCETAXEL, first.where(taxane), intent)
    endocrine = np.flatnonzero((departs == Later.ENDOCRINE) & (lines.start <= until))
    end = np.minimum(lines.start + lines.doses * 21, until)
    treatments.run(Drug.LETROZOLE, endocrine, lines.start, end, intent)


def _conjugates(
    treatments: Treatments, lines: Metastatic, start: Ints, doses: Ints, who: Bools, until: Ints
) -> None:
    """T-DXd, or T-DM1 before it came; what there was before that as well."""
    intent = np.full(len(until), PALLIATIVE_INTENT)
    visits = treatments.visits(start, np.where(lines.her2 & who, doses, 0), 21, until)
    older = (lines.departs == Later.TDM1_SECOND) | (lines.departs == Later.TDXD_FIRST)
    deruxtecan = ((start >= TDXD_SECOND_LINE) & ~older)[visits.who]
    emtansine = (start >= TDM1_METASTATIC)[visits.who] & ~deruxtecan
    treatments.give(Drug.TDXD, visits.where(deruxtecan), intent)
    treatments.give(Drug.TDM1, visits.where(emtansine), intent)
    before = visits.where(~deruxtecan & ~emtansine)
    treatments.give(Drug.TRASTUZUMAB, before, intent)
    treatments.give(Drug.CAPECITABINE, before, intent)


def _without_her2(treatments: Treatments, lines: Metastatic, until: Ints) -> None:
    """Capecitabine in second line of HER2-negative disease."""
    intent = np.full(len(until), PALLIATIVE_INTENT)
    end = np.minimum(lines.second + lines.second_doses * 21, until)
    tablets = np.flatnonzero((lines.second <= until) & ~lines.her2)
    treatments.run(Drug.CAPECITABINE, tablets, lines.second, end, intent)


def _last_line(
    treatments: Treatments, lines: Metastatic, start: Ints, doses: Ints, until: Ints
) -> None:
    """The tucatinib regimen, or trastuzumab with vinorelbine before it came."""
    intent = np.full(len(until), PALLIATIVE_INTENT)
    visits = treatments.visits(start, np.where(lines.her2, doses, 0), 21, until)
    end = np.minimum(start + doses * 21, until)
    alone = lines.departs == Later.CHEMOTHERAPY_THIRD
    treatments.give(Drug.TRASTUZUMAB, visits.where(~alone[visits.who]), intent)
    tucatinib = (start >= TUCATINIB) & ~alone
    treatments.give(Drug.VINORELBINE, visits.where(~tucatinib[visits.who]), intent)
    oral = np.flatnonzero(lines.her2 & tucatinib & (start <= until))
    treatments.run(Drug.TUCATINIB, oral, start, end, intent)
    treatments.run(Drug.CAPECITABINE, oral, start, end, intent)


def planted_later(lines: Metastatic, fate: Fate, diagnosed: Ints) -> dict[str, Ints]:
    """Which departures an audit at the end of the record must find, a number a kind from one on.

    Each due date is written down again here, so that a wrong one in a rule does not hide.
    """
    departs, start = lines.departs, lines.start

    def found(way: Later, due: Ints, floor: int = -NEVER, since: Ints | None = None) -> Ints:
        decided = start if since is None else since
        who = (departs == way) & (due <= fate.end) & (fate.death >= due) & (decided >= floor)
        codes: Ints = who.astype(np.int64)
        return codes

    first, second, third = start + 42, lines.second + 42, lines.third + 42
    short = start + 112
    stopped = start + 21 * (int(TAXANE_DOSES[THREE_WEEKLY]) - 1) + 63 + 3
    spread = np.where(lines.recurred, fate.metastasis, diagnosed)
    together = np.where(start >= TDXD_FIRST_LINE, first, start)
    return {
        "R02": found(Later.NOT_RETESTED, first),
        "R36": found(Later.NO_HER2, np.maximum(spread + 180, first)),
        "R37": found(Later.NO_PERTUZUMAB, first)
        + 2 * found(Later.NO_HER2, first)
        + 3 * found(Later.TDXD_FIRST, first),
        "R40": found(Later.FIRST_AGAIN, first),
        "R45": found(Later.TDXD_FIRST, together),
        "R38": found(Later.SHORT, short),
        "R39": found(Later.STOPPED, stopped),
        "R41": found(Later.TDM1_SECOND, second)
        + 2 * found(Later.FIRST_AGAIN, first, TDXD_SECOND_LINE),
        "R42": found(Later.CHEMOTHERAPY_THIRD, third),
        "R43": np.where(
            fate.death > lines.third - 10 + 60,
            found(Later.CHEMOTHERAPY_THIRD, third, EARLY_RELAPSE_RULE, lines.third - 10),
            0,
        ),
    }
