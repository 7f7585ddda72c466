"""Who departs from which rule, why, and which departures an audit at the cut-off must find.

A patient's departures share one excuse: none (silent), a documented exception, or a trial. Only
the silent ones are planted deviations, and of those only the ones that fell due on record with
no recurrence before. Untidy records never depart in silence, so that no mess decides a verdict.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from audit.synthesise.chance import NEVER, Bools, Chance, Floats, Ints, day
from audit.synthesise.course import TAXANE_DOSES, THREE_WEEKLY, WEEKLY, Course, Fate
from audit.synthesise.disease import (
    IHC_2,
    IHC_3,
    METASTATIC,
    NEGATIVE,
    NEOADJUVANT,
    POSITIVE,
    SURGERY_FIRST,
    UNTESTED,
    UNTREATED,
    Disease,
)

# Written down again and not read from the catalogue: a wrong date there must not hide here.
PERTUZUMAB_BEFORE_SURGERY = day("2013-09-30")
PERTUZUMAB_AFTER_SURGERY = day("2017-12-20")
CONJUGATE_AFTER_RESIDUAL = day("2019-05-03")
EARLY_YEARS = 450  # a new recommendation is adopted slowly
COMMONER_IN_EARLY_YEARS, MOST_COMMON = 2.2, 0.8
YEAR_DOSES = 18
AFTER_WEEKLY_DOSES = 14
WITHOUT_LIMIT = 99


class Excuse(IntEnum):
    """Why a patient's treatment departs from a rule."""

    SILENT = 0
    DOCUMENTED = 1
    TRIAL = 2


class Mess(IntEnum):
    """What is untidy about a patient's record."""

    NONE = 0
    QUARANTINE = 1
    UNRECOGNISED = 2
    IMPRECISE = 3
    MISSING = 4
    TRANSFERRED_IN = 5


class Unproven(IntEnum):
    """How HER2 therapy came about without a positive result before it."""

    NONE = 0
    NEGATIVE_ASSAY = 1
    NEGATIVE_SUMMARY = 2
    LATE_RESULT = 3
    BRIDGING_DOSE = 4


class Lacking(IntEnum):
    """Which part of HER2 therapy with chemotherapy is lacking."""

    NONE = 0
    ANTIBODY = 1
    CHEMOTHERAPY = 2
    BOTH = 3


class Partner(IntEnum):
    """How pertuzumab departs from being given with every trastuzumab dose."""

    NONE = 0
    LEFT_OUT = 1
    FEW = 2
    LATE = 3


class StopGiven(IntEnum):
    """How the record tells why trastuzumab was stopped early."""

    NOT = 0
    TOXICITY = 1
    REFUSAL = 2
    HEART_FAILURE = 3
    EXCEPTION = 4


class Residual(IntEnum):
    """How T-DM1 after residual disease departs from starting within 180 days."""

    NONE = 0
    NEVER_GIVEN = 1
    TOO_LATE = 2


@dataclass(frozen=True)
class Habits:
    """What decides whether a patient's treatment departs from a rule, and whether in silence."""

    departs: dict[str, Floats]
    excuse: Ints
    mess: Ints
    chance: Chance

    def may_depart(self, rule: str, concerned: Bools, adopted: Ints | int = 0) -> Bools:
        """Draw who of the concerned departs; only a tidy record departs in silence.

        Args:
            rule: the rule's number.
            concerned: whom the rule concerns.
            adopted: days since the recommendation came in force, where it is a new one.
        """
        early = (np.asarray(adopted) > 0) & (np.asarray(adopted) < EARLY_YEARS)
        share = self.departs[rule] * np.where(early, COMMONER_IN_EARLY_YEARS, 1.0)
        drawn = self.chance.yes(np.minimum(share, MOST_COMMON))
        return concerned & drawn & self.allowed

    @property
    def allowed(self) -> Bools:
        """Excused, or tidy enough to be found."""
        found: Bools = (self.mess == Mess.NONE) | (self.excuse != Excuse.SILENT)
        return found


@dataclass(frozen=True)
class Her2Part:
    """Whether HER2 therapy and chemotherapy were given, and what is wrong with that."""

    lacking: Ints
    unproven: Ints
    her2_therapy: Bools
    chemotherapy: Bools
    first: Ints


@dataclass(frozen=True)
class Delivered:
    """Treatment as it was given, were it not cut short by fate; arrays run over patients.

    Pertuzumab goes with trastuzumab from `pertuzumab_from` (0: the first dose, 1: the continuation
    after chemotherapy) for at most `pertuzumab_doses` doses. From visit `pause_at` on, the
    continuation is `pause` days late.
    """

    her2_therapy: Bools
    chemotherapy: Bools
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
    pause: Ints
    pause_at: Ints


@dataclass(frozen=True)
class Deviations:
    """Each rule's departures, their excuse, and the planted ones the audit must find.

    `pertuzumab_sent_from` is the first day from which a patient's pertuzumab is on record: that of
    transfer in, for someone whose earlier doses the other hospital did not send.
    """

    excuse: Ints
    mess: Ints
    unproven: Ints
    lacking: Ints
    partner: Ints
    residual: Ints
    stopped: Bools
    stop_given: Ints
    adjuvant_dual: Bools
    transfer_in: Ints
    pertuzumab_sent_from: Ints
    planted: dict[str, Bools]

    @property
    def any(self) -> Bools:
        """Any departure at all."""
        codes = self.unproven + self.lacking + self.partner + self.residual
        found: Bools = self.stopped | (codes > 0)
        return found

    @property
    def trial(self) -> Bools:
        """Treated in a trial, which explains the departure."""
        found: Bools = self.any & (self.excuse == Excuse.TRIAL)
        return found

    def kinds(self, rule: str) -> list[str]:
        """Name each patient's departure from a rule."""
        code = {
            "R01": self.unproven,
            "R03": self.lacking,
            "R05": self.partner,
            "R10": self.residual,
            "R14": self.partner,
            "R17": self.stopped.astype(np.int64),
        }[rule]
        return [KINDS[rule][n] for n in code[self.planted[rule]]]


KINDS = {
    "R01": ("", "negative-assay", "negative-summary", "result-after-first-dose"),
    "R03": ("", "no-antibody", "no-chemotherapy", "neither"),
    "R05": ("", "no-pertuzumab", "one-or-two-doses"),
    "R10": ("", "no-tdm1", "tdm1-after-day-180"),
    "R14": ("stopped-early", "no-pertuzumab", "too-few-doses", "started-late"),
    "R17": ("", "stopped-early"),
}


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
    # Nobody untreated is in silence and untidy: there is no treatment to depart from.
    unclear = (disease.pathway == UNTREATED) & (mess != Mess.NONE) & (excuse == Excuse.SILENT)
    habits = Habits(departs, np.where(unclear, Excuse.DOCUMENTED, excuse), mess, chance)
    early = (disease.pathway == NEOADJUVANT) | (disease.pathway == SURGERY_FIRST)
    part = _her2_part(disease, course, fate, habits)
    neoadjuvant_dual, adjuvant_dual, partner, dual = _pertuzumab(disease, course, part, habits)
    few = np.where(disease.pathway == NEOADJUVANT, chance.between(1, 2), chance.between(4, 10))
    weekly = (course.taxane == WEEKLY) & ~dual & part.her2_therapy & part.chemotherapy
    weekly &= chance.yes(0.5)

    rest, residual = _residual(disease, course, part, habits)
    conjugate_track = rest & (residual != Residual.NEVER_GIVEN)
    wait = np.where(chance.yes(0.12), chance.between(90, 172), chance.between(21, 55))
    wait = np.where(residual == Residual.TOO_LATE, chance.between(186, 260), wait)
    conjugate_start = course.last_surgery + wait

    operated = (disease.pathway == NEOADJUVANT) & (course.surgery < NEVER)
    after_taxane = course.taxane_last + np.where(course.taxane == WEEKLY, 7, 21)
    after_surgery = course.last_surgery + chance.between(21, 45)
    start = np.where(operated, after_surgery, after_taxane)
    start = np.where(part.chemotherapy, start, course.start)
    before = np.where(course.taxane == WEEKLY, 4, TAXANE_DOSES[course.taxane]) * part.chemotherapy
    year = np.where(weekly, AFTER_WEEKLY_DOSES, YEAR_DOSES - chance.yes(0.25) - before)

    due = part.first + 540
    judged = early & (disease.her2 == POSITIVE) & part.her2_therapy & ~conjugate_track
    judged &= (disease.pathway == SURGERY_FIRST) | (part.first >= PERTUZUMAB_BEFORE_SURGERY)
    settled = (due <= fate.end) & (fate.metastasis > due)
    stopped = habits.may_depart("R17", judged & (settled | (habits.excuse != Excuse.SILENT)))
    given = np.where(stopped, chance.between(3, 8), year)
    bridge = np.clip((conjugate_start - start) // 21, 0, 9)
    given = np.where(conjugate_track, bridge, given)
    given = np.where(
        part.her2_therapy & early & (part.unproven != Unproven.BRIDGING_DOSE), given, 0
    )
    stop_given = np.where(adjuvant_dual, StopGiven.EXCEPTION, 1 + chance.pick((3, 2, 2, 3)))
    stop_given = np.where(stopped & (habits.excuse == Excuse.DOCUMENTED), stop_given, StopGiven.NOT)

    delivered = Delivered(
        her2_therapy=part.her2_therapy,
        chemotherapy=part.chemotherapy,
        her2_first=part.first,
        weekly_antibody=weekly,
        pertuzumab_doses=np.where(dual, np.where(partner == Partner.FEW, few, WITHOUT_LIMIT), 0),
        pertuzumab_from=(partner == Partner.LATE).astype(np.int64),
        antibody_doses_before=before,
        continuation=given,
        continuation_start=start,
        conjugate=np.where(
            conjugate_track, np.where(chance.yes(0.85), 14, chance.between(3, 13)), 0
        ),
        conjugate_start=conjugate_start,
        conjugate_track=conjugate_track,
        pause=np.where(chance.yes(0.08), chance.between(7, 20), 0),
        pause_at=chance.between(1, 9),
    )

    def fell_due(due: Ints) -> Bools:
        return (due <= fate.end) & (fate.metastasis >= due)

    partner_due = np.where((partner == Partner.FEW) | (partner == Partner.NONE), 400, 42)
    lacking_due = np.where(part.lacking == Lacking.ANTIBODY, 365, 183)
    found = {
        "R01": (part.unproven > Unproven.NONE) & (part.first + 14 <= fate.end),
        "R03": (part.lacking > Lacking.NONE) & fell_due(disease.diagnosed + lacking_due),
        "R05": neoadjuvant_dual & (partner > Partner.NONE) & (course.surgery <= fate.end),
        "R10": (residual > Residual.NONE) & fell_due(course.last_surgery + 180),
        "R14": adjuvant_dual & ((partner > Partner.NONE) | stopped)
        & fell_due(part.first + partner_due),
        "R17": stopped & settled,
    }  # fmt: skip
    moved = mess == Mess.TRANSFERRED_IN
    midway = moved & neoadjuvant_dual & (partner == Partner.NONE) & (course.taxane == THREE_WEEKLY)
    transfer_in = np.where(midway, course.taxane_start + 89, course.start + 60)
    transfer_in = np.where(moved & (transfer_in < fate.end), transfer_in, NEVER)
    return delivered, Deviations(
        excuse=habits.excuse,
        mess=mess,
        unproven=part.unproven,
        lacking=part.lacking,
        partner=partner,
        residual=residual,
        stopped=stopped,
        stop_given=stop_given,
        adjuvant_dual=adjuvant_dual,
        transfer_in=transfer_in,
        pertuzumab_sent_from=np.where(midway & (transfer_in < NEVER), transfer_in, -NEVER),
        planted={
            rule: departed & (habits.excuse == Excuse.SILENT) for rule, departed in found.items()
        },
    )


def _her2_part(disease: Disease, course: Course, fate: Fate, habits: Habits) -> Her2Part:
    """R03: chemotherapy with a HER2 antibody. R01: only after a HER2-positive result."""
    chance = habits.chance
    positive = disease.her2 == POSITIVE
    early = (disease.pathway == NEOADJUVANT) | (disease.pathway == SURGERY_FIRST)
    concerned = positive & early & course.chemotherapy & course.her2_therapy
    concerned &= disease.t1c_or_node_positive
    part = 1 + chance.pick((50, 25, 25))
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
    disease: Disease, course: Course, part: Her2Part, habits: Habits
) -> tuple[Bools, Bools, Ints, Bools]:
    """R05 and R14: whom each concerns, how pertuzumab departs, and who got any."""
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
    optional = in_force & (neoadjuvant | surgery_first) & chance.yes(0.3)
    dual = (before | after | optional) & (partner != Partner.LEFT_OUT)
    return before, after, partner, dual


def _residual(
    disease: Disease, course: Course, part: Her2Part, habits: Habits
) -> tuple[Bools, Ints]:
    """R10: whom T-DM1 was due to, and how that departs."""
    rest = (disease.pathway == NEOADJUVANT) & part.her2_therapy & course.residual
    rest &= (course.surgery < NEVER) & (part.unproven != Unproven.BRIDGING_DOSE)
    since = course.last_surgery - CONJUGATE_AFTER_RESIDUAL
    rest &= since >= 0
    departed = habits.may_depart("R10", rest & (disease.her2 == POSITIVE), since)
    kind = 1 + habits.chance.pick((75, 25))
    return rest, np.where(departed, kind, Residual.NONE)
