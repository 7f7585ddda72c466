"""What the page says of data quality: no SQL, no HTML, no record's value, no patient."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from audit.counting import Tables
from audit.disclosure import THRESHOLD, Cell, Mark, is_small, single
from audit.extract.contract import tables as contract_tables
from audit.loads import Load, loads

HOSPITALS = "sites"
"""The one table whose small counts are shown: a row of any other belongs to a person.

A single row with an unknown drug would tell that a hidden count of cases that lack one is 1.
"""
SEVERITIES = ("block", "warn", "info")
RUNS_SHOWN = 12
"""Earlier runs in a trend, the latest ones."""


@dataclass(frozen=True)
class Past:
    """What an earlier run found: its day, and the rows."""

    day: str
    rows: int
    share: float


@dataclass(frozen=True)
class Failed:
    """An expectation that the data do not meet."""

    id: str
    table: str
    severity: str
    says: str
    do: str
    rules: str
    rows: Cell
    checked: int
    share: float | None
    examples: Sequence[int]
    past: Sequence[Past]


@dataclass(frozen=True)
class TableState:
    """One table at a glance: expectations judged, and how many failed, by severity.

    `read` and `quarantined` are for whoever runs it; `load` is what a page may show.
    """

    name: str
    linked: bool
    read: int
    quarantined: int
    load: Load
    judged: int
    failed: Mapping[str, int]


@dataclass(frozen=True)
class Held:
    """An expectation that the data meet."""

    table: str
    says: str


@dataclass(frozen=True)
class Quality:
    """All that a page says of data quality."""

    tables: Sequence[TableState]
    failed: Mapping[str, Sequence[Failed]]
    held: Sequence[Held]

    @property
    def failures(self) -> Mapping[str, int]:
        """How many expectations failed, by severity, the gravest first."""
        return {severity: len(self.failed[severity]) for severity in SEVERITIES}


def present_quality(
    tables: Tables, numbers: Mapping[str, str], threshold: int = THRESHOLD
) -> Quality:
    """The expectations in words, the gravest failures first, the larger shares before the smaller.

    Args:
        tables: with `load_counts`, `quality_checks`, `quality_examples` and `quality_history`.
        numbers: the id of each rule by its number.
        threshold: counts of people from 1 to one below it are hidden.
    """
    checks = tables["quality_checks"].to_dicts()
    examples = dict(tables["quality_examples"].iter_rows())
    by_id = {rule_id: number for number, rule_id in numbers.items()}
    of_persons = {check["check_id"] for check in checks if check["table_name"] != HOSPITALS}
    past = _past(tables["quality_history"], of_persons, threshold)
    failed: dict[str, list[Failed]] = {severity: [] for severity in SEVERITIES}
    for check in checks:
        if check["success"]:
            continue
        rows = _rows(check, threshold)
        told = rows.mark is Mark.SHOWN
        rules = sorted(by_id[rule_id] for rule_id in check["endangers"])
        failed[check["severity"]].append(
            Failed(
                check["check_id"],
                check["table_name"],
                check["severity"],
                check["says"],
                check["what_to_do"],
                _together(rules, list(numbers)),
                rows,
                check["rows_checked"],
                check["share"] if told else None,
                # Rows listed would give a hidden count away.
                examples.get(check["check_id"], []) if told else [],
                past.get(check["check_id"], []) if told else [],
            )
        )
    for found in failed.values():
        found.sort(key=lambda one: -(one.share or 0))
    counted = {load["table_name"]: load for load in tables["load_counts"].to_dicts()}
    shown = {load.name: load for load in loads(tables, threshold)}
    return Quality(
        [
            _state(counted[name], shown[name], checks)
            for name in contract_tables()
            if name in counted
        ],
        failed,
        [Held(check["table_name"], check["says"]) for check in checks if check["success"]],
    )


def _together(rules: Sequence[str], numbers: Sequence[str]) -> str:
    """Rule numbers in words; three and more in a row stand as first and last."""
    if len(rules) == len(numbers):
        return "every rule"
    runs: list[list[str]] = []
    for rule in rules:
        follows = runs and numbers.index(rule) == numbers.index(runs[-1][-1]) + 1
        if follows:
            runs[-1].append(rule)
        else:
            runs.append([rule])
    return ", ".join(f"{run[0]} to {run[-1]}" if run[2:] else ", ".join(run) for run in runs)


def _rows(check: Mapping[str, Any], threshold: int) -> Cell:
    rows = check["rows_unexpected"]
    return Cell(rows) if check["table_name"] == HOSPITALS else single(rows, threshold)


def _state(
    counted: Mapping[str, Any], load: Load, checks: Sequence[Mapping[str, Any]]
) -> TableState:
    own = [check for check in checks if check["table_name"] == load.name]
    failed = [check["severity"] for check in own if not check["success"]]
    return TableState(
        load.name,
        load.linked,
        counted["rows_read"],
        counted["rows_quarantined"],
        load,
        len(own),
        {severity: failed.count(severity) for severity in SEVERITIES},
    )


def _past(
    history: pl.DataFrame, of_persons: Collection[str], threshold: int
) -> dict[str, list[Past]]:
    """What the latest runs found, the oldest first, for each check that several runs know.

    A run that found a small number of persons is left out.
    """
    past: dict[str, list[Past]] = {}
    for row in history.sort("created_at").to_dicts():
        rows, check = row["rows_unexpected"], row["check_id"]
        if check in of_persons and is_small(rows, threshold):
            continue
        share = rows / row["rows_checked"] if row["rows_checked"] else 0.0
        past.setdefault(check, []).append(Past(row["created_at"][:10], rows, share))
    return {check: runs[-RUNS_SHOWN:] for check, runs in past.items() if len(runs) > 1}
