"""Who departs from which rule and the treatment that results.

A patient's departures share one excuse: none (silent), a documented exception, or a trial. Only
the silent ones are planted deviations, and of those only the ones that fell due on record with
no recurrence before. Untidy records never depart in silence, so that no mess decides a verdict.
"""

from dataclasses import dataclass

import numpy as np

from audit.synthesise.chance import NEVER, Bools, Chance, Floats, Ints
from audit.synthesise.course import TAXANE_DOSES, THREE_WEEKLY, WEEKLY, Course, Fate
from audit.synthesise.departures import (
    AFTER_WEEKLY_DOSES,
    CONJUGATE_AFTER_RESIDUAL,
    PERTUZUMAB_AFTER_SURGERY,
    PERTUZUMAB_BEFORE_SURGERY,
    STAGE_I_SHORT,
    WITHOUT_LIMIT,
    YEAR_DOSES,
    AfterResponse,
    Escalated,
    Excuse,
    Habits,
    Lacking,
    Mess,
    Partner,
    Residual,
    Route,
    StopGiven,
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
CHEMOTHERAPY_AFTER_RESPONSE, AFTER_RESPONSE_DOSES = 30, 3
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


@dataclass(frozen=True)
class Delivered:
    """Treatment as it was given, were it not cut short by fate; arrays run over patients.

    Pertuzumab goes with trastuzumab from `pertuzumab_from` (0: the first dose, 1: the continuation
    after chemotherapy) for at most `pertuzumab_doses` doses. From visit `pause_at` on, the
    continuation is `pause` days late. `chemotherapy_again` is the day from which chemotherapy was
    given once more after surgery, and `chemotherapy_last` that of its last dose at all.
    """

    her2_therapy: Bools
    chemotherapy: Bools
    taxane: Bools
    her2_first: Ints
    weekly_antibody: Bools
    pertuzumab_doses: Ints
    pertuzumab_from: Ints
    antibody_doses_before: Ints
    continuation: Ints
    continuation_start: Ints
    conjugate: Ints
    conjugate_start: Ints
    conjugate_track: Bools
    chemotherapy_again: Ints
    chemotherapy_last: Ints
    pause: Ints
    pause_at: Ints

    @property
    def antibody_last(self) -> Ints:
        """Day of the last dose of antibody or conjugate meant."""
        held = self.pause * (self.pause_at < self.continuation)
        alone = self.continuation_start + 21 * (self.continuation - 1) + held
        conjugate = self.conjugate_start + 21 * (self.conjugate - 1)
        return np.where(self.conjugate_track, conjugate, alone)


@dataclass(frozen=True)
class Deviations:
    """Each patient's departures and their excuse; arrays run over patients.

    `departs` tells for each rule how a patient's care departs from it (0: not at all).
    `pertuzumab_sent_from` is the first day from which a patient's pertuzumab is on record: that of
    transfer in, for someone whose earlier doses the other hospital did not send.
    """

    excuse: Ints
    mess: Ints
    unproven: Ints
    lacking: Ints
    partner: Ints
    stop_given: Ints
    adjuvant_dual: Bools
    transfer_in: Ints
    pertuzumab_sent_from: Ints
    departs: dict[str, Ints]

    @property
    def any(self) -> Bools:
        """Any departure at all."""
        found: Bools = np.any([code > 0 for code in self.departs.values()], axis=0)
        return found

    @property
    def trial(self) -> Bools:
        """Treated in a trial, which explains the departure."""
        found: Bools = self.any & (self.excuse == Excuse.TRIAL)
        return found

    def documented(self, rule: str) -> Bools:
        """Departs from a rule with a documented exception."""
        found: Bools = (self.departs[rule] > 0) & (self.excuse == Excuse.DOCUMENTED)
        return found


def depart(
    disease: Disease,
    course: Course,
    fate: Fate,
    departs: dict[str, Floats],
    untidy: Floats,
    chance: Chance,
) -> tuple[Delivered, Deviations]:
    """Decide every departure and give the treatment that results.

    Args:
        disease: the patients.
        course: the treatment meant.
        fate: recurrence, death and the last day on record.
        departs: by rule number, how often each patient's hospital departs.
        untidy: how untidy each patient's hospital keeps its records.
        chance: draws.
    """
    mess = np.where(chance.yes(0.4 * untidy + 0.02), 1 + chance.pick((2, 2, 4, 3, 1)), Mess.NONE)
    excuse = chance.pick((62, 28, 10))
    way = _way(disease, course)
    # What the pathway itself decides is never both in silence and untidy.
    unclear = way.departs & (mess != Mess.NONE) & (excuse == Excuse.SILENT)
    habits = Habits(departs, np.where(unclear, Excuse.DOCUMENTED, excuse), mess, chance)
    part = _her2_part(disease, course, fate, habits)
    partners = _pertuzumab(disease, course, part, way.stage_1, habits)
    neoadjuvant = disease.pathway == NEOADJUVANT
    judged = neoadjuvant & (course.surgery < NEVER) & (disease.her2 == POSITIVE)
    judged &= part.her2_therapy
    backbone = judged & disease.clinical_stage_2_or_3 & (course.taxane == THREE_WEEKLY)
    backbone &= part.first >= PERTUZUMAB_BEFORE_SURGERY
    no_taxane = habits.may_depart("R06", backbone)
    # Nothing documented excuses a report that is not there.
    report = judged & ~habits.excused & (course.last_surgery >= CONJUGATE_AFTER_RESIDUAL)
    unreported = habits.may_depart("R09", report)
    conjugate = _residual(disease, course, fate, part, ~unreported & ~no_taxane, habits)
    response = judged & ~course.residual & ~unreported
    year = _year(disease, course, fate, part, partners, conjugate, response, habits)
    again = response & (course.taxane == THREE_WEEKLY) & ~no_taxane
    again = habits.may_depart("R13", again & (course.last_surgery >= PERTUZUMAB_BEFORE_SURGERY))
    restart = np.where(again, course.last_surgery + CHEMOTHERAPY_AFTER_RESPONSE, NEVER)
    last_again = restart + 21 * (AFTER_RESPONSE_DOSES - 1)

    delivered = Delivered(
        her2_therapy=part.her2_therapy,
        chemotherapy=part.chemotherapy,
        taxane=part.chemotherapy & ~no_taxane,
        her2_first=part.first,
        weekly_antibody=year.weekly,
        pertuzumab_doses=year.pertuzumab_doses,
        pertuzumab_from=(partners.partner == Partner.LATE).astype(np.int64),
        antibody_doses_before=year.before,
        continuation=year.continuation,
        continuation_start=year.start,
        conjugate=conjugate.cycles,
        conjugate_start=conjugate.start,
        conjugate_track=conjugate.track,
        chemotherapy_again=restart,
        chemotherapy_last=np.where(again, last_again, course.taxane_last),
        pause=np.where(chance.yes(0.08), chance.between(7, 20), 0),
        pause_at=chance.between(1, 9),
    )
    few = partners.partner == Partner.FEW
    stop_given = np.where(partners.after, StopGiven.EXCEPTION, 1 + chance.pick((3, 2, 2, 3)))
    stop_given = np.where(
        year.stopped & (habits.excuse == Excuse.DOCUMENTED), stop_given, StopGiven.NOT
    )
    moved = mess == Mess.TRANSFERRED_IN
    midway = moved & neoadjuvant & partners.dual & (partners.partner == Partner.NONE)
    midway &= disease.clinical_stage_2_or_3 & (course.taxane == THREE_WEEKLY)
    transfer_in = np.where(midway, course.taxane_start + 89, course.start + 60)
    transfer_in = np.where(moved & (transfer_in < fate.end), transfer_in, NEVER)
    no_antibody = neoadjuvant & disease.clinical_stage_2_or_3 & (course.surgery < NEVER)
    no_antibody &= (part.lacking == Lacking.ANTIBODY) & (
        course.surgery >= PERTUZUMAB_BEFORE_SURGERY
    )
    without = np.where(way.endocrine_alone, Route.ENDOCRINE_ALONE, no_antibody * Route.NO_ANTIBODY)
    adjuvant = np.where(partners.partner > Partner.NONE, partners.partner, 4 * year.stopped)
    more = way.more & part.her2_therapy & part.chemotherapy
    escalated = way.stage_1 & partners.dual & part.chemotherapy
    codes: dict[str, Ints | Bools] = {
        "R01": part.unproven,
        "R03": part.lacking,
        "R04": np.where(way.route, Route.SURGERY_FIRST, without),
        "R05": partners.partner * neoadjuvant,
        "R06": no_taxane,
        "R07": neoadjuvant & few,
        "R08": way.surgery * part.her2_therapy,
        "R09": unreported,
        "R10": conjugate.residual,
        "R11": conjugate.unfinished,
        "R12": year.after_response,
        "R13": again,
        "R14": adjuvant * partners.after,
        "R15": (disease.pathway == SURGERY_FIRST) & (part.lacking == Lacking.CHEMOTHERAPY),
        "R16": np.where(escalated, Escalated.PERTUZUMAB, more),
        "R17": year.stopped,
    }
    return delivered, Deviations(
        excuse=habits.excuse,
        mess=mess,
        unproven=part.unproven,
        lacking=part.lacking,
        partner=partners.partner,
        stop_given=stop_given,
        adjuvant_dual=partners.after,
        transfer_in=transfer_in,
        pertuzumab_sent_from=np.where(midway & (transfer_in < NEVER), transfer_in, -NEVER),
        departs={rule: code.astype(np.int64) for rule, code in codes.items()},
    )


def _way(disease: Disease, course: Course) -> Way:
    """R04, R08, R16: what the pathway and the course meant have decided already."""
    positive = disease.her2 == POSITIVE
    surgery_first = disease.pathway == SURGERY_FIRST
    route = surgery_first & positive & disease.clinical_stage_2_or_3 & ~disease.pregnant
    route &= course.surgery >= PERTUZUMAB_BEFORE_SURGERY
    alone = (disease.pathway == UNTREATED) & positive & disease.clinical_stage_2_or_3
    alone &= disease.er & (disease.diagnosed >= PERTUZUMAB_BEFORE_SURGERY)
    never = (disease.pathway == NEOADJUVANT) & (course.surgery >= NEVER)
    surgery = np.where(never, 1, np.where(course.overdue, 2, 0)) * positive
    surgery = surgery * (course.taxane_last >= PERTUZUMAB_BEFORE_SURGERY)
    stage_1 = surgery_first & positive & (disease.t >= T1A) & (disease.t <= T1C)
    stage_1 &= (disease.n <= N0I) & (course.start >= STAGE_I_SHORT)
    more = stage_1 & course.chemotherapy & (course.taxane != WEEKLY)
    departs = (disease.pathway == UNTREATED) | route | (surgery > 0) | more
    return Way(route, alone, surgery, stage_1, more, departs)


def _her2_part(disease: Disease, course: Course, fate: Fate, habits: Habits) -> Her2Part:
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


def _pertuzumab(
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


def _residual(
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


def _year(
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
