"""A generated registry: its tables, and how they are written as an extract."""

import csv
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import yaml

SCHEMA = yaml.safe_load(
    (Path(__file__).parents[2] / "sql" / "schema" / "extract.yaml").read_text("utf-8")
)
TABLES = (
    *("patients", "tumours", "receptor_tests", "treatments"),
    *("surgeries", "radiotherapy", "cardiac_assessments", "events"),
    "observations",
)
ALL_TABLES = (*TABLES, "exceptions", "imaging", "sites")
KEYS = {"receptor_tests": "test_id", "treatments": "treatment_id", "surgeries": "surgery_id"}


@dataclass
class Registry:
    """Tables as the twin reads them, and the rows a loader must quarantine."""

    tables: dict[str, list[dict]]
    cutoff: date
    planted: dict[str, list[dict]] = field(default_factory=dict)
    quarantined: list[tuple[str, str]] = field(default_factory=list)

    def write(self, folder):
        """Writes the registry as CSV files in the contract's layout."""
        folder.mkdir(parents=True, exist_ok=True)
        for table, rows in self.tables.items():
            columns = list(SCHEMA[table]["columns"])
            with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(columns)
                for row in rows + self.planted.get(table, []):
                    writer.writerow([cell(row.get(column)) for column in columns])
        return folder


def cell(value):
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
