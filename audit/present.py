"""Result tables to the plain context of the page: everything the page says, and no HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from audit.completeness import Completeness, completeness
from audit.counting import Tables
from audit.disclosure import THRESHOLD, Cell, Sum, protect, single
from audit.figures import all_figures
from audit.guideline import Catalogue, Parameter
from audit.headline import Finding, headline, no_rate
from audit.lines import Window, windows
from audit.loads import Load, in_quarantine, loads
from audit.quality_page import Quality, present_quality
from audit.repairs import AtSite, Mending, first_at_sites, mendings
from audit.responses import Response, responses
from audit.rule_page import RulePage, Worded, rule_page
from audit.wording import field_words, words

DRUGS_SHOWN = 100
"""Unrecognised drug strings listed on the page; the database has them all."""
PLACES = ("US", "EU", "ENGLAND")


@dataclass(frozen=True)
class Drug:
    """A drug string that no vocabulary knows."""

    text: str
    rows: Cell
    patients: Cell


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
    quarantine: list[tuple[str, str, Cell]]
    drugs: list[Drug]
    drugs_left_out: int
    stages: list[tuple[str, Cell]]
    completeness: Completeness
    repairs: list[Mending]
    repairs_by_site: list[AtSite]
    field_names: Mapping[str, str]
    quality: Quality
    definitions: Mapping[str, Parameter]

    @property
    def is_early(self) -> bool:
        """Whether the audit was made before its cut-off: care still to come looks undone."""
        return bool(self.manifest["created_at"][:10] < self.manifest["cutoff"])


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
    rules = [rule_page(figures[rule_id], manifest, catalogue) for rule_id in audited]
    found = loads(tables, threshold)
    loaded = {load.name: load.loaded for load in found}
    drugs, drugs_left_out = _drugs(tables["unrecognised_drugs"], threshold)
    site_rows = tables["rates"].filter(pl.col("level") == "site")
    site_names = dict(site_rows.select("group_id", "group_name").iter_rows())
    return Page(
        manifest=manifest,
        threshold=threshold,
        patients=loaded["patients"],
        tumours=loaded["tumours"],
        headline=headline(rules),
        unrated=[
            Finding(rule.card.title, rule.id, (no_rate(rule),))
            for rule in rules
            if rule.registry.rate.share is None
        ],
        rules=rules,
        facts=_facts(tables["registry_facts"], threshold),
        responses=responses(tables["responses"], threshold),
        windows=windows(tables["window_lines"], threshold),
        loads=found,
        not_linked=[
            (load.label, words()["not_linked"].get(load.name, ""))
            for load in found
            if not load.linked
        ],
        quarantine=in_quarantine(found),
        drugs=drugs,
        drugs_left_out=drugs_left_out,
        stages=_stages(tables["unreadable_stages"], threshold),
        completeness=completeness(tables["completeness"], site_names, catalogue, threshold),
        repairs=mendings(figures.values(), catalogue),
        repairs_by_site=first_at_sites(tables["repairs"], site_names, catalogue, threshold),
        field_names=_field_names(tables["missing_fields"], catalogue),
        quality=present_quality(tables, catalogue.numbers, threshold),
        definitions=catalogue.definitions,
    )


def _field_names(missing_fields: pl.DataFrame, catalogue: Catalogue) -> dict[str, str]:
    names = field_words(catalogue)
    return names | {name: names.get(name, name) for name in missing_fields["field"]}


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


def _drugs(unrecognised: pl.DataFrame, threshold: int) -> tuple[list[Drug], int]:
    """The most frequent names, and how many are left out.

    A text of few patients may say anything, who they are too: it stays in the database.
    """
    rows = unrecognised.sort("rows", "drug", descending=[True, False]).to_dicts()
    drugs = [
        Drug(row["drug"] or "(empty)", Cell(row["rows"]), Cell(row["patients"]))
        for row in rows
        if row["patients"] >= threshold
    ][:DRUGS_SHOWN]
    return drugs, len(rows) - len(drugs)


def _stages(unreadable: pl.DataFrame, threshold: int) -> list[tuple[str, Cell]]:
    """Rows a column; the texts themselves, which may say anything, stay in the database."""
    rows = unreadable.group_by("column_name").agg(pl.col("rows").sum()).sort("column_name")
    return [(name, single(count, threshold)) for name, count in rows.iter_rows()]
