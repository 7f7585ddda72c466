"""Treatment rows: every visit of every phase, and what was given at it."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from audit.synthesise.aftercare import Aftercare
from audit.synthesise.chance import NEVER, Bools, Chance, Floats, Ints, day
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
from audit.synthesise.departures import Excuse, Lacking, Mess, Partner, StopGiven, Unproven
from audit.synthesise.deviations import AFTER_RESPONSE_DOSES, Delivered, Deviations
from audit.synthesise.disease import (
    EQUIVOCAL,
    IHC_0,
    METASTATIC,
    NEGATIVE,
    NEOADJUVANT,
    SURGERY_FIRST,
    Disease,
)
from audit.synthesise.names import Drug

PERTUZUMAB_METASTATIC = day("2012-06-08")
TDM1_METASTATIC = day("2013-02-22")
TUCATINIB = day("2020-04-17")
TDXD_SECOND_LINE = day("2022-05-04")
TDXD_HER2_LOW = day("2022-08-05")
FIXED_DOSE = day("2020-06-29")
SUBCUTANEOUS = day("2019-03-01")

INTENTS = ("neoadjuvant", "adjuvant", "curative", "palliative")
NEOADJUVANT_INTENT, ADJUVANT_INTENT, CURATIVE_INTENT, PALLIATIVE_INTENT = range(4)
UNITS = ("mg", "mg/kg", "mg/m2")
MG, MG_PER_KG, MG_PER_M2 = range(3)
ROUTES = ("iv", "sc", "oral")
IV, SC, ORAL = range(3)
STOPS = ("completed", "toxicity", "patient-refusal")
COMPLETED, TOXICITY, REFUSAL = range(3)
NOT_STATED = NO_TAXANE = -1
A_DAY_LATE = 0.12
SITES_THAT_RECORD_ORDERS = 5  # every fifth hospital records the dose ordered, a kg or m2
MENOPAUSE_DAYS = 51 * 365


@dataclass(frozen=True)
class Schedule:
    """How a drug is dosed: amount in `unit`, its first dose, route and infusion time."""

    amount: float
    first: float
    unit: int
    route: int
    minutes: float


SCHEDULES = {
    Drug.TRASTUZUMAB: Schedule(6, 8, MG_PER_KG, IV, 30),
    Drug.TRASTUZUMAB_SC: Schedule(600, 600, MG, SC, 5),
    Drug.PERTUZUMAB: Schedule(420, 840, MG, IV, 30),
    Drug.FIXED_DOSE: Schedule(600, 1200, MG, SC, 8),
    Drug.TDM1: Schedule(3.6, 3.6, MG_PER_KG, IV, 30),
    Drug.TDXD: Schedule(5.4, 5.4, MG_PER_KG, IV, 30),
    Drug.DOCETAXEL: Schedule(75, 75, MG_PER_M2, IV, 60),
    Drug.CARBOPLATIN: Schedule(650, 650, MG, IV, 60),
    Drug.PACLITAXEL: Schedule(80, 80, MG_PER_M2, IV, 60),
    Drug.DOXORUBICIN: Schedule(60, 60, MG_PER_M2, IV, 15),
    Drug.EPIRUBICIN: Schedule(90, 90, MG_PER_M2, IV, 15),
    Drug.CYCLOPHOSPHAMIDE: Schedule(600, 600, MG_PER_M2, IV, 60),
    Drug.CAPECITABINE: Schedule(1000, 1000, MG_PER_M2, ORAL, np.nan),
    Drug.TUCATINIB: Schedule(300, 300, MG, ORAL, np.nan),
    Drug.LAPATINIB: Schedule(1250, 1250, MG, ORAL, np.nan),
    Drug.VINORELBINE: Schedule(25, 25, MG_PER_M2, IV, 10),
    Drug.TAMOXIFEN: Schedule(20, 20, MG, ORAL, np.nan),
    Drug.LETROZOLE: Schedule(2.5, 2.5, MG, ORAL, np.nan),
    Drug.GOSERELIN: Schedule(3.6, 3.6, MG, SC, np.nan),
    Drug.NERATINIB: Schedule(240, 240, MG, ORAL, np.nan),
    Drug.TCHP: Schedule(np.nan, np.nan, MG, IV, np.nan),
    Drug.TCH: Schedule(np.nan, np.nan, MG, IV, np.nan),
}
WEEKLY_TRASTUZUMAB, WEEKLY_TRASTUZUMAB_FIRST = 2.0, 4.0


@dataclass(frozen=True)
class Visits:
    """One phase's visits on record: whose, which one of the phase, and when."""

    who: Ints
    turn: Ints
    day: Ints

    def where(self, keep: Bools) -> "Visits":
        """Give the visits `keep` is true for."""
        return Visits(self.who[keep], self.turn[keep], self.day[keep])


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


class Treatments:
    """Collects the rows of one batch of patients, a column each."""

    def __init__(self, disease: Disease, chance: Chance) -> None:
        self.disease = disease
        self.chance = chance
        self.parts: dict[str, list[Ints | Floats]] = {}

    def visits(
        self,
        start: Ints,
        count: Ints,
        step: Ints | int,
        until: Ints,
        pause: Ints | int = 0,
        pause_at: Ints | int = NEVER,
    ) -> Visits:
        """Lay out a phase's visits, `step` days apart, some a day late, none after `until`.

        Every visit from number `pause_at` on comes `pause` days later. The first and the last one
        meant are never a day late.
        """
        count = np.where(start <= until, count, 0)
        who = np.repeat(np.arange(len(count)), count)
        turn = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
        late = self.chance.yes(A_DAY_LATE, len(who)) & (turn > 0) & (turn < count[who] - 1)
        held = np.broadcast_to(pause, count.shape)[who]
        held = held * (turn >= np.broadcast_to(pause_at, count.shape)[who])
        when = start[who] + np.broadcast_to(step, count.shape)[who] * turn + late + held
        return Visits(who, turn, when).where(when <= until[who])

    def give(
        self,
        drug: Drug,
        visits: Visits,
        intent: Ints,
        *,
        loading: Bools | bool = False,
        weekly: bool = False,
        stop: Ints | int = NOT_STATED,
    ) -> None:
        """Record one administration of `drug` at each visit; `intent` runs over patients."""
        plan = SCHEDULES[drug]
        usual = WEEKLY_TRASTUZUMAB if weekly else plan.amount
        first = WEEKLY_TRASTUZUMAB_FIRST if weekly else plan.first
        amount = np.where(loading, first, usual)
        self._add(drug, visits.who, visits.day, NEVER, amount, intent[visits.who], stop, course=0)

    def run(self, drug: Drug, who: Ints, start: Ints, end: Ints, intent: Ints) -> None:
        """Record a course of `drug` for each of `who`; an `end` of `NEVER` is not on record."""
        self._add(
            drug,
            who,
            start[who],
            end[who],
            SCHEDULES[drug].amount,
            intent[who],
            NOT_STATED,
            course=1,
        )

    def _add(
        self,
        drug: Drug,
        who: Ints,
        when: Ints,
        end: Ints | int,
        amount: Floats | float,
        intent: Ints,
        stop: Ints | int,
        *,
        course: int,
    ) -> None:
        plan = SCHEDULES[drug]
        per: dict[int, Floats | float] = {MG: 1.0}
        per |= {MG_PER_KG: self.disease.weight[who], MG_PER_M2: self.disease.bsa[who]}
        as_ordered = (self.disease.site[who] % SITES_THAT_RECORD_ORDERS == 0) & (plan.unit != MG)
        values: dict[str, Ints | Floats | int | float] = {
            "who": who,
            "day": when,
            "end": end,
            "drug": int(drug),
            "dose": np.where(as_ordered, amount, np.round(amount * per[plan.unit], 1)),
            "unit": np.where(as_ordered, plan.unit, MG),
            "route": plan.route,
            "minutes": plan.minutes,
            "intent": intent,
            "stop": stop,
            "course": course,
        }
        for name, value in values.items():
            self.parts.setdefault(name, []).append(np.broadcast_to(value, who.shape))

    def rows(self) -> pl.DataFrame:
        """Give every row collected."""
        return pl.DataFrame({name: np.concatenate(parts) for name, parts in self.parts.items()})


def draw_treatments(
    disease: Disease,
    course: Course,
    fate: Fate,
    delivered: Delivered,
    deviations: Deviations,
    aftercare: Aftercare,
    lines: Metastatic,
    chance: Chance,
) -> pl.DataFrame:
    """Give every treatment row of a batch as codes: whose, when, what, how much and why."""
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
    _metastatic(treatments, lines, fate.end)
    return treatments.rows()


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


def _metastatic(treatments: Treatments, lines: Metastatic, until: Ints) -> None:
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
