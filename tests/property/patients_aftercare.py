"""What follows the plan in a generated patient: radiotherapy, endocrine therapy, neratinib.

Placed on and next to the edges of the rules' windows, counted from what the plan has given.
"""

from patients_drugs import DRUGS, TDM1, TRASTUZUMAB
from twin_record import FAMILIES, after, between

ANTIHORMONES = ["tamoxifen", "letrozole", "anastrozole", "exemestane", "fulvestrant"]
SUPPRESSION = ["goserelin", "leuprorelin", "triptorelin"]
# How often each hospital records a stream where it is expected: some stay below 80 %.
LINKED = {"S0": 1.0, "S1": 0.9, "S2": 0.75, "S3": 0.3, None: 0.9}


class AfterCare:
    """The part of a `Maker` that continues a patient after the plan."""

    def aftercare(self, tumours, diagnosis):
        """Adds what comes beside and after drugs and surgery.

        Args:
            tumours: the patient's tumours.
            diagnosis: the day of the first one.
        """
        if self.chance(0.5):
            self.receptors()
        site = tumours[0].get("site_id")
        operated = self.days_given("surgeries", "surgery_date")
        if self.chance(LINKED[site] if operated else 0.2):
            self.irradiate(tumours, diagnosis, operated)
        if self.chance(0.03):
            surgery = operated[-1] if operated else diagnosis
            self.series(["CMF"], after(surgery, self.days(10, 60)), self.pick(3, 6), 28)
        if self.chance(0.15):
            self.neratinib()
        positive = "positive" in (tumours[0].get("er_status"), tumours[0].get("pr_status"))
        if self.chance(LINKED[site] if positive else 0.15):
            self.endocrine(diagnosis)

    def responded(self, tumour, diagnosis):
        """Both antibodies before surgery, a response read there, and what follows it."""
        tumour["clinical_n"] = self.pick("cN1", "cN1", "N1mi", "N0", None)
        start = after(diagnosis, self.rng.randint(5, 60))
        self.anchors.append(start)
        self.series(["docetaxel", "paclitaxel"], start, 6, 21)
        self.series(TRASTUZUMAB, start, 6, 21)
        self.series(["pertuzumab", "Perjeta"], start, self.pick(6, 6, 6, 1), 21)
        surgery = after(start, self.rng.randint(120, 165))
        self.anchors.append(surgery)
        complete = self.chance(0.5)
        row = self.add("surgeries", surgery_date=surgery, tumour_id=tumour["tumour_id"])
        row["procedure"] = self.pick("mastectomy", "breast_conserving")
        row["yp_t"] = self.pick("ypT0", "ypTis") if complete else self.pick("ypT1a", "ypT2")
        row["yp_n"] = "ypN0" if complete else self.pick("ypN0", "ypN1", None)
        if self.chance(0.1):
            again = {**row, "surgery_date": after(surgery, self.days(7, 60)), "yp_t": None}
            self.add("surgeries", **{k: v for k, v in again.items() if k != "surgery_id"})
        restart = after(surgery, self.days(14, 60, 63))
        (self.continued if complete else self.switched)(restart)

    def continued(self, start):
        """Trastuzumab after surgery, and pertuzumab for as long, almost as long, or not."""
        count = self.pick(1, 8, 11, 11, 12)
        self.series(TRASTUZUMAB, start, count, 21)
        partners = self.pick(0, 7, 8, 8, 9, count)
        if self.chance(0.06):
            self.give("Perjeta", start, record_kind="course")
        elif partners:
            self.series(["pertuzumab", "Perjeta"], after(start, self.pick(0, 0, 21)), partners, 21)

    def switched(self, start):
        """T-DM1 after surgery: all of it, nearly all of it, or trastuzumab in its place."""
        names = ["T-DXd"] if self.chance(0.15) else TDM1
        if self.chance(0.1):
            end = self.pick(None, after(start, self.days(200, 300, 252, 262, 273)))
            self.give(self.pick(*names), start, end_date=end, record_kind="course")
            return
        count = self.pick(3, 6, 12, 12, 13, 14, 14, 15)
        day = self.series(names, start, count, self.pick(21, 21, 28, 31))
        if count < 13 and self.chance(0.6):
            if self.chance(0.7):
                self.own("treatments")[-1]["stop_reason"] = "toxicity"
            lacking = self.pick(12, 13, 14) - count
            if self.chance(0.3):
                self.series(TRASTUZUMAB, day, 3 * lacking, 7)
            elif lacking:
                self.series(TRASTUZUMAB, day, lacking, 21)

    def days_given(self, table, column, *names):
        """The patient's days in a table, in order; of the drugs or families named."""
        wanted = set().union(*(FAMILIES.get(name, {name}) for name in names))
        return sorted(
            row[column]
            for row in self.own(table)
            if row.get(column)
            and (not names or (row["drug"] in DRUGS and DRUGS[row["drug"]].ingredients & wanted))
        )

    def receptors(self):
        """Percentages beside the registry's summary, often at the edge of positive."""
        for row in self.own("receptor_tests"):
            row["er_percent"] = self.pick(None, 0, 0.5, 1, 5, 90)
            row["pr_percent"] = self.pick(None, None, 0, 0.9, 1, 80)

    # --- radiotherapy --------------------------------------------------------------------------

    def irradiate(self, tumours, diagnosis, operated):
        """A course of radiotherapy, at times a second one, at times with HER2 therapy held."""
        tumour = tumours[0]
        cytotoxic = self.days_given("treatments", "start_date", "chemotherapy")
        antibody = self.days_given("treatments", "start_date", "her2")
        starts = [after(diagnosis, self.days(20, 500, 365))]
        if cytotoxic:
            last = after(cytotoxic[-1], self.days(-20, 250, 0, 0, 183))
            starts += [last, after(cytotoxic[-1], self.days(14, 60)), after(cytotoxic[0], -20)]
            starts += [after(cytotoxic[-1], self.days(14, 60))] * 2
        if operated:
            starts += [after(operated[-1], self.days(20, 120, 250, 365))]
        if antibody:
            starts += [after(antibody[0], self.days(-20, 420, 365))]
        start = self.pick(*starts)
        whole = tumour.get("laterality") or self.chance(0.5)
        targets = ["chest_wall", "breast", "regional_nodes"] if whole else ["chest_wall", None]
        row = self.course(start, tumour, self.pick(*targets, *targets, None, "bone", "other"))
        if self.chance(0.25):
            again = after(start, self.days(-60, 300, 1, 22))
            self.course(again, self.pick(*tumours), self.pick("breast", "regional_nodes", "brain"))
        if antibody and self.chance(0.35):
            self.hold(start, row["end_date"] or after(start, 21))
        if self.chance(0.1):
            lvef = self.pick(None, 49, 49.5, 50, 62)
            self.add(
                "cardiac_assessments",
                assessment_date=after(start, self.days(-100, 100, 0, 42)),
                lvef_percent=lvef,
                result=self.pick("normal", "abnormal") if lvef is None else None,
            )

    def course(self, start, tumour, target):
        """One course, now and then without an end, a tumour or a start."""
        end = after(start, self.pick(0, 7, 15, 21, 35, 42)) if self.chance(0.85) else None
        row = self.add("radiotherapy", start_date=start, end_date=end, target=target)
        row["tumour_id"] = None if self.chance(0.1) else tumour["tumour_id"]
        if self.chance(0.02):
            row["start_date"] = row["end_date"] = None
        return row

    def hold(self, start, end):
        """Takes the HER2 doses around radiotherapy away, so that a gap is left at an edge."""
        first = after(start, -self.days(0, 45, 21, 42))
        last = after(end, self.days(0, 45, 21, 42))
        for row in self.own("treatments"):
            drug = DRUGS.get(row["drug"])
            day = row["start_date"]
            if drug and day and first <= day <= last and drug.ingredients & FAMILIES["her2"]:
                self.tables["treatments"].remove(row)

    # --- neratinib -----------------------------------------------------------------------------

    def neratinib(self):
        """Extended adjuvant neratinib: early, in time, late, beside another drug, or going on."""
        others = self.days_given("treatments", "start_date", "trastuzumab", "trastuzumab-emtansine")
        if not others:
            return
        start = after(others[-1], self.days(-60, 800, 0, 1, 365, 730))
        name = self.pick("neratinib", "Nerlynx")
        length = self.days(20, 420, 335, 365, 395)
        way = self.weighted(open=15, course=40, dispensed=35, single=10)
        if way == "dispensed":
            self.series([name], start, 1 + length // 30, 30)
        elif way == "single":
            self.give(name, start)
        else:
            end = after(start, length) if way == "course" else None
            stop = self.pick(None, None, "toxicity", "completed", "progression")
            self.give(name, start, end_date=end, record_kind="course", stop_reason=stop)
        if self.chance(0.15):
            self.series(["capecitabine"], after(start, self.pick(0, 0, 7, 200)), 4, 21)
        if self.chance(0.2):
            beside = after(start, self.days(-10, 400, 0, length))
            self.give(self.pick("trastuzumab", "lapatinib", "Perjeta", "Kadcyla"), beside)

    # --- endocrine therapy ---------------------------------------------------------------------

    def endocrine(self, diagnosis):
        """Endocrine therapy as courses or dispensings, at the edges of its windows."""
        cytotoxic = self.days_given("treatments", "start_date", "chemotherapy")
        starts = [
            after(diagnosis, self.days(5, 400, 365)),
            after(diagnosis, self.days(60, 500, 485)),
        ]
        if cytotoxic:
            starts += [after(cytotoxic[-1], self.days(-60, 90, -7, 0, 7, 21))] * 4
            starts += [after(cytotoxic[0], self.days(-90, 10, -30, -14, 0))]
        start = self.pick(*starts)
        if self.chance(0.12):
            day = after(cytotoxic[0] if cytotoxic else diagnosis, self.days(-20, 20))
            self.series(SUPPRESSION, day, self.pick(1, 4, 12), 28)
            if self.chance(0.3):
                return
        name = self.pick(*ANTIHORMONES)
        if cytotoxic and start < cytotoxic[0] and self.chance(0.5):  # stopped as chemotherapy began
            end = max(start, after(cytotoxic[0], self.pick(-30, -1, 0, 1, 14, 15)))
            self.give(name, start, end_date=end, record_kind="course")
            if self.chance(0.5):
                return
            start = after(cytotoxic[-1], self.days(10, 60))
        self.take(name, start, self.days(30, 2200, 365, 1642, 1643, 1644, 1825, 1826))

    def take(self, name, start, length):
        """Endocrine therapy for a number of days in one of the ways sources record it."""
        way = self.weighted(course=30, open=15, dispensed=40, single=15)
        switch = self.pick(*ANTIHORMONES)
        if way == "single":
            self.give(name, start)
        elif way == "open":
            self.give(name, start, record_kind="course")
        elif way == "course":
            stop = self.pick(None, None, "toxicity", "patient-refusal", "completed")
            if self.chance(0.4):
                half = length // 2
                gap = self.days(0, 200, 1, 180, 181)
                self.give(name, start, end_date=after(start, half), record_kind="course")
                start, length, name = after(start, half + gap), max(1, length - half - gap), switch
            kind = self.pick("course", None) if length else "course"
            end = after(start, length)
            self.give(name, start, end_date=end, record_kind=kind, stop_reason=stop)
        else:
            supply = self.pick(28, 30, 84, 90, 90, 180)
            day, last = start, after(start, length)
            while day <= last:
                self.give(name, day)
                day = after(day, supply)
                if self.chance(0.02):
                    day, name = after(day, self.days(30, 250, 90, 180)), switch
            if between(day, last) and self.chance(0.3):  # a last dispensing on the last day
                self.give(name, last)
