"""The files beside the report: findings, the aggregate summary, and what is in quarantine."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

import polars as pl
from pyarrow.parquet import ParquetWriter

from audit.disclosure import Cell, Mark
from audit.figures import Group, RuleFigures
from audit.published import number_id, published
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
    "judged",
    "completeness_least",
    "id",
    "value",
)
_NUMBERS = SUMMARY_COLUMNS[4:-2]

SUPPRESSED = "suppressed"
"""Stands in `summary.csv` for what is hidden to protect a small count elsewhere."""

FINDINGS_A_BATCH = 100_000
FINDINGS = """
    from findings
    where rule_id = $rule_id and verdict <> 'not_applicable'
    order by subject_id
"""
_REPEATED = ["rule_id", "site_id", "verdict", "reason"]
"""Columns with few values; looking for such in the others costs more than it saves."""

# A spreadsheet runs a cell that begins with one of these, full-width forms included, as a formula.
_FORMULA = r"^(\s*[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]|[\t\r])"


def write_outputs(
    con: Connection, figures: Iterable[RuleFigures], folder: Path, threshold: int
) -> None:
    """Writes the summary and what is in quarantine, readable by their owner alone.

    Args:
        con: the audit's database.
        figures: those of the rules, as the pages print them.
        folder: an existing folder, with the finished pages in `report/`.
        threshold: counts of people from 1 to one below it are hidden in the summary.
    """
    pages = published(sorted((folder / "report").rglob("*.html")))
    rows = summary(figures, threshold, pages)
    write_csv(rows, folder / "summary.csv")
    with private_file(folder / "summary.parquet") as file:
        machine_readable(rows).write_parquet(file)
    write_csv(con.sql("from quarantine order by all").pl(), folder / "quarantine.csv")


def write_findings(con: Connection, path: Path) -> None:
    """Writes the findings as Parquet, readable by their owner alone, by rule and subject.

    A rule after the other and a batch at a time: a national registry's findings do not fit into
    memory beside the database. Who is not concerned has no row, which means the same, and would be
    most of the file.

    Args:
        con: the audit's database; it may be read elsewhere meanwhile, in another thread too.
        path: the file; there is none yet.
    """
    with con.cursor() as own, private_file(path) as file:
        rules = own.sql("select distinct rule_id from findings order by rule_id").fetchall()
        schema = own.sql("from findings limit 0").to_arrow_table().schema
        with ParquetWriter(file, schema, use_dictionary=_REPEATED) as writer:
            for (rule_id,) in rules:
                found = own.sql(FINDINGS, params={"rule_id": rule_id})
                for batch in found.to_arrow_reader(FINDINGS_A_BATCH):
                    writer.write_batch(batch)


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


def summary(
    figures: Iterable[RuleFigures], threshold: int, pages: Mapping[str, str]
) -> pl.DataFrame:
    """The counts, rate, interval and bounds of each rule by group, and all else the pages print.

    A small count reads `<10`, whatever else may not be shown `suppressed`; a rate of nothing is
    empty, that of a gated site `stream-not-linked`. Every column is text. The same figures as on
    the page are hidden.

    The id of a number in a group's row is that of the row, a slash and the column's name. Any other
    number has a row of its own: its `id`, and itself as `value`.

    Args:
        figures: those of the rules.
        threshold: counts from 1 to one below it are hidden.
        pages: the numbers of the pages by id.
    """
    rows = [
        _row(rule, group, threshold)
        for rule in sorted(figures, key=lambda rule: rule.rule_id)
        for group in (rule.registry, *rule.sites, *rule.periods)
    ]
    in_rows = {f"{row['id']}/{name}" for row in rows for name in _NUMBERS}
    others = [_other(id_, pages[id_]) for id_ in sorted(pages.keys() - in_rows)]
    return pl.DataFrame(rows + others, schema=dict.fromkeys(SUMMARY_COLUMNS, pl.String))


def machine_readable(rows: pl.DataFrame) -> pl.DataFrame:
    """The summary with a row a number: under its id, as a number, and as it is shown.

    Takes the rows of `summary`. `value` is null where the number is hidden or where there is none;
    `shown` then says why.
    """
    of = ["id", "rule_id", "level", "group_id", "group_name"]
    alone = pl.col("value").is_not_null()
    groups = rows.filter(~alone).unpivot(
        _NUMBERS, index=of, variable_name="measure", value_name="shown"
    )
    others = rows.filter(alone).select(*of, measure=pl.lit("value"), shown=pl.col("value"))
    return pl.concat(
        [groups.with_columns(id=pl.format("{}/{}", "id", "measure")), others]
    ).with_columns(value=pl.col("shown").cast(pl.Float64, strict=False))


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
        "judged": _judged(group),
        "completeness_least": _share(rate.completeness_least, ""),
        "id": number_id(rule.rule_id, group.level, group.id),
    }


def _other(id_: str, value: str) -> dict[str, str]:
    of, *what = (unquote(part) for part in id_.split("/"))
    return {
        "rule_id": of,
        "level": "number",
        "group_id": "/".join(what),
        "id": id_,
        "value": value,
    }


def _count(cell: Cell, threshold: int) -> str:
    if cell.mark is Mark.SMALL:
        return f"<{threshold}"
    return SUPPRESSED if cell.value is None else str(cell.value)


def _judged(group: Group) -> str:
    met, unmet = (group.cells[name].value for name in ("conformant", "non_conformant"))
    if met is None or unmet is None:
        return SUPPRESSED
    return str(met + unmet)


def _share(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:.6f}"
