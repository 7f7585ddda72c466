"""DuckDB: open, lock down, load, and build sql/ in order."""

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

import duckdb
import polars as pl
import sqlglot
from sqlglot import exp

from audit.resources import read_once, root

MEMORY = "4GB"
"""What DuckDB may hold in memory before it spills to its scratch folder."""

_WORTH_SWAPPING = 1_000_000
"""Rows from which on it pays to choose the smaller side of a join anew."""

_CREATES = re.compile(r"^create or replace (?:temp )?(?:table|view) (?P<name>\w+)", re.MULTILINE)

Connection = duckdb.DuckDBPyConnection


def open_database(path: Path | None, scratch: Path) -> Connection:
    """Opens a database that neither loads extensions nor reaches out.

    Args:
        path: the file to create; None keeps the database in memory.
        scratch: an existing private folder for what does not fit into memory.
    """
    con = duckdb.connect(
        str(path) if path else ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "memory_limit": MEMORY,
            "preserve_insertion_order": "false",
            "temp_directory": str(scratch),
        },
    )
    without_progress_bar(con)
    return con


def without_progress_bar(con: Connection) -> None:
    """Keeps DuckDB from drawing over what is printed.

    Only where it would: in a notebook without ipywidgets the setting can't even be turned off.
    """
    (drawn,) = con.sql("select current_setting('enable_progress_bar')").fetchall()[0]
    if drawn:
        con.execute("set enable_progress_bar = false")


def plan_simply(con: Connection, largest: int) -> None:
    """Keeps the planner from swapping the sides of joins where that saves nothing.

    DuckDB 2.0.0 can end with an internal error where a swapped join builds on the dictionary of a
    small one (its issue 24807).

    Args:
        con: a database that is not locked down yet.
        largest: rows of the largest table of the extract.
    """
    if largest < _WORTH_SWAPPING:
        con.execute("set disabled_optimizers = 'build_side_probe_side'")


def lock_down(con: Connection) -> None:
    """Takes files and the network away from every later statement: rules see tables alone."""
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")


def run_sql(con: Connection, sql: str, values: Mapping[str, object]) -> None:
    """Runs every statement, each with the values that it asks for by `$name`.

    Raises:
        KeyError: a statement asks for a value that is not there.
    """
    for statement in _statements(sql):
        _run(con, statement, values)


@lru_cache(maxsize=1024)
def _statements(sql: str) -> tuple[duckdb.Statement, ...]:
    """A text cut into statements, which any connection can run: many are run for every rule."""
    return tuple(_parser().extract_statements(sql))


@cache
def _parser() -> Connection:
    """A connection that cuts texts and runs none of them."""
    return duckdb.connect()


def _run(con: Connection, statement: duckdb.Statement, values: Mapping[str, object]) -> None:
    con.execute(statement, {name: values[name] for name in statement.named_parameters})


def build(
    con: Connection,
    layer: str,
    values: Mapping[str, object],
    wanted: frozenset[str] | None = None,
) -> None:
    """Runs the files of a folder of sql/ in the order of their names.

    Args:
        con: the database.
        layer: the folder.
        values: what statements may ask for by `$name`.
        wanted: the tables and views to create; None creates all.
    """
    for path in sorted((root("sql") / layer).glob("*.sql")):
        for statement in _statements(path.read_text(encoding="utf-8")):
            if wanted is None or _created(statement.query) in wanted:
                _run(con, statement, values)


def _created(statement: str) -> str | None:
    found = _CREATES.search(statement)
    return found and found["name"]


def store(con: Connection, name: str, frame: pl.DataFrame) -> None:
    """Stores a frame as a new table of the same columns."""
    con.from_arrow(frame.to_arrow()).create(name)


def store_tightly(con: Connection, table: str, column: str) -> None:
    """Has a text column of an empty table stored with zstd; it becomes the last column.

    For long texts: a quarter of the room, and half the time of what DuckDB would choose. SQLGlot
    does not read these words, so they do not stand in sql/.
    """
    con.execute(f"alter table {table} drop column {column}")
    con.execute(f"alter table {table} add column {column} varchar using compression zstd")


def lay_beside(con: Connection, name: str, frame: pl.DataFrame) -> None:
    """Shows a frame as a table of this connection alone, in place of an earlier one."""
    con.register(name, frame.to_arrow())


def load_parquet(con: Connection, name: str, path: Path) -> None:
    """Loads a typed Parquet file as a new table of the same columns."""
    con.read_parquet(str(path)).create(name)


def tables_behind(texts: Iterable[str]) -> frozenset[str]:
    """The tables that statements read, themselves or through shared facts, and these facts.

    Args:
        texts: SQL over tables of the extract, of staging and of facts.
    """
    makers = _makers()
    seen: set[str] = set()
    waiting = {name for sql in texts for name in tables_asked(sql)}
    while waiting:
        table = waiting.pop()
        if table not in seen:
            seen.add(table)
            waiting |= makers.get(table, frozenset())
    return frozenset(seen)


@read_once
def _makers() -> dict[str, frozenset[str]]:
    makers: dict[str, frozenset[str]] = {}
    for layer in ("staging", "facts"):
        for path in (root("sql") / layer).glob("*.sql"):
            for statement in sqlglot.parse(path.read_text(encoding="utf-8"), read="duckdb"):
                if isinstance(statement, exp.Create):
                    makers[statement.this.name] = frozenset(tables_named(statement.expression))
    return makers


@cache
def tables_asked(sql: str) -> frozenset[str]:
    """The tables that the statements of a text read or write."""
    statements = [s for s in sqlglot.parse(sql, read="duckdb") if s is not None]
    return frozenset(name for statement in statements for name in tables_named(statement))


def tables_named(select: exp.Expr) -> set[str]:
    """The tables that a statement reads, without its own common table expressions."""
    local = {cte.alias for cte in select.find_all(exp.CTE)}
    return {table.name for table in select.find_all(exp.Table)} - local
