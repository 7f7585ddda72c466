"""A raw table with its cells typed, lazily, and what its cells alone say is wrong."""

from dataclasses import dataclass

import polars as pl

from audit.extract.cells import as_found, cell, needs_cleaning
from audit.extract.contract import Column, Table
from audit.extract.files import NUMBER, ROW
from audit.extract.raw import ROW_NUMBER, Raw


@dataclass(frozen=True)
class Day:
    """A date's first, middle and last possible day; an `indexed` one moves with the patient's."""

    first: pl.Expr
    middle: pl.Expr
    last: pl.Expr
    indexed: bool

    def before(self, other: "Day") -> pl.Expr:
        """Whether this day certainly precedes the other, whatever the two can stand for."""
        if self.indexed and other.indexed:
            return self.middle < other.middle
        return self.last < other.first


@dataclass(frozen=True)
class Flag:
    """Something that can be wrong with a row: the column at fault, a reason code, and where."""

    column: str
    reason: str
    holds: pl.Expr


@dataclass(frozen=True)
class Typed:
    """A typed table.

    Attributes:
        frame: ROW, row_number, the contract's columns, the extra columns as text, the possible
            days of imprecise dates, and the columns that `flags` look at.
        extras: names of the extra columns.
        days: every date column of the contract.
        imprecise: the date columns whose first and last day may differ, with these two columns.
        flags: cells that can't be typed and keys that are missing, in the order they are judged.
    """

    frame: pl.LazyFrame
    extras: list[str]
    days: dict[str, Day]
    imprecise: dict[str, tuple[str, str]]
    flags: list[Flag]


def typed(table: Table, raw: Raw) -> Typed:
    """The raw table with every cell read as the contract's type; nothing is computed yet."""
    schema = raw.frame.collect_schema()
    clean = _clean(table, raw, schema)
    before: list[pl.Expr] = []
    columns: list[pl.Expr] = []
    days: dict[str, Day] = {}
    imprecise: dict[str, tuple[str, str]] = {}
    untyped: list[Flag] = []
    for name, column in table.columns.items():
        source = raw.columns.get(name)
        read = cell(
            column,
            source,
            schema[source] if source else pl.Null(),
            clean=name in clean,
            interval=name in raw.indexed,
        )
        if read.read is not None:
            before.append(read.read)
        columns.append(read.value.alias(name))
        problems = list(read.problems)
        if name in raw.refused:
            problems.insert(0, ("not-in-mapping", pl.col(raw.refused[name])))
        for at, (reason, holds) in enumerate(problems):
            flag = f"§{name}.{at}"
            columns.append(holds.alias(flag))
            untyped.append(Flag(name, reason, pl.col(flag)))
        first = last = name
        if read.first is not None and read.last is not None:
            first, last = f"§{name}.first", f"§{name}.last"
            columns += [read.first.alias(first), read.last.alias(last)]
            imprecise[name] = (first, last)
        if column.type == "date":
            days[name] = Day(pl.col(first), pl.col(name), pl.col(last), name in raw.indexed)
    extras = [as_found(source, schema[source]).alias(name) for name, source in raw.extras.items()]
    frame = raw.frame.with_columns(before)
    frame = frame.select(ROW, pl.col(NUMBER).alias(ROW_NUMBER), *columns, *extras)
    missing = [
        Flag(name, "missing-key", pl.col(name).is_null())
        for name, column in table.columns.items()
        if column.key or column.filled
    ]
    return Typed(frame, list(raw.extras), days, imprecise, untyped + missing)


def _clean(table: Table, raw: Raw, schema: pl.Schema) -> set[str]:
    """Text columns that are as the cell rules would make them: their cells can pass untouched."""
    texts: dict[str, Column] = {
        source: table.columns[name]
        for name, source in raw.columns.items()
        if table.columns[name].type == "text" and schema[source] == pl.String
    }
    if not texts:
        return set()
    checks = [needs_cleaning(column, source).alias(column.name) for source, column in texts.items()]
    unclean = raw.frame.select(checks).collect(engine="streaming").row(0, named=True)
    return {name for name, dirty in unclean.items() if not dirty}
