"""The files beside the report: findings, the aggregate summary, and what is in quarantine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import polars as pl
from pyarrow.parquet import ParquetWriter

from audit.disclosure import Cell, Mark
from audit.figures import Group, RuleFigures, Tables, all_figures
from audit.resources import root
from audit.verdicts import VERDICTS
from audit.warehouse import Connection

SUMMARY_COLUMNS = (
    "rule_id",
    "level",
    "group_id",
    "group_name",
    "population",
    *VERDICTS,
    "completeness",
    "rate",
    "wilson_low",
    "wilson_high",
    "bound_low",
    "bound_high",
)

SUPPRESSED = "suppressed"
"""Stands in `summary.csv` for what is hidden to protect a small count elsewhere."""

FINDINGS_A_BATCH = 100_000
# Who is not concerned has no row, which means the same, and would be most of the file.
FINDINGS = "from findings where verdict <> 'not_applicable' order by rule_id, subject_id"

# A spreadsheet runs a cell that begins with one of these, full-width forms included, as a formula.
_FORMULA = r"^(\s*[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]|[\t\r])"


def write_outputs(con: Connection, tables: Tables, folder: Path, threshold: int) -> None:
    """Writes findings.parquet, summary.csv and quarantine.csv, readable by their owner alone.

    Args:
        con: the audit's database.
        tables: its result tables.
        folder: an existing folder.
        threshold: counts of people from 1 to one below it are hidden in the summary.
    """
    # A batch at a time: a national registry's findings do not fit into memory beside the database.
    batches = con.sql(FINDINGS).to_arrow_reader(FINDINGS_A_BATCH)
    with (
        private_file(folder / "findings.parquet") as file,
        ParquetWriter(file, batches.schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
    write_csv(summary(tables, threshold), folder / "summary.csv")
    write_csv(con.sql("from quarantine order by all").pl(), folder / "quarantine.csv")


def write_quality_list(con: Connection, path: Path) -> None:
    """Writes the rows that break an expectation of data quality: patient level, private."""
    statement = (root("sql") / "results" / "quality_list.sql").read_text(encoding="utf-8")
    write_csv(con.sql(statement).pl(), path)


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a new file that only its owner can read, from the first byte on.

    Raises:
        FileExistsError: there is such a file already.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Writes a private CSV whose text no spreadsheet takes for a formula."""
    with private_file(path) as file:
        formula_safe(frame).write_csv(file)


def formula_safe(frame: pl.DataFrame) -> pl.DataFrame:
    """Puts an apostrophe before every text that a spreadsheet would run as a formula."""
    text = pl.col(pl.String)
    return frame.with_columns(
        pl.when(text.str.contains(_FORMULA)).then(pl.lit("'") + text).otherwise(text).name.keep()
    )


def summary(tables: Tables, threshold: int) -> pl.DataFrame:
    """The counts, rate, interval and bounds of each rule in the registry, by site and by year.

    A small count reads `<10`, whatever else may not be shown `suppressed`; a rate of nothing is
    empty, that of a gated site `stream-not-linked`. Every column is text. The same figures as on
    the page are hidden.
    """
    rule_ids = pl.concat([tables["rates"]["rule_id"], tables["attrition"]["rule_id"]])
    figures = all_figures(tables, rule_ids.unique().sort().to_list(), threshold)
    rows = [
        _row(rule, group, threshold)
        for rule in figures.values()
        for group in (rule.registry, *rule.sites, *rule.years)
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(SUMMARY_COLUMNS, pl.String))


def _row(rule: RuleFigures, group: Group, threshold: int) -> dict[str, str]:
    counts = {name: _count(group.cells[name], threshold) for name in ("population", *VERDICTS)}
    rate = group.rate
    interval, bounds = rate.interval or (None, None), rate.bounds or (None, None)
    nothing = {"none-judged": "", "stream-not-linked": rate.why}.get(rate.why, SUPPRESSED)
    measures = dict(
        zip(
            ("rate", "wilson_low", "wilson_high", "bound_low", "bound_high"),
            (_share(value, nothing) for value in (rate.share, *interval, *bounds)),
            strict=True,
        )
    )
    empty = group.cells["population"].value == 0
    return {
        "rule_id": rule.rule_id,
        "level": group.level,
        "group_id": group.id,
        "group_name": group.name,
        **counts,
        "completeness": _share(rate.completeness, "" if empty else SUPPRESSED),
        **measures,
    }


def _count(cell: Cell, threshold: int) -> str:
    if cell.mark is Mark.SMALL:
        return f"<{threshold}"
    return SUPPRESSED if cell.value is None else str(cell.value)


def _share(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:.6f}"
