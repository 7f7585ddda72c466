"""From a folder of files to typed Parquet tables, a quarantine and the imprecise dates."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import polars as pl

from audit.errors import ExtractRefused
from audit.extract.cells import as_found
from audit.extract.contract import Table, tables
from audit.extract.duplicates import repeats
from audit.extract.files import NUMBER, ROW, check_folder, find_tables, fingerprint, stage
from audit.extract.mapping import SourceMapping
from audit.extract.mapping.apply import mapped_tables
from audit.extract.raw import ROW_NUMBER, Raw, matched
from audit.extract.rules import Known
from audit.extract.typed import Flag, Typed, typed

QUARANTINE = {
    "table_name": pl.String(),
    "file": pl.String(),
    "row_number": pl.Int64(),
    "column_name": pl.String(),
    "value": pl.String(),
    "reason": pl.String(),
    "patient_id": pl.String(),
    "tumour_id": pl.String(),
    "record": pl.String(),
}
IMPRECISE_DATES = {
    "table_name": pl.String(),
    "row_number": pl.Int64(),
    "column_name": pl.String(),
    "patient_id": pl.String(),
    "first_day": pl.Date(),
    "middle_day": pl.Date(),
    "last_day": pl.Date(),
    "unit": pl.String(),
}
HELD = {
    "table_name": pl.String(),
    "row_number": pl.Int64(),
    "column_name": pl.String(),
    "reason": pl.String(),
    "cells": pl.String(),
}
INPUTS = {"file": pl.String(), "sha256": pl.String(), "bytes": pl.Int64()}


@dataclass(frozen=True)
class LoadedTable:
    """One contract table after loading; `file` is null where the stream is not linked.

    `path` is a Parquet file with row_number, the contract's columns typed and the extra columns
    as text; an imprecise date holds its middle day.
    """

    name: str
    linked: bool
    path: Path
    file: str | None
    rows_read: int
    rows_loaded: int
    duplicates_collapsed: int
    rows_quarantined: int


@dataclass(frozen=True)
class Extract:
    """A loaded extract: every contract table, what was left out and why, and what was read.

    `inputs` names every file read, the mapping's own last, with its SHA-256 and size in bytes;
    `held` holds the quarantined rows by the contract's columns, as text, to be typed again.
    """

    tables: dict[str, LoadedTable]
    quarantine: pl.DataFrame
    held: pl.DataFrame
    imprecise_dates: pl.DataFrame
    inputs: pl.DataFrame

    @property
    def linked(self) -> dict[str, bool]:
        """Whether each table of the contract was there, in the order of the contract."""
        return {name: table.linked for name, table in self.tables.items()}


def load_extract(
    source: Path,
    *,
    cutoff: date,
    mapping: SourceMapping | None,
    scratch: Path,
    log: Callable[[str], None],
) -> Extract:
    """Read, type and check the extract in `source`.

    Args:
        source: the folder with the extract's files.
        cutoff: the last day the extract covers, inclusive; later dates contradict it.
        mapping: how a source that is not in the contract's shape is read; None: it is.
        scratch: a folder for the typed tables; created, and otherwise left to the caller.
        log: takes one line of progress at a time, without record values.

    Returns:
        Every contract table, linked or not. Rows read are rows loaded, collapsed or quarantined.

    Raises:
        UsageError: `source` is no folder.
        ExtractRefused: a file, a required table or column, or the mapping can't be used.
    """
    check_folder(source)
    before = _states(source)
    scratch.mkdir(parents=True, exist_ok=True)
    staging = scratch / "staging"
    if mapping is None:
        raws, read_files = _raw_tables(source, staging, log)
    else:
        raws, read_files = mapped_tables(source, mapping, staging, log)
        read_files = [*read_files, mapping.file]
    absent = [name for name, table in tables().items() if table.required and name not in raws]
    if absent:
        raise ExtractRefused(
            f"{source} holds no {' and no '.join(absent)} (it holds {', '.join(raws)})",
            f"add {', '.join(absent)}: the audit can't do without",
        )
    try:
        extract = load_tables(raws, cutoff=cutoff, scratch=scratch, log=log)
        fingerprints = [(path.name, *fingerprint(path)) for path in read_files]
    except (pl.exceptions.PolarsError, OSError):
        _check_unchanged(source, before)  # a file that was cut off meanwhile is the likelier reason
        raise
    _check_unchanged(source, before)
    return replace(extract, inputs=pl.DataFrame(fingerprints, INPUTS, orient="row"))


def _states(source: Path) -> dict[Path, tuple[int, int, int]]:
    """What a file's name points at, its size, and when it was written last."""
    return {
        path: (state.st_ino, state.st_size, state.st_mtime_ns)
        for path in source.rglob("*")
        if path.is_file()
        for state in [path.stat()]
    }


def _check_unchanged(source: Path, before: Mapping[Path, tuple[int, int, int]]) -> None:
    now = _states(source)
    changed = sorted(path.name for path in before if now.get(path) != before[path])
    if changed:
        raise ExtractRefused(
            f"{changed[0]} changed while it was read",
            "wait until the export has finished, and run the audit again",
        )


def load_tables(
    raws: Mapping[str, Raw],
    *,
    cutoff: date,
    scratch: Path,
    log: Callable[[str], None],
) -> Extract:
    """Type and check tables that were read already; `inputs` of what it gives is empty.

    Args:
        raws: the tables that are there, by their name in the contract.
        cutoff: as for `load_extract`.
        scratch: an existing folder for the typed tables.
        log: as for `load_extract`.
    """
    known = Known(cutoff)
    staging = scratch / "staging"
    loads = [
        _load(tables()[name], raws.get(name), known, staging, log)
        for name in sorted(tables(), key=_depth)
    ]
    shutil.rmtree(staging, ignore_errors=True)
    by_name = {load.table.name: load for load in loads}
    ordered = [by_name[name] for name in tables()]
    quarantined = pl.concat([load.quarantine for load in ordered])
    return Extract(
        {load.table.name: load.table for load in ordered},
        quarantined.select(*QUARANTINE),
        quarantined.select(*HELD),
        pl.concat([load.imprecise for load in ordered]),
        pl.DataFrame(schema=INPUTS),
    )


@dataclass(frozen=True)
class _Load:
    """A loaded table; `quarantine` has the columns of QUARANTINE and of HELD."""

    table: LoadedTable
    quarantine: pl.DataFrame
    imprecise: pl.DataFrame


def _depth(name: str) -> int:
    """How many tables have to be there before this one, so that what it points at is known."""
    pointed = [column.to for column in tables()[name].columns.values() if column.to]
    return 1 + max((_depth(to) for to in pointed), default=0)


def _raw_tables(
    source: Path, staging: Path, log: Callable[[str], None]
) -> tuple[dict[str, Raw], list[Path]]:
    places = find_tables(source, log)
    raws = {
        name: matched(tables()[name], stage(place, None, staging / name))
        for name, place in places.items()
    }
    return raws, sorted({place.path for place in places.values()})


def _load(
    table: Table,
    raw: Raw | None,
    known: Known,
    staging: Path,
    log: Callable[[str], None],
) -> _Load:
    path = staging.parent / f"{table.name}.parquet"
    if raw is None:
        pl.DataFrame(schema=table.schema).write_parquet(path)
        return _nothing(LoadedTable(table.name, False, path, None, 0, 0, 0, 0))
    files = ", ".join(name for _, name in raw.files)
    rows_read = raw.frame.select(pl.len()).collect(engine="streaming").item()
    read = typed(table, raw)
    if not rows_read:
        columns = table.schema | dict.fromkeys(read.extras, pl.String())
        pl.DataFrame(schema=columns).write_parquet(path)
        known.learn(table, read, read.frame, pl.Series(dtype=pl.String))
        log(f"{table.name}: no row in {files}")
        return _nothing(LoadedTable(table.name, True, path, files, 0, 0, 0, 0))
    faults = _Faults(table, read, known)
    good = read.frame
    if not faults.left_out.is_empty():
        good = good.filter(~pl.col(ROW).is_in(faults.left_out.implode()))
    stored = good.select(*table.schema, *read.extras).sink_parquet(
        # Statistics would cost a third of the time, and everything is read back anyway.
        path,
        compression="lz4",
        statistics=False,
        lazy=True,
    )
    # In one pass: what both need is read and typed once.
    _, unsure = pl.collect_all([stored, _unsure(table, read, good)], engine="streaming")
    kept = raw.frame.filter(pl.col(ROW).is_in(faults.first[ROW].implode()))
    held = replace(raw, frame=kept.collect(engine="streaming").lazy())
    # Typed anew: these few rows are read sooner than found among all the others.
    held_typed = typed(table, held).frame.collect()
    quarantine = _quarantine(table, held, held_typed, faults)
    known.learn(table, read, good, held_typed[table.key or ROW])
    loaded = LoadedTable(
        table.name,
        True,
        path,
        files,
        rows_read,
        pl.scan_parquet(path).select(pl.len()).collect().item(),
        len(faults.collapsed),
        quarantine.height,
    )
    accounted = loaded.rows_loaded + loaded.duplicates_collapsed + loaded.rows_quarantined
    if loaded.rows_read != accounted:
        raise AssertionError(
            f"{table.name}: {loaded.rows_read} rows read, {accounted} accounted for"
        )
    log(
        f"{table.name}: {loaded.rows_read:,} rows read from {loaded.file}, "
        f"{loaded.rows_loaded:,} loaded, {loaded.duplicates_collapsed:,} duplicates collapsed, "
        f"{loaded.rows_quarantined:,} quarantined"
    )
    return _Load(loaded, quarantine, _imprecise(table, read, unsure))


def _nothing(table: LoadedTable) -> _Load:
    return _Load(
        table, pl.DataFrame(schema=QUARANTINE | HELD), pl.DataFrame(schema=IMPRECISE_DATES)
    )


class _Faults:
    """Which rows of a table are left out, and the first fault of each quarantined one."""

    def __init__(self, table: Table, read: Typed, known: Known) -> None:
        own = read.flags
        beside = known.flags(table, read)
        clash = Flag(table.key or "", "duplicate-key", pl.col("§clash"))
        judged = [*own, clash, *beside]
        found = self._flagged(known.joined(table, read.frame), own + beside)
        typing = pl.any_horizontal(pl.lit(False), *(f"§flag.{at}" for at in range(len(own))))
        again = repeats(table, read, found.filter(typing)[ROW])
        self.collapsed = again.collapsed
        clashing = again.clashing.alias(ROW).to_frame().with_columns(pl.lit(True).alias("§clash"))
        found = found.join(clashing, on=ROW, how="full", coalesce=True)
        found = found.filter(~pl.col(ROW).is_in(again.collapsed.implode()))
        held = [
            *(pl.col(f"§flag.{at}") for at in range(len(own))),
            pl.col("§clash"),
            *(pl.col(f"§flag.{len(own) + at}") for at in range(len(beside))),
        ]
        first = pl.coalesce(pl.when(flag).then(at) for at, flag in enumerate(held))
        self.first = found.select(
            ROW,
            first.replace_strict(
                range(len(judged)), [flag.column for flag in judged], return_dtype=pl.String
            ).alias("§column"),
            first.replace_strict(
                range(len(judged)), [flag.reason for flag in judged], return_dtype=pl.String
            ).alias("§reason"),
        ).sort(ROW)
        self.left_out = pl.concat([self.first[ROW], self.collapsed])

    @staticmethod
    def _flagged(frame: pl.LazyFrame, flags: list[Flag]) -> pl.DataFrame:
        held = [flag.holds.fill_null(False).alias(f"§flag.{at}") for at, flag in enumerate(flags)]
        # Filtered first: hardly a row has a fault, and only those are worth writing down.
        faulty = frame.filter(pl.any_horizontal(pl.lit(False), *(flag.holds for flag in flags)))
        return faulty.select(ROW, *held).collect(engine="streaming")


def _quarantine(table: Table, raw: Raw, read: pl.DataFrame, faults: _Faults) -> pl.DataFrame:
    """The quarantined rows, each kept whole as its source has it: `raw` and `read` are of them."""
    rows = faults.first
    if rows.is_empty():
        return pl.DataFrame(schema=QUARANTINE | HELD)
    schema = raw.frame.collect_schema()
    sources = dict.fromkeys([*raw.columns.values(), *raw.record.values()])
    kept = raw.frame.select(
        ROW, NUMBER, *(as_found(name, schema[name]).alias(name) for name in sources)
    ).collect()
    patients = read.select(
        ROW,
        _named(table, "patient_id").alias("§patient_id"),
        _named(table, "tumour_id").alias("§tumour_id"),
    )
    whole = rows.join(kept, on=ROW).join(patients, on=ROW)
    value = pl.coalesce(
        pl.lit(None, pl.String),
        *(
            pl.when(pl.col("§column") == name).then(pl.col(source))
            for name, source in raw.columns.items()
        ),
    )
    record = pl.struct(pl.col(source).alias(header) for header, source in raw.record.items())
    cells = pl.struct(pl.col(source).alias(name) for name, source in raw.columns.items())
    return whole.sort(ROW).select(
        pl.lit(table.name).alias("table_name"),
        raw.file_of(pl.col(NUMBER)).alias("file"),
        pl.col(NUMBER).alias("row_number"),
        pl.col("§column").alias("column_name"),
        value.alias("value"),
        pl.col("§reason").alias("reason"),
        pl.col("§patient_id").alias("patient_id"),
        pl.col("§tumour_id").alias("tumour_id"),
        record.struct.json_encode().alias("record"),
        cells.struct.json_encode().alias("cells"),
    )


def _named(table: Table, column: str) -> pl.Expr:
    """Whom or what the row names, for a table that has such a column."""
    return pl.col(column) if column in table.columns else pl.lit(None, pl.String)


def _unsure(table: Table, read: Typed, good: pl.LazyFrame) -> pl.LazyFrame:
    """The loaded rows with a date that can stand for more than one day, and their dates."""
    several = (pl.col(first) != pl.col(last) for first, last in read.imprecise.values())
    return good.filter(pl.any_horizontal(pl.lit(False), *several)).select(
        ROW_NUMBER,
        _named(table, "patient_id").alias("patient_id"),
        *read.imprecise,
        *(day for pair in read.imprecise.values() for day in pair),
    )


def _imprecise(table: Table, read: Typed, unsure: pl.DataFrame) -> pl.DataFrame:
    """The loaded dates that can stand for more than one day, from the rows that have one."""
    found = [pl.DataFrame(schema=IMPRECISE_DATES)]
    for name, (first, last) in read.imprecise.items():
        found.append(
            unsure.filter(pl.col(first) != pl.col(last)).select(
                pl.lit(table.name).alias("table_name"),
                ROW_NUMBER,
                pl.lit(name).alias("column_name"),
                "patient_id",
                pl.col(first).alias("first_day"),
                pl.col(name).alias("middle_day"),
                pl.col(last).alias("last_day"),
                pl.lit("index" if read.days[name].indexed else None, pl.String).alias("unit"),
            )
        )
    # Rows that a mapping split share their source row and therefore its dates.
    return pl.concat(found).unique(maintain_order=True)
