"""Checks rules of a user's own: their vignettes, and what their card and SQL owe each other."""

import re
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import polars as pl
import sqlglot
from sqlglot import exp

from audit.clauses import RuleSelect
from audit.errors import UserError
from audit.evaluate import shared_values
from audit.extract.contract import tables
from audit.guideline import Catalogue, Rule
from audit.pipeline import evaluate_extract
from audit.settings import Settings
from audit.texts import own_texts
from audit.verdicts import VERDICTS
from audit.vignette_run import disagreements, write
from audit.vignettes import Vignette, read
from audit.wording import words

_LARGEST_COUNT = 1
"""0 and 1 count rows; every larger number is a clinical one and belongs on the card."""


def check_rules(folder: Path) -> dict[str, list[str]]:
    """Runs the vignettes of every rule in a folder, and checks its card and SQL.

    Args:
        folder: a folder of rule folders, each with card.yaml, rule.sql and vignettes.md.

    Returns:
        For each rule what is to be put right, in words; an empty list where nothing is.

    Raises:
        UsageError: the folder holds no rule, or one that can't be read at all.
    """
    catalogue = Catalogue.read(own_texts(folder))
    own = [rule for rule in catalogue.rules.values() if f"{rule.id}/card.yaml" in catalogue.own]
    return {rule.id: list(_problems(rule, folder, catalogue)) for rule in own}


def _problems(rule: Rule, folder: Path, catalogue: Catalogue) -> Iterator[str]:
    vignettes = read(folder / rule.folder / "vignettes.md")
    yield from _card(rule)
    yield from _sql(rule, catalogue)
    yield from _untold(rule, vignettes)
    if not _unbound(rule, catalogue):
        yield from _wrong(vignettes, folder)


def _card(rule: Rule) -> Iterator[str]:
    card = rule.card
    if card.severity not in words()["severity"]:
        known = ", ".join(words()["severity"])
        yield f"card.yaml: severity {card.severity!r} is not known; choose one of {known}"
    for stream in {*card.needs_streams, *card.guards_streams} - tables().keys():
        yield f"card.yaml: there is no stream {stream!r} in an extract"
    for name, parameter in card.parameters.items():
        if not parameter.source:
            yield f"card.yaml: the parameter {name} has no source"


def _sql(rule: Rule, catalogue: Catalogue) -> Iterator[str]:
    bare = re.sub(r"'[^']*'|--[^\n]*|\$\w+", "", rule.sql)
    for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", bare):
        if float(number) > _LARGEST_COUNT:
            yield f"rule.sql: the number {number} belongs on the card, as a parameter"
    asked = _asked(rule)
    for name in _unbound(rule, catalogue):
        yield f"rule.sql: ${name} is neither a parameter of the card nor a shared definition"
    for name in sorted(rule.card.parameters.keys() - asked):
        yield f"card.yaml: the parameter {name} is not used in the SQL"
    spark = sqlglot.transpile(rule.sql, read="duckdb", write="spark")[0]
    for function in sqlglot.parse_one(spark, read="spark").find_all(exp.Anonymous):
        yield f"rule.sql: {function.name} is not known to Spark; write it with another function"


def _asked(rule: Rule) -> set[str]:
    """The names that the SQL asks for by `$name`."""
    found = RuleSelect(rule.sql).select.find_all(exp.Placeholder, exp.Parameter)
    return {node.name for node in found}


def _unbound(rule: Rule, catalogue: Catalogue) -> list[str]:
    """Those of them that nothing gives a value to."""
    settings = Settings(extract=rule.folder, cutoff=rule.card.next_review)
    linked = dict.fromkeys(tables(), True)
    known = shared_values(catalogue, settings, linked=linked, conjugates_told_apart=True)
    return sorted(_asked(rule) - known.keys() - rule.bindings(settings.jurisdiction, {}).keys())


def _untold(rule: Rule, vignettes: list[Vignette]) -> Iterator[str]:
    """What no vignette reaches."""
    expected = [one for vignette in vignettes for one in vignette.expected.values()]
    verdicts = {one.verdict for one in expected}
    reasons = {one.reason for one in expected}
    never = {"pending"} if rule.card.pending.startswith("Never") else set()
    never |= set() if " as failed" in rule.sql else {"non_conformant"}
    never |= set() if rule.card.exceptions.reasons else {"excepted"}
    for verdict in VERDICTS:
        if verdict not in verdicts | never:
            yield f"vignettes.md: no patient has the verdict {verdict}"
    given = {
        branch.then.name
        for branch in RuleSelect(rule.sql).branches()
        if isinstance(branch.then, exp.Literal)
    }
    listed = {step.code for step in rule.card.attrition}
    for code in sorted((given | listed | rule.card.reasons.keys()) - reasons):
        yield f"vignettes.md: no patient has the reason {code}"
    for code in sorted(given - listed - rule.card.reasons.keys() - words()["reasons"].keys()):
        yield f"card.yaml: the reason {code} of the SQL is not worded"


def _wrong(vignettes: list[Vignette], folder: Path) -> Iterator[str]:
    """Where the rule says another thing than a vignette."""
    ordered = sorted(vignettes, key=lambda vignette: repr(vignette.circumstances))
    for _, group in groupby(ordered, key=lambda vignette: vignette.circumstances):
        together = list(group)
        with tempfile.TemporaryDirectory(prefix="guideline-audit-") as scratch:
            settings = write(together, Path(scratch))
            try:
                found = evaluate_extract(settings.model_copy(update={"rules_from": folder}))
            except UserError as error:
                yield f"{error.found}; {error.todo}"
                return
        for vignette in together:
            rows = found.findings.filter(pl.col("patient_id") == vignette.prefix).to_dicts()
            for line in disagreements(vignette, rows):
                yield f"{vignette.place}, {vignette.title}: {line}"
