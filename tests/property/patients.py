"""Random small messy registries whose patients reach every branch of the rules.

Seeded, so that a disagreement can be made again. Dates are chosen on and next to the edges of the
rules' windows far more often than chance would.
"""

import random
from datetime import date

from patients_aftercare import AfterCare
from patients_cardiac import Heart
from patients_care import Care
from patients_dosing import Dosing
from patients_drugs import EDITIONS, UNKNOWN_DRUGS
from patients_metastatic import Metastatic
from patients_record import Record
from patients_registry import ALL_TABLES, KEYS, Registry
from patients_safety import Safety
from twin_record import after, between


class Maker(Care, AfterCare, Metastatic, Safety, Record, Heart, Dosing):
    """Makes the patients of one registry."""

    def __init__(self, seed, cutoff, start, imprecise):
        self.rng = random.Random(seed)
        self.seed = seed
        self.cutoff = cutoff
        self.start = start
        self.imprecise = imprecise
        self.tables = {name: [] for name in ALL_TABLES}
        self.tables["sites"] = [{"site_id": f"S{n}", "name": f"Hospital {n}"} for n in range(6)]
        self.serial = 0

    # --- chance --------------------------------------------------------------------------------

    def chance(self, probability):
        return self.rng.random() < probability

    def pick(self, *values):
        return self.rng.choice(values)

    def weighted(self, **weights):
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def days(self, low, high, *edges):
        """A number of days; half the time on or next to one of the edges."""
        if edges and self.chance(0.5):
            return self.pick(*edges) + self.pick(-1, 0, 0, 1)
        return self.rng.randint(low, high)

    # --- rows ----------------------------------------------------------------------------------

    def add(self, table, **columns):
        self.serial += 1
        row = {"patient_id": self.patient_id, **columns}
        if table in KEYS:
            row[KEYS[table]] = f"{table[:2]}{self.serial}"
        self.tables[table].append(row)
        return row

    def give(self, name, day, **columns):
        """A treatment row, now and then with something missing or odd."""
        row = {"tumour_id": self.tumour_id, "start_date": day, "drug": name, **self.habits}
        row |= {"trial": True} if self.chance(0.004) else {}
        row |= {"start_date": None} if self.chance(0.003) else {}
        row |= {"drug": self.pick(None, *UNKNOWN_DRUGS)} if self.chance(0.003) else {}
        return self.add("treatments", **row | columns)

    def series(self, names, start, count, interval, **columns):
        """Doses at an interval with a little jitter; returns the day after the last interval."""
        day = start
        jitter = self.pick(0, 0, 1, 3)
        name = self.pick(*names)
        for _ in range(count):
            self.give(name, day, **columns)
            day = after(day, interval + self.rng.randint(-jitter, jitter))
            if self.chance(0.015):
                day = after(day, self.rng.randint(15, 120))
        return day

    def own(self, table):
        """The current patient's rows of a table."""
        rows = []
        for row in reversed(self.tables[table]):
            if row["patient_id"] != self.patient_id:
                break
            rows.append(row)
        return rows[::-1]

    # --- a patient -----------------------------------------------------------------------------

    def patient(self, number):
        self.patient_id = f"P{number}"
        start = self.start if self.chance(0.3) else max(self.start, date(2017, 6, 1))
        diagnosis = after(start, self.rng.randint(0, between(start, self.cutoff)))
        if self.chance(0.25):
            near = after(self.pick(*EDITIONS), -self.days(0, 250, 30, 60))
            diagnosis = near if start <= near <= self.cutoff else diagnosis
        elif self.chance(0.3):
            diagnosis = max(start, after(self.cutoff, -self.rng.randint(0, 700)))
        birth = after(diagnosis, -self.rng.randint(25 * 365, 85 * 365))
        if self.chance(0.02):
            birth = diagnosis.replace(year=diagnosis.year - 18, day=min(diagnosis.day, 28))
            birth = after(birth, self.pick(-50, 50))  # month precision is enough for an age
        row = {"patient_id": self.patient_id, "sex": self.pick("female", "female", "male", None)}
        row["birth_date"] = None if self.chance(0.1) else birth
        self.tables["patients"].append(row)
        tumours = self.tumours(number, diagnosis)
        self.habits = {
            "intent": self.pick(None, None, None, "curative"),
            "route": self.pick(None, "iv"),
        }
        self.tumour_id = tumours[0]["tumour_id"]
        plan = self.weighted(
            neoadjuvant=36, responded=8, surgery_first=34, systemic=6, metastatic=10, none=6
        )
        self.anchors = [diagnosis]
        getattr(self, plan)(tumours[0], diagnosis)
        if len(tumours) == 2 and self.chance(0.6):
            self.tumour_id = tumours[1]["tumour_id"]
            second = tumours[1]["diagnosis_date"]
            if second and between(diagnosis, second) > 183:
                self.weighted_plan(tumours[1], second)
            elif second:
                self.operate(after(second, self.days(10, 200)), tumours[1])
        self.biopsies(tumours)
        self.aftercare(tumours, diagnosis)
        self.happenings(tumours)
        self.follow_up(row, diagnosis)
        self.mess(tumours)
        self.dosing(number)
        self.hearts(number)

    def weighted_plan(self, tumour, diagnosis):
        self.pick(self.neoadjuvant, self.surgery_first, self.none)(tumour, diagnosis)

    def tumours(self, number, diagnosis):
        made = [self.tumour(f"P{number}-1", diagnosis)]
        if self.chance(0.12):
            offset = self.days(0, 200, 183) if self.chance(0.7) else self.rng.randint(250, 2500)
            made.append(self.tumour(f"P{number}-2", after(diagnosis, offset)))
            if self.chance(0.1):
                self.pick(*made)["diagnosis_date"] = None
        elif self.chance(0.008):
            made[0]["diagnosis_date"] = None
        return made

    def tumour(self, tumour_id, diagnosis):
        clinical_t = self.pick("T1", "cT1c", "T1b", "T1c", "T2", "T2", "cT2", "T3", "T4b", "T4d")
        row = {
            "tumour_id": tumour_id,
            "site_id": self.pick("S0", "S1", "S2", "S3", None),
            "diagnosis_date": diagnosis,
            "laterality": self.pick("left", "right", None),
            "histology": self.pick("8500/3", "8500/3", "8520/3", "8500/3", None),
            "clinical_t": clinical_t,
            "clinical_n": self.pick("N0", "N0", "cN1", "N1mi", "N2", "N0(i+)"),
            "clinical_m": self.pick("M0", "M0", "M0", "cM0", None),
            "er_status": self.pick("positive", "negative", None),
            "pr_status": self.pick("positive", "negative", None),
            "her2_summary": self.pick("positive", "negative", "equivocal", None),
        }
        if self.chance(0.15):
            row["histology"] = self.pick("8500/2", None, None)
            row["clinical_t"] = self.pick("Tis", "T0", "T1mi", "T1a", "TX", None)
        if self.chance(0.1):
            self.pathology(row)
        for side in ("clinical", "pathological"):
            if self.chance(0.5):
                row[f"{side}_size_mm"] = self.pick(0, 3, 10, 10.5, 11, 15, 20, 20, 21, 35, 60)
        for column in ("clinical_t", "clinical_n", "clinical_m"):
            if self.chance(0.07):
                axis = column[-1].upper()
                row[column] = self.pick(None, None, axis + "X?"[diagnosis.day % 2])
        if self.chance(0.04):
            row["inflammatory"] = self.pick(True, False)
        return self.add("tumours", **row)

    def pathology(self, row):
        """What was found at surgery, where surgery came first."""
        row["pathological_t"] = self.pick("pT1c", "T2", "pT1", "T1a", "pT3", "pTX", "pT2", None)
        row["pathological_n"] = self.pick("pN0", "pN1", "pN1mi", "N0(i+)", "pN1a(sn)", "NX", None)
        if self.chance(0.1):
            row["pathological_n"] = self.pick("pN2", "pN3a")
        if self.chance(0.3):
            row["nodes_positive"] = self.pick(0, 1, 3, 4, 9)


def generate(
    n: int,
    seed: int,
    cutoff: date = date(2026, 9, 30),
    *,
    start: date = date(2005, 1, 1),
    imprecise: bool = True,
) -> Registry:
    """A registry of `n` patients, and more with metastatic disease and for the safety rules.

    Args:
        n: patients.
        seed: the same seed gives the same registry.
        cutoff: the last day on which anything is recorded.
        start: the first day of a diagnosis.
        imprecise: whether a few patients have dates of month or year precision.
    """
    maker = Maker(seed, cutoff, start, imprecise)
    for number in range(n):
        maker.patient(number)
    for kind, share in (("metastatic", 5), ("safety", 8)):
        more = Maker(f"{seed}-{kind}", cutoff, start, imprecise)
        more.tables, more.serial = maker.tables, maker.serial
        for number in range(n // share):
            getattr(more, f"{kind}_patient")(number)
        maker.serial = more.serial
    return Registry(maker.tables, cutoff)


def plant_quarantine(registry: Registry, seed: int) -> Registry:
    """Spoils a row of some patients, so that a loader must quarantine it.

    Args:
        registry: changed in place: the spoiled rows move from `tables` to `planted`.
        seed: decides which.
    """
    rng = random.Random(seed)
    spoil = {
        "receptor_tests": {"her2_ihc": "5+", "specimen_date": "2019-02-31", "her2_ratio": "high"},
        "treatments": {"start_date": "soon", "route": "by-mouth", "dose": "lots"},
        "surgeries": {"procedure": "biopsy", "surgery_date": "31/12/2019"},
        "radiotherapy": {"target": "moon", "start_date": "2019-02-30"},
        "events": {"event": "fall", "event_date": "20190105"},
        "exceptions": {"reason": "because", "recorded_date": "last year"},
    }
    for table, faults in spoil.items():
        for row in list(registry.tables.get(table, [])):
            if rng.random() < 0.006:
                registry.tables[table].remove(row)
                column = rng.choice(list(faults))
                late = after(registry.cutoff, 5)
                value = late if "date" in column and rng.random() < 0.3 else faults[column]
                registry.planted.setdefault(table, []).append({**row, column: value})
                registry.quarantined.append((table, row["patient_id"]))
    return registry
