"""Checks rules of a user's own: their vignettes, and what their card and SQL owe each other."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import polars as pl
from sqlglot import exp

from audit.clauses import RuleSelect
from audit.errors import UserError
from audit.evaluate import shared_values
from audit.extract.contract import tables
from audit.guideline import Catalogue, Parameter, Rule
from audit.pipeline import evaluate_extract
from audit.settings import Settings
from audit.spark import not_carried
from audit.texts import own_texts
from audit.verdicts import VERDICTS
from audit.vignette_run import disagreements, write
from audit.vignettes import Vignette, read
from audit.vocabulary import Vocabulary
from audit.wording import words

_ITSELF = "itself"
"""The topic that stands for the drug or part it is given for."""
_OPEN_ENDS = {"0001-01-01", "9999-12-31"}
_NAMED = {
    "missing": "name a table and a column of the extract, such as tumours.diagnosis_date",
    "lacking": "the card's exceptions give it no topics, so no documented reason would excuse it",
}
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
    own = [rule for rule in catalogue.rules.values() if _is_own(rule, catalogue)]
    return {rule.id: list(_problems(rule, folder, catalogue)) for rule in own}


def _is_own(rule: Rule, catalogue: Catalogue) -> bool:
    return f"{rule.id}/card.yaml" in catalogue.own


def _problems(rule: Rule, folder: Path, catalogue: Catalogue) -> Iterator[str]:
    vignettes = read(folder / rule.folder / "vignettes.md")
    yield from _card(rule, catalogue)
    yield from _sql(rule, catalogue)
    yield from _untold(rule, vignettes)
    if not _unbound(rule, catalogue):
        yield from _wrong(vignettes, folder)


def _card(rule: Rule, catalogue: Catalogue) -> Iterator[str]:
    card = rule.card
    shipped = [one.card for one in catalogue.rules.values() if not _is_own(one, catalogue)]
    known = {
        "severity": ({card.severity}, set(words()["severity"])),
        "setting": ({card.setting}, {one.setting for one in shipped}),
        "exception": (
            set(card.exceptions.reasons),
            {reason for one in shipped for reason in one.exceptions.reasons},
        ),
        "interruption": (
            set(card.interrupted_by),
            {kind for one in shipped for kind in one.interrupted_by},
        ),
        "stream": ({*card.needs_streams, *card.guards_streams}, set(tables())),
    }
    for what, (said, allowed) in known.items():
        for word in sorted(said - allowed):
            choices = ", ".join(sorted(allowed))
            yield f"card.yaml: {what} {word!r} is not known; choose from {choices}"
    parts = (*card.exceptions.topics.values(), *card.exceptions.only.values())
    topics = {topic for part in parts for topic in part}
    topics -= {*catalogue.rules, _ITSELF}
    bare = {topic.removeprefix("each ") for topic in topics}
    asked = {*bare, *card.needs_drugs}
    resolved = Vocabulary.read().resolve_topics(asked, catalogue.numbers)
    # As the vocabulary names it: a card's own spelling would never be met.
    for name in sorted(asked - set(resolved["name"])):
        yield f"card.yaml: {name!r} is no drug, family, area or rule as the vocabulary names it"
    for name, parameter in card.parameters.items():
        if not parameter.source:
            yield f"card.yaml: the parameter {name} has no source"
    yield from _never_met(card.parameters)


def _never_met(parameters: Mapping[str, Parameter]) -> Iterator[str]:
    """Windows that no patient can meet, as far as the numbers alone tell."""
    numbers = {n: p.value for n, p in parameters.items() if isinstance(p.value, int | float)}
    for name, number in numbers.items():
        if number < 0:
            unit = parameters[name].unit
            yield f"card.yaml: {name} is {number} {unit}: no patient can meet that"
        most = name.replace("min_", "max_", 1)
        if numbers.get(most, number) < number:
            yield f"card.yaml: {name} is more than {most}: no patient can meet both"


def _sql(rule: Rule, catalogue: Catalogue) -> Iterator[str]:
    select = RuleSelect(rule.sql)
    bare = re.sub(r"'[^']*'|--[^\n]*|\$\w+", "", rule.sql)
    numbers = [n for n in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", bare) if float(n) > _LARGEST_COUNT]
    texts = [cast.this.name for cast in select.select.find_all(exp.Cast) if cast.this.is_string]
    for number in [*numbers, *(text for text in texts if text not in _OPEN_ENDS)]:
        yield f"rule.sql: {number} belongs on the card, as a parameter; write its $name here"
    asked = _asked(rule)
    for name in _unbound(rule, catalogue):
        yield f"rule.sql: ${name} is neither a parameter of the card nor a shared definition"
    for name in sorted(rule.card.parameters.keys() - asked):
        yield f"card.yaml: the parameter {name} is not used in the SQL"
    read = {table.name for table in select.select.find_all(exp.Table)}
    read -= {cte.alias for cte in select.select.find_all(exp.CTE)}
    for table in sorted(read & set(tables())):
        yield f"rule.sql: {table} is as the source wrote it; read stg_{table} or a fact"
    fields = {f"{name}.{column}" for name, table in tables().items() for column in table.columns}
    fields |= tables().keys()
    for column, known in (("missing", fields), ("lacking", set(rule.card.exceptions.topics))):
        lists = select.named[column].find_all(exp.Array) if column in select.named else ()
        found = {one.name for made in lists for one in made.expressions if one.is_string}
        for word in sorted(found - known):
            yield f"rule.sql: {column} names {word!r}; {_NAMED[column]}"
    for problem in not_carried(rule.sql):
        yield f"rule.sql: {problem}"


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
        own = found.findings.filter(rule_id=together[0].rule)
        expected = {one.verdict for vignette in together for one in vignette.expected.values()}
        if "conformant" in expected - set(own["verdict"]):
            yield "rule.sql: no patient comes out conformant: see whether its window can be met"
        for vignette in together:
            rows = found.findings.filter(pl.col("patient_id") == vignette.prefix).to_dicts()
            for line in disagreements(vignette, rows):
                yield f"{vignette.place}, {vignette.title}: {line}"
