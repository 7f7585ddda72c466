"""How the generated patients are treated: plans, regimens, operations."""

from patients_chemotherapy import Chemotherapy
from patients_drugs import TDM1, TRASTUZUMAB
from twin_record import after


class Care(Chemotherapy):
    """The plans of `Maker`, which gives them chance and rows."""

    def antibodies(self, start, count, *, intent=None):
        """Trastuzumab with or without pertuzumab in one of the ways sources record it."""
        extra = {"intent": intent} if intent and self.chance(0.5) else {}
        extra |= {"route": "sc"} if self.chance(0.08) else {}
        way = self.weighted(dual=34, single=22, fixed=12, course=8, regimen=6, weekly=14, named=4)
        partners = max(0, min(count, self.pick(count, 1, 2, 3, 4, 15)))
        offset = self.pick(0, 0, 0, 1, 6, 7, 8, -7, -8)
        if way == "fixed":
            return self.series(["Phesgo"], start, count, 21, **extra)
        if way == "course":
            end = self.pick(None, after(start, 21 * (count - 1) + self.rng.randint(-5, 5)))
            if end and end < start:
                end = start
            kind = "course" if end is None or end == start else self.pick("course", None)
            course = {"end_date": end, "record_kind": kind, **extra}
            names = [*TRASTUZUMAB, "trastuzumab + pertuzumab", "Phesgo"]
            self.give(self.pick(*names), start, **course)
            if self.chance(0.4):
                self.give("Perjeta", start, **course)
            return after(end or after(start, 60), 21)
        if way == "regimen":
            if self.chance(0.5):
                self.give(self.pick("TCHP", "TCH"), start, **extra)
                return after(start, 21 * count)
            return self.series(["TCHP", "TCH"], start, count, 21, **extra)
        if way == "weekly":
            weeks = self.pick(3, 9, 12, count)
            day = self.series(TRASTUZUMAB, start, weeks, 7, **extra)
            if self.chance(0.3):
                day = after(day, self.pick(7, 9, 10, 14))
            if self.chance(0.8):
                day = self.series(TRASTUZUMAB, day, max(1, count - weeks // 3), 21, **extra)
            if self.chance(0.3):
                self.series(["pertuzumab"], start, partners, 21, **extra)
            return day
        if way == "named":
            names = ["trastuzumab + pertuzumab"]
            return self.series(names, start, count, 21, **extra)
        if way == "dual":
            interval = self.pick(21, 21, 21, 21, 13, 14, 15)
            self.series(
                ["pertuzumab", "Perjeta"], after(start, offset), partners, interval, **extra
            )
        return self.series(TRASTUZUMAB, start, count, self.pick(21, 21, 21, 14, 28), **extra)

    def neoadjuvant(self, tumour, diagnosis):
        start = after(diagnosis, self.days(0, 90, 183) if self.chance(0.2) else self.days(5, 60))
        last = self.chemotherapy(start)
        count = self.pick(1, 2, 3, 4, 4, 5, 6, 6, 7, 8)
        if self.chance(0.06):
            day = self.before_surgery_without_antibodies(start, count)
        elif self.chance(0.94):
            first = after(start, self.pick(0, 0, 0, 21, 84))
            day = self.antibodies(first, count, intent="neoadjuvant")
            self.anchors.append(first)
        else:
            day = after(start, 100)
        if self.chance(0.15):
            return
        surgery = after(day, self.rng.randint(-25, 40))
        if self.chance(0.5):
            surgery = after(last, self.days(7, 110, 56, 84))
        self.anchors.append(surgery)
        decision = self.operate(surgery, tumour, neoadjuvant=True)
        onward = self.weighted(tdm1=40, antibody=40, dxd=8, nothing=12)
        if onward == "antibody" or self.chance(0.2):
            restart = after(surgery, self.days(10, 60, 63))
            self.antibodies(restart, max(1, self.pick(17, 17, 18, 16) - count), intent="adjuvant")
        if onward in ("tdm1", "dxd"):
            first = after(decision, self.days(10, 200, 84, 180))
            names = TDM1 if onward == "tdm1" else ["T-DXd"]
            self.series(names, first, self.pick(1, 3, 14), 21)
        if self.chance(0.2):
            again = after(self.pick(surgery, decision), self.days(0, 250, 0, 180))
            names = ["capecitabine", "FEC", "epirubicin", "docetaxel", "methotrexate"]
            self.series(names, again, self.pick(1, 3, 4), 21)

    def before_surgery_without_antibodies(self, start, count):
        """A conjugate before surgery, alone or with antibodies beside or after it."""
        day = self.series([*TDM1, "T-DXd", "T-DXd"], start, self.pick(1, 4, 6), 21)
        if self.chance(0.5):
            self.series(["pertuzumab"], start, self.pick(1, 4, 6), 21)
        if self.chance(0.5):
            self.chemotherapy(day)
            day = self.antibodies(day, count)
        return day

    def surgery_first(self, tumour, diagnosis):
        surgery = after(diagnosis, self.days(0, 80))
        self.anchors.append(surgery)
        self.pathology(tumour)
        decision = self.operate(surgery, tumour)
        if self.chance(0.1):
            return
        start = after(decision, self.days(0, 90) if self.chance(0.8) else self.days(90, 365, 183))
        self.chemotherapy(start)
        first = after(start, self.pick(0, 0, 63, 84))
        if self.chance(0.1):
            first = after(diagnosis, 365 + self.pick(-1, 0, 1))
        self.anchors.append(first)
        count = self.pick(1, 2, 9, 13, 16, 16, 17, 17, 18, 18, 19)
        if self.chance(0.4):
            self.series(TRASTUZUMAB, first, count, 21)
            partner = after(first, self.pick(0, 0, 21, 41, 42, 43, 42))
            self.series(
                ["pertuzumab"], partner, self.pick(3, 14, 15, 16, 18), self.pick(21, 26, 27)
            )
        elif self.chance(0.9):
            self.antibodies(first, count, intent="adjuvant")
        if self.chance(0.1):
            self.series(TDM1, after(first, self.days(20, 600, 540)), 4, 21)

    def systemic(self, tumour, diagnosis):
        self.habits["intent"] = self.pick(None, "adjuvant", "curative", "palliative")
        start = after(diagnosis, self.days(5, 120))
        self.anchors.append(start)
        self.chemotherapy(start)
        if self.chance(0.8):
            self.antibodies(start, self.pick(1, 4, 17))
        if self.chance(0.3):
            self.give(self.pick("letrozole", "goserelin"), after(start, self.days(-30, 90)))

    def metastatic(self, tumour, diagnosis):
        if self.chance(0.6):
            tumour["clinical_m"] = self.pick("M1", "cM1")
        else:
            day = after(diagnosis, self.days(0, 300, 120))
            self.add("events", event_date=day, event="distant_metastasis")
        self.habits["intent"] = self.pick(None, None, "palliative")
        start = after(diagnosis, self.days(5, 60))
        self.anchors.append(start)
        if self.chance(0.3):
            self.give(self.pick("T-DXd", "T-DXd", "lapatinib"), start)
        else:
            self.antibodies(start, self.pick(1, 6, 20))
        if self.chance(0.5):
            self.chemotherapy(start)

    def none(self, tumour, diagnosis):
        if self.chance(0.4):
            self.operate(after(diagnosis, self.days(5, 100)), tumour)
        if self.chance(0.3):
            self.give("tamoxifen", after(diagnosis, self.days(-10, 60)))

    def operate(self, day, tumour, *, neoadjuvant=False):
        """Surgery, at times in several steps; returns the day of the last definitive one."""
        key = {"tumour_id": tumour["tumour_id"]}
        pathology = {}
        if neoadjuvant:
            t_missing, n_missing = self.pick(("ypTX", "ypNX"), (None, None))
            pathology = {
                "yp_t": self.pick("ypT0", "ypTis", "ypT1a", "ypT1mi", "T2", "ypT1c", t_missing),
                "yp_n": self.pick("ypN0", "ypN0", "ypN0(i+)", "ypN1mi", "N1", n_missing),
                "report_date": self.pick(None, after(day, self.days(0, 60, 42))),
            }
            if self.chance(0.3):
                pathology |= {"yp_t": self.pick("ypT0", "ypTis"), "yp_n": "ypN0"}
            if self.chance(0.15):
                pathology["rcb_class"] = self.pick("0", "I", "II", "III")
            if self.chance(0.15):
                pathology["residual_invasive"] = self.pick(True, False)
        elif day.toordinal() % 25 == 0:  # the treatment before it is not on record
            pathology = ({"yp_t": "ypT1c"}, {"yp_n": "ypN0"}, {"rcb_class": "II"})[day.month % 3]
        procedure = self.pick("breast_conserving", "mastectomy")
        definitive = self.pick(None, None, None, True)
        if self.chance(0.08):
            procedure, definitive = self.pick("re_excision", procedure), self.pick(None, False)
        if tumour.get("clinical_t") == "T0" and day.toordinal() % 2:  # nothing else to take out
            procedure, definitive = "axillary", None
        if self.chance(0.03):
            return day
        sentinel = self.chance(0.1)
        if sentinel:
            self.add("surgeries", surgery_date=after(day, -90), procedure="axillary", **key)
        row = self.add(
            "surgeries", surgery_date=day, procedure=procedure, definitive=definitive, **key
        )
        row |= pathology
        if self.chance(0.03):
            row["surgery_date"] = None
        last = day
        if self.chance(0.2):
            later = after(day, self.days(7, 60, 180))
            procedure = self.pick("mastectomy", "re_excision", "axillary", "metastasectomy")
            row = self.add("surgeries", surgery_date=later, procedure=procedure, **key)
            row["definitive"] = self.pick(None, True, False)
            row["yp_n"] = self.pick("ypN0", "ypN1", None) if neoadjuvant else None
            row["yp_t"] = self.pick("ypT0", "ypT1a", None, None) if neoadjuvant else None
            row["report_date"] = self.pick(None, None, after(later, self.rng.randint(0, 50)))
            if row["definitive"] or (row["definitive"] is None and procedure == "mastectomy"):
                last = later
        return last
