"""Generated patients with what the safety rules ask for: anthracyclines beside antibodies, infusion
reactions, and ILD under trastuzumab deruxtecan.

They are drawn from a random stream of their own: the other patients of a seed stay as they are.
"""

from datetime import date

from patients_drugs import TDM1, TRASTUZUMAB
from twin_record import RULES, after

EDITIONS = [
    *(date(2006, 5, 1), date(2006, 8, 1), date(2006, 11, 16), date(2019, 12, 20)),
    *(date(2021, 1, 1), date(2021, 5, 1), date(2022, 8, 5)),
]
RULE_TOPICS = [name for number in ("R23", "R28", "R29") for name in (number, RULES[number])]
TOPICS = [
    *("her2", "her2-antibody", "her2-conjugate", "anthracycline", "chemotherapy", "trastuzumab"),
    *("Perjeta", "doxorubicin", "epirubicin", "T-DXd", "Kadcyla", "docetaxel"),
]
REASONS = ["trial", "trial", "mdt-documented-deviation", "mdt-documented-deviation", "toxicity"]
ANTHRACYCLINES = [
    *("doxorubicin", "epirubicin", "AC", "EC", "FEC", "liposomal-doxorubicin", "doxorubicin"),
    *("AC-TH", "FEC-DH", "AC-THP"),
]
ANTIBODIES = [*TRASTUZUMAB, "Perjeta", "Phesgo", "trastuzumab + pertuzumab", "TCH", "TCHP"]
MEDICINES = ["hydrocortisone", "dexamethasone", "paracetamol"]
ACTIONS = [
    *(None, "none", "medicated", "interrupted", "interrupted;medicated", "medicated;stopped"),
    *("rate_reduced", "rate_reduced;medicated", "stopped", "interrupted;medicated"),
]


class Safety:
    """The part of a `Maker` that makes patients for the safety rules."""

    def safety_patient(self, number):
        self.patient_id = f"H{number}"
        length = (self.cutoff - self.start).days
        begin = after(self.start, self.rng.randint(0, length))
        if self.chance(0.35):
            begin = after(self.pick(*EDITIONS), self.pick(-60, -1, 0, 1, 30))
        elif self.chance(0.3):
            begin = after(self.cutoff, -self.days(20, 300, 42, 84))
        begin = min(max(begin, self.start), self.cutoff)
        diagnosis = after(begin, -self.days(5, 120, 30))
        row = {"patient_id": self.patient_id, "sex": self.pick("female", "female", "male", None)}
        row["birth_date"] = after(diagnosis, -self.rng.randint(28 * 365, 85 * 365))
        self.tables["patients"].append(row)
        tumours = [self.tumour(f"H{number}-1", diagnosis)]
        if self.chance(0.08):
            offset = self.days(0, 400, 183)
            tumours.append(self.tumour(f"H{number}-2", after(diagnosis, offset)))
        for tumour in tumours:  # hospitals of their own: no other rule's stream is linked there
            tumour["site_id"] = self.pick("S4", "S5")
        if self.chance(0.3):
            tumours[0]["clinical_m"] = "M1"
        self.tumour_id = tumours[0]["tumour_id"]
        self.habits = {"intent": self.pick(None, None, "curative", "palliative"), "route": None}
        self.anchors = [diagnosis, begin]
        if self.chance(0.4):
            self.operate(after(begin, self.days(-60, 250)), tumours[0])
        way = self.weighted(heart=50, infusion=28, lung=22)
        getattr(self, way)(begin)
        self.biopsies(tumours)
        if self.chance(0.25):
            reason = self.add(
                "exceptions", topic=self.pick(*self.pick(TOPICS, RULE_TOPICS, RULE_TOPICS))
            )
            reason["reason"] = self.pick(*REASONS)
            reason["tumour_id"] = self.pick(None, None, self.pick(*tumours)["tumour_id"])
        if self.chance(0.06):
            marked = self.own("treatments")
            for one in marked if self.chance(0.5) else marked[-1:]:
                one["trial"] = True
        self.follow_up(row, diagnosis)
        self.mess(tumours)

    def heart(self, begin):
        """Anthracyclines and antibodies at the edges of what keeps them apart."""
        if self.chance(0.65):
            last = self.toxic(begin)
            first = after(last, self.days(-70, 400, 14, 14, 21, 0, 365))
            self.shield(first)
        else:
            last = self.shield(begin)
            self.toxic(after(last, self.days(-120, 380, 21, 21, 63, 210, 210, 365)))
        if self.chance(0.15):
            self.series([*TDM1, "T-DXd"], after(begin, self.days(-20, 100)), 3, 21)
        if self.chance(0.25):
            self.series(["docetaxel", "paclitaxel"], after(last, 21), 4, 21)

    def toxic(self, start):
        """An anthracycline; returns the day of its last dose as far as it is recorded."""
        name, count = self.pick(*ANTHRACYCLINES), self.pick(1, 3, 4, 4)
        if self.chance(0.12):
            end = self.pick(None, after(start, self.days(0, 80, 63)))
            self.give(name, start, end_date=end, record_kind="course")
            return end or after(start, 63)
        interval = self.pick(14, 21)
        return after(self.series([name], start, count, interval), -interval)

    def shield(self, start):
        """An antibody, at times with a long pause; returns its last day on record."""
        name, count = self.pick(*ANTIBODIES), self.pick(1, 1, 2, 4, 9)
        if self.chance(0.12):
            end = self.pick(None, after(start, self.days(0, 300)))
            self.give(name, start, end_date=end, record_kind="course")
            return end or after(start, 60)
        last = after(self.series([name], start, count, 21), -21)
        if self.chance(0.35):
            again = after(last, self.days(40, 120, 63, 63))
            last = after(self.series(self.pick([name], ANTIBODIES), again, 2, 21), -21)
        return last

    def infusion(self, begin):
        """Antibodies with reactions on, next to and far from the days of their infusions."""
        name, count = self.pick(*ANTIBODIES, "margetuximab"), self.pick(1, 2, 4, 6)
        partner = self.pick(None, None, "Perjeta", "docetaxel", "Kadcyla", "trastuzumab")
        if self.chance(0.15):
            end = self.pick(None, after(begin, self.days(30, 200)))
            self.give(name, begin, end_date=end, record_kind="course")
        else:
            self.series([name], begin, count, 21)
        if partner:
            self.series([partner], after(begin, self.pick(0, 0, 0, 7)), self.pick(1, count), 21)
        if self.chance(0.1):
            later = after(begin, self.days(21, 100))
            end = self.pick(None, after(later, 60))
            self.give(self.pick(*TRASTUZUMAB), later, end_date=end, record_kind="course")
        days = [row["start_date"] for row in self.own("treatments") if row["start_date"]] or [begin]
        for _ in range(self.pick(1, 1, 1, 2, 3)):
            shift = self.pick(0, 0, 0, 0, 1, 1, 2, -1, 20, 21, 22)
            kind = self.pick("infusion_reaction", "infusion_reaction", "anaphylaxis")
            row = self.add("events", event_date=after(self.pick(*days), shift), event=kind)
            row["grade"] = self.pick(None, 1, 1, 2, 2, 3, 3, 4, 5)
            row["action"] = self.pick(*ACTIONS)
            if self.chance(0.3):
                day = after(row["event_date"], self.pick(0, 0, 1, 1, 2, -1))
                self.give(self.pick(*MEDICINES), day, record_kind=None)

    def lung(self, begin):
        """Trastuzumab deruxtecan with ILD and chest CTs."""
        if self.chance(0.12):
            end = self.pick(None, after(begin, self.days(20, 200, 42)))
            self.give("T-DXd", begin, end_date=end, record_kind="course")
        else:
            day = self.series(["T-DXd"], begin, self.pick(1, 2, 2, 3, 3, 4, 8), 21)
            if self.chance(0.2):
                self.series(["T-DXd"], after(day, self.days(20, 200)), self.pick(1, 3), 21)
        days = [row["start_date"] for row in self.own("treatments") if row["start_date"]] or [begin]
        for _ in range(self.pick(0, 1, 1, 1, 2)):
            day = after(self.pick(days[0], days[-1], *days), self.pick(-1, 0, 0, 1, 10, 200))
            row = self.add("events", event_date=day, event="ild")
            row["grade"] = self.pick(None, 1, 1, 2, 2, 3)
            row["action"] = self.pick(None, None, "stopped", "interrupted", "medicated;stopped")
        if self.chance(0.8):
            self.scan(after(days[0], self.days(-90, 30, -60, 14)))
        scanned = days[0]
        for _ in range(self.pick(0, 1, 2, 4)):
            scanned = after(scanned, self.days(30, 130, 100))
            self.scan(scanned)

    def scan(self, day):
        modality = self.pick("ct_chest", "ct_chest", "ct_chest", "other")
        self.add("imaging", imaging_date=day, modality=modality)
