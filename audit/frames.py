"""An extract that is in memory already, written as files for the pipeline to read."""

from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Protocol

import polars as pl

from audit.errors import UsageError
from audit.extract.contract import tables
from audit.warehouse import Connection


class ArrowStream(Protocol):
    """A frame of whatever library that hands itself over through Arrow: pandas, PyArrow, DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The frame as a capsule with an Arrow stream."""


def write_frames(
    frames: "Mapping[str, pl.DataFrame | pl.LazyFrame | ArrowStream]", folder: Path
) -> Path:
    """Writes a frame a table as Parquet.

    Args:
        frames: Polars, pandas or Arrow frames under the contract's table names.
        folder: a new folder.

    Returns:
        The folder.

    Raises:
        UsageError: a name that no table has, or something that is no frame.
    """
    folder.mkdir(parents=True)
    for name, frame in frames.items():
        if name not in tables():
            raise UsageError(
                f"there is no table {name!r} in an extract", f"name one of: {', '.join(tables())}"
            )
        _polars(name, frame).write_parquet(folder / f"{name}.parquet")
    return folder


def write_tables(con: Connection, folder: Path) -> Path:
    """Writes the contract's tables that a DuckDB connection shows, as Parquet.

    Raises:
        UsageError: it shows none of them.
    """
    shown = {name for (name,) in con.execute("select table_name from duckdb_tables()").fetchall()}
    shown |= {name for (name,) in con.execute("select view_name from duckdb_views()").fetchall()}
    found = [name for name in tables() if name in shown]
    if not found:
        raise UsageError(
            "the DuckDB connection shows no table of an extract",
            f"create tables or views named {', '.join(tables())}",
        )
    return write_frames({name: con.table(name).pl() for name in found}, folder)


def _polars(name: str, given: "pl.DataFrame | pl.LazyFrame | ArrowStream") -> pl.DataFrame:
    """The frame as Polars has it; days are days, also where pandas holds them as midnight."""
    if isinstance(given, pl.LazyFrame):
        frame = given.collect()
    elif isinstance(given, pl.DataFrame):
        frame = given
    elif hasattr(given, "__arrow_c_stream__"):
        frame = pl.DataFrame(given)
    else:
        raise UsageError(
            f"table {name!r} is a {type(given).__name__}", "give a Polars, pandas or Arrow frame"
        )
    moments = frame.select(pl.selectors.datetime()).columns
    midnight = [c for c in moments if (frame[c].dt.time() == time(0)).all()]
    return frame.with_columns(pl.col(midnight).dt.date()) if midnight else frame
