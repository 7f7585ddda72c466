"""A rule run again on one patient's facts, with what each of its conditions said."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from audit.clauses import Branch, RuleSelect
from audit.evaluate import prepare, shared_values
from audit.finished import Finished
from audit.guideline import Rule
from audit.patient import PatientFacts
from audit.resources import root
from audit.warehouse import run_sql, tables_asked

Row = dict[str, Any]

WEIGHED = (
    "settled_after",
    "observable_through",
    "transfer_in_date",
    "observed_from",
    "clock_start",
    "documented_reason",
    "documented_row",
    "interruption",
    "interrupted_on",
    "unlinked_stream",
    "doubt",
    "doubt_table",
    "doubt_row",
    "doubt_column",
)
"""What the judgement itself weighed beside the rule's inputs."""


class Retrial:
    """One rule, ready to be run on one patient's facts as often as asked.

    Attributes:
        select: the rule's SQL, taken apart; where a stream is not linked, what stands for it.
        branches: its conditions, in the order in which they are asked.
        columns: the names of what its last select reads.
    """

    def __init__(self, finished: Finished, facts: PatientFacts, rule: Rule) -> None:
        self._facts, self._rule = facts, rule
        facts.copy(tables_asked(_read("results/verdicts.sql")))
        facts.copy(["ingredients", "definitions", "rules_read"])
        facts.copy(["gated_sites", "fct_tumours"])
        (read,) = facts.con.execute(
            "select tables from rules_read where rule_id = $id", {"id": rule.id}
        ).fetchall()[0]
        sql, self._values = prepare(
            facts.con,
            rule,
            finished.settings,
            linked=finished.linked,
            shared=shared_values(
                finished.catalogue,
                finished.settings,
                linked=finished.linked,
                conjugates_told_apart=finished.manifest["conjugates_told_apart"],
            ),
            read=read,
        )
        facts.copy(tables_asked(sql))
        self.select = RuleSelect(sql)
        self.branches = self.select.branches()
        self.columns: frozenset[str] = frozenset()
        if self.select.reads_one_table():
            rows = f"create or replace temp table explained_rows as {self.select.source()}"
            run_sql(facts.con, rows, self._values)
            self.columns = frozenset(facts.con.table("explained_rows").columns)
            self.select = self.select.over("explained_rows")

    def read_by(self, branch: Branch) -> dict[str, exp.Column]:
        """What a branch rests on, once its conditions are spelled out; by name."""
        spelled = self.select.spelled_out(branch.when, self.columns)
        return self.select.read_by(branch.when) | self.select.read_by(spelled)

    def rows(self) -> list[Row]:
        """What the rule says of each subject of the tumour, with every branch and what it read.

        Exact dates, or the middle of what they can stand for. Beside the verdict inputs a row has
        `when 0`, `then 0` … for the branches, and `read …` for the columns that they read.
        """
        more: dict[str, exp.Expr] = {}
        for number, branch in enumerate(self.branches):
            more[f"when {number}"] = branch.when
            more[f"then {number}"] = exp.cast(branch.then.copy(), "varchar")
            more |= {f"read {name}": column for name, column in self.read_by(branch).items()}
        own = [
            row
            for row in self._fetch(self.select.asking(more))
            if row["patient_key"] == self._facts.middle_key
            and row["tumour_id"] == self._facts.tumour_id
        ]
        return sorted(own, key=lambda row: str(row.get("subject_part") or ""))

    def verdicts(self, sql: str | None = None) -> dict[tuple[int, str], Row]:
        """The verdicts by patient key and subject, with what the judgement weighed for each.

        Args:
            sql: what gives the rule's inputs; the rule's own SQL where it is not given.
        """
        con = self._facts.con
        asked = sql or self.select.select.sql("duckdb")
        view, judging = _judgement()
        inputs = _read("results/verdict_inputs.sql")
        run_sql(con, f"{inputs} insert into verdict_inputs by name {asked}; {view}", self._values)
        outside = "select * from considered where not_applicable is not null"
        rows = [
            {**row, "verdict": "not_applicable", "reason": row["not_applicable"]}
            for row in self._fetch(outside)
        ]
        rows += self._fetch(judging)
        return {(row["patient_key"], row["subject_id"]): row for row in rows}

    def values_of(self, expressions: Sequence[exp.Expr], row: Row) -> list[object]:
        """What expressions over what the last select reads give for one of `rows`."""
        names = [f"value {number}" for number in range(len(expressions))]
        asked = self.select.asking(dict(zip(names, expressions, strict=True)))
        same = ("patient_key", "tumour_id", "subject_part")
        (own,) = (
            other
            for other in self._fetch(asked)
            if all(other.get(name) == row.get(name) for name in same)
        )
        return [own[name] for name in names]

    def in_words(self, expression: exp.Expr) -> str:
        """A condition as the rule asks it, with the numbers of the card in it."""
        told = self.select.spelled_out(expression, self.columns).transform(
            lambda node: (
                exp.var(str(self._values[node.name]))
                if isinstance(node, (exp.Placeholder, exp.Parameter))
                else node
            )
        )
        text = told.sql("duckdb").lower()
        return re.sub(r"not ([a-z0-9_.]+) is null", r"\1 is not null", text)

    def with_reason(self, reason: str) -> dict[tuple[int, str], Row]:
        """The verdicts as if a reason were documented on the rule as a whole."""
        con = self._facts.con
        con.execute(
            "insert into stg_exceptions by name"
            " select patient_key, 0 as row_number, $reason as reason, $topic as topic_name"
            " from stg_patients",
            {"reason": reason, "topic": self._rule.id},
        )
        try:
            return self.verdicts()
        finally:
            con.execute("delete from stg_exceptions where row_number = 0")

    def _fetch(self, sql: str) -> list[Row]:
        (statement,) = self._facts.con.extract_statements(sql)
        values = {name: self._values[name] for name in statement.named_parameters}
        answer = self._facts.con.execute(statement, values)
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


@cache
def _judgement() -> tuple[str, str]:
    """The judgement's view of the inputs, and its statement, asked for all that it weighed."""
    statements = sqlglot.parse(_read("results/verdicts.sql"), read="duckdb")
    view, _, judging = (statement for statement in statements if statement is not None)
    select = judging.expression
    told = {item.alias for item in select.selects if isinstance(item, exp.Alias)}
    for name in WEIGHED:
        if name not in told:
            select.append("expressions", exp.column(name))
    kept = [x for x in select.selects if not isinstance(x, exp.Parameter | exp.Placeholder)]
    select.set("expressions", kept)
    return view.sql("duckdb"), select.sql("duckdb")


def _read(name: str) -> str:
    return (root("sql") / name).read_text(encoding="utf-8")
