"""Nothing of a rule is missing: card, SQL and vignettes agree with one another."""

import re
from datetime import date

import pytest

from audit import resources
from audit.guideline import Catalogue, Rule
from audit.spark import not_carried
from audit.verdicts import VERDICTS
from audit.vignettes import Vignette, contract, read

CATALOGUE = Catalogue.read()
RULES = [pytest.param(rule, id=rule.id) for rule in CATALOGUE.rules.values()]


def vignettes(rule: Rule) -> list[Vignette]:
    return read(rule.folder / "vignettes.md")


def test_every_rule_folder_is_whole() -> None:
    folders = [path for path in (resources.root("checks") / "rules").glob("*/*") if path.is_dir()]
    for folder in folders:
        assert {"card.yaml", "rule.sql", "vignettes.md"} <= {path.name for path in folder.iterdir()}
    assert {folder.name for folder in folders} == set(CATALOGUE.rules)


@pytest.mark.parametrize("rule", RULES)
def test_every_verdict_has_a_vignette(rule: Rule) -> None:
    told = {expected.verdict for v in vignettes(rule) for expected in v.expected.values()}
    never = {"pending"} if rule.card.pending.startswith("Never") else set()
    never |= set() if " as failed" in rule.sql else {"non_conformant"}
    assert set(VERDICTS) - never <= told


@pytest.mark.parametrize("rule", RULES)
def test_every_exclusion_has_a_vignette(rule: Rule) -> None:
    told = {
        expected.reason
        for v in vignettes(rule)
        for expected in v.expected.values()
        if expected.verdict == "not_applicable"
    }
    assert told - {None} == {step.code for step in rule.card.attrition}


@pytest.mark.parametrize("rule", RULES)
def test_every_accepted_exception_has_a_vignette(rule: Rule) -> None:
    told: set[str | None] = set()
    for vignette in vignettes(rule):
        excepted = [e for e in vignette.expected.values() if e.verdict == "excepted"]
        told |= {expected.reason for expected in excepted}
        if excepted:
            told |= {row["reason"] for row in vignette.tables.get("exceptions", [])}
    accepted = set(rule.card.exceptions.reasons)
    if "trial" in {step.code for step in rule.card.attrition}:
        accepted -= {"trial"}
    assert accepted <= told


@pytest.mark.parametrize("rule", RULES)
def test_every_reason_a_vignette_gives_is_on_the_card(rule: Rule) -> None:
    shared = {"not-yet-due", "lost-to-follow-up", "transferred-out", "transferred-in"} | {
        "quarantined-row", "undated-row", "unlinked-row", "unrecognised-drug",
        "unrecognised-reason", "unrecognised-topic", "unspecified-surgery",
        "unspecified-event", "names-another-tumour", "palliative-treatment", "zero-dose",
        "unrecorded-neoadjuvant", "unrecorded-recurrence",
        "imprecise-date", "stream-not-linked", "trial",
    }  # fmt: skip
    events = {"death-before-due", "recurrence-before-due", "progression"}
    known = {step.code for step in rule.card.attrition} | set(rule.card.reasons)
    told = {expected.reason for v in vignettes(rule) for expected in v.expected.values()}
    assert told - {None} <= known | shared | events | set(rule.card.exceptions.reasons)


@pytest.mark.parametrize("rule", RULES)
def test_every_variant_and_jurisdiction_has_a_vignette(rule: Rule) -> None:
    circumstances = [v.circumstances for v in vignettes(rule)]
    chosen = {choice for c in circumstances for choice in c.variants}
    for name, variant in rule.card.variants.items():
        for choice in set(variant.choices) - {variant.default}:
            assert (name, choice) in chosen
    assert {c.jurisdiction for c in circumstances} == set(rule.editions["default"])


@pytest.mark.parametrize("rule", RULES)
def test_card_is_signed_and_not_expired(rule: Rule) -> None:
    assert rule.card.next_review > date.today()
    assert rule.card.authored_by and rule.card.checked_by
    assert all(parameter.source for parameter in rule.card.parameters.values())
    assert rule.card.covers
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry) for entry in rule.card.covers)
    if rule.card.gate:
        assert rule.card.gate.stream in contract()
        assert rule.card.gate.share in CATALOGUE.definitions
    assert set(rule.card.needs_streams) | set(rule.card.guards_streams) <= set(contract())


@pytest.mark.parametrize("rule", RULES)
def test_numbers_stand_on_the_card_alone(rule: Rule) -> None:
    without_text = re.sub(r"'[^']*'|--[^\n]*|\$\w+", "", rule.sql)
    # 0 and 1 count rows; every larger number is a clinical one and comes as a $parameter.
    assert [n for n in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", without_text) if float(n) > 1] == []


@pytest.mark.parametrize("rule", RULES)
def test_sql_is_carried_to_spark(rule: Rule) -> None:
    assert list(not_carried(rule.sql)) == []
