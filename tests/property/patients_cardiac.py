"""The hearts of the generated patients: measured, failing, recovering, at the rules' edges."""

import random
from datetime import date

from patients_drugs import DRUGS
from twin_record import FAMILIES, after

WATCHED = FAMILIES["her2-antibody"] | FAMILIES["her2-conjugate"]
REASONS = ["mdt-documented-deviation", "patient-refusal", "trial", "contraindication-cardiac"]


class Heart:
    """The part of a `Maker` that measures hearts; it draws from a stream of its own."""

    def hearts(self, number):
        """Assessments around the HER2-targeted doses, heart failure, and what is documented."""
        rng = random.Random(f"{self.seed}-{number}-cardiac")
        days = sorted(
            row["start_date"]
            for row in self.own("treatments")
            if isinstance(row["start_date"], date)
            and row["drug"] in DRUGS
            and DRUGS[row["drug"]].ingredients & WATCHED
        )
        if not days or rng.random() < 0.12:
            return
        first, last = days[0], days[-1]
        death = self.tables["patients"][-1].get("death_date")
        self.latest = min(day for day in (death, self.cutoff) if day)
        usual = rng.choice([55, 60, 62, 65, 70])
        method = rng.choice(["echocardiogram", "echocardiogram", "muga", None])
        self.measure(rng, after(first, -rng.choice([0, 1, 9, 30, 119, 120, 121])), usual, method)
        if rng.random() < 0.15:
            self.measure(rng, after(first, rng.choice([1, 29, 30, 31])), usual, method)
        day, low = first, False
        while day < last:
            day = after(day, rng.choice([30, 60, 84, 90, 97, 98, 99, 119, 120, 121, 150]))
            low = rng.random() < (0.5 if low else 0.15)
            fall = rng.choice([9, 10, 15, 16, 20, 21, 25, 30]) if low else rng.choice([-2, 0, 4])
            self.measure(rng, day, usual - fall, method)
            if low and rng.random() < 0.7:
                again = rng.choice([0, 5, 9, 10, 12, 16, 22])
                near = after(day, rng.choice([7, 20, 21, 22, 27, 28, 29, 56, 57]))
                self.measure(rng, near, usual - again, method)
                if rng.random() < 0.5:
                    self.pause(rng, day, near)
        if rng.random() < 0.12:
            self.fail(rng, rng.choice(days))
        if rng.random() < 0.1:
            topic = rng.choice(["lvef", "R24", "R25", "R26", "R27", "her2", "trastuzumab"])
            self.add("exceptions", topic=topic, reason=rng.choice(REASONS), tumour_id=None)

    def measure(self, rng, day, value, method):
        """One assessment, now and then by another method, in a word alone, or of nothing."""
        row = {"assessment_date": day, "method": method, "lvef_percent": value}
        if rng.random() < 0.1:
            row["method"] = rng.choice(["echocardiogram", "muga", "mri", None])
        if rng.random() < 0.08:
            row |= {"lvef_percent": None, "result": rng.choice(["normal", "abnormal", None])}
        elif rng.random() < 0.03:
            row["lvef_percent"] = rng.choice([0, value / 100])
        if rng.random() < 0.01:
            row["assessment_date"] = None
        if day <= self.latest:
            self.add("cardiac_assessments", **row)

    def pause(self, rng, start, end):
        """Takes away the doses from a fall to its repeat, more or less."""
        first, last = after(start, rng.choice([0, 7, 8])), after(end, rng.choice([-8, 0, 0, 10]))
        for row in self.own("treatments"):
            drug, day = DRUGS.get(row["drug"]), row["start_date"]
            exact = isinstance(day, date)
            if drug and exact and first <= day < last and drug.ingredients & WATCHED:
                self.tables["treatments"].remove(row)

    def fail(self, rng, dose):
        """Heart failure near a dose, of some grade and with some consequence."""
        day = after(dose, rng.choice([0, 1, 7, 20, 41, 42, 43]))
        if day > self.latest:
            return
        self.add(
            "events",
            event_date=day,
            event="heart_failure",
            grade=rng.choice([None, 1, 2, 3, 4]),
            action=rng.choice([None, "none", "stopped", "interrupted", "medicated"]),
            tumour_id=None,
        )
