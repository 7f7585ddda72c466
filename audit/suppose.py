"""What would have changed a verdict: other values of a fact, tried in the rule itself."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from sqlglot import exp

from audit.clauses import Branch, parts
from audit.guideline import Card
from audit.retrial import Retrial, Row
from audit.wording import sentence

_AT_MOST: dict[type[exp.Expr], bool] = {exp.LT: True, exp.LTE: True, exp.GT: False, exp.GTE: False}
_NO_FACTS = frozenset({"due_date", "settled_date", "decision_date", "observable_through"})
"""Days that follow from others: nobody could have done anything about them."""

_STRICT = (exp.LT, exp.GT)
_SPELLED = {"her2": "HER2", "tdm1": "T-DM1", "tdxd": "T-DXd", "lvef": "LVEF", "ild": "ILD"}


@dataclass(frozen=True)
class Bound:
    """A clause holds where a fact is at most, or at least, a value; days count from year 1.

    `part` numbers the conditions of a branch that all have to hold.
    """

    part: int
    column: str
    at_most: bool
    value: int
    recorded: int | None
    is_date: bool

    @property
    def slack(self) -> int | None:
        """How far the fact lies inside (+) or outside (-) the bound; None where it is missing."""
        if self.recorded is None:
            return None
        inside = self.value - self.recorded
        return inside if self.at_most else -inside

    @property
    def holds(self) -> bool:
        """Whether the fact is there and lies inside."""
        return self.slack is not None and self.slack >= 0

    @property
    def in_sql(self) -> exp.Expr:
        """The value as a literal."""
        if self.is_date:
            return exp.cast(exp.Literal.string(date.fromordinal(self.value).isoformat()), "date")
        return exp.Literal.number(self.value)


def changes(
    retrial: Retrial, card: Card, row: Row, verdict: str, subject: tuple[int, str]
) -> list[str]:
    """What would have made this verdict another one, each found by running the rule again.

    Args:
        retrial: the rule on the patient's facts.
        card: the rule's card, for the words of its reasons.
        row: what the rule says of the subject, from `Retrial.rows`.
        verdict: the subject's verdict.
        subject: its patient key and id.

    Returns:
        Sentences; everything else is taken to be as the record has it.
    """
    if not retrial.columns:
        return []
    met = [
        (branch, row[f"when {number}"])
        for number, branch in enumerate(retrial.branches)
        if branch.group == "met" and not isinstance(branch.then, exp.Null)
    ]
    if verdict == "conformant":
        held = next((branch for branch, holds in met if holds), None)
        return [] if held is None else list(_limits(retrial, held, row, subject))
    if verdict not in ("non_conformant", "pending", "excepted"):
        return []
    found = _fewest(way for branch, _ in met for way in _ways(retrial, branch, row, subject))
    if verdict == "non_conformant":
        found += _reasons(retrial, card, subject)
    return found


def in_words(column: str) -> str:
    """A fact's name as a sentence has it."""
    words = column.removesuffix("_date").split("_")
    return " ".join(_SPELLED.get(word, word) for word in words)


def day(value: date) -> str:
    """A day as a sentence has it."""
    return f"{value.day} {value:%B %Y}"


def _fewest(ways: Iterable[tuple[str, ...]]) -> list[str]:
    """Each way once, without those that ask for more than another does."""
    known = list(dict.fromkeys(ways))
    least = [way for way in known if not any(set(other) < set(way) for other in known)]
    return [f"conformant had {' and '.join(way)}" for way in least]


def _ways(
    retrial: Retrial, branch: Branch, row: Row, subject: tuple[int, str]
) -> Iterator[tuple[str, ...]]:
    """Where facts other than recorded would have met the rule: one, or one of each condition."""
    conditions = parts(retrial.select.spelled_out(branch.when, retrial.columns))
    bounds, holding = _bounds(retrial, conditions, row)
    lacking = [
        [bound for bound in bounds if bound.part == part and not bound.holds]
        for part in range(len(conditions))
        if part not in holding
    ]
    if not lacking or not all(lacking):
        return
    alone = [[bound] for bound in lacking[0]] if len(lacking) == 1 else []
    for wanted in alone or [[options[0] for options in lacking]]:
        if _verdict(retrial, wanted, subject) == "conformant":
            yield tuple(map(_had, wanted))


def _limits(retrial: Retrial, held: Branch, row: Row, subject: tuple[int, str]) -> Iterator[str]:
    """How far the deciding facts could have moved before the rule was no longer met."""
    conditions = parts(retrial.select.spelled_out(held.when, retrial.columns))
    for bound in _bounds(retrial, conditions, row)[0]:
        beyond = replace(bound, value=bound.value + (1 if bound.at_most else -1))
        if bound.holds and _verdict(retrial, [beyond], subject) not in ("conformant", None):
            yield f"conformant as long as {_was(bound)}"


def _reasons(retrial: Retrial, card: Card, subject: tuple[int, str]) -> list[str]:
    """The reasons that the card accepts, where one of them on the whole rule would excuse."""
    for reason in card.exceptions.reasons[:1]:
        if retrial.with_reason(reason)[subject]["verdict"] == "excepted":
            told = (sentence(one, card) for one in card.exceptions.reasons)
            words = ", ".join(text[:1].lower() + text[1:] for text in told)
            return [f"excepted had a reason been documented that the rule accepts: {words}"]
    return []


def _verdict(retrial: Retrial, bounds: Sequence[Bound], subject: tuple[int, str]) -> str | None:
    """The verdict as if facts lay on their bounds; None where the rule has no such subject then."""
    values = {bound.column: bound.in_sql for bound in bounds}
    judged = retrial.verdicts(retrial.select.supposing(values, retrial.columns)).get(subject)
    return None if judged is None else str(judged["verdict"])


def _had(bound: Bound) -> str:
    return f"{in_words(bound.column)} been {_inside(bound)}; {_recorded(bound)}"


def _was(bound: Bound) -> str:
    return f"{in_words(bound.column)} was {_inside(bound)}; {_recorded(bound)}"


def _inside(bound: Bound) -> str:
    if not bound.is_date:
        return f"at {'most' if bound.at_most else 'least'} {bound.value}"
    return f"{'by' if bound.at_most else 'not before'} {day(date.fromordinal(bound.value))}"


def _recorded(bound: Bound) -> str:
    if bound.recorded is None or bound.slack is None:
        return "none is recorded"
    if not bound.is_date:
        return f"it is {bound.recorded}"
    if bound.slack == 0:
        return "it was on that day"
    apart = f"{abs(bound.slack)} day{'' if abs(bound.slack) == 1 else 's'}"
    side = "later" if (bound.slack < 0) == bound.at_most else "earlier"
    return f"it was {apart} {side}, on {day(date.fromordinal(bound.recorded))}"


def _bounds(
    retrial: Retrial, conditions: Sequence[exp.Expr], row: Row
) -> tuple[list[Bound], set[int]]:
    """The bounds that conditions set to single facts, and the numbers of those that hold."""
    found = [
        (part, *compared)
        for part, condition in enumerate(conditions)
        for compared in _compared(condition, retrial.columns)
    ]
    asked = [*conditions, *(e for _, fact, limit, _, _ in found for e in (fact, limit))]
    values = retrial.values_of(asked, row)
    holding = {number for number in range(len(conditions)) if values[number] is True}
    facts = iter(values[len(conditions) :])
    bounds = []
    for part, fact, _, at_most, strict in found:
        recorded, limit = next(facts), next(facts)
        value = _number(limit)
        if value is None or (recorded is not None and _is_day(recorded) != _is_day(limit)):
            continue
        if strict:
            value += -1 if at_most else 1
        bounds.append(Bound(part, fact.name, at_most, value, _number(recorded), _is_day(limit)))
    return bounds, holding


def _compared(
    condition: exp.Expr, columns: frozenset[str]
) -> Iterator[tuple[exp.Column, exp.Expr, bool, bool]]:
    """The facts that a condition compares: fact, limit, whether at most, whether less is needed."""
    bare = condition.unnest()
    if isinstance(bare, exp.Coalesce):
        bare = bare.this.unnest()
    if isinstance(bare, exp.Or):
        yield from _compared(bare.left, columns)
        yield from _compared(bare.right, columns)
    if not isinstance(bare, exp.Binary) or type(bare) not in _AT_MOST:
        return
    at_most, strict = _AT_MOST[type(bare)], isinstance(bare, _STRICT)
    for side, other, most in (
        (bare.left.unnest(), bare.right, at_most),
        (bare.right.unnest(), bare.left, not at_most),
    ):
        fact, limit = _solved(side, other)
        if isinstance(fact, exp.Column) and fact.name in columns - _NO_FACTS:
            yield fact, limit, most, strict
            return


def _solved(side: exp.Expr, other: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """A number of days between two dates stands for a bound of the later one."""
    if not isinstance(side, exp.DateDiff):
        return side, other
    days = exp.cast(other.copy(), "integer")
    return side.this.unnest(), exp.Add(this=side.expression.copy(), expression=days)


def _is_day(value: object) -> bool:
    return isinstance(value, date)


def _number(value: object) -> int | None:
    if isinstance(value, date):
        return value.toordinal()
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    return int(value)
