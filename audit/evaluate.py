"""Runs each rule's SQL and turns what it says into one of six verdicts, in one place.

A rule says what it found (excluded, missing, met, excepted, dates, margin, evidence); which verdict
that is, `sql/results/verdicts.sql` alone decides, for every rule.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import polars as pl

from audit.card_tables import attrition_steps, lay_card, needed_fields
from audit.errors import UserError
from audit.guideline import Catalogue, Rule
from audit.periods import period_parts
from audit.resources import root
from audit.settings import Settings
from audit.sql_errors import MISTAKES, in_words
from audit.warehouse import (
    Connection,
    build,
    lay_beside,
    run_sql,
    store,
    store_tightly,
    tables_behind,
)

ALWAYS_READ = frozenset({"patients", "tumours", "events", "exceptions"})
"""The judgement itself reads these for every rule."""

MARGIN = "as margin_days"
"""A rule whose SQL does not give it has no window that a failure could lie days outside."""

ERAS = {
    "era_adjuvant": "early-her2-therapy-initiated",
    "era_pertuzumab": "neoadj-dual-blockade",
    "era_emtansine": "postneo-residual-tdm1",
    "era_deruxtecan": "mbc-2l-tdxd",
}
"""The rules whose first edition begins an era of treatment, under the names that SQL asks for."""
LANES = 2
"""Rules judged side by side: one alone leaves a core idle while it plans and gathers."""

VARIANT_RATES = {
    "rule_id": pl.String(),
    "variant": pl.String(),
    "choice": pl.String(),
    "conformant": pl.Int64(),
    "non_conformant": pl.Int64(),
    "not_evaluable": pl.Int64(),
}
"""What a rule's cases come out as under a choice that is not in force, one at a time."""


class RuleFailed(UserError):
    """A rule's SQL does not run, or does not return what the judgement needs."""


def evaluate(
    con: Connection,
    catalogue: Catalogue,
    settings: Settings,
    *,
    linked: Mapping[str, bool],
    conjugates_told_apart: bool,
    log: Callable[[str], None],
) -> None:
    """Judges every selected rule and writes the result tables.

    Args:
        con: a database with the staging and fact tables.
        catalogue: the rules and shared definitions.
        settings: which rules, jurisdiction, variants and cut-off.
        linked: whether each table of the extract was there.
        conjugates_told_apart: False when the source stores conjugates under trastuzumab.
        log: takes a line for each rule.

    Raises:
        RuleFailed: a rule's SQL can't run.
    """
    rules = catalogue.select(settings.rules)
    shared = shared_values(
        catalogue, settings, linked=linked, conjugates_told_apart=conjugates_told_apart
    )
    other_readings = [
        _reading(con, rule, settings, name, choice, linked, shared)
        for rule in rules
        if settings.compare_variants
        for name, variant in rule.card.variants.items()
        for choice in variant.choices
        if choice != rule.variants(settings.variants)[name]
    ]
    store(con, "variant_rates", pl.DataFrame(other_readings, VARIANT_RATES, orient="row"))
    judge_rules(con, catalogue, settings, linked, shared, log)
    store(con, "rules_read", _rules_read(rules, frozenset(linked)))
    lay_beside(con, "rule_steps", attrition_steps(rules))
    lay_beside(con, "needed_fields", needed_fields(catalogue, rules))
    lay_beside(con, "period_parts", period_parts(settings.period))
    build(con, "results/tables", shared | {"period": settings.period})


def judge_rules(
    con: Connection,
    catalogue: Catalogue,
    settings: Settings,
    linked: Mapping[str, bool],
    shared: Mapping[str, object],
    log: Callable[[str], None],
) -> None:
    """Judges every selected rule, settles imprecise dates, applies reviewers' answers: `findings`.

    Rules know nothing of each other: they are judged side by side, each on a connection of its own.

    Args:
        con: a database with the staging and fact tables, and with `adjudications`.
        catalogue: the rules.
        settings: which rules, jurisdiction and variants.
        linked: whether each table of the extract was there.
        shared: as `shared_values` gives it.
        log: takes a line for each rule.
    """
    begin_verdicts(con)
    idle: SimpleQueue[Connection] = SimpleQueue()
    lanes = [con.cursor() for _ in range(LANES)]
    for lane in lanes:
        run_sql(lane, _read("results/verdict_inputs.sql"), {})
        idle.put(lane)

    def judge_in_lane(rule: Rule) -> None:
        lane = idle.get()
        try:
            judge(lane, rule, settings, linked=linked, shared=shared)
        finally:
            idle.put(lane)

    rules = catalogue.select(settings.rules)
    with ThreadPoolExecutor(LANES) as pool:
        judged = [pool.submit(judge_in_lane, rule) for rule in rules]
        try:
            for rule, done in zip(rules, judged, strict=True):
                done.result()
                log(f"judged {rule.id}")
        finally:
            pool.shutdown(cancel_futures=True)
            for lane in lanes:
                lane.close()
    settle(con, shared)


def begin_verdicts(con: Connection) -> None:
    """Creates the tables that judgements go to, empty."""
    run_sql(con, _read("results/verdict_tables.sql"), {})
    store_tightly(con, "placed_judgements", "evidence")


def shared_values(
    catalogue: Catalogue,
    settings: Settings,
    *,
    linked: Mapping[str, bool],
    conjugates_told_apart: bool,
) -> dict[str, object]:
    """Every value but a card's own that a rule's SQL may ask for by `$name`.

    Args:
        catalogue: the shared definitions.
        settings: the cut-off and the jurisdiction.
        linked: whether each table of the extract was there.
        conjugates_told_apart: False when the source stores conjugates under trastuzumab.
    """
    eras = {
        name: catalogue.rules[rule_id].in_force(settings.jurisdiction)["default"]
        for name, rule_id in ERAS.items()
    }
    causes = ("surgeries", "events", "exceptions", "cardiac_assessments")
    return (
        {name: p.value for name, p in catalogue.definitions.items()}
        | eras
        | {
            "cutoff": settings.cutoff,
            "jurisdiction": settings.jurisdiction,
            "conjugates_told_apart": conjugates_told_apart,
            "radiotherapy_linked": linked["radiotherapy"],
            "surgeries_linked": linked["surgeries"],
            "causes_linked": all(linked[name] for name in causes),
        }
    )


def _reading(
    con: Connection,
    rule: Rule,
    settings: Settings,
    variant: str,
    choice: str,
    linked: Mapping[str, bool],
    shared: Mapping[str, object],
) -> tuple[object, ...]:
    """One rule's counts under another choice for one variant; its judgements are written over."""
    chosen = settings.variants | {rule.id: settings.variants.get(rule.id, {}) | {variant: choice}}
    begin_verdicts(con)
    run_sql(con, _read("results/verdict_inputs.sql"), {})
    judge(con, rule, settings.model_copy(update={"variants": chosen}), linked=linked, shared=shared)
    settle(con, shared)
    named = {"rule_id": rule.id, "variant": variant, "choice": choice}
    return tuple(con.execute(_read("results/reading.sql"), named).fetchall()[0])


def judge(
    con: Connection,
    rule: Rule,
    settings: Settings,
    *,
    linked: Mapping[str, bool],
    shared: Mapping[str, object],
) -> None:
    """Adds one rule's judgements and exclusions, for every placement of imprecise dates.

    Args:
        con: a database with the fact tables and the tables of sql/results/verdict_tables.sql
            and verdict_inputs.sql; it gets rows in placed_judgements and placed_exclusions.
        rule: the rule to judge.
        settings: the jurisdiction and the variants.
        linked: whether each table of the extract was there.
        shared: every value but the card's own that SQL may ask for by name.

    Raises:
        RuleFailed: the rule's SQL can't run.
    """
    read = tables_read(rule, frozenset(linked))
    sql, values = prepare(con, rule, settings, linked=linked, shared=shared, read=read)
    con.execute("truncate verdict_inputs")
    try:
        run_sql(con, f"insert into verdict_inputs by name {sql}", values)
    except MISTAKES as error:
        problem, todo = in_words(error)
        raise RuleFailed(f"rule {rule.id}, rule.sql: {problem}", todo) from error
    if gate := rule.card.gate:
        at = {"gate_stream": gate.stream, "gate_share": shared[gate.share]}
        run_sql(con, _read("results/gates.sql"), values | at)
    run_sql(con, _read("results/verdicts.sql"), values)


def tables_read(rule: Rule, contract_tables: frozenset[str]) -> list[str]:
    """The tables of the extract that a rule rests on, itself, through a shared fact, or always."""
    return sorted(tables_behind([rule.sql]) & contract_tables | ALWAYS_READ)


def prepare(
    con: Connection,
    rule: Rule,
    settings: Settings,
    *,
    linked: Mapping[str, bool],
    shared: Mapping[str, object],
    read: Sequence[str],
) -> tuple[str, dict[str, object]]:
    """Lays a rule's card beside its inputs, and says what its inputs are to be read with.

    Args:
        con: as for `judge`.
        rule: the rule to judge.
        settings: the jurisdiction and the variants.
        linked: whether each table of the extract was there.
        shared: every value but the card's own that SQL may ask for by name.
        read: the tables of the extract that the rule reads, as `tables_read` gives them.

    Returns:
        The statement that gives `verdict_inputs`, and every value that it and the judgement may
        ask for by `$name`.
    """
    lay_card(con, rule, settings.jurisdiction, read)
    missing = [stream for stream in rule.card.needs_streams if not linked[stream]]
    values: dict[str, object] = {
        **shared,
        **rule.bindings(settings.jurisdiction, settings.variants),
        "streams": missing,
        "codes": [e.code for e in rule.card.attrition],
        "rule_id": rule.id,
        "guard_stream": next((s for s in rule.card.guards_streams if not linked[s]), None),
        "needs_any_drug": bool(rule.card.needs_drugs),
        "has_window": MARGIN in rule.sql.lower(),
    }
    return (_read("results/unlinked.sql") if missing else rule.sql), values


def settle(con: Connection, shared: Mapping[str, object]) -> None:
    """From judgements of every placement to `findings`: imprecise dates, reviewers' answers."""
    build(con, "results/findings", shared)


def _read(name: str) -> str:
    return (root("sql") / name).read_text(encoding="utf-8")


def _rules_read(rules: Sequence[Rule], contract_tables: frozenset[str]) -> pl.DataFrame:
    """What each rule reads, kept with the audit: an explanation need not work it out anew."""
    rows = [(rule.id, tables_read(rule, contract_tables)) for rule in rules]
    schema = {"rule_id": pl.String(), "tables": pl.List(pl.String())}
    return pl.DataFrame(rows, schema=schema, orient="row")
