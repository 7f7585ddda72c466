"""Codes, counts and shares in the words and digits of the pages."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from audit import resources
from audit.disclosure import Cell
from audit.guideline import Card, Catalogue

SMALLEST_SHARE = 0.0001
"""What is not shown exactly where a share is of rows."""


@cache
def words() -> Mapping[str, Mapping[str, Any]]:
    """The page's words for codes, from `reports/words.yaml`."""
    text = (resources.root("reports") / "words.yaml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return loaded


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


def number(cell: Cell) -> str:
    """A count inside a sentence."""
    return f"{cell.value:,}" if cell.value is not None else "a number too small to show"


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{100 * share:.1f}%"


def fine_percent(share: float) -> str:
    """A share of rows above none, as a percentage with two decimals."""
    return f"{100 * share:.2f}%" if share > SMALLEST_SHARE else "less than 0.01%"
