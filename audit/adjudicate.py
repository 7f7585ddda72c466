"""Takes the reviewers' answers to a worklist and keeps them for later audits in the same folder."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl

from audit.errors import UsageError
from audit.publish import locked
from audit.statistics import rate

ANSWERS = {
    "care-as-recommended": "counts as excepted: other notes show what the record does not",
    "accepted-reason": "counts as excepted: a reason that the record does not hold is accepted",
    "not-met": "confirmed; the verdict stays",
    "unclear": "the verdict stays",
}
"""What a reviewer can answer, and what later audits make of it."""

COLUMNS = (
    "rule_id",
    "subject_id",
    "evidence_hash",
    "answer",
    "reason",
    "reviewer",
    "reviewed_on",
    "evidence",
)
_CASE = COLUMNS[:3]
_BY_REVIEWER = COLUMNS[3:]
_FILLED = (*_CASE, "reason", "reviewer", "evidence")
_APOSTROPHE = r"^'([\s]*[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}\t\r])"


@dataclass(frozen=True)
class Taken:
    """How many answers of each kind were kept, and how many rest on evidence that has changed."""

    kept: Counter[str]
    expired: int


def adjudicate(out: Path, file: Path) -> Taken:
    """Keeps the answers of a worklist in the audit's database; they count from the next run on.

    Args:
        out: the audit's folder.
        file: a worklist as CSV with COLUMNS among its columns; rows that no
            reviewer has written in are left.

    Returns:
        What was kept. An answer to a case whose evidence has changed since, or that is no case any
        more, is not.

    Raises:
        UsageError: `out` holds no audit of this release or is in use, or a row can't be taken: then
            none is.
    """
    if not (out / "audit.duckdb").is_file():
        raise UsageError(f"{out} holds no audit", "name the folder that the worklist came from")
    answers = _read(file)
    with locked(out.resolve()):
        try:
            with duckdb.connect(str(out / "audit.duckdb")) as con:
                return _keep(con, answers)
        except duckdb.CatalogException as error:
            raise UsageError(
                f"the audit in {out} is of an earlier release",
                "audit again, and answer the new worklist",
            ) from error
        except (duckdb.IOException, duckdb.TransactionException) as error:
            raise UsageError(
                f"{out / 'audit.duckdb'} can't be written",
                "free some disk space, close it in other programs, and make it writable",
            ) from error


def reviewed_rates(rates: pl.DataFrame) -> dict[str, dict[str, float | int | None]]:
    """The registry's rate of each rule before and after review, where an answer counts.

    Args:
        rates: the table `rates`; before review what is `adjudicated` counts as non-conformant.

    Returns:
        `adjudicated` (cases), `before` and `after` (shares, None where nothing was judged) by rule.
    """
    own = rates.filter((pl.col("level") == "registry") & (pl.col("adjudicated") > 0))
    return {
        row["rule_id"]: {
            "adjudicated": row["adjudicated"],
            "before": rate(row["conformant"], row["non_conformant"] + row["adjudicated"]),
            "after": rate(row["conformant"], row["non_conformant"]),
        }
        for row in own.sort("rule_id").to_dicts()
    }


def _keep(con: duckdb.DuckDBPyConnection, answers: pl.DataFrame) -> Taken:
    cases = con.table("case_hashes").pl()
    current = answers.join(cases, on=_CASE, how="semi")
    number = con.table("adjudications").pl().height
    run = con.table("runs").pl().height
    rows = current.with_row_index("answer_number", offset=number + 1).select(
        pl.col("answer_number").cast(pl.Int32), pl.lit(run, pl.Int32).alias("after_run"), *COLUMNS
    )
    con.from_arrow(rows.to_arrow()).insert_into("adjudications")
    con.execute("checkpoint")
    return Taken(Counter(current["answer"].to_list()), answers.height - current.height)


def _read(file: Path) -> pl.DataFrame:
    try:
        found = pl.read_csv(file, infer_schema=False).fill_null("")
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {file}", "name the answered worklist") from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(
            f"{file} can't be read as CSV", "save the worklist as CSV in UTF-8"
        ) from error
    lacking = [name for name in COLUMNS if name not in found.columns]
    if lacking:
        raise UsageError(
            f"{file} has no column {', '.join(lacking)}",
            "answer the worklist's own CSV, and leave its columns as they are",
        )
    cells = pl.all().str.replace(_APOSTROPHE, "$1").str.strip_chars()
    answered = (
        found.select(COLUMNS)
        .with_columns(cells)
        .with_row_index("row", offset=2)
        .filter(pl.any_horizontal(pl.col(_BY_REVIEWER) != ""))
    )
    cases: set[tuple[str, ...]] = set()
    for row in answered.to_dicts():
        _check(file, row)
        case = tuple(row[name] for name in _CASE)
        if case in cases:
            raise UsageError(
                f"{file}, row {row['row']} answers a case that an earlier row has answered",
                "leave one answer a case",
            )
        cases.add(case)
    return answered.drop("row").with_columns(pl.col("reviewed_on").str.to_date("%Y-%m-%d"))


def _check(file: Path, row: dict[str, str]) -> None:
    where = f"{file}, row {row['row']}"
    if row["answer"] not in ANSWERS:
        raise UsageError(
            f"{where}, column answer: {row['answer']!r} is no answer",
            f"write one of {', '.join(ANSWERS)}",
        )
    empty = [name for name in _FILLED if not row[name]]
    if empty:
        raise UsageError(
            f"{where}, column {empty[0]} is empty",
            "say why, who answers, and what the answer rests on",
        )
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", row["reviewed_on"]):
        raise UsageError(f"{where}, column reviewed_on is no date", "write it as YYYY-MM-DD")
    try:
        reviewed = date.fromisoformat(row["reviewed_on"])
    except ValueError as error:
        raise UsageError(
            f"{where}, column reviewed_on is no day of the calendar", "correct it"
        ) from error
    if reviewed > datetime.now(UTC).date():
        raise UsageError(f"{where}, column reviewed_on lies in the future", "correct it")
