"""Who departs from which rule and the treatment that results.

A patient's departures share one excuse: none (silent), a documented exception, or a trial. Only
the silent ones are planted deviations, and of those only the ones that fell due on record with
no recurrence before. Untidy records never depart in silence, so that no mess decides a verdict.
"""

from dataclasses import dataclass

import numpy as np

from audit.synthesise.chance import NEVER, Bools, Chance, Floats, Ints
from audit.synthesise.course import THREE_WEEKLY, Course, Fate
from audit.synthesise.decisions import (
    draw_conjugate,
    draw_her2_part,
    draw_partners,
    draw_way,
    draw_year,
)
from audit.synthesise.departures import (
    CONJUGATE_AFTER_RESIDUAL,
    PERTUZUMAB_BEFORE_SURGERY,
    Escalated,
    Excuse,
    Habits,
    Lacking,
    Mess,
    Partner,
    Route,
    StopGiven,
)
from audit.synthesise.disease import (
    NEOADJUVANT,
    POSITIVE,
    SURGERY_FIRST,
    Disease,
)

CHEMOTHERAPY_AFTER_RESPONSE, AFTER_RESPONSE_DOSES = 30, 3


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
    way = draw_way(disease, course)
    # What the pathway itself decides is never both in silence and untidy.
    unclear = way.departs & (mess != Mess.NONE) & (excuse == Excuse.SILENT)
    habits = Habits(departs, np.where(unclear, Excuse.DOCUMENTED, excuse), mess, chance)
    part = draw_her2_part(disease, course, fate, habits)
    partners = draw_partners(disease, course, part, way.stage_1, habits)
    neoadjuvant = disease.pathway == NEOADJUVANT
    judged = neoadjuvant & (course.surgery < NEVER) & (disease.her2 == POSITIVE)
    judged &= part.her2_therapy
    backbone = judged & disease.clinical_stage_2_or_3 & (course.taxane == THREE_WEEKLY)
    backbone &= part.first >= PERTUZUMAB_BEFORE_SURGERY
    no_taxane = habits.may_depart("R06", backbone)
    # Nothing documented excuses a report that is not there.
    report = judged & ~habits.excused & (course.last_surgery >= CONJUGATE_AFTER_RESIDUAL)
    unreported = habits.may_depart("R09", report)
    conjugate = draw_conjugate(disease, course, fate, part, ~unreported & ~no_taxane, habits)
    response = judged & ~course.residual & ~unreported
    year = draw_year(disease, course, fate, part, partners, conjugate, response, habits)
    # Antibodies stopped early might stop during the radiotherapy that it puts off.
    again = response & (course.taxane == THREE_WEEKLY) & ~no_taxane & ~year.stopped
    # Nothing documented excuses an anthracycline beside the antibodies, save a trial.
    again &= (mess == Mess.NONE) | (habits.excuse == Excuse.TRIAL)
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
