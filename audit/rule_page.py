"""What the report says of one rule: its figures in words, beside its card."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit.disclosure import Cell
from audit.figures import Group, RuleFigures
from audit.guideline import Card, Catalogue, Edition
from audit.verdicts import VERDICTS
from audit.wording import number, sentence, words

SPLIT = ("conformant", "non_conformant", "excepted", "pending", "not_evaluable")
"""The population's verdicts in the order the page shows them."""


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


def rule_page(figures: RuleFigures, manifest: Mapping[str, Any], catalogue: Catalogue) -> RulePage:
    """The page of one rule, for an audit with that manifest."""
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
