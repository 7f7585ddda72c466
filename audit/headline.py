"""What the report says first: findings in plain words, each from numbers that are shown below."""

from dataclasses import dataclass

from audit.rule_page import RulePage
from audit.wording import percent, words

LOW_COMPLETENESS = 0.8
"""Below this share the headline says that a rate rests on part of its cases."""
HEADLINES = 3
"""Rules named in the headline for their cases for review."""


@dataclass(frozen=True)
class Datum:
    """A number inside a sentence: what its id is made of, its value for a machine, and its text."""

    id: tuple[str, ...]
    value: str
    text: str


@dataclass(frozen=True)
class Finding:
    """A headline: what it is about, the rule's id where it is one rule, and what was found."""

    about: str
    rule_id: str
    parts: tuple[str | Datum, ...]

    @property
    def says(self) -> str:
        """The sentence as plain text."""
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)


def headline(rules: list[RulePage]) -> list[Finding]:
    """The findings in plain words: cases for review, and rates that rest on part of the cases."""
    rated = [rule for rule in rules if rule.registry.rate.share is not None]
    gravest = sorted(rated, key=_for_review, reverse=True)
    found = [_review(rule) for rule in gravest[:HEADLINES]]
    partial = [
        (complete, rule)
        for rule in rated
        if (complete := rule.registry.rate.completeness) is not None and complete < LOW_COMPLETENESS
    ]
    partial.sort(key=lambda one: (one[0], one[1].card.number))
    return found + [_partial(rule, complete) for complete, rule in partial[:HEADLINES]]


def _for_review(rule: RulePage) -> int:
    return rule.registry.cells["non_conformant"].value or 0


def _count(rule: RulePage, measure: str, count: int) -> Datum:
    return Datum((rule.id, "registry", measure), str(count), f"{count:,}")


def _share(rule: RulePage, measure: str, share: float) -> Datum:
    return Datum((rule.id, "registry", measure), f"{share:.3f}", percent(share))


def _review(rule: RulePage) -> Finding:
    met, unmet = (
        rule.registry.cells[verdict].value or 0 for verdict in ("conformant", "non_conformant")
    )
    judged = _count(rule, "judged", met + unmet)
    parts: tuple[str | Datum, ...] = (
        _count(rule, "non_conformant", unmet),
        " for review of ",
        judged,
        " cases judged; the recommendation was met in ",
        _share(rule, "rate", met / (met + unmet)),
        ".",
    )
    if not unmet:
        parts = ("None for review: the recommendation was met in all ", judged, " cases judged.")
    return Finding(rule.card.title, rule.id, parts)


def _partial(rule: RulePage, complete: float) -> Finding:
    missing = [one.says for one in rule.missing if one.cell.value]
    most = f"; most often missing: {missing[0]}" if missing else ""
    share = _share(rule, "completeness", complete)
    says = ("Rests on part of its cases: ", share, f" could be evaluated{most}.")
    return Finding(rule.card.title, rule.id, says)


def no_rate(rule: RulePage) -> str:
    """Why a rule shows no rate."""
    if rule.nothing:
        return rule.nothing
    if rule.registry.rate.why == "none-judged":
        return "No rate: none of the cases concerned has been judged."
    if rule.registry.rate.why == "stream-not-linked":
        stream = words()["tables"][rule.card.gate.stream] if rule.card.gate else ""
        return f"No rate: the stream is not linked at the hospitals concerned ({stream.lower()})."
    return "No rate is shown: it would rest on small numbers."
