"""Treatment rows: every visit of every phase, and what was given at it."""

import numpy as np
import polars as pl

from audit.synthesise.aftercare import Aftercare
from audit.synthesise.chance import NEVER, Bools, Chance, Ints, day
from audit.synthesise.course import (
    ANTHRACYCLINE_DOSES,
    ANTHRACYCLINE_STEP,
    SHORT,
    TAXANE_DOSES,
    TAXANE_STEP,
    THREE_WEEKLY,
    WEEKLY,
    Course,
    Fate,
)
from audit.synthesise.departures import Excuse, Mess, Partner, StopGiven, Unproven
from audit.synthesise.deviations import AFTER_RESPONSE_DOSES, Delivered, Deviations
from audit.synthesise.disease import (
    NEOADJUVANT,
    SURGERY_FIRST,
    Disease,
)
from audit.synthesise.metastatic import Metastatic, draw_metastatic, give_metastatic
from audit.synthesise.names import Drug
from audit.synthesise.rows import (
    ADJUVANT_INTENT,
    COMPLETED,
    CURATIVE_INTENT,
    NEOADJUVANT_INTENT,
    NOT_STATED,
    REFUSAL,
    TOXICITY,
    Treatments,
    Visits,
)

FIXED_DOSE = day("2020-06-29")
SUBCUTANEOUS = day("2019-03-01")
MENOPAUSE_DAYS = 51 * 365
NO_TAXANE = -1
CLOCK_DRUGS = (
    Drug.TRASTUZUMAB, Drug.TRASTUZUMAB_SC, Drug.PERTUZUMAB, Drug.FIXED_DOSE, Drug.TDM1, Drug.TCHP,
    Drug.TCH,
)  # fmt: skip
"""Their last dose for early disease starts the clock of a relapse."""


def draw_treatments(
    disease: Disease,
    course: Course,
    fate: Fate,
    delivered: Delivered,
    deviations: Deviations,
    aftercare: Aftercare,
    chances: tuple[Chance, Chance, Chance],
) -> tuple[pl.DataFrame, Metastatic]:
    """Give every treatment row of a batch as codes: whose, when, what, how much and why.

    The lines of metastatic disease come with them: what they are hangs on the last HER2 dose for
    early disease.

    Args:
        disease: the patients.
        course: the treatment meant.
        fate: recurrence, death and the last day on record.
        delivered: the treatment of early disease given.
        deviations: departures in early disease.
        aftercare: what follows it.
        chances: draws of doses, of metastatic lines and of departures in these.
    """
    chance, *later_chances = chances
    treatments = Treatments(disease, chance)
    until = np.minimum(fate.end, fate.metastasis - 1)
    unoperated = (disease.pathway != SURGERY_FIRST) & (course.surgery >= NEVER)
    intent = np.where(disease.pathway == NEOADJUVANT, NEOADJUVANT_INTENT, ADJUVANT_INTENT)
    intent = np.where(unoperated, CURATIVE_INTENT, intent)
    later = np.where(unoperated, CURATIVE_INTENT, ADJUVANT_INTENT)
    as_courses = delivered.chemotherapy & delivered.her2_therapy
    as_courses &= ~deviations.any & ~aftercare.departs
    as_courses &= (
        (course.taxane == THREE_WEEKLY) & (deviations.mess == Mess.NONE) & chance.yes(0.06)
    )

    taxane = treatments.visits(
        course.taxane_start,
        np.where(delivered.chemotherapy & ~as_courses, TAXANE_DOSES[course.taxane], 0),
        TAXANE_STEP[course.taxane],
        until,
    )
    _chemotherapy(treatments, course, delivered, taxane, until, intent)
    _antibodies(treatments, course, fate, delivered, deviations, taxane, ~as_courses, intent, later)
    _courses(treatments, course, delivered, as_courses, until, intent, later)
    conjugate = treatments.visits(delivered.conjugate_start, delivered.conjugate, 21, until)
    treatments.give(Drug.TDM1, conjugate, later)
    _endocrine(treatments, disease, aftercare, later)
    taken = np.flatnonzero(aftercare.neratinib < NEVER)
    treatments.run(Drug.NERATINIB, taken, aftercare.neratinib, aftercare.neratinib_end, later)
    lines = draw_metastatic(
        disease, course, fate, deviations, aftercare.departs, _last_her2(treatments),
        (later_chances[0], later_chances[1]),
    )  # fmt: skip
    give_metastatic(treatments, lines, fate.end)
    return treatments.rows(), lines


def _last_her2(treatments: Treatments) -> Ints:
    """Day of each patient's last HER2 antibody or T-DM1 dose, a course's last day included."""
    last = np.full(treatments.chance.size, -NEVER)
    rows = treatments.rows().filter(pl.col("drug").is_in([int(drug) for drug in CLOCK_DRUGS]))
    ends = rows["end"].to_numpy()
    days = np.where(ends < NEVER, ends, rows["day"].to_numpy())
    np.maximum.at(last, rows["who"].to_numpy(), days)
    return last


def _chemotherapy(
    treatments: Treatments,
    course: Course,
    delivered: Delivered,
    taxane: Visits,
    until: Ints,
    intent: Ints,
) -> None:
    """Anthracycline with cyclophosphamide, then a taxane with or without carboplatin."""
    first = treatments.visits(
        course.start,
        np.where(delivered.chemotherapy & course.anthracycline, ANTHRACYCLINE_DOSES, 0),
        ANTHRACYCLINE_STEP,
        until,
    )
    epirubicin = treatments.chance.yes(0.3)[first.who]
    treatments.give(Drug.EPIRUBICIN, first.where(epirubicin), intent)
    treatments.give(Drug.DOXORUBICIN, first.where(~epirubicin), intent)
    treatments.give(Drug.CYCLOPHOSPHAMIDE, first, intent)
    again = treatments.visits(
        delivered.chemotherapy_again, np.full(len(until), AFTER_RESPONSE_DOSES), 21, until
    )
    treatments.give(Drug.EPIRUBICIN, again, np.full(len(until), ADJUVANT_INTENT))
    treatments.give(Drug.CYCLOPHOSPHAMIDE, again, np.full(len(until), ADJUVANT_INTENT))
    regimen = np.where(delivered.taxane, course.taxane, NO_TAXANE)[taxane.who]
    treatments.give(Drug.PACLITAXEL, taxane.where(regimen == WEEKLY), intent)
    docetaxel = (regimen == THREE_WEEKLY) | (regimen == SHORT)
    treatments.give(Drug.DOCETAXEL, taxane.where(docetaxel), intent)
    platinum = course.taxane[taxane.who] == THREE_WEEKLY
    treatments.give(Drug.CARBOPLATIN, taxane.where(platinum), intent)


def _antibodies(
    treatments: Treatments,
    course: Course,
    fate: Fate,
    delivered: Delivered,
    deviations: Deviations,
    taxane: Visits,
    by_visit: Bools,
    intent: Ints,
    later: Ints,
) -> None:
    """Trastuzumab, with pertuzumab where meant, beside the taxane and then alone to a year."""
    chance = treatments.chance
    weekly = delivered.weekly_antibody[taxane.who]
    three_weekly = (course.taxane[taxane.who] != WEEKLY) | (taxane.turn % 3 == 0)
    bridging = (deviations.unproven == Unproven.BRIDGING_DOSE)[taxane.who]
    given = delivered.her2_therapy[taxane.who] & (~bridging | (taxane.turn == 0))
    once_a_week = taxane.where(given & weekly)
    treatments.give(
        Drug.TRASTUZUMAB, once_a_week, intent, loading=once_a_week.turn == 0, weekly=True
    )
    beside = taxane.where(given & ~weekly & three_weekly)
    treatments.give(Drug.TRASTUZUMAB, beside, intent, loading=beside.turn == 0)
    ordinal = np.where(course.taxane[beside.who] == WEEKLY, beside.turn // 3, beside.turn)
    _pertuzumab(treatments, delivered, deviations, beside, ordinal, 0, intent)

    alone = treatments.visits(
        delivered.continuation_start,
        np.where(by_visit, delivered.continuation, 0),
        21,
        np.minimum(fate.end, fate.metastasis - 1),
        delivered.pause,
        delivered.pause_at,
    )
    last = alone.turn == delivered.continuation[alone.who] - 1
    completed = (deviations.departs["R17"] == 0) & ~delivered.conjugate_track & chance.yes(0.6)
    reason = np.where(completed, COMPLETED, NOT_STATED)
    reason = np.where(deviations.stop_given == StopGiven.TOXICITY, TOXICITY, reason)
    reason = np.where(deviations.stop_given == StopGiven.REFUSAL, REFUSAL, reason)
    stop = np.where(last, reason[alone.who], NOT_STATED)
    loading = (alone.turn == 0) & ~delivered.chemotherapy[alone.who]
    number = alone.turn + delivered.antibody_doses_before[alone.who]
    dual = number < delivered.pertuzumab_doses[alone.who]
    fixed = dual & chance.yes(0.35)[alone.who] & (alone.day >= FIXED_DOSE)
    treatments.give(
        Drug.FIXED_DOSE, alone.where(fixed), later, loading=alone.turn[fixed] == 0, stop=stop[fixed]
    )
    under_skin = ~dual & chance.yes(0.3)[alone.who] & (alone.day >= SUBCUTANEOUS)
    treatments.give(Drug.TRASTUZUMAB_SC, alone.where(under_skin), later, stop=stop[under_skin])
    vein = ~fixed & ~under_skin
    treatments.give(
        Drug.TRASTUZUMAB, alone.where(vein), later, loading=loading[vein], stop=stop[vein]
    )
    _pertuzumab(
        treatments, delivered, deviations, alone.where(vein), number[vein], 1, later, stop[vein]
    )


def _pertuzumab(
    treatments: Treatments,
    delivered: Delivered,
    deviations: Deviations,
    visits: Visits,
    number: Ints,
    phase: int,
    intent: Ints,
    stop: Ints | int = NOT_STATED,
) -> None:
    """Pertuzumab at those of trastuzumab's visits at which it was given."""
    doses = delivered.pertuzumab_doses[visits.who]
    given = (number < doses) & (delivered.pertuzumab_from[visits.who] <= phase)
    given &= visits.day >= deviations.pertuzumab_sent_from[visits.who]
    toxic = (deviations.partner == Partner.FEW) & (deviations.excuse == Excuse.DOCUMENTED)
    stop = np.where(toxic[visits.who] & (number == doses - 1), TOXICITY, stop)
    loading = number == 0
    treatments.give(
        Drug.PERTUZUMAB, visits.where(given), intent, loading=loading[given], stop=stop[given]
    )


def _courses(
    treatments: Treatments,
    course: Course,
    delivered: Delivered,
    as_courses: Bools,
    until: Ints,
    intent: Ints,
    later: Ints,
) -> None:
    """Some hospitals send regimens and drugs as courses, now and then without an end."""
    dual = delivered.pertuzumab_doses > 0
    start = course.taxane_start
    end = _last_visit(start, TAXANE_DOSES[course.taxane], until)
    open_ended = (intent == NEOADJUVANT_INTENT) & treatments.chance.yes(0.3)
    end = np.where(open_ended, NEVER, end)
    begun = as_courses & (start <= until)
    treatments.run(Drug.TCHP, np.flatnonzero(begun & dual), start, end, intent)
    treatments.run(Drug.TCH, np.flatnonzero(begun & ~dual), start, end, intent)
    start = delivered.continuation_start
    end = _last_visit(start, delivered.continuation, until)
    begun &= (start <= until) & (delivered.continuation > 0)
    treatments.run(Drug.TRASTUZUMAB, np.flatnonzero(begun), start, end, later)
    treatments.run(Drug.PERTUZUMAB, np.flatnonzero(begun & dual), start, end, later)


def _last_visit(start: Ints, doses: Ints, until: Ints) -> Ints:
    """Give the day of the last three-weekly visit on record."""
    last: Ints = start + 21 * np.clip((until - start) // 21, 0, np.maximum(doses - 1, 0))
    return last


def _endocrine(
    treatments: Treatments, disease: Disease, aftercare: Aftercare, intent: Ints
) -> None:
    """Endocrine therapy as one course, its end missing while it runs; an early row now and then."""
    start, end = aftercare.endocrine, aftercare.endocrine_end
    given = start < NEVER
    young = (disease.diagnosed - disease.born) < MENOPAUSE_DAYS
    treatments.run(Drug.TAMOXIFEN, np.flatnonzero(given & young), start, end, intent)
    treatments.run(Drug.LETROZOLE, np.flatnonzero(given & ~young), start, end, intent)
    suppressed = given & young & ~disease.male & treatments.chance.yes(0.4)
    treatments.run(Drug.GOSERELIN, np.flatnonzero(suppressed), start, end, intent)
    early = np.flatnonzero(aftercare.endocrine_early < NEVER)
    dispensed = Visits(early, np.zeros_like(early), aftercare.endocrine_early[early])
    treatments.give(Drug.LETROZOLE, dispensed, intent)
