"""Every statement of the guideline is checked by the rules that it is put down to, and by no other.

Owns: that no recommendation is left without a rule.
"""

import yaml

from audit import resources
from audit.guideline import Catalogue

CATALOGUE = Catalogue.read()
INDEX = yaml.safe_load((resources.root("checks") / "statements.yaml").read_text(encoding="utf-8"))
STATEMENTS: dict[str, list[str]] = {
    name: rules for name, rules in INDEX.items() if isinstance(rules, list)
}
OF_THE_GUIDELINE = {"rule": 77, "stratifier": 11, "context": 20}


def test_every_statement_is_covered_by_its_rules_alone() -> None:
    covered: dict[str, set[str]] = {statement: set() for statement in STATEMENTS}
    for rule in CATALOGUE.rules.values():
        for statement in rule.card.covers:
            covered.setdefault(statement, set()).add(rule.id)
    assert covered == {name: set(rules) for name, rules in STATEMENTS.items()}


def test_every_rule_of_the_specification_checks_a_statement() -> None:
    named = {rule for rules in STATEMENTS.values() for rule in rules}
    assert named == set(CATALOGUE.numbers.values())


def test_every_other_statement_says_what_it_is_for() -> None:
    others = {name: said for name, said in INDEX.items() if name not in STATEMENTS}
    kinds = [kind for said in others.values() for kind in said]
    counted = {"rule": len(STATEMENTS)} | {kind: kinds.count(kind) for kind in sorted(kinds)}
    assert counted == OF_THE_GUIDELINE
    assert all(text.endswith(".") for said in others.values() for text in said.values())
