"""Radiotherapy and endocrine therapy: what is meant for each patient, and how it departs."""

from dataclasses import dataclass, replace

import numpy as np

from audit.synthesise.chance import NEVER, Bools, Chance, Floats, Ints
from audit.synthesise.course import Course, Fate
from audit.synthesise.deviations import Delivered, Deviations, Excuse, Mess
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
KINDS = {
    "R30": "radiotherapy-before-last-chemotherapy",
    "R31": "her2-therapy-paused",
    "R32": "no-radiotherapy",
    "R33": "no-endocrine-therapy",
    "R34": "endocrine-therapy-during-chemotherapy",
    "R35": "endocrine-therapy-stopped-early",
}


@dataclass(frozen=True)
class Aftercare:
    """Radiotherapy and endocrine therapy as they were meant and given; arrays run over patients.

    `endocrine_early` is a day in chemotherapy on which endocrine therapy was dispensed already;
    days are `NEVER` where there is none. `departs` tells whose care departs from some rule here,
    and `planted` for each rule what the audit must find.
    """

    radiotherapy: Ints
    endocrine: Ints
    endocrine_end: Ints
    endocrine_early: Ints
    departs: Bools
    planted: dict[str, Bools]


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
    planted: dict[str, Bools] = {}

    def departed() -> Bools:
        nobody = np.zeros_like(left)
        found: Bools = np.any([nobody, *planted.values()], axis=0)
        return found

    def depart(rule: str, concerned: Bools) -> Bools:
        planted[rule] = chance.yes(shares[rule]) & concerned & left & ~departed()
        return planted[rule]

    adjuvant = surgery_first & delivered.chemotherapy
    start = np.where(adjuvant, course.taxane_last + 28, course.last_surgery + 38)
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
        delivered.chemotherapy, np.maximum(course.taxane_last + 30, after_surgery), after_surgery
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
    return Aftercare(
        radiotherapy=radiotherapy,
        endocrine=begun,
        endocrine_end=np.where(end <= until, end, NEVER),
        endocrine_early=np.where(together, course.taxane_last - 40, NEVER),
        departs=departed(),
        planted=planted,
    ), replace(delivered, pause=pause, pause_at=np.where(paused, 1, delivered.pause_at))
