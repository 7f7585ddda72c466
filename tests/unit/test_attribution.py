"""How a change is put down to its cause, with made-up audits judged by a made-up rule."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest

from audit import attribution
from audit.errors import UsageError
from audit.manifest import code_hash

LATER = "later"


@dataclass
class Audit:
    """An audit of which each factor is either earlier or later."""

    factors: dict[str, str]
    code: str = field(default_factory=code_hash)
    findings: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def manifest(self) -> dict[str, Any]:
        return {"product": {"code": self.code}}


def rows(verdicts: dict[str, str]) -> pl.DataFrame:
    """Findings of one rule: subject to verdict."""
    found = [("R", subject, "P", verdict, None) for subject, verdict in verdicts.items()]
    names = ("rule_id", "subject_id", "patient_id", "verdict", "reason")
    return pl.DataFrame(found, dict.fromkeys(names, pl.String), orient="row")


def compared(monkeypatch, judged, later, code=None):
    """The changes between two audits by a function from the factors that are later to findings."""

    def audit(which: set[str]) -> Audit:
        factors = {name: LATER if name in which else "" for name in attribution.FACTORS}
        return Audit(factors, findings=rows(judged(frozenset(which))))

    def judge_again(data, clock, rule, code, rules):
        owners = {"data": data, "clock": clock, "rule": rule, "code": code}
        return rows(judged({name for name, one in owners.items() if one.factors[name] == LATER}))

    monkeypatch.setattr(attribution, "judge_again", judge_again)
    before, after = audit(set()), audit(later)
    before.code = code or before.code
    found, evaluations = attribution.changes(before, after)
    told = {c.subject_id: (c.kind, c.causes, c.together) for c in found}
    return told, evaluations


def test_the_only_thing_that_differs_is_the_cause_without_judging_again(monkeypatch) -> None:
    def judged(later):
        return {"T": "excepted" if "code" in later else "non_conformant"}

    assert compared(monkeypatch, judged, {"code"}) == ({"T": ("resolved", ("code",), False)}, 0)


def test_each_is_tried_alone(monkeypatch) -> None:
    def judged(later):
        found = {"T1": "conformant" if "data" in later else "pending"}
        found["T2"] = "conformant" if "clock" in later else "pending"
        if "rule" in later:
            found["T3"] = "non_conformant"
        if "code" not in later:
            found["T4"] = "conformant"
        return found

    told, evaluations = compared(monkeypatch, judged, {"data", "clock", "rule", "code"})
    assert told == {
        "T1": ("changed", ("data",), False),
        "T2": ("changed", ("clock",), False),
        "T3": ("new", ("rule",), False),
        "T4": ("gone", ("code",), False),
    }
    assert evaluations == 4


def test_what_nothing_brings_about_alone_is_put_down_to_all_that_is_needed(monkeypatch) -> None:
    def judged(later):
        return {"T": "conformant" if {"data", "rule"} <= set(later) else "pending"}

    told, _ = compared(monkeypatch, judged, {"data", "clock", "rule"})
    assert told == {"T": ("changed", ("data", "rule"), True)}


def test_two_that_each_suffice_are_both_named(monkeypatch) -> None:
    def judged(later):
        return {"T": "conformant" if {"data", "clock"} & set(later) else "pending"}

    told, _ = compared(monkeypatch, judged, {"data", "clock"})
    assert told == {"T": ("changed", ("data", "clock"), False)}


def test_parts_that_do_not_fit_prove_nothing(monkeypatch) -> None:
    def judged(later):
        if len(later) == 1 and "rule" in later:
            raise UsageError("the rule asks for a fact that is not there", "none")
        return {"T": "conformant" if "rule" in later else "pending"}

    told, _ = compared(monkeypatch, judged, {"rule", "code"})
    assert told == {"T": ("changed", ("rule", "code"), True)}


def test_an_audit_of_another_program_is_first_judged_by_this_one(monkeypatch) -> None:
    # The earlier program called T pending; this one calls it conformant whatever the records say.
    def judged(later):
        return {"T": "pending" if not later else "conformant"}

    told, _ = compared(monkeypatch, judged, {"data", "code"}, code="another program")
    assert told["T"][1] == ("data", "code")


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, {"verdict": "pending", "reason": "r"}, "new"),
        ({"verdict": "pending", "reason": "r"}, None, "gone"),
        (
            {"verdict": "non_conformant", "reason": "r"},
            {"verdict": "excepted", "reason": "r"},
            "resolved",
        ),
        (
            {"verdict": "pending", "reason": "r"},
            {"verdict": "non_conformant", "reason": "r"},
            "changed",
        ),
        (
            {"verdict": "excepted", "reason": "r"},
            {"verdict": "excepted", "reason": "s"},
            "changed",
        ),
        (
            {"verdict": "excepted", "reason": "r", "evidence": "{}"},
            {"verdict": "excepted", "reason": "r", "evidence": "{1}"},
            "details",
        ),
    ],
)
def test_the_kind_of_a_change(before, after, kind: str) -> None:
    assert attribution.kind_of(before, after) == kind
