"""What earlier runs found of each expectation, carried from audit to audit."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from audit.warehouse import Connection


def store_quality_history(con: Connection, run: Mapping[str, Any]) -> None:
    """Adds what this run found to `quality_history`.

    Args:
        con: the audit's database, with `quality_checks`, and the history of earlier runs.
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
    con.from_arrow(now.to_arrow()).insert_into("quality_history")
