"""What became of the rows that were read, as far as it may be shown."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from audit.counting import Tables
from audit.disclosure import Cell, Sum, protect
from audit.wording import words

_LATE: dict[Hashable, float] = {"read": 1.0, "quarantined": 2.0, "duplicates": 3.0, "loaded": 4.0}
"""What gives cover first: the rows loaded of patients and tumours stand elsewhere too."""


@dataclass(frozen=True)
class Load:
    """What became of the rows of one table; `reasons` are those in quarantine, in words.

    A row belongs to a person: one row in quarantine would tell that a hidden count of cases that it
    keeps open is 1.
    """

    name: str
    label: str
    linked: bool
    read: Cell
    loaded: Cell
    duplicates: Cell
    quarantined: Cell
    reasons: Mapping[str, Cell]


def loads(tables: Tables, threshold: int) -> list[Load]:
    """Each table of the extract in the order of the contract, as the words list them.

    Args:
        tables: `load_counts`, and `quarantine` with a count `n` for each table and reason.
        threshold: counts from 1 to one below it are hidden, and what they would follow from.
    """
    rows = {row["table_name"]: row for row in tables["load_counts"].to_dicts()}
    return [
        _load(label, rows[name], tables["quarantine"], threshold)
        for name, label in words()["tables"].items()
        if name in rows
    ]


def in_quarantine(loads: list[Load]) -> list[tuple[str, str, Cell]]:
    """Table, reason and rows: shown counts, largest first, then hidden ones by name."""
    found = [(load.label, reason, cell) for load in loads for reason, cell in load.reasons.items()]
    return sorted(found, key=lambda one: (-(one[2].value or 0), one[0], one[1]))


def _load(label: str, row: Mapping[str, Any], quarantine: pl.DataFrame, threshold: int) -> Load:
    name = row["table_name"]
    counts: dict[Hashable, int] = {
        "read": row["rows_read"],
        "loaded": row["rows_loaded"],
        "duplicates": row["duplicates_collapsed"],
        "quarantined": row["rows_quarantined"],
    }
    own = quarantine.filter(pl.col("table_name") == name).sort("reason").to_dicts()
    reasons = {("reason", one["reason"]): one["n"] for one in own}
    sums = [Sum(("loaded", "duplicates", "quarantined"), "read")]
    # A row may stand in quarantine for two reasons: then nothing follows from their sum.
    if reasons and sum(reasons.values()) == counts["quarantined"]:
        sums.append(Sum(tuple(reasons), "quarantined"))
    cells = protect(counts | reasons, sums, threshold, _LATE)
    return Load(
        name,
        label,
        row["linked"],
        cells["read"],
        cells["loaded"],
        cells["duplicates"],
        cells["quarantined"],
        {_in_words(reason): cells["reason", reason] for _, reason in reasons},
    )


def _in_words(reason: str) -> str:
    told: str = words()["quarantine"].get(reason, reason.replace("-", " ").capitalize())
    return told
