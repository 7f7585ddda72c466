"""Radiotherapy, endocrine therapy, neratinib: what is meant for each patient, how it departs."""

from dataclasses import dataclass, replace

import numpy as np

from audit.synthesise.chance import NEVER, Bools, Chance, Floats, Ints, day
from audit.synthesise.course import Course, Fate
from audit.synthesise.departures import Excuse, Mess
from audit.synthesise.deviations import Delivered, Deviations
from audit.synthesise.disease import (
    METASTATIC,
    N2,
    NEOADJUVANT,
    POSITIVE,
    SURGERY_FIRST,
    T3,
    Disease,
)

FIVE_YEARS = 1826
LONGEST_RADIOTHERAPY = 63
HER2_PAUSE = 60
NERATINIB_APPROVED = day("2017-07-17")
# Neratinib begins within this many days after the last antibody or conjugate, in the US.
NERATINIB_BY, NERATINIB_DAYS = 730, 365
IN_SEQUENCE, LATE, PARALLEL = range(1, 4)


@dataclass(frozen=True)
class Aftercare:
    """Aftercare as it was meant and given; arrays run over patients.

    `endocrine_early` is a day in chemotherapy on which endocrine therapy was dispensed already;
    days are `NEVER` where there is none. `departs` tells whose care departs from some rule here,
    and `planted` for each rule what the audit must find.
    """

    radiotherapy: Ints
    endocrine: Ints
    endocrine_end: Ints
    endocrine_early: Ints
    neratinib: Ints
    neratinib_end: Ints
    departs: Bools
    planted: dict[str, Ints]


def draw_aftercare(
    disease: Disease,
    course: Course,
    fate: Fate,
    delivered: Delivered,
    deviations: Deviations,
    shares: dict[str, Floats],
    chance: Chance,
) -> tuple[Aftercare, Delivered]:
    """Draw aftercare and its departures, one a patient at most, and only in tidy records.

    Args:
        disease: the patients.
        course: the treatment meant.
        fate: recurrence, death and the last day on record.
        delivered: systemic treatment as it was given.
        deviations: departures from other rules.
        shares: by rule number, how often each patient's hospital departs.
        chance: draws.

    Returns:
        The aftercare, and systemic treatment with HER2 therapy paused where that is the departure.
    """
    surgery_first = disease.pathway == SURGERY_FIRST
    operated = course.surgery < NEVER
    until = np.minimum(fate.end, fate.metastasis - 1)
    left = (deviations.mess == Mess.NONE) & (deviations.excuse == Excuse.SILENT) & ~deviations.any
    left &= (disease.her2 == POSITIVE) & (surgery_first | (disease.pathway == NEOADJUVANT))
    planted: dict[str, Ints] = {}

    def departed() -> Bools:
        nobody = np.zeros_like(left)
        found: Bools = np.any([nobody, *(code > 0 for code in planted.values())], axis=0)
        return found

    def depart(rule: str, concerned: Bools) -> Bools:
        drawn: Bools = chance.yes(shares[rule]) & concerned & left & ~departed()
        planted[rule] = drawn.astype(np.int64)
        return drawn

    adjuvant = surgery_first & delivered.chemotherapy
    again = delivered.chemotherapy_again < NEVER
    start = np.where(adjuvant | again, delivered.chemotherapy_last + 28, course.last_surgery + 38)
    indicated = operated & (~course.mastectomy | disease.node_positive | (disease.t >= T3))
    radiotherapy = np.where(indicated, start, NEVER)
    anchor = np.where(surgery_first, disease.diagnosed, course.surgery)
    many_nodes = (disease.n >= N2) & (surgery_first | disease.clinical_positive)
    removed = course.mastectomy | (course.last_surgery > course.surgery)
    omitted = depart(
        "R32",
        operated & removed & ((disease.t >= T3) | many_nodes) & (anchor + 365 <= until),
    )
    recorded = adjuvant & indicated & (course.taxane_last + 28 + LONGEST_RADIOTHERAPY <= until)
    early = depart("R30", recorded)
    paused = depart("R31", recorded & delivered.her2_therapy & (delivered.continuation > 1))
    radiotherapy = np.where(early, course.taxane_last - 15, radiotherapy)
    radiotherapy = np.where(omitted | (radiotherapy > until), NEVER, radiotherapy)

    after_surgery = np.where(operated, course.last_surgery, disease.diagnosed + 20) + 40
    begun = np.where(
        delivered.chemotherapy,
        np.maximum(delivered.chemotherapy_last + 30, after_surgery),
        after_surgery,
    )
    unoperated = (disease.pathway == NEOADJUVANT) & ~operated
    begun = np.where(unoperated, course.taxane_last + 30, begun)
    given = disease.er & (disease.pathway != METASTATIC)
    due = disease.diagnosed + np.where(surgery_first, 365, 485)
    never = depart("R33", given & disease.t1c_or_node_positive & (due <= until))
    together = depart("R34", given & delivered.chemotherapy & (course.taxane_last + 30 <= until))
    stopped = depart("R35", given & (begun + FIVE_YEARS <= until))
    begun = np.where(given & ~never & (begun <= until), begun, NEVER)
    end = begun + np.where(stopped, chance.between(200, 1400), FIVE_YEARS)
    pause = np.where(paused, HER2_PAUSE, delivered.pause)
    delivered = replace(delivered, pause=pause, pause_at=np.where(paused, 1, delivered.pause_at))
    neratinib, code = _neratinib(disease, delivered, left & ~departed(), shares, until, chance)
    planted["R19"] = np.where(code > IN_SEQUENCE, code - 1, 0)
    neratinib_end = neratinib + NERATINIB_DAYS
    return Aftercare(
        radiotherapy=radiotherapy,
        endocrine=begun,
        endocrine_end=np.where(end <= until, end, NEVER),
        endocrine_early=np.where(together, course.taxane_last - 40, NEVER),
        neratinib=neratinib,
        neratinib_end=np.where(neratinib_end <= until, neratinib_end, NEVER),
        departs=departed(),
        planted=planted,
    ), delivered


def _neratinib(
    disease: Disease,
    delivered: Delivered,
    left: Bools,
    shares: dict[str, Floats],
    until: Ints,
    chance: Chance,
) -> tuple[Ints, Ints]:
    """Give the day on which neratinib began after antibody or conjugate, and in what order."""
    last = delivered.antibody_last
    taken = left & disease.er & delivered.her2_therapy & delivered.chemotherapy
    taken &= (last >= NERATINIB_APPROVED + 60) & chance.yes(0.12)
    code = np.where(chance.yes(shares["R19"]), LATE + chance.between(0, 1), IN_SEQUENCE)
    wait = np.where(code == LATE, NERATINIB_BY + chance.between(10, 200), chance.between(20, 300))
    wait = np.where(code == PARALLEL, -50, wait)
    start = last + wait
    # What was given beside neratinib shows only where its end is on record.
    taken &= np.where(code == PARALLEL, start + NERATINIB_DAYS, start) <= until
    return np.where(taken, start, NEVER), np.where(taken, code, 0)
