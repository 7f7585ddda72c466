"""Generated patients with metastatic disease: how it came, its lines, what is on record of it.

They are drawn from a random stream of their own: the other patients of a seed stay as they are.
"""

from datetime import date

from patients_drugs import TDM1, TRASTUZUMAB
from patients_regimens import LATE_REGIMENS, ORAL, REGIMENS
from twin_record import RULES, after

# Days on which an edition of a metastatic rule comes into force somewhere.
EDITIONS = [
    *(date(2012, 6, 8), date(2013, 2, 22), date(2013, 3, 1), date(2013, 11, 1), date(2014, 5, 1)),
    *(date(2014, 5, 5), date(2015, 7, 1), date(2017, 7, 1), date(2018, 3, 1), date(2019, 12, 20)),
    *(date(2020, 2, 25), date(2020, 4, 17), date(2020, 12, 16), date(2021, 1, 1)),
    *(date(2021, 2, 1), date(2021, 5, 1), date(2022, 4, 1), date(2022, 5, 4)),
    *(date(2022, 7, 1), date(2023, 2, 1), date(2025, 12, 15)),
]
METASTATIC = ["R02", *(f"R{number}" for number in range(36, 46))]
TOPICS = [
    *(*METASTATIC, *(RULES[number] for number in METASTATIC)),
    *("biopsy", "her2", "her2-antibody", "her2-conjugate", "her2-tki", "chemotherapy", "taxane"),
    *("trastuzumab", "pertuzumab", "T-DXd", "Kadcyla", "tucatinib", "lapatinib", "neratinib"),
    *("margetuximab", "docetaxel", "paclitaxel", "endocrine", "letrozole", "capecitabine"),
]
REASONS = [
    *("contraindication-medical", "contraindication-cardiac", "patient-refusal", "trial"),
    *("drug-unavailable", "funding-restriction", "toxicity", "frailty-documented"),
    *("low-disease-burden", "low-disease-burden", "mdt-documented-deviation", "progression"),
    *("transfer-out", "pregnancy", "death-before-due", "recurrence-before-due"),
]
SITES = ("bone", "brain", "liver", "lung", "node", "skin", "other", None)


class Metastatic:
    """The part of a `Maker` that makes patients with metastatic disease."""

    def metastatic_patient(self, number):
        self.patient_id = f"M{number}"
        begin = self.near()
        found = after(begin, -self.days(0, 70, 30))
        de_novo = self.chance(0.4)
        months = self.pick(6, 6, 12, 12, 12, self.rng.randint(0, 80))
        last_dose = months_before(found, months, self.pick(-1, 0, 0, 1))
        diagnosis = found if de_novo else after(last_dose, -self.days(130, 700, 365))
        row = {"patient_id": self.patient_id, "sex": self.pick("female", "female", "male", None)}
        row["birth_date"] = after(diagnosis, -self.rng.randint(28 * 365, 85 * 365))
        self.tables["patients"].append(row)
        tumours = [self.metastatic_tumour(f"M{number}-1", diagnosis, de_novo)]
        self.tumour_id = tumours[0]["tumour_id"]
        self.habits = {"intent": None, "route": self.pick(None, "iv")}
        self.anchors = [found, begin]
        if self.chance(0.06):
            second = after(diagnosis, self.days(0, 400, 183))
            tumours.append(self.metastatic_tumour(f"M{number}-2", second, False))
        if not de_novo:
            self.early_disease(tumours[0], diagnosis, last_dose, found)
        self.spread_events(found, de_novo)
        self.habits["intent"] = self.pick(None, None, None, "palliative")
        if self.chance(0.94):
            self.treat(begin)
        self.samples(tumours, diagnosis, found, begin)
        self.around(found, begin)
        self.reasons_on_record(tumours)
        self.follow_up(row, diagnosis)
        self.mess(tumours)

    def near(self):
        """The day of a first line, often next to the first day of an edition."""
        first = max(self.start, date(2011, 6, 1))
        length = (self.cutoff - first).days
        day = after(first, self.rng.randint(0, length))
        if self.chance(0.4):
            day = after(self.pick(*EDITIONS), self.pick(-400, -1, -1, 0, 0, 1, 30))
        elif self.chance(0.25):
            day = after(self.cutoff, -self.days(0, 150, 30, 42, 90))
        return min(max(day, first), self.cutoff)

    def metastatic_tumour(self, tumour_id, diagnosis, de_novo):
        tumour = self.tumour(tumour_id, diagnosis)
        tumour["clinical_m"] = "M0"
        if self.chance(0.9):
            tumour["histology"] = "8500/3"
        if self.chance(0.6):
            tumour["er_status"] = self.pick("positive", "positive", "negative")
        if de_novo and self.chance(0.8):
            tumour["clinical_m"] = self.pick("M1", "cM1")
        elif self.chance(0.05):
            tumour["clinical_m"] = self.pick(None, "MX", "M?")
        return tumour

    # --- before the metastasis -----------------------------------------------------------------

    def early_disease(self, tumour, diagnosis, last_dose, found):
        """Surgery and adjuvant treatment whose last HER2 dose is on the day given."""
        surgery = after(diagnosis, self.rng.randint(10, 60))
        if self.chance(0.9):
            row = {"tumour_id": self.tumour_id, "procedure": "mastectomy"}
            self.add("surgeries", surgery_date=surgery, **row)
        if self.chance(0.7):
            names = self.pick(["docetaxel"], ["AC"], ["paclitaxel"], ["TCH"])
            self.series(names, after(surgery, 20), self.pick(1, 4), 21)
        way = self.weighted(antibody=60, tdm1=20, both=8, open=4, none=8)
        names = TDM1 if way == "tdm1" else self.pick(TRASTUZUMAB, ["Phesgo"])
        if way == "open":
            self.give("Herceptin", after(last_dose, -90), record_kind="course")
        elif way != "none":
            count = self.pick(1, 3, 9)
            self.back_from(last_dose, names, count)
            if way == "both":
                self.give("Nerlynx", after(last_dose, 10), record_kind="course", end_date=found)
        if self.chance(0.15):
            self.back_from(after(last_dose, -30), ["lapatinib"], 2)
        if self.chance(0.3):  # endocrine therapy that may still run when the disease comes back
            end = after(found, self.days(-200, 90, -181, -180, 0, 30))
            self.back_from(end, self.pick(["letrozole"], ["tamoxifen"]), 6, 90)
        if self.chance(0.15):
            day = after(found, -self.days(1, 500, 42))
            self.add("events", event_date=day, event="local_recurrence", site="other")

    def back_from(self, last, names, count, interval=21):
        """Doses whose last one is on the day given."""
        name = self.pick(*names)
        for number in reversed(range(count)):
            self.give(name, after(last, -interval * number))

    def spread_events(self, found, de_novo):
        """When and where the metastases were found."""
        if de_novo and self.chance(0.4):
            return
        day = after(found, self.days(0, 140, 120)) if de_novo else found
        row = {"event": "distant_metastasis", "tumour_id": self.pick(None, self.tumour_id)}
        only = self.pick(None, None, None, "bone", "brain")
        self.add("events", event_date=day, site=only or self.pick(*SITES), **row)
        for _ in range(self.pick(0, 0, 0, 1, 2)):
            later = after(day, self.days(0, 900, 1, 30))
            self.add("events", event_date=later, site=only or self.pick(*SITES), **row)

    # --- lines ---------------------------------------------------------------------------------

    def treat(self, start):
        """One to five lines, one after the other, each ended in one of the ways that lines end."""
        for number in range(self.pick(1, 1, 2, 2, 3, 4, 5)):
            names = [*REGIMENS, *LATE_REGIMENS] if number else [*REGIMENS]
            last = self.regimen(self.pick(*names), start)
            self.anchors.append(last)
            how = self.weighted(event=60, stop=12, silent=16, brain=6, sudden=6)
            progressed = after(last, self.days(-30, 60, 0, 42))
            if how in ("event", "brain"):
                site = "brain" if how == "brain" else self.pick(*SITES)
                kind = self.pick("progression", "progression", "progression", "distant_metastasis")
                self.add("events", event_date=progressed, event=kind, site=site)
            else:
                progressed = last
            stops = ("toxicity", "patient-refusal", "completed", "other", "death")
            for row in self.own("treatments")[-1:]:
                if how == "stop" or self.chance(0.1):
                    row["stop_reason"] = "progression" if how == "stop" else self.pick(*stops)
            wait = self.days(1, 80, 42, 60, 63, 90, 180)
            start = after(last, 1) if how == "sudden" else after(max(last, progressed), wait)

    def regimen(self, parts, start):
        """The parts of a regimen from a day on; returns the last day of the longest one."""
        last, whole = start, self.pick(1, 2, 4, 6, 9, 15)
        for names, cycles in parts:
            begin = after(start, self.pick(0, 0, 0, 0, 0, 0, 1, 21, 41, 42, 43, 60))
            if self.chance(0.04):
                continue
            count = whole if cycles is None else min(self.pick(*cycles), max(whole, 6))
            if self.chance(0.06) and count > 1:
                count = max(1, count // 2)  # an agent dropped
            last = max(last, self.part(names, begin, count))
        if self.chance(0.15):
            day = after(last, -self.days(0, 120, 60))
            self.part(self.pick(["letrozole"], ["fulvestrant"]), max(day, start), 3)
        return last

    def part(self, names, begin, count):
        """One drug of a regimen, as doses or as a course; returns its last day."""
        name = self.pick(*names)
        trial = {"trial": True} if self.chance(0.008) else {}
        oral = name in ORAL
        if self.chance(0.5 if oral else 0.06):
            end = after(begin, 21 * (count - 1))
            open_end = self.chance(0.06) or end == begin
            end = None if open_end else end
            self.give(name, begin, end_date=end, record_kind="course", **trial)
            return end or begin
        interval = 7 if name == "paclitaxel" and self.chance(0.4) else 21
        day = self.series([name], begin, count, interval, **trial)
        if self.chance(0.06) and name in TRASTUZUMAB:  # intravenous to subcutaneous, or a pause
            again = after(day, self.pick(0, 0, 40, 62, 63, 64, 70, 89, 90, 91))
            self.series(["Herceptin"], again, self.pick(1, 3), 21, route="sc")
            return again
        return after(day, -interval)

    # --- on record beside treatment ------------------------------------------------------------

    def samples(self, tumours, diagnosis, found, begin):
        """The primary's HER2 result, and one of a metastasis at the edges of its window."""
        for tumour in tumours:
            if self.chance(0.92):
                self.add(
                    "receptor_tests",
                    tumour_id=tumour["tumour_id"],
                    specimen_date=tumour["diagnosis_date"],
                    specimen_site=self.pick("primary", "primary", None),
                    her2_ihc=self.pick("3+", "3+", "3+", "3+", "3+", "3+", "2+", "0"),
                )
        for _ in range(self.pick(0, 1, 1, 2)):
            edges = [after(found, -60), after(begin, 42), after(found, 0), after(begin, 0)]
            day = after(self.pick(*edges), self.pick(-1, 0, 0, 1, 5, -20, 60, 400))
            self.add(
                "receptor_tests",
                tumour_id=self.tumour_id,
                specimen_date=max(day, diagnosis),
                specimen_site=self.pick("metastasis", "metastasis", "node", "primary", None),
                her2_ihc=self.pick("3+", "3+", "3+", "2+", "0", None),
                invasive=self.pick(None, True, True, False) if self.chance(0.2) else None,
            )

    def around(self, found, begin):
        """Heart, brain and lung on record, hospitals' other rows."""
        if self.chance(0.08):
            day = after(begin, self.days(-200, 200, 42))
            self.add("events", event_date=day, event=self.pick("heart_failure", "ild"))
        if self.chance(0.12):
            day = after(begin, self.days(-200, 200, 42))
            lvef = self.pick(None, 49, 49.9, 50, 61)
            self.add("cardiac_assessments", assessment_date=day, lvef_percent=lvef)
        if self.chance(0.15):
            day = after(found, self.days(-60, 200, -30, 0, 42, 90))
            target = self.pick("brain", "brain", "bone", None)
            row = {"tumour_id": self.pick(None, self.tumour_id), "target": target}
            self.add("radiotherapy", start_date=day, end_date=None, **row)
        if self.chance(0.05):
            day = after(found, self.days(0, 90))
            row = {"tumour_id": self.tumour_id, "procedure": "metastasectomy"}
            self.add("surgeries", surgery_date=day, **row)

    def reasons_on_record(self, tumours):
        for _ in range(self.pick(0, 0, 0, 1, 1, 2)):
            row = {"topic": self.pick(*TOPICS), "reason": self.pick(*REASONS)}
            row["tumour_id"] = self.pick(None, self.pick(*tumours)["tumour_id"])
            self.add("exceptions", recorded_date=self.pick(None, self.anchors[-1]), **row)


def months_before(day, months, offset):
    """The day so many calendar months before another, moved by an offset in days."""
    number = day.year * 12 + day.month - 1 - months
    year, month = number // 12, number % 12 + 1
    return after(date(year, month, min(day.day, 28)), offset)
