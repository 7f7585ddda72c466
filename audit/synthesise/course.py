"""What is meant for each patient, and how long fate lets it run."""

from dataclasses import dataclass

import numpy as np

from audit.synthesise.chance import NEVER, Bools, Chance, Floats, Ints, day
from audit.synthesise.disease import (
    CUTOFF,
    EQUIVOCAL,
    METASTATIC,
    NEOADJUVANT,
    POSITIVE,
    SURGERY_FIRST,
    T2,
    UNTESTED,
    UNTREATED,
    Disease,
)

THREE_WEEKLY, WEEKLY, SHORT = range(3)  # taxane and platinum x6, paclitaxel x12, taxane x4
TAXANE_DOSES = np.array([6, 12, 4])
TAXANE_STEP = np.array([21, 7, 21])
ANTHRACYCLINE_DOSES, ANTHRACYCLINE_STEP = 4, 14
PACLITAXEL_ALONE = day("2015-01-08")  # from here on the usual regimen of stage I
PACLITAXEL_ALONE_MM = 30
LATEST_SURGERY = 84


@dataclass(frozen=True)
class Course:
    """The treatment meant for each patient, before anybody departs from it."""

    her2_therapy: Bools
    chemotherapy: Bools
    anthracycline: Bools
    taxane: Ints
    start: Ints
    taxane_start: Ints
    surgery: Ints
    last_surgery: Ints
    mastectomy: Bools
    residual: Bools

    @property
    def taxane_last(self) -> Ints:
        """Day of the last taxane dose."""
        last: Ints = self.taxane_start + (TAXANE_DOSES[self.taxane] - 1) * TAXANE_STEP[self.taxane]
        return last

    @property
    def overdue(self) -> Bools:
        """Operated on too long after the last taxane dose."""
        found: Bools = (self.surgery < NEVER) & (self.surgery > self.taxane_last + LATEST_SURGERY)
        return found


def draw_course(disease: Disease, departs: dict[str, Floats], chance: Chance) -> Course:
    """Draw pathway dates and regimens.

    HER2-negative patients get no HER2 therapy here, and equivocal ones seldom; small node-negative
    tumours operated on first often stay without systemic treatment.

    Args:
        disease: the patients.
        departs: by rule number, how often each patient's hospital departs: from operating in time
            (R08) and from paclitaxel alone in stage I (R16).
        chance: draws.
    """
    neoadjuvant = disease.pathway == NEOADJUVANT
    surgery_first = disease.pathway == SURGERY_FIRST
    early = neoadjuvant | surgery_first
    small = surgery_first & ~disease.t1c_or_node_positive & chance.yes(0.5)
    systemic = early & ~small
    positive = (disease.her2 == POSITIVE) | (disease.her2 == UNTESTED)
    her2_therapy = positive | ((disease.her2 == EQUIVOCAL) & chance.yes(0.3))

    first_operation = disease.diagnosed + chance.between(14, 55)
    start = np.where(
        surgery_first,
        first_operation + chance.between(28, 56),
        disease.diagnosed + chance.between(14, 45),
    )
    assayed = disease.her2 == POSITIVE
    low_risk = surgery_first & ~disease.node_positive & (disease.t < T2)
    regimen = chance.pick((55, 30, 15))
    taxane = np.where(surgery_first & (regimen == SHORT), THREE_WEEKLY, regimen)
    more = assayed & chance.yes(departs["R16"])
    alone = np.where(start >= PACLITAXEL_ALONE, ~more, chance.yes(0.6))
    taxane = np.where(low_risk, np.where(alone, WEEKLY, THREE_WEEKLY), taxane)
    large = surgery_first & (disease.size > PACLITAXEL_ALONE_MM)
    anthracycline = (taxane == WEEKLY) & ~low_risk & (large | chance.yes(0.8))
    taxane_start = start + anthracycline * ANTHRACYCLINE_DOSES * ANTHRACYCLINE_STEP
    taxane_last = taxane_start + (TAXANE_DOSES[taxane] - 1) * TAXANE_STEP[taxane]
    wait = np.where(chance.yes(0.05), chance.between(57, LATEST_SURGERY), chance.between(21, 42))
    overdue = assayed & chance.yes(departs["R08"] / 2)
    wait = np.where(overdue, LATEST_SURGERY + chance.between(1, 25), wait)
    surgery = np.where(surgery_first, first_operation, taxane_last + wait)
    never = neoadjuvant & assayed & chance.yes(departs["R08"] / 2)
    surgery = np.where(~early | never, NEVER, surgery)
    mastectomy = chance.yes(0.42)
    twice = (surgery < NEVER) & ~mastectomy & chance.yes(0.04)
    last_surgery = surgery + twice * chance.between(14, 24)

    complete_response = np.where(positive, 0.5, 0.2) + 0.1 * ~disease.er
    return Course(
        her2_therapy=her2_therapy
        & (systemic | (disease.pathway == METASTATIC))
        & ~disease.pregnant,
        chemotherapy=systemic,
        anthracycline=anthracycline,
        taxane=taxane,
        start=start,
        taxane_start=taxane_start,
        surgery=surgery,
        last_surgery=last_surgery,
        mastectomy=mastectomy,
        residual=~chance.yes(complete_response),
    )


@dataclass(frozen=True)
class Fate:
    """What became of each patient; days, `NEVER` where it did not happen.

    `end` is the last day with anything on record: the earliest of the cut-off, last contact,
    transfer and death.
    """

    metastasis: Ints
    death: Ints
    last_contact: Ints
    transfer_out: Ints
    end: Ints

    def outlasts(self, due: Ints) -> Bools:
        """On record through a due date, without a metastasis until then."""
        found: Bools = (due <= self.end) & (self.metastasis > due)
        return found


def draw_fate(disease: Disease, course: Course, untidy: np.ndarray, chance: Chance) -> Fate:
    """Draw recurrence, death, loss and transfer.

    No metastasis comes before day 150, which would make it one found at diagnosis, nor before
    adjuvant treatment could begin.
    """
    size = chance.size
    curative = disease.pathway != METASTATIC
    operated = np.where(course.surgery < NEVER, course.last_surgery, course.start)
    earliest = np.maximum(np.maximum(operated, course.start) + 60, disease.diagnosed + 150)
    earliest = np.where(disease.pathway == UNTREATED, disease.diagnosed + 200, earliest)
    share = 0.04 + 0.07 * (disease.t >= T2) + 0.07 * disease.node_positive
    share += 0.15 * (disease.pathway == UNTREATED)
    metastasis = np.where(curative & chance.yes(share), earliest + chance.wait(800), NEVER)

    older = np.clip((disease.diagnosed - disease.born) / 365.25 - 50, 0, 40)
    death = disease.diagnosed + 30 + chance.wait(365.25 * 100 / (0.3 + 0.12 * older))
    survival = 60 + chance.rng.gamma(2, 560, size).astype(np.int64)
    progressed = np.where(curative, metastasis, disease.diagnosed)
    death = np.minimum(death, progressed + survival)

    last_visit = np.maximum(
        CUTOFF - chance.between(0, 70), np.minimum(disease.diagnosed + 20, CUTOFF)
    )
    lost = np.where(chance.yes(0.05), disease.diagnosed + 30 + chance.wait(700), NEVER)
    lost = np.where(lost < last_visit, lost, NEVER)
    transfer = np.where(chance.yes(0.02), disease.diagnosed + 30 + chance.wait(500), NEVER)
    death = np.where(death <= CUTOFF, death, NEVER)
    ends = np.minimum(lost, np.minimum(transfer, death))
    alive_here = ends >= NEVER
    unstated = alive_here & chance.yes(untidy)
    last_contact = np.minimum(np.where(alive_here, last_visit, CUTOFF), ends)
    last_contact = np.where(unstated, NEVER, last_contact)
    end = np.minimum(np.minimum(CUTOFF, last_contact), ends)
    return Fate(
        metastasis=np.where(metastasis <= end, metastasis, NEVER),
        death=np.where(death == end, death, NEVER),
        last_contact=last_contact,
        transfer_out=np.where((transfer == end) & (death > end), transfer, NEVER),
        end=end,
    )
