"""Puts each change of a finding down to what brings it about, proved by judging again.

An audit is decided by its records (data), its cut-off (clock), its cards, variants and vocabulary
(rule), and the program (code). Where only one of them differs, every change is its doing. Else
the earlier audit is judged again with one of them as in the later audit: what then comes out as in
the later audit is that one's doing alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from audit.errors import UserError
from audit.manifest import code_hash
from audit.snapshot import FACTORS, Snapshot, judge_again

Key = tuple[str, str]
Finding = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """A finding that differs between two audits; None where an audit has none.

    `causes` are the factors of which each brings the change about alone or, where `together`, of
    which each is needed and none suffices. It is empty where the program can't reproduce an audit
    that another version of it made.
    """

    rule_id: str
    subject_id: str
    patient_id: str
    kind: str
    before: Finding | None
    after: Finding | None
    causes: tuple[str, ...]
    together: bool


def kind_of(before: Finding | None, after: Finding | None) -> str:
    """new, gone, resolved (was for review), changed (verdict or reason), or details."""
    if before is None:
        return "new"
    if after is None:
        return "gone"
    if before["verdict"] == "non_conformant" != after["verdict"]:
        return "resolved"
    same = all(before[name] == after[name] for name in ("verdict", "reason"))
    return "details" if same else "changed"


@dataclass
class _Evaluations:
    """The findings of each mixture of two audits, judged again when they are first asked for."""

    before: Snapshot
    after: Snapshot
    rules: tuple[str, ...]
    done: dict[frozenset[str], dict[Key, Finding] | None] = field(default_factory=dict)

    def with_later(self, *factors: str) -> dict[Key, Finding] | None:
        """The earlier audit with these factors as in the later one; None: they don't fit."""
        later = frozenset(factors)
        if later not in self.done:
            owners = {name: self.after if name in later else self.before for name in FACTORS}
            try:
                self.done[later] = by_key(judge_again(**owners, rules=self.rules))
            except UserError:  # such as a rule that asks for a fact that the other program lacks
                self.done[later] = None
        return self.done[later]

    def gives(self, key: Key, expected: Finding | None, *factors: str) -> bool:
        """Whether a finding then comes out as expected."""
        found = self.with_later(*factors)
        return found is not None and found.get(key) == expected


def differing(before: Snapshot, after: Snapshot) -> list[str]:
    """Which of FACTORS differ between two audits."""
    return [name for name in FACTORS if before.factors[name] != after.factors[name]]


def changes(before: Snapshot, after: Snapshot) -> tuple[list[Change], int]:
    """Every finding that differs, with what brings it about, by rule and subject.

    Args:
        before: the earlier audit.
        after: the later audit.

    Returns:
        The changes, and how often an audit was judged again to prove them.
    """
    was, is_now = by_key(before.findings), by_key(after.findings)
    changed = [k for k in sorted(was | is_now) if was.get(k) != is_now.get(k)]
    factors = differing(before, after)
    again = _Evaluations(before, after, tuple(sorted({rule_id for rule_id, _ in changed})))
    found = []
    for key in changed:
        causes, together = _causes(key, was.get(key), is_now.get(key), factors, again)
        named = is_now.get(key) or was[key]
        kind = kind_of(was.get(key), is_now.get(key))
        patient = named["patient_id"]
        found.append(Change(*key, patient, kind, was.get(key), is_now.get(key), causes, together))
    return found, len(again.done)


def by_key(findings: pl.DataFrame) -> dict[Key, Finding]:
    """Findings under rule and subject."""
    return {(row["rule_id"], row["subject_id"]): row for row in findings.iter_rows(named=True)}


def _causes(
    key: Key,
    was: Finding | None,
    is_now: Finding | None,
    factors: list[str],
    again: _Evaluations,
) -> tuple[tuple[str, ...], bool]:
    if len(factors) == 1:
        return tuple(factors), False
    # Judged by this program, an audit of another version may come out differently by itself.
    if not _reproduced(again.after) and not again.gives(key, is_now, *FACTORS):
        return (), False
    reproduced = _reproduced(again.before) or again.gives(key, was)
    alone = [
        name
        for name in factors
        if (reproduced or name == "code") and again.gives(key, is_now, name)
    ]
    if alone:
        return tuple(alone), False
    needed = [
        name
        for name in factors
        if not again.gives(key, is_now, *(other for other in factors if other != name))
    ]
    return tuple(needed or factors), True


def _reproduced(audit: Snapshot) -> bool:
    """Whether this program made the audit: then judging it again gives what it gave."""
    return bool(audit.manifest["product"]["code"] == code_hash())
