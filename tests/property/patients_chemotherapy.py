"""The chemotherapy of the generated patients, in the ways it is given and recorded."""

from patients_drugs import DRUGS
from twin_record import FAMILIES, after

DOCETAXEL = ["docetaxel", "Taxotere"]
PACLITAXEL = ["paclitaxel", "paclitaxel", "nab-paclitaxel"]
ANTHRACYCLINE = ["AC", "EC", "FEC", "epirubicin", "doxorubicin", "liposomal-doxorubicin"]


class Chemotherapy:
    """The chemotherapy of `Maker`, which gives it chance and rows."""

    def chemotherapy(self, start):
        """Gives chemotherapy and returns its last day, or the start where there is none."""
        ways = {
            "none": 7,
            "platinum": 26,
            "weekly_platinum": 6,
            "sequence": 26,
            "taxane": 22,
            "cyclophosphamide": 5,
            "other": 4,
            "regimen": 7,
            "course": 4,
        }
        way = self.weighted(**ways)
        if way != "none":
            getattr(self, f"give_{way}")(start)
        return self.last_chemotherapy() or start

    def last_chemotherapy(self):
        """The last day of the patient's chemotherapy so far, or None."""
        days = [
            row.get("end_date") or row["start_date"]
            for row in self.own("treatments")
            if row["start_date"]
            and row["drug"] in DRUGS
            and DRUGS[row["drug"]].ingredients & FAMILIES["chemotherapy"]
        ]
        return max(days, default=None)

    def give_platinum(self, start):
        """Docetaxel and carboplatin, as a rule on the same day."""
        offset = self.pick(0, 0, 0, 0, 1, 2, 3, 4, -3)
        count = self.pick(2, 3, 4, 5, 6, 6, 6)
        self.series(DOCETAXEL, start, count, 21)
        partners = self.pick(count, count, 1, 2, 3)
        self.series(["carboplatin", "carboplatin", "cisplatin"], after(start, offset), partners, 21)

    def give_weekly_platinum(self, start):
        self.series(PACLITAXEL, start, self.pick(9, 12, 17, 18), 7)
        self.series(["carboplatin"], start, self.pick(3, 4, 6), self.pick(21, 7))

    def give_sequence(self, start):
        """An anthracycline and a taxane, as a rule in this order."""
        first = self.anthracyclines if self.chance(0.88) else self.taxanes
        day = first(start)
        self.pick(first, self.taxanes, self.taxanes, self.taxanes, self.anthracyclines)(day)

    def anthracyclines(self, start):
        count, interval = self.pick(1, 2, 3, 3, 4, 4, 4, 5), self.pick(14, 21, 21)
        name = self.pick(*ANTHRACYCLINE)
        if name in ("epirubicin", "doxorubicin") and self.chance(0.8):
            self.series(["cyclophosphamide"], start, count, interval)
        if name == "epirubicin" and self.chance(0.3):
            self.series(["fluorouracil"], start, count, interval)
        return self.series([name], start, count, interval)

    def taxanes(self, start):
        interval = self.pick(7, 7, 14, 21, 21)
        count = self.pick(1, 8, 9, 10, 11, 12, 12) if interval == 7 else self.pick(1, 2, 3, 4, 4)
        return self.series([*DOCETAXEL, *PACLITAXEL], start, count, interval)

    def give_taxane(self, start):
        """One taxane alone, often paclitaxel once a week."""
        if self.chance(0.4):
            self.taxanes(start)
        elif self.chance(0.7):
            self.series(PACLITAXEL, start, self.pick(3, 8, 9, 10, 11, 12, 12, 13), 7)
        else:
            self.series(DOCETAXEL, start, self.pick(3, 4, 5, 6), 21)

    def give_cyclophosphamide(self, start):
        count = self.pick(1, 2, 3, 4, 4, 4, 6)
        self.series([*DOCETAXEL, *DOCETAXEL, "paclitaxel"], start, count, 21)
        self.series(["cyclophosphamide"], start, self.pick(count, count, 1, 3), 21)

    def give_other(self, start):
        """Chemotherapy outside the recommended kinds."""
        names = ["vinorelbine", "capecitabine", "carboplatin", "CMF", "gemcitabine"]
        self.series(names, start, self.pick(2, 4, 6), 21)

    def give_regimen(self, start):
        """The name of a regimen, once or at each cycle."""
        names = ["TCHP", "TCH", "AC-TH", "AC-THP", "FEC-DH", "TH", "THP", "TC", "AC"]
        self.series(names, start, self.pick(1, 1, 3, 4, 6), 21)

    def give_course(self, start):
        """Drugs of which only the start and the end, or the start alone, are recorded."""
        end = self.pick(None, after(start, self.rng.randint(20, 130)))
        names = self.pick(["docetaxel", "carboplatin"], ["paclitaxel"], ["AC"], ["docetaxel"])
        for name in names:
            kind = "course" if end is None else self.pick("course", None)
            self.give(name, start, end_date=end, record_kind=kind)
        if end and self.chance(0.5):
            self.taxanes(after(end, 21))
