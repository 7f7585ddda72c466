"""The mutation check: every threshold, comparison and condition of a rule's SQL is changed in turn.

    make mutants [RULES="R14 R17"]

A change is noticed by a vignette, or failing that by the twin's generated patients (on which the
twin agrees with the SQL as it stands). What neither notices is a missing vignette, or changes
nothing that a record can show: those stand in `equivalent.yaml`, each with the reason. Exits with
1 when another one survives, or when one on the list no longer does.
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
from patients import generate, plant_quarantine
from sqlglot import exp
from test_twin import RULE_VARIANTS, RUNS

from audit.building import Stages
from audit.evaluate import RuleFailed, begin_verdicts, judge, settle, shared_values
from audit.guideline import Catalogue, Rule
from audit.pipeline import judge_extract
from audit.resources import root
from audit.settings import Settings
from audit.vignette_run import disagreements, write
from audit.vignettes import Circumstances, Vignette, read
from audit.warehouse import Connection, open_database, run_sql

EQUIVALENT = Path(__file__).with_name("equivalent.yaml")
GENERATED = 300
"""Patients in each of the twin's runs that stands behind the vignettes."""
COMPARED = "rule_id, subject_id, verdict, reason, missing, decision_date, due_date, margin_days"
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
    """The facts of one extract, ready to be judged by one rule again and again.

    `vignettes` are what it holds; where there are none, the findings as they stand decide.
    """

    con: Connection
    settings: Settings
    linked: dict[str, bool]
    shared: dict[str, object]
    vignettes: tuple[Vignette, ...]

    def notices(self, rule: Rule) -> bool:
        """Whether the vignettes, or the findings as they stood, disagree with the rule's SQL."""
        begin_verdicts(self.con)
        inputs = root("sql") / "results" / "verdict_inputs.sql"
        run_sql(self.con, inputs.read_text(encoding="utf-8"), {})
        try:
            judge(self.con, rule, self.settings, linked=self.linked, shared=self.shared)
        except (RuleFailed, duckdb.Error):
            return True
        settle(self.con, self.shared)
        if not self.vignettes:
            now, was = f"select {COMPARED} from findings", "from as_it_stands"
            differ = f"({now} except {was}) union all ({was} except {now})"
            return bool(self.con.execute(f"select exists ({differ})").fetchall()[0][0])
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
        if _is_evidence(node):
            continue
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


def _is_evidence(node: exp.Expression) -> bool:
    """Whether the node only writes what a reviewer is shown beside the verdict."""
    column = node.find_ancestor(exp.Alias)
    return column is not None and any(
        alias.alias == "evidence" for alias in (column, *_above(column, exp.Alias))
    )


def _above(node: exp.Expression, kind: type[exp.Alias]) -> Iterator[exp.Alias]:
    while (found := node.find_ancestor(kind)) is not None:
        yield found
        node = found


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


def vignette_benches(rule: Rule, stack: ExitStack) -> list[Bench]:
    """The facts of all vignettes of a rule, by circumstances; `stack` closes them."""
    together: dict[Circumstances, list[Vignette]] = {}
    for vignette in read(rule.folder / "vignettes.md"):
        together.setdefault(vignette.circumstances, []).append(vignette)
    opened = []
    for vignettes in together.values():
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        opened.append(_bench(write(vignettes, folder), tuple(vignettes), stack))
    return opened


def generated_benches(rule: Rule, stack: ExitStack) -> list[Bench]:
    """The facts of the twin's generated patients, with what the rule says of them as it stands."""
    opened = []
    for seed, jurisdiction, variants, cutoff, without, spoiled in RUNS:
        registry = generate(GENERATED, seed, cutoff)
        registry.tables.pop(without, None)
        if spoiled:
            plant_quarantine(registry, seed)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = Settings(
            extract=registry.write(folder),
            cutoff=cutoff,
            jurisdiction=jurisdiction,
            rules=(rule.id,),
            variants=RULE_VARIANTS.get(variants, {}),
        )
        bench = _bench(settings, (), stack)
        bench.con.execute(f"create temp table as_it_stands as select {COMPARED} from findings")
        opened.append(bench)
    return opened


def _bench(settings: Settings, vignettes: tuple[Vignette, ...], stack: ExitStack) -> Bench:
    scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    con = open_database(None, scratch)
    stack.callback(con.close)
    judge_extract(con, settings, scratch, Stages())
    linked = dict(con.sql("select table_name, linked from load_counts").fetchall())
    # The one mapping here is that of vignettes whose source stores conjugates under trastuzumab.
    told_apart = settings.mapping is None
    shared = shared_values(
        Catalogue.read(), settings, linked=linked, conjugates_told_apart=told_apart
    )
    return Bench(con, settings, linked, shared, vignettes)


def survivors(rule: Rule) -> tuple[list[str], list[str]]:
    """The changes that no vignette notices: those that the twin does, and those that nothing does.

    Raises:
        AssertionError: a vignette disagrees with the rule as it stands.
    """
    with ExitStack() as stack:
        on = vignette_benches(rule, stack)
        assert not any(bench.notices(rule) for bench in on), f"{rule.id} fails its vignettes"
        alive = [m for m in mutants(rule.sql) if not _noticed(m, rule, on)]
    with ExitStack() as stack:
        on = generated_benches(rule, stack)
        missed = [m.name for m in alive if not _noticed(m, rule, on)]
    return [m.name for m in alive if m.name not in missed], missed


def _noticed(mutant: Mutant, rule: Rule, on: list[Bench]) -> bool:
    return any(bench.notices(replace(rule, sql=mutant.sql)) for bench in on)


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
        by_twin, missed = survivors(rule)
        known = equivalent().get(rule.id, {})
        unknown = [name for name in missed if name not in known]
        stale = sorted(set(known) - set(missed))
        count = sum(1 for _ in mutants(rule.sql))
        seen = count - len(by_twin) - len(missed)
        print(
            f"{rule.id}: {count} changes, {seen} noticed by a vignette,"
            f" {len(by_twin)} by the twin alone, {len(known)} equivalent, {len(unknown)} missed"
        )
        for what, names in (
            ("by the twin alone", by_twin),
            ("missed", unknown),
            ("noticed now: take it off the list", stale),
        ):
            for name in names:
                print(f"  {what}: {name}")
        left += len(unknown) + len(stale)
        sys.stdout.flush()
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
