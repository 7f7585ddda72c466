"""Shows the pipeline's open DuckDB connection to SQLAlchemy, and so to Great Expectations.

DuckDB lets nobody open a file a second time while it is written, so there is no other connection to
give; and a result is gone once the connection runs the next statement, so rows are fetched at once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGIdentifierPreparer, PGTypeCompiler
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.engine.interfaces import DBAPIModule, ReflectedColumn

from audit.warehouse import Connection

SCHEME = "guidelineaudit"

ROWS_FETCHED = 1000
"""Rows of a result that are kept: Great Expectations shows 200 at most, and counts in SQL."""

_open: dict[str, Connection] = {}

_TYPES: dict[str, type[sa.types.TypeEngine[Any]]] = {
    "BIGINT": sa.BigInteger,
    "BOOLEAN": sa.Boolean,
    "DATE": sa.Date,
    "DOUBLE": sa.Double,
    "INTEGER": sa.Integer,
    "VARCHAR": sa.String,
}


@contextmanager
def shown(con: Connection) -> Iterator[str]:
    """Gives a SQLAlchemy URL under which `con` answers until the block ends; it stays open."""
    key = f"c{id(con):x}"
    _open[key] = con
    try:
        yield f"{SCHEME}://{key}"
    finally:
        del _open[key]


class _Cursor:
    """What SQLAlchemy needs of a cursor, over rows that have been fetched already."""

    arraysize = 1
    lastrowid = None

    def __init__(self, con: Connection) -> None:
        self._con = con
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        result = self._con.execute(statement, list(parameters))
        self.description = [tuple(column) for column in result.description or []]
        self._rows = result.fetchmany(ROWS_FETCHED)[::-1]
        self.rowcount = len(self._rows)

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        return [self._rows.pop() for _ in range(min(size or self.arraysize, len(self._rows)))]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.fetchmany(len(self._rows)) if self._rows else []

    def close(self) -> None:
        self._rows = []


class _Connection:
    """The open connection as a DB-API one whose transactions are the pipeline's own affair."""

    def __init__(self, key: str) -> None:
        self._con = _open[key]

    def cursor(self) -> _Cursor:
        return _Cursor(self._con)

    def commit(self) -> None:
        pass

    def rollback(self) -> None:
        pass

    def close(self) -> None:
        pass


class Dialect(DefaultDialect):
    """DuckDB as SQLAlchemy sees it: PostgreSQL's grammar, tables found in information_schema."""

    name = "duckdb"
    driver = "audit"
    paramstyle = "qmark"
    default_paramstyle = "qmark"
    supports_statement_cache = False
    supports_native_boolean = True
    statement_compiler = PGCompiler
    type_compiler_cls = PGTypeCompiler
    preparer = PGIdentifierPreparer

    @classmethod
    def import_dbapi(cls) -> DBAPIModule:
        """What SQLAlchemy takes for a driver's module."""
        driver = SimpleNamespace(paramstyle="qmark", connect=_Connection, Error=duckdb.Error)
        return cast(DBAPIModule, driver)

    def create_connect_args(self, url: sa.URL) -> tuple[list[Any], dict[str, Any]]:
        """The connection's key is the URL's host."""
        return [url.host], {}

    def initialize(self, connection: sa.Connection) -> None:
        """There is no server to ask about itself."""
        self.default_schema_name = "main"

    def has_table(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: object
    ) -> bool:
        """Whether there is a table or view of this name."""
        return bool(self._columns(connection, table_name))

    def get_columns(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: object
    ) -> list[ReflectedColumn]:
        """Names and types of a table's columns."""
        return [
            {"name": name, "type": _TYPES.get(kind, sa.String)(), "nullable": True, "default": None}
            for name, kind in self._columns(connection, table_name)
        ]

    def get_schema_names(self, connection: sa.Connection, **_: object) -> list[str]:
        """The one schema."""
        return ["main"]

    def _columns(self, connection: sa.Connection, table: str) -> list[tuple[str, str]]:
        statement = (
            "select column_name, data_type from information_schema.columns "
            "where table_name = ? order by ordinal_position"
        )
        found = connection.exec_driver_sql(statement, (table,)).all()
        return [(str(name), str(kind)) for name, kind in found]


registry.register(SCHEME, __name__, "Dialect")
