"""A synthetic registry that grows from week to week, and remembers what it changed."""

import csv
import random
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

from audit.extract.contract import tables
from audit.synthesise import synthesise

Row = dict[str, str]
WEEK = timedelta(days=7)
LATEST_WEEKS = 5
"""By how many weeks a row may come late."""

MAIN_DATE = {
    "receptor_tests": "report_date",
    "treatments": "start_date",
    "surgeries": "surgery_date",
    "radiotherapy": "start_date",
    "cardiac_assessments": "assessment_date",
    "events": "event_date",
    "exceptions": "recorded_date",
    "observations": "observation_date",
    "imaging": "imaging_date",
}
CORRECTIONS = {
    "treatments": ("start_date", lambda text, _: _days_earlier(text, 4)),
    "surgeries": ("procedure", lambda text, _: "mastectomy" if text != "mastectomy" else "other"),
    "tumours": ("clinical_n", lambda text, draw: draw.choice(["N0", "N1", "N2", "NX"])),
    "receptor_tests": ("her2_ihc", lambda text, draw: draw.choice(["0", "1+", "2+", "3+"])),
}


class Growing:
    """The registry: `rows` as they will be one day, of which an extract shows what has arrived."""

    def __init__(self, patients: int, seed: int, scratch: Path) -> None:
        synthesise(patients, seed, scratch / "all", layout="csv")
        self.draw = random.Random(seed)
        self.rows: dict[str, list[Row]] = {}
        for name in tables():
            file = scratch / "all" / f"{name}.csv"
            with file.open(newline="", encoding="utf-8") as text:
                self.rows[name] = list(csv.DictReader(text))
        self.late = {
            name: [WEEK * self.draw.randrange(LATEST_WEEKS + 1) for _ in rows]
            for name, rows in self.rows.items()
        }

    def visible(self, day: date) -> dict[str, dict[int, Row]]:
        """The rows that have arrived by a day, under their place in `rows`."""
        diagnosed = {
            row["patient_id"]: None
            for row in self.rows["tumours"]
            if _first_day(row["diagnosis_date"]) <= day
        }
        shown: dict[str, dict[int, Row]] = {"sites": dict(enumerate(self.rows["sites"]))}
        shown["patients"] = {
            at: _as_known(row, day)
            for at, row in enumerate(self.rows["patients"])
            if row["patient_id"] in diagnosed
        }
        shown["tumours"] = {
            at: row
            for at, row in enumerate(self.rows["tumours"])
            if _first_day(row["diagnosis_date"]) <= day
        }
        for name, column in MAIN_DATE.items():
            shown[name] = {
                at: row
                for at, (row, late) in enumerate(zip(self.rows[name], self.late[name], strict=True))
                if row["patient_id"] in diagnosed and _first_day(row[column]) + late <= day
            }
        return shown

    def correct(self, day: date, count: int) -> None:
        """Changes a value in so many visible rows of each table that has corrections."""
        seen = self.visible(day)
        for name, (column, change) in CORRECTIONS.items():
            places = sorted(seen[name])
            for at in self.draw.sample(places, min(count, len(places))):
                row = self.rows[name][at]
                self.rows[name][at] = row | {column: change(row[column], self.draw)}

    def write(self, day: date, folder: Path) -> Path:
        """Writes the extract as it stands on a day."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self.visible(day).items():
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(self.rows[name][0]))
                writer.writeheader()
                writer.writerows(rows.values())
        return folder


def changed(
    before: Mapping[str, Mapping[int, Row]], after: Mapping[str, Mapping[int, Row]]
) -> dict[str, set[str]]:
    """The tables in which rows of a patient came, went or changed, by patient."""
    found: dict[str, set[str]] = {}
    for name in after:
        for at in before[name].keys() | after[name].keys():
            was, is_now = before[name].get(at), after[name].get(at)
            if was != is_now:
                row = is_now or was or {}
                found.setdefault(row.get("patient_id", ""), set()).add(name)
    return found


def _as_known(row: Row, day: date) -> Row:
    """A patient's row without what lies after the day."""
    later = ("death_date", "last_contact_date", "transfer_in_date", "transfer_out_date")
    return row | {name: "" for name in later if row[name] and _first_day(row[name]) > day}


def _first_day(text: str) -> date:
    """The first day that a date can stand for; one that is no date has always been there."""
    try:
        return date.fromisoformat((text + "-01-01")[: len("2024-01-01")])
    except ValueError:
        return date.min


def _days_earlier(text: str, days: int) -> str:
    """An exact day moved back; anything else as it is."""
    try:
        return str(date.fromisoformat(text) - timedelta(days=days))
    except ValueError:
        return text
