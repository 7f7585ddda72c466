"""The made-up registry behind the reports of the tests: hospitals, rules and cut-off."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from audit.guideline import Catalogue, Gate
from audit.settings import Settings

CUTOFF = date(2024, 12, 31)
SETTINGS = Settings(extract=Path("extract"), cutoff=CUTOFF)
SITES = {
    "S1": "Alder General",
    "S2": "Birch University Hospital",
    "S3": "Cedar <County> & District Hospital",
    "S4": "Dogwood",
}
GATED = "her2-positive-before-her2-therapy"


def _catalogue():
    """The catalogue, with a gate on one rule's card."""
    real = Catalogue.read()
    gate = Gate(stream="receptor_tests", share="gate_share", says="Expected of everyone.")
    rule = real.rules[GATED]
    gated = replace(rule, card=rule.card.model_copy(update={"gate": gate}))
    return replace(real, rules={**real.rules, GATED: gated})


CATALOGUE = _catalogue()
RULES = list(CATALOGUE.rules)
