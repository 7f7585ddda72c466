"""The mutation check: every threshold, comparison and condition of a rule's SQL is changed in turn.

    python tests/rules/mutants.py [RULE ...]

A change that no vignette notices is a missing vignette, or changes nothing that a record can show:
those stand in `equivalent_mutants.yaml`, each with the reason. Exits with 1 when another survives.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import duckdb
import polars as pl
import sqlglot
import yaml
from sqlglot import exp
from vignette_format import Circumstances, Vignette, disagreements, read, write

from audit.evaluate import RuleFailed, judge
from audit.guideline import Catalogue, Rule
from audit.pipeline import Stages, judge_extract
from audit.resources import root
from audit.settings import Settings
from audit.warehouse import Connection, open_database, run_sql

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.yaml")
_NEIGHBOURS: dict[type[exp.Expression], type[exp.Expression]] = {
    exp.LT: exp.LTE,
    exp.LTE: exp.LT,
    exp.GT: exp.GTE,
    exp.GTE: exp.GT,
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
}


@dataclass(frozen=True)
class Mutant:
    """A rule's SQL with one change; `name` tells which, and stays the same while the place does."""

    name: str
    sql: str


@dataclass(frozen=True)
class Bench:
    """The facts of all vignettes of a rule that share their circumstances, ready to be judged."""

    con: Connection
    settings: Settings
    linked: dict[str, bool]
    shared: dict[str, object]
    vignettes: tuple[Vignette, ...]

    def noticed(self, rule: Rule) -> bool:
        """Whether some vignette disagrees with what the rule's SQL gives here."""
        self.con.execute("truncate placed_judgements")
        try:
            judge(self.con, rule, self.settings, linked=self.linked, shared=self.shared)
        except (RuleFailed, duckdb.Error):
            return True
        findings = root("sql") / "results" / "tables" / "01_findings.sql"
        run_sql(self.con, findings.read_text(encoding="utf-8"), self.shared)
        found = self.con.sql("from findings").pl()
        return any(
            disagreements(v, found.filter(pl.col("patient_id") == v.prefix).to_dicts())
            for v in self.vignettes
        )


def mutants(sql: str) -> Iterator[Mutant]:
    """Every change of one place: comparison, threshold, condition, branch and negation."""
    tree = sqlglot.parse_one(sql, read="duckdb")
    seen: dict[str, int] = {}
    for place, node in enumerate(tree.walk()):
        for what, changed in _changes(node):
            copy = tree.copy()
            target = next(n for i, n in enumerate(copy.walk()) if i == place)
            if target is copy:
                continue
            target.replace(changed)
            name = f"{_scope(node)}: {what}"
            seen[name] = seen.get(name, 0) + 1
            number = f" ({seen[name]})" if seen[name] > 1 else ""
            yield Mutant(name + number, copy.sql(dialect="duckdb"))


def _changes(node: exp.Expression) -> Iterator[tuple[str, exp.Expression]]:
    text = node.sql(dialect="duckdb")
    neighbour = _NEIGHBOURS.get(type(node))
    if neighbour and not isinstance(node.parent, exp.Join) and not _joins(node):
        turned = neighbour(this=node.this.copy(), expression=node.expression.copy())
        yield f"{text} -> {turned.sql(dialect='duckdb')}", turned
    if isinstance(node, exp.Parameter) and isinstance(node.parent, exp.Binary | exp.Between):
        for sign, kind in (("+", exp.Add), ("-", exp.Sub)):
            moved = exp.Paren(this=kind(this=node.copy(), expression=exp.Literal.number(1)))
            at = node.parent.sql(dialect="duckdb")
            yield f"{text} {sign} 1 in {at}", moved
    if isinstance(node.parent, exp.And | exp.Or) and not isinstance(node, exp.And | exp.Or):
        without = exp.true() if isinstance(node.parent, exp.And) else exp.false()
        if not _joins(node):
            yield f"without {text}", without
    if isinstance(node, exp.If) and isinstance(node.parent, exp.Case):
        never = exp.If(this=exp.false(), true=node.args["true"].copy())
        yield f"without when {node.this.sql(dialect='duckdb')}", never
    if isinstance(node, exp.Not) and not isinstance(node.this, exp.Is | exp.In):
        yield f"without not in {text}", node.this.copy()
    if isinstance(node, exp.Coalesce) and len(node.expressions) == 1:
        default = node.expressions[0]
        if isinstance(default, exp.Boolean):
            other = exp.false() if default.this else exp.true()
            yield (
                f"{text} -> {other}",
                exp.Coalesce(this=node.this.copy(), expressions=[other]),
            )


def _joins(node: exp.Expression) -> bool:
    """Whether the node says by which keys tables are joined: no clinical choice."""
    return (
        isinstance(node, exp.EQ)
        and isinstance(node.this, exp.Column)
        and isinstance(node.expression, exp.Column)
        and node.this.name == node.expression.name
    )


def _scope(node: exp.Expression) -> str:
    cte = node.find_ancestor(exp.CTE)
    return cte.alias if cte else "verdict inputs"


def benches(rule: Rule, stack: ExitStack) -> list[Bench]:
    """Builds the facts of all vignettes of a rule once, by circumstances; `stack` closes them."""
    together: dict[Circumstances, list[Vignette]] = {}
    for vignette in read(rule.folder / "vignettes.md"):
        together.setdefault(vignette.circumstances, []).append(vignette)
    return [_bench(rule, c, vignettes, stack) for c, vignettes in together.items()]


def _bench(rule: Rule, at: Circumstances, vignettes: list[Vignette], stack: ExitStack) -> Bench:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    write(vignettes, folder, at.not_linked)
    settings = Settings(
        extract=folder,
        cutoff=at.cutoff,
        jurisdiction=at.jurisdiction,
        rules=(rule.id,),
        variants={rule.id: dict(at.variants)},
    )
    con = open_database(None, folder)
    stack.callback(con.close)
    judge_extract(con, settings, folder, Stages())
    linked = dict(con.sql("select table_name, linked from load_counts").fetchall())
    shared: dict[str, object] = {n: p.value for n, p in Catalogue.read().definitions.items()}
    shared |= {"cutoff": at.cutoff, "conjugates_told_apart": True}
    return Bench(con, settings, linked, shared, tuple(vignettes))


def survivors(rule: Rule) -> list[str]:
    """The names of the changes that no vignette of the rule notices.

    Raises:
        AssertionError: a vignette disagrees with the rule as it stands.
    """
    with ExitStack() as stack:
        on = benches(rule, stack)
        assert not any(bench.noticed(rule) for bench in on), f"{rule.id} fails its vignettes"
        return [
            mutant.name
            for mutant in mutants(rule.sql)
            if not any(bench.noticed(replace(rule, sql=mutant.sql)) for bench in on)
        ]


@cache
def equivalent() -> dict[str, dict[str, str]]:
    """By rule, the changes that no record can show, each with the reason."""
    return yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) or {}


def main() -> int:
    """Prints each rule's survivors that are not known to be equivalent."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rules", nargs="*", metavar="RULE")
    left = 0
    for rule in Catalogue.read().select(parser.parse_args().rules):
        alive = survivors(rule)
        known = equivalent().get(rule.id, {})
        missed = [name for name in alive if name not in known]
        stale = sorted(set(known) - set(alive))
        count = sum(1 for _ in mutants(rule.sql))
        print(f"{rule.id}: {count} changes, {count - len(alive)} noticed, {len(missed)} missed")
        for name in missed:
            print(f"  missed: {name}")
        for name in stale:
            print(f"  no longer survives (take it off the list): {name}")
        left += len(missed) + len(stale)
        sys.stdout.flush()
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
