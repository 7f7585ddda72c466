"""What changed between two audits, told three ways: as text, as JSON, and as a page."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from audit.attribution import Change, changes, differing
from audit.differences import (
    RowChange,
    answers_behind,
    row_changes,
    rule_changes,
    tables_read,
)
from audit.disclosure import is_small
from audit.errors import UsageError
from audit.figures import LEAST_JUDGED
from audit.outputs import private_file
from audit.publish import earlier_audits
from audit.snapshot import Snapshot, open_snapshot
from audit.statistics import rate

KINDS = {
    "new": "new",
    "resolved": "resolved: was for review and is no longer",
    "changed": "changed verdict or reason",
    "gone": "gone",
    "details": "same verdict, other dates or evidence",
}
CAUSES = {
    "data": "data: the records or reviewers' answers",
    "clock": "clock: the cut-off",
    "rule": "rule: cards, variants, vocabulary or settings",
    "code": "code: the program",
}
_UNPROVEN = "not reproducible: another version of the program made one of the audits"
_RATE = ("conformant", "non_conformant")


@dataclass(frozen=True)
class RateMove:
    """One rule's rate in both audits, and how each cause moved its two counts."""

    rule_id: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    by_cause: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Diff:
    """Two audits compared; `evaluations` says how often one was judged again as proof."""

    before: Snapshot
    after: Snapshot
    differs: list[str]
    changes: list[Change]
    evaluations: int
    rows: Mapping[str, list[RowChange]]

    @property
    def rates(self) -> list[RateMove]:
        """The rules of which a count of the rate changed, in the order of their ids."""
        moved = []
        for rule_id in sorted({change.rule_id for change in self.changes}):
            was, is_now = _counts(self.before, rule_id), _counts(self.after, rule_id)
            if was != is_now:
                moved.append(RateMove(rule_id, was, is_now, self._moved_by(rule_id)))
        return moved

    def _moved_by(self, rule_id: str) -> dict[str, dict[str, int]]:
        moved: dict[str, Counter[str]] = {}
        for change in self.changes:
            if change.rule_id == rule_id:
                own = moved.setdefault(said(change), Counter())
                for finding, step in ((change.before, -1), (change.after, 1)):
                    if finding and finding["verdict"] in _RATE:
                        own[finding["verdict"]] += step
        return {cause: dict(own) for cause, own in moved.items() if any(own.values())}

    def rows_behind(self, change: Change) -> list[RowChange]:
        """The patient's rows that differ, in the tables that the rule's verdicts rest on.

        Where none does, those that only stand elsewhere in their file. The reviewers' answers
        to the case are among them.
        """
        read = tables_read(change.rule_id, self.after)
        own = [row for row in self.rows.get(change.patient_id, []) if row.table in read]
        own += answers_behind(
            self.before, self.after, change.rule_id, change.subject_id, change.patient_id
        )
        return [row for row in own if row.change != "moved"] or own

    def rules_behind(self, *some: Change) -> list[str]:
        """What of cards and settings differs for the changes' rules, where that is a cause."""
        by_rule = sorted({change.rule_id for change in some if "rule" in change.causes})
        told = (rule_changes(self.before, self.after, rule_id) for rule_id in by_rule)
        return list(dict.fromkeys(chain.from_iterable(told)))


def compare(before: Path, after: Path | None) -> Diff:
    """Compares two audits, or an audit with the one that was in its folder before.

    Args:
        before: the earlier audit's folder, or the only one.
        after: the later audit's folder; None compares within `before`.

    Raises:
        UsageError: a folder holds no audit, or none was there before.
    """
    new = open_snapshot(after or before)
    if after is None:
        kept = earlier_audits(before)
        if not kept:
            raise UsageError(
                f"{before} keeps no earlier audit",
                "audit again into the same folder, or name two folders",
            )
        before = kept[-1]
    old = open_snapshot(before)
    found, evaluations = changes(old, new)
    concerned = {change.patient_id for change in found if "data" in change.causes}
    rows = row_changes(old, new, concerned) if concerned else {}
    return Diff(old, new, differing(old, new), found, evaluations, rows)


def said(change: Change) -> str:
    """The cause in words: one factor, several that each suffice, or several together."""
    if not change.causes:
        return _UNPROVEN
    return (" and " if change.together else " or ").join(change.causes)


def as_text(diff: Diff, threshold: int, *, patients: bool = False) -> list[str]:
    """Lines for a terminal or a message: counts by kind and cause, and the rates that moved.

    Args:
        diff: the comparison.
        threshold: counts from 1 to one below it are told as fewer than it.
        patients: also one line a finding, and exact counts: for the registry alone.
    """
    least = 1 if patients else threshold
    lines = [f"from the audit of {_when(diff.before)} to that of {_when(diff.after)}"]
    differ = "; ".join(CAUSES[name] for name in diff.differs)
    lines.append(f"differs in: {differ or 'nothing that decides an audit'}")
    if exchanged := diff.rules_behind(*diff.changes):
        lines.append(f"of the rules changed: {', '.join(exchanged)}")
    counted = Counter((change.kind, said(change)) for change in diff.changes)
    for kind, words in KINDS.items():
        lines += [
            f"{words}: {_number(count, least)} findings, by {cause}"
            for (one, cause), count in sorted(counted.items())
            if one == kind
        ]
    if not counted:
        lines.append("no finding differs")
    for move in diff.rates:
        causes = ", ".join(
            f"{cause} ({_steps(steps, least)})" for cause, steps in sorted(move.by_cause.items())
        )
        shown = f"{_share(move.before, least)} to {_share(move.after, least)}"
        lines.append(f"rate {move.rule_id}: {shown}, by {causes}")
    if patients:
        lines += [_line(diff, change) for change in diff.changes]
    return lines


def summary_line(diff: Diff, threshold: int) -> str:
    """The comparison in one line: how many findings changed how."""
    counted = Counter(change.kind for change in diff.changes)
    told = [f"{_number(counted[kind], threshold)} {kind}" for kind in KINDS if counted[kind]]
    return ", ".join(told) or "no finding differs"


def as_json(diff: Diff) -> dict[str, Any]:
    """The whole comparison, patient level: every change with its causes and the rows behind it."""
    return {
        "before": _identity(diff.before),
        "after": _identity(diff.after),
        "differs": diff.differs,
        "evaluations": diff.evaluations,
        "rates": [asdict(move) for move in diff.rates],
        "findings": [_finding(diff, change) for change in diff.changes],
    }


def write_json(diff: Diff, path: Path) -> None:
    """Writes `as_json` to a new file that its owner alone can read.

    Raises:
        UsageError: there is such a file, or it can't be written.
    """
    text = json.dumps(as_json(diff), indent=2, ensure_ascii=False, default=str)
    _write(path, text + "\n")


def write_page(diff: Diff, threshold: int, path: Path) -> None:
    """Writes the comparison as a page of aggregate figures.

    Raises:
        UsageError: there is such a file, or it can't be written.
    """
    from audit.report import render

    title, differs, *lines = as_text(diff, threshold)
    context = {"title": title, "differs": differs, "lines": lines, "threshold": threshold}
    _write(path, render("diff.html", context))


def _write(path: Path, text: str) -> None:
    try:
        with private_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise UsageError(
            f"{path} can't be written ({error.strerror})", "name a new file in a writable folder"
        ) from error


def _finding(diff: Diff, change: Change) -> dict[str, Any]:
    causes: dict[str, object] = dict.fromkeys(change.causes, None)
    if "data" in causes:
        causes["data"] = [asdict(row) for row in diff.rows_behind(change)]
    if "clock" in causes:
        causes["clock"] = [diff.before.cutoff, diff.after.cutoff]
    if "rule" in causes:
        causes["rule"] = diff.rules_behind(change)
    if "code" in causes:
        causes["code"] = [one.manifest["product"] for one in (diff.before, diff.after)]
    told = {key: value for key, value in asdict(change).items() if key != "causes"}
    return told | {"cause": said(change), "causes": causes}


def _line(diff: Diff, change: Change) -> str:
    was, is_now = (
        "no finding" if one is None else f"{one['verdict']} ({one['reason']})"
        for one in (change.before, change.after)
    )
    behind = [
        f"{row.table} row {row.row_number} {row.change}"
        for row in (diff.rows_behind(change) if "data" in change.causes else [])
    ] + diff.rules_behind(change)
    because = f"{said(change)}{': ' if behind else ''}{', '.join(behind)}"
    return f"{change.kind} {change.rule_id} {change.subject_id}: {was} to {is_now}, by {because}"


def _identity(audit: Snapshot) -> dict[str, Any]:
    kept = ("run_id", "created_at", "cutoff", "product", "jurisdiction")
    return {name: audit.manifest[name] for name in kept}


def _when(audit: Snapshot) -> str:
    return f"{audit.manifest['created_at'][:10]} (cut-off {audit.cutoff})"


def _counts(audit: Snapshot, rule_id: str) -> dict[str, int]:
    own = audit.findings.filter(rule_id=rule_id)
    return {verdict: own.filter(verdict=verdict).height for verdict in _RATE}


def _number(count: int, threshold: int) -> str:
    return f"fewer than {threshold}" if is_small(count, threshold) else f"{count:,}"


def _steps(steps: Mapping[str, int], threshold: int) -> str:
    return ", ".join(
        f"{'more' if step > 0 else 'fewer'} {verdict.replace('_', '-')}: "
        f"{_number(abs(step), threshold)}"
        for verdict, step in sorted(steps.items())
        if step
    )


def _share(counts: Mapping[str, int], threshold: int) -> str:
    share = rate(counts["conformant"], counts["non_conformant"])
    few = sum(counts.values()) < LEAST_JUDGED
    if share is None or few or any(is_small(count, threshold) for count in counts.values()):
        return "no rate to show"
    return f"{100 * share:.1f} %"
