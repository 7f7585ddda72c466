"""Result tables to the plain context of the page: everything the page says, and no HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl
import yaml

from audit import resources
from audit.completeness import Completeness, completeness
from audit.disclosure import THRESHOLD, Cell, Sum, protect, single
from audit.figures import Group, RuleFigures, Tables, all_figures
from audit.guideline import Card, Catalogue, Edition, Parameter
from audit.lines import Window, windows
from audit.quality_page import Quality, present_quality
from audit.repairs import AtSite, Mending, first_at_sites, mendings
from audit.responses import Response, responses
from audit.verdicts import VERDICTS

DRUGS_SHOWN = 100
"""Unrecognised drug strings listed on the page; the database has them all."""
LOW_COMPLETENESS = 0.8
"""Below this share the headline says that a rate rests on part of its cases."""
PLACES = ("US", "EU", "ENGLAND")
SPLIT = ("conformant", "non_conformant", "excepted", "pending", "not_evaluable")
"""The population's verdicts in the order the page shows them."""
SMALLEST_SHARE = 0.0001
"""What is not shown exactly where a share is of rows."""
HEADLINES = 3
"""Rules named in the headline for their cases for review."""


@dataclass(frozen=True)
class Worded:
    """A count under its words; `code` is what stands in the findings."""

    code: str
    says: str
    cell: Cell


@dataclass(frozen=True)
class WordedStep:
    """A numbered step of the attrition."""

    number: int
    says: str
    removed: Cell | None
    remaining: Cell


@dataclass(frozen=True)
class RulePage:
    """One rule with its card, its figures and their words."""

    id: str
    card: Card
    figures: RuleFigures
    steps: list[WordedStep]
    reasons: dict[str, list[Worded]]
    missing: list[Worded]
    editions: Mapping[str, Mapping[str, Edition]]
    variant: Mapping[str, str]
    parameters: Mapping[str, Any]
    nothing: str

    @property
    def registry(self) -> Group:
        """The counts of the whole registry."""
        return self.figures.registry

    @property
    def split(self) -> list[tuple[str, int, float]]:
        """Verdict, cases and share of the population; empty where a count among them is hidden."""
        cells = self.registry.cells
        parts = [(verdict, cells[verdict].value) for verdict in SPLIT]
        population = cells["population"].value
        if not population or any(count is None for _, count in parts):
            return []
        return [(verdict, count, count / population) for verdict, count in parts if count]


@dataclass(frozen=True)
class Load:
    """What became of the rows of one table."""

    name: str
    label: str
    linked: bool
    read: int
    loaded: int
    duplicates: int
    quarantined: int


@dataclass(frozen=True)
class Drug:
    """A drug string that no vocabulary knows."""

    text: str
    rows: Cell
    patients: Cell


@dataclass(frozen=True)
class Datum:
    """A number inside a sentence: what its id is made of, its value for a machine, and its text."""

    id: tuple[str, ...]
    value: str
    text: str


@dataclass(frozen=True)
class Finding:
    """A headline: what it is about, the rule's id where it is one rule, and what was found."""

    about: str
    rule_id: str
    parts: tuple[str | Datum, ...]

    @property
    def says(self) -> str:
        """The sentence as plain text."""
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)


@dataclass(frozen=True)
class Page:
    """All that the report says."""

    manifest: Mapping[str, Any]
    threshold: int
    patients: Cell
    tumours: Cell
    headline: list[Finding]
    unrated: list[Finding]
    rules: list[RulePage]
    facts: dict[str, list[Worded]]
    responses: list[Response]
    windows: list[Window]
    loads: list[Load]
    not_linked: list[tuple[str, str]]
    quarantine: list[tuple[str, str, int]]
    drugs: list[Drug]
    drugs_left_out: int
    stages: list[tuple[str, Cell]]
    completeness: Completeness
    repairs: list[Mending]
    repairs_by_site: list[AtSite]
    field_names: Mapping[str, str]
    quality: Quality
    definitions: Mapping[str, Parameter]


@cache
def words() -> Mapping[str, Mapping[str, Any]]:
    """The page's words for codes, from `reports/words.yaml`."""
    text = (resources.root("reports") / "words.yaml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return loaded


def present(
    tables: Tables,
    manifest: Mapping[str, Any],
    catalogue: Catalogue,
    threshold: int = THRESHOLD,
) -> Page:
    """The context of the report.

    Args:
        tables: the result tables of the audit.
        manifest: what `manifest.json` holds; the rules audited are those of its `verdicts`.
        catalogue: the cards and editions behind the rules.
        threshold: counts of people from 1 to one below it are hidden.
    """
    audited = [rule_id for rule_id in catalogue.rules if rule_id in manifest["verdicts"]]
    figures = all_figures(tables, audited, threshold)
    rules = [_rule(figures[rule_id], manifest, catalogue) for rule_id in audited]
    loads = _loads(tables["load_counts"])
    loaded = {load.name: single(load.loaded, threshold) for load in loads}
    drugs = _drugs(tables["unrecognised_drugs"], threshold)
    site_rows = tables["rates"].filter(pl.col("level") == "site")
    site_names = dict(site_rows.select("group_id", "group_name").iter_rows())
    return Page(
        manifest=manifest,
        threshold=threshold,
        patients=loaded["patients"],
        tumours=loaded["tumours"],
        headline=_headline(rules),
        unrated=[
            Finding(rule.card.title, rule.id, (_no_rate(rule),))
            for rule in rules
            if rule.registry.rate.share is None
        ],
        rules=rules,
        facts=_facts(tables["registry_facts"], threshold),
        responses=responses(tables["responses"], threshold),
        windows=windows(tables["window_lines"], threshold),
        loads=loads,
        not_linked=[
            (load.label, words()["not_linked"].get(load.name, ""))
            for load in loads
            if not load.linked
        ],
        quarantine=_quarantine(tables["quarantine"]),
        drugs=drugs[:DRUGS_SHOWN],
        drugs_left_out=max(0, len(drugs) - DRUGS_SHOWN),
        stages=_stages(tables["unreadable_stages"], threshold),
        completeness=completeness(tables["completeness"], site_names, catalogue, threshold),
        repairs=mendings(figures.values(), catalogue),
        repairs_by_site=first_at_sites(tables["repairs"], site_names, catalogue, threshold),
        field_names=_field_names(tables["missing_fields"], catalogue),
        quality=present_quality(tables, catalogue.numbers, threshold),
        definitions=catalogue.definitions,
    )


def sentence(code: str, card: Card) -> str:
    """A reason code in words: the card's own, else those common to all rules, else the code."""
    attrition = {step.code: step.says for step in card.attrition}
    common: Mapping[str, str] = words()["reasons"]
    return (
        card.reasons.get(code)
        or attrition.get(code)
        or common.get(code)
        or code.replace("-", " ").capitalize()
    )


def field_words(catalogue: Catalogue) -> dict[str, str]:
    """Missing fields in words; a stream missing as a whole stands under its own name."""
    names: dict[str, str] = {name: field.says for name, field in catalogue.fields.items()}
    names |= {name: f"{label}, as a whole" for name, label in words()["tables"].items()}
    names |= words()["fields"]
    return names


def _field_names(missing_fields: pl.DataFrame, catalogue: Catalogue) -> dict[str, str]:
    names = field_words(catalogue)
    return names | {name: names.get(name, name) for name in missing_fields["field"]}


def _rule(figures: RuleFigures, manifest: Mapping[str, Any], catalogue: Catalogue) -> RulePage:
    rule = catalogue.rules[figures.rule_id]
    card = rule.card
    steps = [
        WordedStep(
            number,
            step.says or words()["stages"].get(step.code) or sentence(step.code, card),
            step.removed,
            step.remaining,
        )
        for number, step in enumerate(figures.steps, 1)
    ]
    return RulePage(
        id=rule.id,
        card=card,
        figures=figures,
        steps=steps,
        reasons={
            verdict: [Worded(code, sentence(code, card), cell) for code, cell in reasons]
            for verdict in VERDICTS
            if (reasons := figures.reasons.get(verdict))
        },
        missing=[Worded(name, name, cell) for name, cell in figures.missing],
        editions=rule.editions,
        variant=manifest["variants"].get(rule.id, {}),
        parameters=manifest["parameters"].get(rule.id, {}),
        nothing=_nothing(figures, steps),
    )


def _nothing(figures: RuleFigures, steps: list[WordedStep]) -> str:
    """Why a rule has no case in its population; empty where it has."""
    if figures.registry.cells["population"].value != 0:
        return ""
    removing = [step for step in steps if step.removed and step.removed.value]
    if not removing:
        return "No case falls under this rule in these records."
    most = sorted(removing, key=lambda step: -(step.removed.value or 0) if step.removed else 0)[:3]
    parts = "; ".join(f"{step.says} ({number(step.removed)})" for step in most if step.removed)
    return f"No case falls under this rule in these records. What excluded most: {parts}."


def number(cell: Cell) -> str:
    """A count inside a sentence."""
    return f"{cell.value:,}" if cell.value is not None else "a number too small to show"


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{100 * share:.1f}%"


def fine_percent(share: float) -> str:
    """A share of rows above none, as a percentage with two decimals."""
    return f"{100 * share:.2f}%" if share > SMALLEST_SHARE else "less than 0.01%"


def _headline(rules: list[RulePage]) -> list[Finding]:
    """The findings in plain words: cases for review, and rates that rest on part of the cases."""
    rated = [rule for rule in rules if rule.registry.rate.share is not None]
    gravest = sorted(rated, key=_for_review, reverse=True)
    found = [_review(rule) for rule in gravest[:HEADLINES]]
    partial = [
        (complete, rule)
        for rule in rated
        if (complete := rule.registry.rate.completeness) is not None and complete < LOW_COMPLETENESS
    ]
    partial.sort(key=lambda one: (one[0], one[1].card.number))
    return found + [_partial(rule, complete) for complete, rule in partial[:HEADLINES]]


def _for_review(rule: RulePage) -> int:
    return rule.registry.cells["non_conformant"].value or 0


def _count(rule: RulePage, measure: str, count: int) -> Datum:
    return Datum((rule.id, "registry", measure), str(count), f"{count:,}")


def _share(rule: RulePage, measure: str, share: float) -> Datum:
    return Datum((rule.id, "registry", measure), f"{share:.3f}", percent(share))


def _review(rule: RulePage) -> Finding:
    met, unmet = (
        rule.registry.cells[verdict].value or 0 for verdict in ("conformant", "non_conformant")
    )
    judged = _count(rule, "judged", met + unmet)
    parts: tuple[str | Datum, ...] = (
        _count(rule, "non_conformant", unmet),
        " for review of ",
        judged,
        " cases judged; the recommendation was met in ",
        _share(rule, "rate", met / (met + unmet)),
        ".",
    )
    if not unmet:
        parts = ("None for review: the recommendation was met in all ", judged, " cases judged.")
    return Finding(rule.card.title, rule.id, parts)


def _partial(rule: RulePage, complete: float) -> Finding:
    missing = [one.says for one in rule.missing if one.cell.value]
    most = f"; most often missing: {missing[0]}" if missing else ""
    share = _share(rule, "completeness", complete)
    says = ("Rests on part of its cases: ", share, f" could be evaluated{most}.")
    return Finding(rule.card.title, rule.id, says)


def _no_rate(rule: RulePage) -> str:
    if rule.nothing:
        return rule.nothing
    if rule.registry.rate.why == "none-judged":
        return "No rate: none of the cases concerned has been judged."
    if rule.registry.rate.why == "stream-not-linked":
        stream = words()["tables"][rule.card.gate.stream] if rule.card.gate else ""
        return f"No rate: the stream is not linked at the hospitals concerned ({stream.lower()})."
    return "No rate is shown: it would rest on small numbers."


def _facts(facts: pl.DataFrame, threshold: int) -> dict[str, list[Worded]]:
    """Descriptive counts by topic, under the sums a reader can do within each."""
    topics: dict[str, list[Worded]] = {}
    for (topic,), rows in facts.sort("position").group_by("topic", maintain_order=True):
        counts = {row["label"]: int(row["n"]) for row in rows.to_dicts()}
        cells = protect(counts, _sums(counts), threshold)
        topics[str(topic)] = [Worded("", label, cells[label]) for label in counts]
    return topics


def _sums(counts: Mapping[str, int]) -> list[Sum]:
    """The sums in a list of counts.

    A count that is the sum of those listed right after it is taken as their total; the sum of what
    is left is taken as known, as that of a whole registry is.
    """
    labels, sums, parts = list(counts), [], set()
    for at, total in enumerate(labels):
        for end in range(at + 3, len(labels) + 1):
            run = labels[at + 1 : end]
            if counts[total] and sum(counts[label] for label in run) == counts[total]:
                sums.append(Sum(tuple(run), total))
                parts.update(run)
    return [*sums, Sum(tuple(label for label in labels if label not in parts))]


def _loads(load_counts: pl.DataFrame) -> list[Load]:
    """In the order of the contract, as the words list the tables."""
    rows = {row["table_name"]: row for row in load_counts.to_dicts()}
    labels: Mapping[str, str] = words()["tables"]
    return [
        Load(
            name,
            label,
            bool(rows[name]["linked"]),
            rows[name]["rows_read"],
            rows[name]["rows_loaded"],
            rows[name]["duplicates_collapsed"],
            rows[name]["rows_quarantined"],
        )
        for name, label in labels.items()
        if name in rows
    ]


def _quarantine(quarantine: pl.DataFrame) -> list[tuple[str, str, int]]:
    """Table, reason in words, rows: counts of rows in files, most first."""
    counted = quarantine.sort("n", "table_name", "reason", descending=[True, False, False])
    tables, reasons = words()["tables"], words()["quarantine"]
    return [
        (
            tables.get(row["table_name"], row["table_name"]),
            reasons.get(row["reason"], row["reason"].replace("-", " ").capitalize()),
            row["n"],
        )
        for row in counted.to_dicts()
    ]


def _drugs(unrecognised: pl.DataFrame, threshold: int) -> list[Drug]:
    """Most frequent first. A row count as small as the patients' would give it away."""
    return [
        Drug(
            row["drug"] or "(empty)",
            single(row["rows"], threshold),
            single(row["patients"], threshold),
        )
        for row in unrecognised.sort("rows", "drug", descending=[True, False]).to_dicts()
    ]


def _stages(unreadable: pl.DataFrame, threshold: int) -> list[tuple[str, Cell]]:
    """Rows a column; the texts themselves, which may say anything, stay in the database."""
    rows = unreadable.group_by("column_name").agg(pl.col("rows").sum()).sort("column_name")
    return [(name, single(count, threshold)) for name, count in rows.iter_rows()]
