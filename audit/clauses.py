"""A rule's SQL taken apart: the branches it decides by, in its own order and its own words.

Nothing here judges. The conditions are the rule's own, read from its last select, so that an
explanation can show what each of them said of one patient.
"""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

GROUPS = ("excluded", "missing_reason", "met", "excepted")
"""The verdict inputs that decide, in the order in which the judgement asks for them."""

_MEANINGS = (exp.DateDiff, exp.Predicate, exp.Connector, exp.Not)
"""What a name is replaced by: conditions, and numbers of days between two dates."""

_KEYS = frozenset({"patient_key", "episode_key", "tumour_id"})
"""Names that join rows: no facts."""

_DEEPEST = 6
"""How often a name may stand for an expression over other names."""


@dataclass(frozen=True)
class Branch:
    """One condition of a verdict input and what it gives where it holds.

    `falls_through`: where it gives nothing the next branch is asked; else nothing is the answer.
    """

    group: str
    when: exp.Expr
    then: exp.Expr
    falls_through: bool


class RuleSelect:
    """A rule's SQL whose last select can be asked for more than the rule itself asks."""

    def __init__(self, sql: str) -> None:
        """Parses one select, as `rule.sql` holds it."""
        self.select = sqlglot.parse_one(sql, read="duckdb", into=exp.Select)
        self.named: dict[str, exp.Expr] = {
            item.alias: item.this for item in self.select.selects if isinstance(item, exp.Alias)
        }
        self._meanings = self._defined()

    def branches(self) -> list[Branch]:
        """Every branch of every deciding input, in the order in which it is asked."""
        given = {item.alias_or_name: item.unalias() for item in self.select.selects}
        return [
            branch
            for group in GROUPS
            if group in given
            for branch in _branches(group, given[group], falls_through=False)
        ]

    def spelled_out(self, expression: exp.Expr, columns: frozenset[str]) -> exp.Expr:
        """The expression with names of conditions and intervals replaced by what they stand for.

        Args:
            expression: over the columns that the last select reads.
            columns: the names of these columns; nothing else may come in.
        """
        for _ in range(_DEEPEST):
            changed = expression.transform(lambda node: self._meaning(node, columns))
            if changed == expression:
                return changed
            expression = changed
        return expression

    def source(self) -> str:
        """A statement that reads the rows the last select reads, with all their columns."""
        rows = self.select.copy()
        rows.set("expressions", [exp.Star()])
        return rows.sql("duckdb")

    def read_by(self, expression: exp.Expr) -> dict[str, exp.Column]:
        """The columns that an expression reads, by name, in the order in which they stand in it."""
        found = {c.name: c for c in expression.find_all(exp.Column, bfs=False)}
        return {
            name: column
            for name, column in found.items()
            if name not in self.named and name not in _KEYS
        }

    def over(self, table: str) -> "RuleSelect":
        """The last select alone, over a table that holds what it read."""
        over = copy(self)
        over.select = self.select.copy()
        over.select.set("with_", None)
        alias = self.select.args["from_"].this.alias_or_name
        over.select.set("from_", exp.From(this=exp.to_table(table).as_(alias)))
        return over

    def asking(self, more: Mapping[str, exp.Expr]) -> str:
        """The rule's statement with further columns under the names given."""
        asking = self.select.copy()
        for name, expression in more.items():
            asking.append("expressions", exp.alias_(expression.copy(), name, quoted=True))
        return asking.sql("duckdb")

    def supposing(self, values: Mapping[str, exp.Expr], columns: frozenset[str]) -> str:
        """The rule's statement as if some columns of the rows it reads held other values.

        Only where the last select reads one table.

        Args:
            values: by the name of the column.
            columns: the names of all columns of that table.
        """
        supposing = self.select.copy()
        for item in supposing.selects:
            if isinstance(item, exp.Alias):
                item.set("this", self.spelled_out(item.this, columns))
        read = supposing.args["from_"].this
        changed = ", ".join(f"{value.sql('duckdb')} as {name}" for name, value in values.items())
        rows = sqlglot.parse_one(f"select * replace ({changed})", read="duckdb", into=exp.Select)
        rows.set("from_", exp.From(this=read.copy()))
        supposing.set("from_", exp.From(this=rows.subquery(alias=read.alias_or_name)))
        return supposing.sql("duckdb")

    def reads_one_table(self) -> bool:
        """Whether the last select reads one common table expression and nothing beside it."""
        return self._table() is not None

    def _table(self) -> exp.Table | None:
        read = self.select.args.get("from_")
        if read is None or self.select.args.get("joins") or not isinstance(read.this, exp.Table):
            return None
        return read.this

    def _defined(self) -> dict[str, exp.Expr]:
        """What the names mean that the last common table expressions of the chain give."""
        steps = {step.alias: step.this for step in self.select.ctes}
        meanings: dict[str, exp.Expr] = {}
        table = self._table()
        for _ in range(_DEEPEST):
            step = steps.get(table.name) if table is not None else None
            if step is None or not isinstance(step, exp.Select) or step.args.get("group"):
                break
            for item in step.selects:
                if isinstance(item, exp.Alias) and not isinstance(item.this, exp.Column):
                    meanings.setdefault(item.alias, _unqualified(item.this))
            read = step.args.get("from_")
            table = read.this if read and isinstance(read.this, exp.Table) else None
        return meanings

    def _meaning(self, node: exp.Expr, columns: frozenset[str]) -> exp.Expr:
        if not isinstance(node, exp.Column) or node.name not in self._meanings:
            return node
        meaning = self._meanings[node.name]
        said = meaning.this if isinstance(meaning, exp.Coalesce) else meaning
        if not isinstance(said, _MEANINGS) or meaning.find(exp.AggFunc, exp.Window, exp.Subquery):
            return node
        names = {column.name for column in meaning.find_all(exp.Column)}
        if node.name in names or names <= _KEYS or not names <= columns:
            return node
        return exp.paren(meaning.copy())


def parts(condition: exp.Expr) -> list[exp.Expr]:
    """The conditions that all have to hold for this one to hold."""
    bare = condition.unnest()
    if isinstance(bare, exp.And):
        return [part for side in (bare.left, bare.right) for part in parts(side)]
    return [bare]


def _branches(group: str, value: exp.Expr, *, falls_through: bool) -> Iterator[Branch]:
    if isinstance(value, exp.Coalesce):
        for one in [value.this, *value.expressions]:
            yield from _branches(group, one, falls_through=True)
    elif isinstance(value, exp.Case):
        for option in value.args["ifs"]:
            when = option.this
            if value.this is not None:
                when = exp.EQ(this=value.this.copy(), expression=when)
            yield Branch(group, when, option.args["true"], falls_through)
        if value.args.get("default") is not None:
            yield Branch(group, exp.true(), value.args["default"], falls_through)
    elif isinstance(value, exp.Literal):
        yield Branch(group, exp.true(), value, falls_through)
    elif not isinstance(value, exp.Null):
        known = exp.Not(this=exp.Is(this=value.copy(), expression=exp.null()))
        yield Branch(group, known, value, True)


def _unqualified(expression: exp.Expr) -> exp.Expr:
    plain = expression.copy()
    for column in plain.find_all(exp.Column):
        column.set("table", None)
    return plain
