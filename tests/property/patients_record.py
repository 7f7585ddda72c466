"""What is recorded of a generated patient besides care, and what is missing or imprecise."""

from datetime import date

from patients_drugs import DRUGS, RULE_TOPICS, TOPICS
from patients_registry import ALL_TABLES, SCHEMA, TABLES
from twin_record import DATES, after, span


class Record:
    """The part of a `Maker` that writes down what the plan left to be recorded."""

    def biopsies(self, tumours):
        given = [
            row["start_date"]
            for row in self.own("treatments")
            if row["start_date"] and row["drug"] in DRUGS
        ]
        for tumour in tumours:
            diagnosis = tumour["diagnosis_date"] or min(given, default=date(2015, 1, 1))
            usual = self.weighted(positive=72, anything=22, none=6)
            if usual == "none":
                continue
            day = after(diagnosis, self.rng.randint(-20, 5))
            if given and self.chance(0.1):
                day = after(min(given), self.pick(-1, 0, 1, 30))
            self.biopsy(tumour, day, usual, given)
            if self.chance(0.2):
                self.biopsy(tumour, after(day, self.rng.randint(0, 400)), "anything", given)

    def biopsy(self, tumour, day, usual, given):
        row = {"tumour_id": tumour["tumour_id"], "specimen_date": day}
        row["specimen_site"] = self.pick("primary", "primary", "node", None)
        if self.chance(0.1):
            row["specimen_site"] = "metastasis"
        row["report_date"] = self.pick(None, after(day, self.rng.randint(0, 20)))
        if self.chance(0.05):
            row["invasive"] = False
        if usual == "positive":
            if self.chance(0.6):
                self.add("receptor_tests", **row, her2_ihc="3+")
                return
            row |= {"her2_ihc": "2+", "her2_ratio": 4.2, "her2_copies": 9.0}
            self.add("receptor_tests", **row)
            return
        ihc = self.pick("0", "1+", "2+", "2+", "3+", None)
        ish = {}
        if self.chance(0.6):
            ratios = (None, 1.0, 1.79, 1.8, 1.99, 2.0, 2.2, 2.21, 2.3)
            ish["her2_ratio"] = self.pick(*ratios)
            ish["her2_copies"] = self.pick(None, 2.0, 3.6, 3.99, 4.0, 5.9, 6.0, 6.1)
        if self.chance(0.5):
            ish["her2_ish"] = self.pick("amplified", "not_amplified", "equivocal")
        if self.chance(0.7):
            self.add("receptor_tests", **row, her2_ihc=ihc, **ish)
            return
        self.add("receptor_tests", **row, her2_ihc=ihc)
        second = after(day, self.rng.randint(0, 40))
        if given and self.chance(0.5):
            second = max(day, after(min(given), self.days(0, 30, 14)))
        self.add("receptor_tests", **row | {"report_date": second}, **ish)

    def happenings(self, tumours):
        """Events and documented exceptions around the plan's anchors."""
        kinds = [
            *("local_recurrence", "regional_recurrence", "distant_metastasis", "progression"),
            *("second_primary", "heart_failure", "ild", "infusion_reaction", "anaphylaxis"),
            "pregnancy",
        ]
        for _ in range(self.pick(0, 0, 0, 0, 0, 1, 1, 2)):
            day = after(self.pick(*self.anchors), self.days(-300, 1900, 0, 42, 180, 183, 365, 540))
            row = self.add("events", event_date=day, event=self.pick(*kinds))
            row["tumour_id"] = self.pick(None, self.pick(*tumours)["tumour_id"])
            row["action"] = self.pick(None, "stopped", "interrupted;stopped", "medicated", "none")
        if self.chance(0.16):
            reasons = SCHEMA["exceptions"]["columns"]["reason"]["values"]
            row = self.add(
                "exceptions",
                topic=self.pick(*self.pick(TOPICS, RULE_TOPICS)),
                reason=self.pick(*reasons),
            )
            row["tumour_id"] = self.pick(None, self.pick(*tumours)["tumour_id"])
            row["recorded_date"] = self.pick(None, after(self.anchors[-1], 30))
        rows = self.own("treatments")
        if rows and self.chance(0.12):
            stops = ("toxicity", "progression", "patient-refusal", "death", "completed", "other")
            self.pick(rows[-1], *rows)["stop_reason"] = self.pick(*stops)
        if rows and self.chance(0.03):
            for row in rows:
                row["trial"] = True

    def follow_up(self, patient, diagnosis):
        """Last contact, death and transfers; then drops what could not have been recorded."""
        end = self.cutoff
        if self.chance(0.1):
            day = after(self.pick(*self.anchors), self.days(0, 1500, 180, 183, 365, 540))
            if diagnosis <= day <= self.cutoff:
                patient["death_date"] = end = day
        if self.chance(0.25):
            day = after(
                self.pick(*self.anchors), self.days(0, 900, 84, 180, 183, 250, 365, 485, 540)
            )
            patient["last_contact_date"] = min(max(day, diagnosis), end)
        elif self.chance(0.6):
            patient["last_contact_date"] = after(end, -self.days(0, 120, 90))
        if self.chance(0.05):
            day = after(self.pick(*self.anchors), self.days(-30, 400, 0))
            patient["transfer_in_date"] = min(day, end)
        if self.chance(0.05):
            day = after(self.pick(*self.anchors), self.days(0, 700, 183, 365))
            patient["transfer_out_date"] = min(day, end)
        birth = patient["birth_date"] or date.min
        for column in DATES["patients"]:
            if patient.get(column) and not birth <= patient[column] <= self.cutoff:
                patient[column] = None
        for table in ALL_TABLES[1:-1]:
            for row in self.own(table):
                if row.get("end_date") and row["end_date"] > end:
                    row |= {"end_date": None, "record_kind": "course"}
                days = [row[column] for column in DATES[table] if row.get(column)]
                if table == "tumours":
                    row["diagnosis_date"] = min(days[0], end) if days else None
                elif any(not birth <= day <= end for day in days):
                    self.tables[table].remove(row)

    def mess(self, tumours):
        """Rows without or under another tumour, operations without a kind, imprecise dates."""
        if self.chance(0.2):
            for row in self.own("treatments"):
                row["tumour_id"] = None
        if self.chance(0.04):
            for row in self.own("surgeries") + self.own("receptor_tests"):
                row["tumour_id"] = None if self.chance(0.5) else row["tumour_id"]
        if len(tumours) > 1 and self.chance(0.1):
            for row in self.own("treatments"):
                row["tumour_id"] = self.pick(row["tumour_id"], *(t["tumour_id"] for t in tumours))
        if self.chance(0.03):
            for row in self.own("surgeries"):
                row |= {"procedure": None, "definitive": self.pick(None, None, True, False)}
        if not self.imprecise or not self.chance(0.06):
            return
        patient = self.tables["patients"][-1]
        first = patient["birth_date"] or date.min
        last = min(day for day in (patient.get("death_date"), self.cutoff) if day)
        share = self.pick(0.05, 0.2, 0.5)
        # the subject must not hang on an imprecise date: which of two tumours, which setting
        spread = any(row["event"] == "distant_metastasis" for row in self.own("events"))
        exact = {"tumours"} if len(tumours) > 1 else {"tumours", "events"} if spread else set()
        for table in (name for name in TABLES[1:] if name not in exact):
            for row in self.own(table):
                for column in DATES[table]:
                    if row.get(column) and not row.get("end_date") and self.chance(share):
                        text = row[column].isoformat()[: self.pick(4, 7, 7, 7)]
                        if first <= span(text)[0] and span(text)[2] <= last:
                            row[column] = text
