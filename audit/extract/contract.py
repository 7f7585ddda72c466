"""The contract's tables and columns, as sql/schema/extract.yaml describes them."""

from dataclasses import dataclass
from typing import Any

import polars as pl
import yaml

from audit.resources import read_once, root

TYPES = {
    "text": pl.String(),
    "date": pl.Date(),
    "number": pl.Float64(),
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
}


@dataclass(frozen=True)
class Column:
    """One column: its type, what a cell may hold, and what it points at.

    `not_before` names the column of the same row that it may not precede, `otherwise` the reason
    given when it does. `bounds_observation` marks a date that says how far the record reaches
    rather than what happened: it may lie after the cut-off.
    """

    name: str
    type: str
    required: bool = False
    key: bool = False
    filled: bool = False
    to: str | None = None
    values: tuple[str, ...] = ()
    several: bool = False
    low: float | None = None
    high: float | None = None
    above: float | None = None
    not_before: str | None = None
    otherwise: str | None = None
    bounds_observation: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the extract, its columns in the contract's order."""

    name: str
    required: bool
    columns: dict[str, Column]

    @property
    def key(self) -> str | None:
        """The column that is unique within the table, if there is one."""
        return next((column.name for column in self.columns.values() if column.key), None)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Row number and contract columns with the types a loaded table has."""
        typed = {column.name: TYPES[column.type] for column in self.columns.values()}
        return {"row_number": pl.Int64(), **typed}


@read_once
def tables() -> dict[str, Table]:
    """Every table of the contract by name, in the order of the file."""
    text = (root("sql") / "schema" / "extract.yaml").read_text("utf-8")
    described = yaml.load(text, Loader=yaml.CSafeLoader)
    return {name: _table(name, entry) for name, entry in described.items()}


def _table(name: str, entry: dict[str, Any]) -> Table:
    columns = {
        column: Column(name=column, **{**says, "values": tuple(says.get("values", ()))})
        for column, says in entry["columns"].items()
    }
    return Table(name, entry.get("required", False), columns)
