"""Which rows of the records, and which cards and settings, differ between two audits."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import duckdb
import polars as pl
import yaml

from audit.evaluate import ALWAYS_READ
from audit.extract.contract import tables
from audit.snapshot import Snapshot
from audit.warehouse import Connection, tables_behind

_NOT_THE_RECORD = {"row_number"}


@dataclass(frozen=True)
class RowChange:
    """A row that one of two audits lacks, or that has other values under the same key.

    `change` is added, removed, corrected, quarantined, no longer quarantined, or moved: the row is
    the same, but stands elsewhere in its file, and evidence names rows by their place. `key` is the
    table's own key where it has one, `columns` what differs in a corrected row;
    `row_number` is that of the later audit, or of the earlier one where the row is gone.
    """

    table: str
    patient_id: str | None
    change: str
    key: str | None
    row_number: int
    columns: tuple[str, ...] = ()


def row_changes(
    before: Snapshot, after: Snapshot, patients: Collection[str]
) -> dict[str, list[RowChange]]:
    """The rows of these patients that differ, by patient; quarantined rows among them."""
    wanted = pl.DataFrame({"patient_id": sorted(patients)}, {"patient_id": pl.String})
    found: dict[str, list[RowChange]] = {}
    with (
        duckdb.connect(str(before.database), read_only=True) as was,
        duckdb.connect(str(after.database), read_only=True) as is_now,
    ):
        for name, table in tables().items():
            if "patient_id" not in table.columns:
                continue
            old, new = (_rows(con, name, wanted) for con in (was, is_now))
            for row in _compared(name, table.key, old, new):
                found.setdefault(row.patient_id or "", []).append(row)
        held, held_now = (_rows(con, "quarantine", wanted) for con in (was, is_now))
        for row in _quarantined(held, held_now):
            found.setdefault(row.patient_id or "", []).append(row)
    return found


def answers_behind(
    before: Snapshot, after: Snapshot, rule_id: str, subject_id: str, patient_id: str
) -> list[RowChange]:
    """The reviewers' answers to a case that count in one of two audits alone, by their number."""
    old, new = (
        one.adjudications.filter(rule_id=rule_id, subject_id=subject_id) for one in (before, after)
    )
    same = [name for name in new.columns if name not in ("answer_number", "after_run")]
    return [
        RowChange("adjudications", patient_id, change, None, row["answer_number"])
        for change, found in (
            ("added", new.join(old, on=same, how="anti")),
            ("removed", old.join(new, on=same, how="anti")),
        )
        for row in found.to_dicts()
    ]


def tables_read(rule_id: str, snapshot: Snapshot) -> frozenset[str]:
    """The tables of the extract that a rule's verdicts rest on."""
    for path, text in snapshot.texts.items():
        if path.endswith(f"/{rule_id}/rule.sql"):
            return tables_behind([text]) & frozenset(tables()) | ALWAYS_READ
    return frozenset(tables())


def rule_changes(before: Snapshot, after: Snapshot, rule_id: str) -> list[str]:
    """What of checks/ and the settings differs for a rule: its own files, then what is shared."""
    was, is_now = before.settings, after.settings
    own = [f"variants of {rule_id}"] if _of(was.variants, rule_id, is_now.variants) else []
    numbers = [one.manifest["parameters"].get(rule_id) for one in (before, after)]
    if None not in numbers and numbers[0] != numbers[1]:
        own.append(f"numbers of {rule_id}")
    if was.jurisdiction != is_now.jurisdiction:
        own.append(f"jurisdiction {was.jurisdiction} to {is_now.jurisdiction}")
    if was.rules != is_now.rules:
        own.append("the selection of rules")
    paths = {p for p in (*before.texts, *after.texts) if p.startswith(("checks/", "own/"))}
    changed = sorted(p for p in paths if before.texts.get(p) != after.texts.get(p))
    for editions in ("checks/editions.yaml", "own/editions.yaml"):
        if editions in changed:
            changed.remove(editions)
            old, new = (yaml.safe_load(one.texts.get(editions, "{}")) for one in (before, after))
            if _of(old, rule_id, new):
                own.append(f"editions of {rule_id}")
    own += [p for p in changed if f"/{rule_id}/" in p]
    return own + [p for p in changed if not p.startswith(("checks/rules/", "own/"))]


def _of(old: Mapping[str, object], rule_id: str, new: Mapping[str, object]) -> bool:
    return old.get(rule_id) != new.get(rule_id)


def _rows(con: Connection, name: str, wanted: pl.DataFrame) -> pl.DataFrame:
    con.register("wanted", wanted.to_arrow())
    found: pl.DataFrame = con.table(name).join(con.table("wanted"), "patient_id", how="semi").pl()
    if name not in tables():
        return found
    # A date of a month or a year stands in its table as its middle day: its precision beside it.
    unsure = con.table("imprecise_dates").pl().filter(table_name=name)
    for column in unsure["column_name"].unique().sort():
        own = unsure.filter(column_name=column).select(
            "row_number", pl.concat_str("first_day", "last_day", separator="/").alias("within")
        )
        found = (
            found.join(own, on="row_number", how="left")
            .with_columns(pl.coalesce("within", pl.col(column).cast(pl.String)).alias(column))
            .drop("within")
        )
    return found.with_columns(pl.exclude("row_number").cast(pl.String))


def _compared(name: str, key: str | None, old: pl.DataFrame, new: pl.DataFrame) -> list[RowChange]:
    columns = [c for c in new.columns if c in old.columns and c not in _NOT_THE_RECORD]
    gone = old.join(new, on=columns, how="anti", nulls_equal=True)
    added = new.join(old, on=columns, how="anti", nulls_equal=True)
    before = {row[key]: row for row in gone.to_dicts()} if key else {}
    found = []
    for row in added.to_dicts():
        other = before.pop(row[key], None) if key else None
        differ = tuple(c for c in columns if other and other[c] != row[c])
        found.append(_change(name, row, key, "corrected" if other else "added", differ))
    left = before.values() if key else gone.to_dicts()
    found += [_change(name, row, key, "removed") for row in left]
    return found + [_change(name, row, key, "moved") for row in _moved(old, new, columns)]


def _moved(old: pl.DataFrame, new: pl.DataFrame, same: list[str]) -> list[dict[str, object]]:
    """The rows of both audits that stand elsewhere in the later one's file."""
    places = old.select(*same, pl.col("row_number").alias("place_before"))
    both = new.join(places, on=same, nulls_equal=True)
    return both.filter(pl.col("row_number") != pl.col("place_before")).to_dicts()


def _change(
    name: str,
    row: Mapping[str, object],
    key: str | None,
    change: str,
    columns: tuple[str, ...] = (),
) -> RowChange:
    patient, number = row["patient_id"], row["row_number"]
    shown = None if key is None else str(row[key])
    return RowChange(
        name, None if patient is None else str(patient), change, shown, int(str(number)), columns
    )


def _quarantined(old: pl.DataFrame, new: pl.DataFrame) -> list[RowChange]:
    """What came to quarantine, left it, or stands elsewhere in its file."""
    same = ["table_name", "column_name", "reason", "record"]
    changes = {
        "no longer quarantined": old.join(new, on=same, how="anti", nulls_equal=True).to_dicts(),
        "quarantined": new.join(old, on=same, how="anti", nulls_equal=True).to_dicts(),
        "moved": _moved(old, new, same),
    }
    return [
        RowChange(
            str(row["table_name"]),
            None if row["patient_id"] is None else str(row["patient_id"]),
            change,
            None,
            int(str(row["row_number"])),
            (str(row["column_name"]),) if row["column_name"] else (),
        )
        for change, rows in changes.items()
        for row in rows
    ]
