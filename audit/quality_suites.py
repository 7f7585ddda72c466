"""The suites of `checks/quality/`: read, and checked before anything runs on them."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audit.errors import UsageError

Severity = Literal["block", "warn", "info"]

SQL_TYPE = "unexpected_rows_expectation"

_ROWS_WHERE = " from {batch} where "

_BROKEN_BY: Mapping[str, str] = {
    "expect_column_values_to_not_be_null": '"{column}" is null',
    "expect_column_values_to_be_between": '"{column}" < {min_value} or "{column}" > {max_value}',
    "expect_column_values_to_be_in_set": '"{column}" not in {value_set}',
    "expect_column_values_to_not_be_in_set": '"{column}" in {value_set}',
}
"""Which rows break an expectation on a column; every other check is a query of its own."""


class About(BaseModel):
    """What stands in an expectation's `meta`.

    Attributes:
        id: the name of the check, kept from release to release.
        severity: block ends the run, warn asks for a look before the rates are read, info is told.
        says: what is expected of the data, in a plain sentence.
        do: what an analyst should do about it.
        endangers: the rules whose verdicts it can bend, by number or id.
        looks_at: the relation it looks at instead of the suite's own table.
        column: the column at fault, where the expectation names none.
        needs: further tables without which it says nothing.
        source: where its numbers come from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    severity: Severity
    says: str = Field(min_length=1)
    do: str = Field(min_length=1)
    endangers: tuple[str, ...] = ()
    looks_at: str | None = None
    column: str | None = None
    needs: tuple[str, ...] = ()
    source: str | None = None


@dataclass(frozen=True)
class Check:
    """One expectation of one table's suite."""

    table: str
    about: About
    type: str
    kwargs: Mapping[str, Any]

    @property
    def relation(self) -> str:
        """The table or view whose rows it judges."""
        return self.about.looks_at or self.table

    @property
    def column(self) -> str | None:
        """The column at fault, where it is one."""
        named: str | None = self.kwargs.get("column", self.about.column)
        return named

    @property
    def configuration(self) -> dict[str, Any]:
        """The expectation in Great Expectations' own form."""
        return {"type": self.type, "kwargs": dict(self.kwargs), "meta": {"id": self.about.id}}

    @property
    def condition(self) -> str | None:
        """What a query asks of the rows it gives; None for an expectation on a column."""
        if self.type != SQL_TYPE:
            return None
        query: str = self.kwargs["unexpected_rows_query"]
        return query.partition(_ROWS_WHERE)[2]

    def rows_query(self, place: str) -> str:
        """Every row that breaks the expectation: Great Expectations caps its own lists.

        Args:
            place: the relation to look in.
        """
        if self.type == SQL_TYPE:
            query: str = self.kwargs["unexpected_rows_query"]
            return query.format(batch=place)
        broken = _BROKEN_BY[self.type].format(**{n: _written(v) for n, v in self.kwargs.items()})
        return f"from {place} where {broken}"


def _written(value: object) -> str:
    """A value as SQL has it; only the members of a set can be texts."""
    if not isinstance(value, list):
        return str(value)
    return f"({', '.join(_literal(member) for member in value)})"


def _literal(member: object) -> str:
    if isinstance(member, int | float):
        return str(member)
    quoted = str(member).replace("'", "''")
    return f"'{quoted}'"


def read_suites(folder: Path, tables: Collection[str], numbers: Mapping[str, str]) -> list[Check]:
    """Every check of every suite, in the order of the tables.

    Args:
        folder: holds a `TABLE.json` for each table that has expectations.
        tables: the tables of the extract, in order.
        numbers: the id of each rule by its number; `endangers` may name either.

    Raises:
        UsageError: a file that is no suite, or an expectation that lacks what it needs; the message
            names the file and the expectation.
    """
    strangers = sorted({path.stem for path in folder.glob("*.json")} - set(tables))
    if strangers:
        raise UsageError(
            f"{strangers[0]}.json: the extract has no table of that name",
            "name a suite after the table it is about",
        )
    checks: list[Check] = []
    for table in tables:
        path = folder / f"{table}.json"
        if path.is_file():
            checks += _suite(path, table, numbers)
    seen: set[str] = set()
    for check in checks:
        if check.about.id in seen:
            raise UsageError(
                f"{check.table}.json: a second expectation is called {check.about.id}",
                "give each expectation an id of its own",
            )
        seen.add(check.about.id)
    return checks


def _suite(path: Path, table: str, numbers: Mapping[str, str]) -> list[Check]:
    try:
        expectations: Sequence[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))[
            "expectations"
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path.name} is not a suite: {error}",
            "write it as Great Expectations does: a JSON object with `name` and `expectations`",
        ) from error
    return [_check(path.name, at, one, table, numbers) for at, one in enumerate(expectations, 1)]


def _check(
    file: str, at: int, written: Mapping[str, Any], table: str, numbers: Mapping[str, str]
) -> Check:
    meta = written.get("meta", {})
    place = f"{file}, expectation {at} ({meta.get('id', 'without id')})"
    try:
        about = About(**meta)
        named = tuple(numbers.get(rule, rule) for rule in about.endangers)
        about = about.model_copy(update={"endangers": named})
        check = Check(table, about, written["type"], written["kwargs"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{place}: meta.{where}: {first['msg']}",
            "meta holds id, severity (block, warn or info), says, do and endangers",
        ) from error
    except KeyError as error:
        raise UsageError(f"{place} has no {error}", "give it a type, kwargs and meta") from error
    unknown = [rule for rule in named if rule not in numbers.values()]
    if unknown:
        raise UsageError(
            f"{place} endangers {unknown[0]!r}, which is no rule",
            "name rules by the numbers or ids of checks/numbers.yaml",
        )
    if check.type == SQL_TYPE:
        query = check.kwargs.get("unexpected_rows_query", "")
        if re.findall(r"{(.*?)}", query) != ["batch"] or _ROWS_WHERE not in query:
            raise UsageError(
                f"{place}: its unexpected_rows_query must name {{batch}} once, as `from {{batch}} "
                "where`, and no other brace",
                "write `select * from {batch} where ...`",
            )
    elif check.type not in _BROKEN_BY or "column" not in check.kwargs:
        known = ", ".join([SQL_TYPE, *_BROKEN_BY])
        raise UsageError(
            f"{place}: of the type {check.type!r} the audit can't list the rows",
            f"use one of {known}, with the kwargs that it needs",
        )
    elif missing := set(re.findall(r"{(\w+)}", _BROKEN_BY[check.type])) - set(check.kwargs):
        raise UsageError(f"{place} has no {sorted(missing)[0]}", "add it to its kwargs")
    return check
