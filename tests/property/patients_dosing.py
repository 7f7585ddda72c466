"""Amounts, infusion times and weights of the generated patients, right and wrong."""

import random
from datetime import date

from patients_drugs import DRUGS
from twin_record import after, between

USUAL = {"docetaxel": 75, "paclitaxel": 80, "doxorubicin": 60, "cyclophosphamide": 600}


class Dosing:
    """The part of a `Maker` that writes amounts; it draws from a stream of its own."""

    def dosing(self, number):
        """Gives some patients amounts on their rows, and weights to set them against."""
        rng = random.Random(f"{self.seed}-{number}-dosing")
        rows = [
            row
            for row in self.own("treatments")
            if isinstance(row["start_date"], date) and row["drug"] in DRUGS
        ]
        if not rows or rng.random() < 0.3:
            return
        rows.sort(key=lambda row: row["start_date"])
        weight, height = rng.choice([50, 62.5, 70, 81, 110]), rng.choice([155, 168, 180, None])
        self.weigh(rng, rows, weight, height)
        careless = rng.random() < 0.3
        last = {}
        surface = ((height or 165) * weight / 3600) ** 0.5
        for row in rows:
            drug, day = DRUGS[row["drug"]], row["start_date"]
            for name in drug.ingredients & {"trastuzumab", "pertuzumab"}:
                row.update(self.antibody(rng, row, name, last.get(name), weight, drug))
                last[name] = day
            for name in drug.ingredients & set(USUAL):
                self.chemotherapy_dose(rng, row, name, surface)
            if careless and rng.random() < 0.25:
                amount = (row.get("dose") or 100) * 0.7
                faults = [{"dose": amount} for amount in (None, 0, 9, 13000, amount)]
                row.update(rng.choice([*faults, {"dose_unit": None}]))
            if careless and rng.random() < 0.03:
                self.add("treatments", **{k: v for k, v in row.items() if k != "treatment_id"})

    def weigh(self, rng, rows, weight, height):
        first, last = rows[0]["start_date"], rows[-1]["start_date"]
        if rng.random() < 0.1:
            return
        day = after(first, rng.choice([-43, -42, -41, -5, 0, 0, 0, 3]))
        while day <= last:
            row = {"observation_date": day, "weight_kg": weight, "height_cm": height}
            if rng.random() < 0.1:
                row["bsa_m2"] = rng.choice([1.6, 1.9, 2.3])
            if rng.random() < 0.1:
                row["weight_kg"] = rng.choice([None, weight * 1.3, weight * 1.4])
            if day <= self.cutoff:
                self.add("observations", **row)
                if rng.random() < 0.1:
                    again = {"weight_kg": weight * 0.8, "height_cm": rng.choice([None, 150])}
                    self.add("observations", observation_date=day, **again)
            day = after(day, rng.choice([20, 40, 84, 85, 200, 4000]))

    def antibody(self, rng, row, name, last, weight, drug):
        """What the label asks for on that day, more or less, in mg or mg/kg."""
        gap = None if last is None else between(last, row["start_date"])
        fixed = drug.fixed or (len(drug.ingredients) > 1 and row.get("route") == "sc")
        if fixed or name == "pertuzumab":
            loading = gap is None or gap >= 42
            if rng.random() < 0.04:
                loading = not loading
            usual, unit = (840 if loading else 420), "mg"
            usual = (1200 if loading else 600) if fixed else usual
            off = rng.choice([1] * 30 + [0.95, 0.94, 1.05, 1.06, 0.5])
            summed = (
                fixed and off == 0.5
            )  # the trastuzumab added to the pertuzumab, 600 mg each time
            given = {"dose": usual + 600 if summed else round(usual * off, 1), "dose_unit": unit}
            if rng.random() < 0.3 and not fixed:
                usual = 60 if last is None else rng.choice([30, 60])
                given["infusion_minutes"] = rng.choice([usual] * 9 + [24, 25, 54, 55, 75, 76])
            return given
        if row.get("route") == "sc":
            return {"dose": rng.choice([600] * 9 + [540, 539, 660, 661, 1200]), "dose_unit": "mg"}
        loading, weekly = gap is None or gap > 28, gap is not None and gap <= 10
        if rng.random() < 0.06:
            loading = not loading
        usual = (4 if loading else 2) if weekly or rng.random() < 0.05 else (8 if loading else 6)
        share = usual * rng.choice([1] * 40 + [0.9, 0.89, 1.1, 1.11])
        if rng.random() < 0.3:
            return {"dose": round(share, 2), "dose_unit": "mg/kg"}
        return {"dose": round(share * weight, 1), "dose_unit": "mg"}

    def chemotherapy_dose(self, rng, row, name, surface):
        """About the usual amount a square metre, now and then at an edge of what is right."""
        if len(DRUGS[row["drug"]].ingredients) > 1:
            return
        usual = rng.choice([100, 75]) if name == "docetaxel" else USUAL[name]
        if name == "paclitaxel" and rng.random() < 0.2:
            usual = 175
        share = usual * rng.choice([1] * 25 + [0.9, 0.89, 1.1, 1.11, 0.7, 0.87])
        if rng.random() < 0.4:
            row |= {"dose": round(share, 2), "dose_unit": "mg/m2"}
        else:
            row |= {"dose": round(share * surface, 1), "dose_unit": "mg"}
