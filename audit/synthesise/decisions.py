"""What each patient departs from, one matter after the other, and the treatment it leaves."""

from dataclasses import dataclass

import numpy as np

from audit.synthesise.chance import NEVER, Bools, Ints
from audit.synthesise.course import TAXANE_DOSES, WEEKLY, Course, Fate
from audit.synthesise.departures import (
    AFTER_WEEKLY_DOSES,
    CONJUGATE_AFTER_RESIDUAL,
    PERTUZUMAB_AFTER_SURGERY,
    PERTUZUMAB_BEFORE_SURGERY,
    STAGE_I_SHORT,
    WITHOUT_LIMIT,
    YEAR_DOSES,
    AfterResponse,
    Excuse,
    Habits,
    Lacking,
    Partner,
    Residual,
    Unproven,
)
from audit.synthesise.disease import (
    IHC_2,
    IHC_3,
    METASTATIC,
    N0I,
    NEGATIVE,
    NEOADJUVANT,
    POSITIVE,
    SURGERY_FIRST,
    T1A,
    T1C,
    UNTESTED,
    UNTREATED,
    Disease,
)

CONJUGATE_DOSES = 14
# Days from first dose to last verdict: a year of antibodies, fourteen cycles.
YEAR_DUE, CYCLES_DUE = 540, 400


@dataclass(frozen=True)
class Her2Part:
    """Whether HER2 therapy and chemotherapy were given, and what is wrong with that."""

    lacking: Ints
    unproven: Ints
    her2_therapy: Bools
    chemotherapy: Bools
    first: Ints


@dataclass(frozen=True)
class Way:
    """What the pathway departs from: the way to surgery, surgery in time, little in stage I."""

    route: Bools
    endocrine_alone: Bools
    surgery: Ints
    stage_1: Bools
    more: Bools
    departs: Bools


@dataclass(frozen=True)
class Partners:
    """Pertuzumab: who needs it after surgery, how it departs, who got any, how many at most."""

    after: Bools
    partner: Ints
    dual: Bools
    most: Ints


@dataclass(frozen=True)
class Conjugate:
    """T-DM1 after residual disease: how it departs, who got it, when, how often."""

    residual: Ints
    track: Bools
    start: Ints
    cycles: Ints
    unfinished: Bools


@dataclass(frozen=True)
class Year:
    """Antibodies to the end of a year, and how that departs."""

    weekly: Bools
    before: Ints
    start: Ints
    continuation: Ints
    pertuzumab_doses: Ints
    stopped: Bools
    after_response: Ints


def draw_way(disease: Disease, course: Course) -> Way:
    """R04, R08, R16: what the pathway and the course meant have decided already."""
    positive = disease.her2 == POSITIVE
    surgery_first = disease.pathway == SURGERY_FIRST
    route = surgery_first & positive & disease.clinical_stage_2_or_3 & ~disease.pregnant
    route &= course.surgery >= PERTUZUMAB_BEFORE_SURGERY
    alone = (disease.pathway == UNTREATED) & positive & disease.clinical_stage_2_or_3
    alone &= disease.er
    never = (disease.pathway == NEOADJUVANT) & (course.surgery >= NEVER)
    surgery = np.where(never, 1, np.where(course.overdue, 2, 0)) * positive
    surgery = surgery * (course.taxane_last >= PERTUZUMAB_BEFORE_SURGERY)
    stage_1 = surgery_first & positive & (disease.t >= T1A) & (disease.t <= T1C)
    stage_1 &= (disease.n <= N0I) & (course.start >= STAGE_I_SHORT)
    more = stage_1 & course.chemotherapy & (course.taxane != WEEKLY)
    departs = (disease.pathway == UNTREATED) | route | (surgery > 0) | more
    return Way(route, alone, surgery, stage_1, more, departs)


def draw_her2_part(disease: Disease, course: Course, fate: Fate, habits: Habits) -> Her2Part:
    """R03: chemotherapy with a HER2 antibody. R01: only after a HER2-positive result."""
    chance = habits.chance
    positive = disease.her2 == POSITIVE
    early = (disease.pathway == NEOADJUVANT) | (disease.pathway == SURGERY_FIRST)
    concerned = positive & early & course.chemotherapy & course.her2_therapy
    concerned &= disease.t1c_or_node_positive & (course.surgery < NEVER)
    part = 1 + chance.pick((45, 35, 20))
    part = np.where(disease.pathway == NEOADJUVANT, Lacking.ANTIBODY, part)
    lacking = np.where(habits.may_depart("R03", concerned), part, Lacking.NONE)
    untreated = positive & (disease.pathway == UNTREATED) & disease.t1c_or_node_positive
    lacking = np.where(untreated, Lacking.BOTH, lacking)
    her2_therapy = course.her2_therapy & (lacking != Lacking.ANTIBODY) & (lacking != Lacking.BOTH)
    chemotherapy = course.chemotherapy & (lacking < Lacking.CHEMOTHERAPY)
    first = np.where(chemotherapy, course.taxane_start, course.start)

    treated = (disease.her2 == NEGATIVE) & (course.chemotherapy | (disease.pathway == METASTATIC))
    departed = habits.may_depart("R01", treated & ~disease.pregnant)
    how = np.where(chance.yes(0.25), Unproven.NEGATIVE_SUMMARY, Unproven.NEGATIVE_ASSAY)
    how = np.where(habits.excuse == Excuse.TRIAL, Unproven.NEGATIVE_ASSAY, how)
    awaited = np.where(early & (disease.ihc == IHC_2), Unproven.BRIDGING_DOSE, Unproven.NONE)
    how = np.where(habits.excuse == Excuse.DOCUMENTED, awaited, how)
    unproven = np.where(departed, how, Unproven.NONE)
    her2_therapy |= unproven > Unproven.NONE

    late = positive & early & her2_therapy & (disease.ihc == IHC_3) & (first + 45 <= fate.end)
    late &= (habits.excuse == Excuse.SILENT) & habits.allowed
    late &= chance.yes(0.1 * habits.departs["R01"])
    unproven = np.where(late, Unproven.LATE_RESULT, unproven)
    return Her2Part(lacking, unproven, her2_therapy, chemotherapy, first)


def draw_partners(
    disease: Disease, course: Course, part: Her2Part, stage_1: Bools, habits: Habits
) -> Partners:
    """R05, R14, R16: who needs both antibodies, how pertuzumab departs, who got any.

    In stage I operated on first nobody needs it, and giving it departs from R16.
    """
    chance = habits.chance
    neoadjuvant = disease.pathway == NEOADJUVANT
    surgery_first = disease.pathway == SURGERY_FIRST
    usual = part.her2_therapy & part.chemotherapy & (part.unproven != Unproven.BRIDGING_DOSE)
    since = part.first - np.where(neoadjuvant, PERTUZUMAB_BEFORE_SURGERY, PERTUZUMAB_AFTER_SURGERY)
    in_force = usual & (since >= 0)
    positive = disease.her2 == POSITIVE
    known = in_force & (positive | (disease.her2 == UNTESTED))
    before = known & neoadjuvant & disease.clinical_stage_2_or_3
    after = known & surgery_first & disease.node_positive
    operated = course.surgery < NEVER
    departed_before = habits.may_depart("R05", before & positive & operated, since)
    departed_after = habits.may_depart("R14", after & positive, since)
    partner = np.where(departed_before, 1 + chance.pick((75, 25)), Partner.NONE)
    partner = np.where(departed_after, 1 + chance.pick((60, 25, 15)), partner)
    small = surgery_first & ~disease.node_positive & (disease.t <= T1C)
    optional = in_force & (neoadjuvant | surgery_first) & ~small & chance.yes(0.3)
    optional |= habits.may_depart("R16", in_force & stage_1)
    dual = (before | after | optional) & (partner != Partner.LEFT_OUT)
    few = np.where(neoadjuvant, chance.between(1, 2), chance.between(4, 10))
    most = np.where(partner == Partner.FEW, few, WITHOUT_LIMIT)
    return Partners(after, partner, dual, most)


def draw_conjugate(
    disease: Disease, course: Course, fate: Fate, part: Her2Part, concerned: Bools, habits: Habits
) -> Conjugate:
    """R10, R11: whom of the concerned T-DM1 was due to, and how that departs."""
    chance = habits.chance
    rest = concerned & (disease.pathway == NEOADJUVANT) & part.her2_therapy & course.residual
    rest &= (course.surgery < NEVER) & (part.unproven != Unproven.BRIDGING_DOSE)
    since = course.last_surgery - CONJUGATE_AFTER_RESIDUAL
    rest &= since >= 0
    positive = disease.her2 == POSITIVE
    departed = habits.may_depart("R10", rest & positive, since)
    residual = np.where(departed, 1 + chance.pick((75, 25)), Residual.NONE)
    track = rest & (residual != Residual.NEVER_GIVEN)
    wait = np.where(chance.yes(0.12), chance.between(90, 172), chance.between(21, 55))
    wait = np.where(residual == Residual.TOO_LATE, chance.between(186, 260), wait)
    start = course.last_surgery + wait
    lasting = fate.outlasts(start + CYCLES_DUE) | habits.excused
    unfinished = habits.may_depart("R11", track & positive & lasting)
    cycles = np.where(chance.yes(0.1), CONJUGATE_DOSES - 1, CONJUGATE_DOSES)
    cycles = np.where(unfinished, chance.between(3, CONJUGATE_DOSES - 2), cycles)
    return Conjugate(residual, track, start, np.where(track, cycles, 0), unfinished)


def draw_year(
    disease: Disease,
    course: Course,
    fate: Fate,
    part: Her2Part,
    partners: Partners,
    conjugate: Conjugate,
    response: Bools,
    habits: Habits,
) -> Year:
    """R12, R17: antibodies to the end of a year, both of them where `response` was complete."""
    chance = habits.chance
    neoadjuvant = disease.pathway == NEOADJUVANT
    early = neoadjuvant | (disease.pathway == SURGERY_FIRST)
    treated = part.her2_therapy & early & (part.unproven != Unproven.BRIDGING_DOSE)
    weekly = (course.taxane == WEEKLY) & ~partners.dual & part.her2_therapy & part.chemotherapy
    weekly &= chance.yes(0.5)
    after_taxane = course.taxane_last + np.where(course.taxane == WEEKLY, 7, 21)
    after_surgery = course.last_surgery + chance.between(21, 45)
    start = np.where(neoadjuvant & (course.surgery < NEVER), after_surgery, after_taxane)
    start = np.where(part.chemotherapy, start, course.start)
    before = np.where(course.taxane == WEEKLY, 4, TAXANE_DOSES[course.taxane]) * part.chemotherapy
    whole = np.where(weekly, AFTER_WEEKLY_DOSES, YEAR_DOSES - chance.yes(0.25) - before)

    judged = treated & (disease.her2 == POSITIVE) & ~conjugate.track
    judged &= ~neoadjuvant | (part.first >= PERTUZUMAB_BEFORE_SURGERY)
    judged &= fate.outlasts(part.first + YEAR_DUE) | habits.excused
    stopped = habits.may_depart("R17", judged)
    given = np.where(stopped, chance.between(3, 7), whole)
    bridge = np.clip((conjugate.start - start) // 21, 0, 9)
    given = np.where(conjugate.track, bridge, given)

    both = response & partners.dual & disease.clinical_positive
    both &= course.last_surgery >= PERTUZUMAB_AFTER_SURGERY
    few = partners.partner == Partner.FEW
    dropped = habits.may_depart("R12", both & judged & ~few & ~stopped)
    how = np.where(few, AfterResponse.FEW, np.where(stopped, AfterResponse.STOPPED, 0))
    how = np.where(dropped, AfterResponse.DROPPED, how * both)
    most = np.where(dropped, before, partners.most)
    return Year(
        weekly=weekly,
        before=before,
        start=start,
        continuation=np.where(treated, given, 0),
        pertuzumab_doses=np.where(partners.dual, most, 0),
        stopped=stopped,
        after_response=how,
    )
