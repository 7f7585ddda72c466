"""Treatment rows as they are collected: visits, doses, routes and infusion times."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from audit.synthesise.chance import NEVER, Bools, Chance, Floats, Ints
from audit.synthesise.disease import Disease
from audit.synthesise.names import Drug

INTENTS = ("neoadjuvant", "adjuvant", "curative", "palliative")
NEOADJUVANT_INTENT, ADJUVANT_INTENT, CURATIVE_INTENT, PALLIATIVE_INTENT = range(4)
UNITS = ("mg", "mg/kg", "mg/m2")
MG, MG_PER_KG, MG_PER_M2 = range(3)
ROUTES = ("iv", "sc", "oral")
IV, SC, ORAL = range(3)
STOPS = ("completed", "toxicity", "patient-refusal")
COMPLETED, TOXICITY, REFUSAL = range(3)
NOT_STATED = -1
A_DAY_LATE = 0.12
SITES_THAT_RECORD_ORDERS = 5  # every fifth hospital records the dose ordered, a kg or m2


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
