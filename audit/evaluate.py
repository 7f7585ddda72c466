"""Runs each rule's SQL and turns what it says into one of six verdicts, in one place.

A rule says what it found (excluded, missing, met, excepted, dates, margin, evidence); which verdict
that is, `sql/results/verdicts.sql` alone decides, for every rule.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import duckdb
import polars as pl

from audit.errors import UserError
from audit.guideline import Catalogue, Rule
from audit.periods import period_parts
from audit.resources import root
from audit.settings import Settings
from audit.sql_errors import in_words
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

ERAS = {
    "era_pertuzumab": "neoadj-dual-blockade",
    "era_emtansine": "postneo-residual-tdm1",
    "era_deruxtecan": "mbc-2l-tdxd",
}
"""The rules whose first edition begins an era of treatment, under the names that SQL asks for."""
LANES = 2
"""Rules judged side by side: one alone leaves a core idle while it plans and gathers."""

_FAMILIES = {
    "trastuzumab": "is_trastuzumab",
    "pertuzumab": "is_pertuzumab",
    "her2-antibody": "is_her2_antibody",
    "her2-conjugate": "is_her2_conjugate",
    "her2": "is_her2",
    "taxane": "is_taxane",
    "anthracycline": "is_anthracycline",
    "chemotherapy": "is_cytotoxic",
    "endocrine": "is_endocrine",
}


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
    lay_beside(con, "rule_steps", _steps(rules))
    lay_beside(con, "needed_fields", _needed(catalogue, rules))
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
    except duckdb.Error as error:
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
    _tell(con, rule, settings, con.sql("select * from ingredients").pl(), read)
    missing = [stream for stream in rule.card.needs_streams if not linked[stream]]
    values: dict[str, object] = {
        **shared,
        **rule.bindings(settings.jurisdiction, settings.variants),
        "streams": missing,
        "codes": [e.code for e in rule.card.attrition],
        "rule_id": rule.id,
        "guard_stream": next((s for s in rule.card.guards_streams if not linked[s]), None),
        "needs_any_drug": bool(rule.card.needs_drugs),
    }
    return (_read("results/unlinked.sql") if missing else rule.sql), values


def settle(con: Connection, shared: Mapping[str, object]) -> None:
    """From judgements of every placement to `findings`: imprecise dates, reviewers' answers."""
    build(con, "results/findings", shared)


def _read(name: str) -> str:
    return (root("sql") / name).read_text(encoding="utf-8")


def _tell(
    con: Connection,
    rule: Rule,
    settings: Settings,
    ingredients: pl.DataFrame,
    read: Sequence[str],
) -> None:
    """Lays what the card says beside the rule's inputs, as small tables for the judgement."""
    card = rule.card
    topics: list[tuple[str, str, str | None]] = [
        (part, topic, None)
        for parts, names in card.exceptions.topics.items()
        for part in _each(parts, ingredients)
        for name in names
        for topic in _each(part if name == "itself" else name, ingredients)
    ]
    topics += [
        (part, topic, reason)
        for part, narrow in card.exceptions.only.items()
        for topic, reasons in narrow.items()
        for reason in reasons
    ]
    drugs = sorted({i for name in card.needs_drugs for i in _members(name, ingredients)})
    since = rule.in_force(settings.jurisdiction)
    lay_beside(
        con,
        "rule_topics",
        pl.DataFrame(topics, dict.fromkeys(("part", "topic", "reason"), pl.String), orient="row"),
    )
    lay_beside(con, "rule_reasons", _frame({"reason": card.exceptions.reasons}))
    lay_beside(con, "rule_drugs", _frame({"ingredient": drugs}))
    lay_beside(con, "rule_tables", _frame({"table_name": read}))
    lay_beside(
        con, "rule_subject_parts", _frame({"subject_part": card.subject_parts[:1] or [None]})
    )
    lay_beside(
        con,
        "rule_editions",
        pl.DataFrame(
            {"edition": list(since), "since": list(since.values())},
            schema={"edition": pl.String, "since": pl.Date},
        ),
    )
    lay_beside(
        con,
        "rule_interruptions",
        pl.DataFrame(
            {"kind": card.interrupted_by, "priority": range(len(card.interrupted_by))},
            schema={"kind": pl.String, "priority": pl.Int32},
        ),
    )


def _frame(columns: Mapping[str, Sequence[str | None]]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _each(name: str, ingredients: pl.DataFrame) -> Iterable[str]:
    """A part or topic as the card names it; `each FAMILY` stands for every drug of the family."""
    return _members(name.removeprefix("each "), ingredients) if name.startswith("each ") else [name]


def _members(name: str, ingredients: pl.DataFrame) -> list[str]:
    """The ingredients of a family, or the one ingredient of that name."""
    flag = _FAMILIES.get(name)
    chosen = pl.col("ingredient") == name if flag is None else pl.col(flag)
    return ingredients.filter(chosen)["ingredient"].to_list()


def _needed(catalogue: Catalogue, rules: Sequence[Rule]) -> pl.DataFrame:
    """The fields that one of the rules needs, with the ids of these."""
    ids = {rule.card.number: rule.id for rule in rules}
    rows = [
        (name, field.among, needing)
        for name, field in catalogue.fields.items()
        if (needing := [ids[number] for number in field.rules if number in ids])
    ]
    text = dict.fromkeys(("field", "expected_among"), pl.String())
    return pl.DataFrame(rows, schema={**text, "rules": pl.List(pl.String)}, orient="row")


def _steps(rules: Sequence[Rule]) -> pl.DataFrame:
    rows = [
        (rule.id, number, step.code, step.says)
        for rule in rules
        for number, step in enumerate(rule.card.attrition, start=3)
    ]
    schema = {"rule_id": pl.String, "step": pl.Int32, "code": pl.String, "says": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _rules_read(rules: Sequence[Rule], contract_tables: frozenset[str]) -> pl.DataFrame:
    """What each rule reads, kept with the audit: an explanation need not work it out anew."""
    rows = [(rule.id, tables_read(rule, contract_tables)) for rule in rules]
    schema = {"rule_id": pl.String(), "tables": pl.List(pl.String())}
    return pl.DataFrame(rows, schema=schema, orient="row")
