"""What earlier runs found of each expectation, carried from audit to audit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from audit.errors import UsageError
from audit.warehouse import Connection, store

HISTORY = {
    "run_id": pl.String(),
    "created_at": pl.String(),
    "check_id": pl.String(),
    "rows_unexpected": pl.Int64(),
    "rows_checked": pl.Int64(),
}


def earlier_history(out: Path) -> pl.DataFrame:
    """The history that the audit in `out` holds; empty where there is none.

    Raises:
        UsageError: the audit's database is open in another program, and its history would be lost.
    """
    database = out / "audit.duckdb"
    nothing = pl.DataFrame(schema=HISTORY)
    if not database.is_file():
        return nothing
    try:
        with duckdb.connect(str(database), read_only=True) as con:
            history: pl.DataFrame = con.table("quality_history").order("all").pl()
            return history
    except duckdb.CatalogException:
        return nothing  # an audit from before there was a history
    except duckdb.IOException as error:
        if "lock" not in str(error):
            return nothing  # damaged, and about to be replaced
        raise UsageError(
            f"{database} is open in another program", "close it there, and run the audit again"
        ) from error


def store_history(con: Connection, earlier: pl.DataFrame, run: Mapping[str, Any]) -> None:
    """Stores `quality_history`: what earlier runs found, and this one.

    Args:
        con: the audit's database, with `quality_checks`.
        earlier: the history so far.
        run: the manifest, with run_id and created_at.
    """
    checks = con.table("quality_checks").order("check_id").pl()
    now = checks.select(
        pl.lit(run["run_id"]).alias("run_id"),
        pl.lit(run["created_at"]).alias("created_at"),
        "check_id",
        "rows_unexpected",
        "rows_checked",
    )
    store(con, "quality_history", pl.concat([earlier, now]))
