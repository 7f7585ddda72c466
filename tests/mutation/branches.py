"""Branch coverage: which clauses of each rule's SQL decide for some vignette, or generated patient.

    make branches

A clause is one branch of what a rule says of a case (excluded, missing, met, excepted): it is
reached where it decides, its condition true and no clause before it. Prints those that no vignette
and those that none of the twin's generated patients reaches. Exits with 1 when a clause is left
that no vignette reaches.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import polars as pl
from patients import generate, plant_quarantine
from test_twin import RULE_VARIANTS, RUNS
from test_vignettes import VIGNETTES, together

from audit.building import Stages
from audit.clauses import GROUPS, RuleSelect
from audit.evaluate import prepare, shared_values, tables_read
from audit.guideline import Catalogue, Rule
from audit.pipeline import judge_extract
from audit.settings import Settings
from audit.vignette_run import write
from audit.warehouse import Connection, open_database

GENERATED = 770
"""Patients in each of the twin's runs: more than ten thousand together."""

Clause = tuple[str, int]
"""A rule's id and the number of a branch, in the order in which the rule asks them."""


def decided_in_vignettes(catalogue: Catalogue) -> Counter[Clause]:
    """For how many vignettes' cases each clause decides."""
    found: Counter[Clause] = Counter()
    for _, group in groupby(VIGNETTES, key=together):
        with tempfile.TemporaryDirectory() as folder:
            found += _decided(write(list(group), Path(folder)), catalogue)
    return found


def decided_in_generated(catalogue: Catalogue) -> Counter[Clause]:
    """For how many cases of the twin's generated patients each clause decides."""
    found: Counter[Clause] = Counter()
    for seed, jurisdiction, variants, cutoff, without, spoiled in RUNS:
        registry = generate(GENERATED, seed, cutoff)
        registry.tables.pop(without, None)
        if spoiled:
            plant_quarantine(registry, seed)
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(
                extract=registry.write(Path(folder)),
                cutoff=cutoff,
                jurisdiction=jurisdiction,
                variants=RULE_VARIANTS.get(variants, {}),
            )
            found += _decided(settings, catalogue)
    return found


def _decided(settings: Settings, catalogue: Catalogue) -> Counter[Clause]:
    with tempfile.TemporaryDirectory() as scratch:
        con = open_database(None, Path(scratch))
        try:
            judge_extract(con, settings, Path(scratch), Stages())
            linked = dict(con.sql("select table_name, linked from load_counts").fetchall())
            # The one mapping here is that of vignettes with conjugates stored under trastuzumab.
            told_apart = settings.mapping is None
            shared = shared_values(
                catalogue, settings, linked=linked, conjugates_told_apart=told_apart
            )
            return Counter(
                {
                    (rule.id, number): count
                    for rule in catalogue.select(settings.rules)
                    for number, count in _counted(con, rule, settings, linked, shared)
                }
            )
        finally:
            con.close()


def _counted(
    con: Connection,
    rule: Rule,
    settings: Settings,
    linked: dict[str, bool],
    shared: dict[str, object],
) -> Iterator[tuple[int, int]]:
    """How often each clause of one rule decides; none where a stream that it needs is missing."""
    read = tables_read(rule, frozenset(linked))
    sql, values = prepare(con, rule, settings, linked=linked, shared=shared, read=read)
    if sql != rule.sql:
        return
    select = RuleSelect(sql)
    branches = select.branches()
    more = {f"when {number}": branch.when for number, branch in enumerate(branches)}
    more |= {f"then {number}": branch.then for number, branch in enumerate(branches)}
    rows = _fetch(con, select.asking(more), values)
    settled = pl.lit(value=False)
    for group in GROUPS:
        asked = settled
        for number, branch in enumerate(branches):
            if branch.group != group:
                continue
            holds = pl.col(f"when {number}").fill_null(value=False) & ~asked
            yield number, rows.select(holds.sum()).item()
            given = pl.col(f"then {number}").is_not_null()
            asked = asked | (holds & (given if branch.falls_through else pl.lit(value=True)))
            settled = settled | (holds & given)


def _fetch(con: Connection, sql: str, values: dict[str, object]) -> pl.DataFrame:
    (statement,) = con.extract_statements(sql)
    named = {name: values[name] for name in statement.named_parameters}
    return con.sql(sql, params=named).pl()


def main() -> int:
    """Prints what vignettes reach, and then what generated patients do."""
    catalogue = Catalogue.read()
    left = _listed("vignette", decided_in_vignettes(catalogue), catalogue)
    _listed("generated patient", decided_in_generated(catalogue), catalogue)
    return 1 if left else 0


def _listed(who: str, decided: Counter[Clause], catalogue: Catalogue) -> int:
    """Prints the clauses that none of them reaches, and says how many these are."""
    clauses = {
        (
            rule.id,
            number,
        ): f"{branch.group} {branch.then.sql('duckdb')}: {branch.when.sql('duckdb')}"
        for rule in catalogue.rules.values()
        for number, branch in enumerate(RuleSelect(rule.sql).branches())
    }
    left = [clause for clause in clauses if not decided[clause]]
    print(
        f"{len(clauses)} clauses of {len(catalogue.rules)} rules, {len(left)} reached by no {who}"
    )
    for rule_id, number in left:
        print(f"  {rule_id}: {clauses[rule_id, number]}", flush=True)
    return len(left)


if __name__ == "__main__":
    sys.exit(main())
