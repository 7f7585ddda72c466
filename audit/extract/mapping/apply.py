"""A source mapping at work: source files to raw tables with the contract's columns as text.

Nothing is judged here. What a rule can't turn into the contract's terms stays as the source wrote
it, and is quarantined when the cells are typed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from audit.extract.cells import MISSING, as_found
from audit.extract.contract import Table, tables
from audit.extract.files import NUMBER, ROW, Place, Staged, stage
from audit.extract.mapping.lines import Path_
from audit.extract.mapping.model import PerPatient, Rule, Source, SourceMapping, Split
from audit.extract.raw import Raw

_INDEX_YEAR = "§year"
_SEPARATED = "\x1f"
# A century either way: any larger offset is a slip, and stays text so that it is quarantined.
_FARTHEST_DAYS = 36_525
_RECORD = "§record."


def mapped_tables(
    source: Path, mapping: SourceMapping, staging: Path, log: Callable[[str], None]
) -> tuple[dict[str, Raw], list[Path]]:
    """The contract tables that the mapping gives, and the files they were read from.

    Raises:
        ExtractRefused: a file or a source column that the mapping names is missing.
    """
    shelf = _Shelf(source, mapping, staging)
    raws = {
        name: _table(tables()[name], sources, shelf, log)
        for name, sources in mapping.tables.items()
    }
    unread = sorted({path.name for path in source.iterdir()} - {path.name for path in shelf.read})
    if unread:
        log(f"not named by the mapping, ignored: {', '.join(unread)}")
    return raws, sorted(shelf.read)


@dataclass
class _Shelf:
    """The source's files, each staged once however many tables it serves."""

    source: Path
    mapping: SourceMapping
    staging: Path
    read: dict[Path, Staged] = field(default_factory=dict)

    def files(self, pattern: str, path: Path_) -> list[Staged]:
        """Every file of the pattern, in the order of their names."""
        inside = pattern and not Path(pattern).is_absolute()
        found = sorted(self.source.glob(pattern)) if inside else []
        found = [file for file in found if file.is_file()]
        if not found:
            raise self.mapping.refused(
                path,
                f"there is no file {pattern} in {self.source}",
                "correct the name, or add the file to the folder",
            )
        return [self._staged(file) for file in found]

    def _staged(self, file: Path) -> Staged:
        if file not in self.read:
            scratch = self.staging / f"source_{len(self.read)}"
            staged = stage(Place(file), self.mapping.style.format, scratch)
            self.read[file] = staged
        return self.read[file]

    def text(self, staged: Staged, name: str, path: Path_) -> pl.Expr:
        """A source column as trimmed text, sentinels and all."""
        column = staged.folded.get(name.strip().casefold())
        if column is None:
            raise self.mapping.refused(
                path,
                f"{staged.file} has no column {name}",
                f"its columns are {', '.join(staged.headers)}",
            )
        dtype = staged.frame.collect_schema()[column]
        return as_found(column, dtype).str.strip_chars()

    def filled(self, staged: Staged, name: str, path: Path_) -> pl.Expr:
        """The same, null where the source says that the value is missing."""
        text = self.text(staged, name, path)
        missing = [*MISSING, *(sentinel.casefold() for sentinel in self.mapping.sentinels)]
        return pl.when(~text.str.to_lowercase().is_in(missing)).then(text)

    def years(self) -> pl.LazyFrame:
        """Patient and _INDEX_YEAR (text), one row a patient."""
        index = self.mapping.index
        if index is None:
            return pl.LazyFrame(schema={"patient": pl.String, _INDEX_YEAR: pl.String})
        found = pl.concat(
            staged.frame.select(
                self.filled(staged, index.patient, ("index", "patient")).alias("patient"),
                self.filled(staged, index.year, ("index", "year")).alias(_INDEX_YEAR),
            )
            for staged in self.files(index.file, ("index", "file"))
        ).unique()
        # Two years for one patient are no year: the text says so, and types as no date.
        return (
            found.drop_nulls().group_by("patient").agg(pl.col(_INDEX_YEAR).sort().str.join(" or "))
        )

    def latest(self, origins: tuple[PerPatient, ...], path: Path_) -> pl.LazyFrame:
        """Patient and the largest offset (text); one that is no number outranks all numbers."""
        rows = [
            staged.frame.select(
                self.filled(staged, origin.patient, (*path, at, "patient")).alias("patient"),
                self.filled(staged, origin.column, (*path, at, "column")).alias("text"),
            )
            for at, origin in enumerate(origins)
            for staged in self.files(origin.file, (*path, at, "file"))
        ]
        offset = pl.col("text").cast(pl.Int64, strict=False)
        no_number = pl.col("text").filter(offset.is_null() & pl.col("text").is_not_null()).first()
        return (
            pl.concat(rows)
            .group_by("patient")
            .agg(pl.coalesce(no_number, offset.max().cast(pl.String)).alias("latest"))
        )


def _table(
    table: Table, sources: tuple[Source, ...], shelf: _Shelf, log: Callable[[str], None]
) -> Raw:
    frames: list[pl.DataFrame] = []
    # Files may spell one header in several cases; a warehouse table has one column for it.
    spelt: dict[str, str] = {}
    files: list[tuple[int, str]] = []
    before = 0
    for at, source in enumerate(sources):
        path: Path_ = ("tables", table.name, at)
        for staged in shelf.files(source.file, (*path, "file")):
            rows = _rows(table, source, staged, shelf, path)
            kept = [name for name in rows.columns if name.startswith(_RECORD)]
            rows = rows.rename({name: spelt.setdefault(name.casefold(), name) for name in kept})
            frames.append(rows.with_columns(pl.col(NUMBER) + before))
            files.append((before, staged.file))
            read = staged.frame.select(pl.len()).collect(engine="streaming").item()
            log(f"{table.name}: {read:,} source rows in {staged.file} give {rows.height:,} rows")
            before += read
    whole = pl.concat(frames, how="diagonal")
    if len(files) > 1:
        log(
            f"{table.name}: row numbers run on through its files: "
            + ", ".join(f"{name} from {first + 1:,}" for first, name in files)
        )
    stored = shelf.staging / f"{table.name}.parquet"
    whole.write_parquet(stored, compression="lz4")
    record = {
        name.removeprefix(_RECORD): name for name in whole.columns if name.startswith(_RECORD)
    }
    taken = {*table.columns, "row_number"}
    return Raw(
        pl.scan_parquet(stored, row_index_name=ROW),
        {name: name for name in table.columns if name in whole.columns},
        {
            f"source_{header}" if header.casefold() in taken else header: column
            for header, column in record.items()
        },
        record,
        tuple(files),
        frozenset(n for source in sources for n, rule in source.columns.items() if rule.days_after),
        {
            column: f"§refused.{column}"
            for column in table.columns
            if f"§refused.{column}" in whole.columns
        },
    )


def _rows(table: Table, source: Source, staged: Staged, shelf: _Shelf, path: Path_) -> pl.DataFrame:
    """One file's rows: NUMBER, the contract's columns as text, and the source row whole."""
    frame = staged.frame
    for at, where in enumerate(source.where):
        text = shelf.text(staged, where.column, (*path, "where", at, "column"))
        if where.in_ is not None:
            frame = frame.filter(text.is_in(where.in_))
        else:
            frame = frame.filter(~text.is_in(where.not_in or ()).fill_null(False))
    schema = staged.frame.collect_schema()
    rows = frame.select(
        NUMBER,
        *(
            _origin(rule, staged, shelf, (*path, "columns", name)).alias(name)
            for name, rule in source.columns.items()
        ),
        *(
            as_found(name, schema[name]).alias(_RECORD + header)
            for header, name in staged.headers.items()
        ),
    )
    for name, rule in source.columns.items():
        if rule.latest_of:
            latest = shelf.latest(rule.latest_of, (*path, "columns", name, "latest_of"))
            rows = rows.join(latest, left_on="patient_id", right_on="patient", how="left")
            rows = rows.with_columns(pl.col("latest").alias(name)).drop("latest")
    counted = [name for name, rule in source.columns.items() if rule.days_after]
    if counted:
        rows = rows.join(shelf.years(), left_on="patient_id", right_on="patient", how="left")
        rows = rows.with_columns(_dated(name) for name in counted).drop(_INDEX_YEAR)
    for name, rule in source.columns.items():
        if rule.values is not None:
            rows = _translated(rows, name, rule)
    found = rows.sort(NUMBER).collect(engine="streaming")
    return _split(table, found, source.split) if source.split else found


def _origin(rule: Rule, staged: Staged, shelf: _Shelf, path: Path_) -> pl.Expr:
    if rule.column is not None:
        return shelf.filled(staged, rule.column, (*path, "column"))
    if rule.template is not None:
        parts: list[pl.Expr] = []
        for text, name in rule.parts:
            parts.append(pl.lit(text))
            if name is not None:
                parts.append(shelf.filled(staged, name, (*path, "template")))
        return pl.concat_str(parts)
    return pl.lit(rule.constant, pl.String)


def _dated(name: str) -> pl.Expr:
    """An offset in days from a year as the interval of days it can stand for."""
    text, said = pl.col(name), pl.col(_INDEX_YEAR)
    days = text.cast(pl.Int64, strict=False)
    days = pl.when(days.abs() <= _FARTHEST_DAYS).then(days)
    # Four digits only: anything else stays text, and is quarantined as no date.
    year = said.str.extract(r"^(\d{4})$", 1).cast(pl.Int32)
    first = pl.date(year, 1, 1) + pl.duration(days=days)
    last = pl.date(year, 12, 31) + pl.duration(days=days)
    return (
        pl.when(said.is_null() | text.is_null())
        .then(pl.lit(None, pl.String))
        .when(days.is_null())
        .then(text)
        .when(year.is_null())
        .then(pl.format("{} days after {}", text, said))
        .otherwise(pl.format("{}/{}", first, last))
        .alias(name)
    )


def _translated(rows: pl.LazyFrame, name: str, rule: Rule) -> pl.LazyFrame:
    """Source values to the contract's: the first pattern that fits; `*` stands for any text."""
    text = pl.col(name)
    unknown = text.is_not_null()
    value = pl.lit(None, pl.String) if rule.otherwise == "missing" else text
    for pattern, meaning in reversed((rule.values or {}).items()):
        fits = text.str.contains(_regex(pattern))
        value = pl.when(fits).then(pl.lit(meaning, pl.String)).otherwise(value)
        unknown &= ~fits
    translated = [value.alias(name)]
    if rule.otherwise == "quarantine":
        translated.append(unknown.alias(f"§refused.{name}"))
    return rows.with_columns(translated)


def _regex(pattern: str) -> str:
    return "(?is)^" + ".*".join(map(re.escape, pattern.strip().split("*"))) + "$"


def _split(table: Table, rows: pl.DataFrame, split: Split) -> pl.DataFrame:
    """A row for each part; their keys get a suffix, so that they stay unique."""
    parts = pl.col(split.column)
    for separator in split.on:
        parts = parts.str.replace_all(separator, _SEPARATED, literal=True)
    parts = parts.str.split(_SEPARATED).list.eval(pl.element().str.strip_chars())
    parts = parts.list.eval(pl.element().filter(pl.element() != ""))
    # Nothing named at all is one row still.
    parts = pl.when(parts.list.len() > 0).then(parts).otherwise(pl.lit([None], pl.List(pl.String)))
    count = pl.col(split.column).list.len()
    rows = rows.with_columns(parts.alias(split.column))
    rows = rows.with_columns(
        pl.int_ranges(1, count + 1).alias("§part"), (count > 1).alias("§several")
    ).explode(split.column, "§part")
    if table.key:
        suffixed = pl.format("{}-{}", table.key, "§part")
        rows = rows.with_columns(
            pl.when("§several").then(suffixed).otherwise(table.key).alias(table.key)
        )
    return rows.drop("§part", "§several")
