"""Why a verdict came out: clause by clause for one tumour, from the rule's own SQL.

The rule runs again on the facts of one patient, copied out of the published audit, and its
conditions are read out beside its verdict. A verdict that differs from the published one is an
error, never a second opinion.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlglot import exp

from audit.clauses import GROUPS, Branch
from audit.errors import UsageError
from audit.finished import Finished
from audit.guideline import ALWAYS, NEVER, Rule
from audit.patient import PatientFacts, published_verdicts
from audit.retrial import Retrial, Row
from audit.suppose import changes
from audit.wording import sentence

TRUE, FALSE, UNKNOWN, NOT_REACHED = "true", "false", "unknown", "not reached"

_CODES = frozenset({"outside_early_her2", "outside_metastatic_her2"})
"""Columns that hold the code of a shared exclusion: the clause says it in words."""

_PARTS = {
    "excluded": "population",
    "missing_reason": "needed facts",
    "met": "numerator",
    "excepted": "exceptions",
}
_SETTLED = {
    "excluded": "Inside the population whatever follows",
    "missing_reason": "Settled whatever else is missing",
    "met": "Cannot be met any more",
    "excepted": "No reason can excuse",
}


@dataclass(frozen=True)
class Clause:
    """One condition of a rule and what the record says of it.

    Attributes:
        part: `population`, `needed facts`, `numerator`, `exceptions`, `follow-up` or `review`.
        says: the condition in the card's words.
        condition: as the rule asks it, in the names of its facts; empty for the judgement's own.
        state: `true`, `false`, `unknown` (it rests on a fact that is not there) or `not reached`.
        facts: what it read, by name.
        decides: whether the verdict rests on it.
    """

    part: str
    says: str
    condition: str
    state: str
    facts: Mapping[str, Any]
    decides: bool


@dataclass(frozen=True, repr=False)
class Explanation:
    """Why one subject of a rule has its verdict.

    Attributes:
        rule: the rule.
        subject_id, patient_id, tumour_id: whom it judges.
        verdict, reason: as `findings` has them; `not_applicable` where it has no row.
        because: the reason in words.
        decision_date, due_date: as in `findings`, inclusive.
        clock_start: the day from which the window runs, where the rule has one.
        margin_days: days inside (+) or outside (-) the deciding window; None without a window.
        missing: the fields that would settle a `not_evaluable`.
        clauses: in the order in which they are asked.
        changes: what would have changed the verdict, in sentences; each of them was tried.
        placements: the verdict under each placing of imprecise dates; empty where none is.
        evidence: the dated facts of the finding, by name.
    """

    rule: Rule
    subject_id: str
    patient_id: str
    tumour_id: str
    verdict: str
    reason: str
    because: str
    decision_date: date | None
    due_date: date | None
    clock_start: date | None
    margin_days: int | None
    missing: tuple[str, ...]
    clauses: tuple[Clause, ...]
    changes: tuple[str, ...]
    placements: Mapping[str, str]
    evidence: Mapping[str, Any]

    def __repr__(self) -> str:
        # Where imprecise dates decide, the clauses tell of one placement alone.
        clauses = () if self.placements else self.clauses
        decided = next((clause.says for clause in clauses if clause.decides), self.because)
        return f"<{self.rule.card.number} {self.subject_id}: {self.verdict}, as: {decided}>"

    def _repr_html_(self) -> str:
        from audit.explain_text import as_html

        return as_html(self)


def explain(finished: Finished, facts: PatientFacts, rule: Rule) -> list[Explanation]:
    """Why one rule says what it says of a tumour.

    Args:
        finished: the audit.
        facts: of the tumour's patient.
        rule: a rule that the audit judged.

    Returns:
        One explanation for each subject that the rule has of the tumour: none where it has none.

    Raises:
        UsageError: the rules have changed since the audit, so that its verdict does not follow.
    """
    with finished.judged_anew():
        retrial = Retrial(finished, facts, rule)
        rows = retrial.rows()
        if not rows:
            return []
        judged, published = retrial.verdicts(), published_verdicts(facts, rule.id)
        return [_one(finished, facts, rule, retrial, row, judged, published) for row in rows]


def explain_concerned(
    finished: Finished, facts: PatientFacts
) -> tuple[list[Explanation], dict[str, str]]:
    """Why every rule that concerns a tumour says what it says.

    Args:
        finished: the audit.
        facts: of the tumour's patient.

    Returns:
        The explanations in the order of the catalogue; and for rules that look at the tumour and
        leave it out, why, by rule id.
    """
    explained: list[Explanation] = []
    left_out: dict[str, str] = {}
    for rule_id in finished.manifest["verdicts"]:
        rule, published = finished.rule(rule_id), published_verdicts(facts, rule_id).values()
        if any(row["verdict"] != "not_applicable" for row in published):
            explained += explain(finished, facts, rule)
        elif published:
            left_out[rule_id] = sentence(next(iter(published))["reason"], rule.card)
    return explained, left_out


def _one(
    finished: Finished,
    facts: PatientFacts,
    rule: Rule,
    retrial: Retrial,
    row: Row,
    judged: Mapping[tuple[int, str], Row],
    published: Mapping[str, Row],
) -> Explanation:
    part = row.get("subject_part")
    subject = f"{row['tumour_id']}/{part}" if part else row["tumour_id"]
    now, then = judged[(facts.middle_key, subject)], published.get(subject)
    settled = then is not None and then["reason"] != "imprecise-date"
    if then is None or (
        settled and (now["verdict"], now["reason"]) != (then["verdict"], then["reason"])
    ):
        raise UsageError(
            f"rule {rule.id} no longer gives the verdict that the audit in {finished.folder} holds",
            "explain it with the version that made it, or run the audit again",
        )
    placed = {
        how: f"{found['verdict']} ({found['reason']})"
        for key, how in facts.placements.items()
        if len(facts.placements) > 1 and (found := judged.get((key, subject))) is not None
    }
    clauses = list(_clauses(finished, rule, retrial, row, now))
    verdict, reason = then["verdict"], then["reason"]
    if then["answer"] is not None:
        verdict, reason = "excepted", "adjudicated"
        read = {name: then[name] for name in ("answer", "reviewer", "reviewed_on")}
        clauses.append(Clause("review", sentence(reason, rule.card), "", TRUE, read, decides=True))
    return Explanation(
        rule=rule,
        subject_id=subject,
        patient_id=facts.patient_id,
        tumour_id=facts.tumour_id,
        verdict=verdict,
        reason=reason,
        because=sentence(reason, rule.card),
        decision_date=then["decision_date"],
        due_date=then["due_date"],
        clock_start=now["clock_start"],
        margin_days=then["margin_days"],
        missing=tuple(then["missing"] or ()),
        clauses=tuple(clauses),
        changes=tuple(
            changes(retrial, rule.card, row, now["verdict"], (facts.middle_key, subject))
        ),
        placements=placed,
        evidence=json.loads(then["evidence"]),
    )


def _clauses(
    finished: Finished, rule: Rule, retrial: Retrial, row: Row, now: Row
) -> Iterator[Clause]:
    """Every clause in the order of the judgement; what comes after the deciding one is grey."""
    over = False
    for group in GROUPS:
        settled = over
        for number, branch in enumerate(retrial.branches):
            if branch.group != group:
                continue
            holds, code = row[f"when {number}"], row[f"then {number}"]
            decides = not settled and bool(holds) and code is not None
            for clause in _told(rule, retrial, branch, row, None if settled else (holds, code)):
                yield clause
            settled = settled or decides or (bool(holds) and not branch.falls_through)
            over = over or decides
        if group == "excluded":
            clause = _in_force(finished, rule, row, over)
            over = over or clause.decides
            yield clause
    yield from _follow_up(now, over)


def _told(
    rule: Rule,
    retrial: Retrial,
    branch: Branch,
    row: Row,
    found: tuple[bool | None, str | None] | None,
) -> Iterator[Clause]:
    """A branch as one clause, or as several where the shared facts decide between several codes."""
    condition = retrial.in_words(branch.when)
    read = {name: row[f"read {name}"] for name in retrial.read_by(branch)}
    read = {name: value for name, value in read.items() if name not in _CODES}
    holds, code = found if found is not None else (None, None)
    codes = [branch.then.name] if isinstance(branch.then, exp.Literal) else [code]
    if branch.group == "excluded" and isinstance(branch.then, exp.Column):
        named = {b.then.name for b in retrial.branches if b.group == "excluded"}
        codes = [s.code for s in rule.card.attrition if s.code not in named | {"not-in-force"}]
    passed = False
    for one in codes:
        hit = bool(holds) and one == code
        if one is None and not (holds and isinstance(branch.then, exp.Null)):
            continue
        state = NOT_REACHED if found is None or passed else _state(hit if len(codes) > 1 else holds)
        yield Clause(
            part=_PARTS[branch.group],
            says=sentence(one, rule.card) if one else _SETTLED[branch.group],
            condition="" if condition == "true" or len(codes) > 1 else condition,
            state=state,
            facts=read,
            decides=state == TRUE and one is not None,
        )
        passed = passed or (hit and len(codes) > 1)


def _in_force(finished: Finished, rule: Rule, row: Row, over: bool) -> Clause:
    edition = row.get("edition") or "default"
    since = rule.in_force(finished.settings.jurisdiction).get(edition, NEVER)
    decided = row["decision_date"]
    late = decided is not None and decided < since
    facts = {"decision_date": decided}
    if since != ALWAYS:
        facts["in_force_from"] = None if since == NEVER else since
    return Clause(
        part=_PARTS["excluded"],
        says=sentence("not-in-force", rule.card),
        condition="decision_date < in_force_from",
        state=NOT_REACHED if over else _state(late if decided is not None else None),
        facts=facts,
        decides=late and not over,
    )


def _follow_up(now: Row, over: bool) -> Iterator[Clause]:
    """What the judgement itself asks after the rule's own clauses, as sql/results/verdicts.sql."""
    asked = (
        ("exceptions", "A documented reason that the rule accepts", "documented_reason",
         ("documented_reason", "documented_row")),
        ("exceptions", "Ended before the due date by death, recurrence or the like",
         "interruption", ("interruption", "interrupted_on")),
        ("follow-up", "Due only after what can be observed", None,
         ("settled_after", "observable_through")),
        ("follow-up", "The stream is not linked, or too rarely seen at this hospital",
         "unlinked_stream", ("unlinked_stream",)),
        ("follow-up", "Care before the transfer in may not be on record", None,
         ("transfer_in_date", "observed_from")),
        ("follow-up", "A row in doubt could hold what is lacking", "doubt",
         ("doubt", "doubt_table", "doubt_row", "doubt_column")),
    )  # fmt: skip
    for part, says, name, read in asked:
        facts = {one: now.get(one) for one in read}
        later, earlier = (facts[one] for one in read[:2]) if name is None else (None, None)
        holds = facts[name] is not None if name else bool(later and earlier and later > earlier)
        state = NOT_REACHED if over else _state(holds)
        yield Clause(part, says, "", state, facts, decides=state == TRUE)
        over = over or holds


def _state(holds: bool | None) -> str:
    return UNKNOWN if holds is None else TRUE if holds else FALSE
