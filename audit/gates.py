"""Gates: what an audit must show. `docs/gates.md` has the grammar."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import lark
import polars as pl
from pydantic import BaseModel

from audit import statistics
from audit.errors import UsageError
from audit.extract.contract import tables
from audit.figures import RuleFigures, rule_figures
from audit.guideline import Catalogue
from audit.verdicts import IN_POPULATION
from audit.warehouse import Connection

GRAMMAR = r"""
start: NAME ("." NAME)+ OPERATOR NUMBER [PERCENT]
NAME: /[A-Za-z][A-Za-z0-9_-]*/
OPERATOR: ">=" | "<=" | "==" | "!=" | ">" | "<"
NUMBER: /-?[0-9]+(\.[0-9]+)?/
PERCENT: "%"
%ignore /[ \t]+/
"""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}

_RULE_SHARES = (
    "rate",
    "interval_low",
    "interval_high",
    "bound_low",
    "bound_high",
    "completeness",
)
RULE_MEASURES = (*_RULE_SHARES, "population", *IN_POPULATION)
_COMPARED = ("new", "resolved")
_LOADED = ("share", "rows")
_SHARES = (*_RULE_SHARES, "share")


@dataclass(frozen=True)
class Gate:
    """A gate as written, and its parts; `rules` are the long ids that it looks at."""

    text: str
    path: tuple[str, ...]
    operator: str
    limit: float
    rules: tuple[str, ...]


class Outcome(BaseModel):
    """What became of a gate: `no-value` where there is nothing to compare, which is no breach."""

    gate: str
    status: Literal["met", "breached", "no-value"]
    value: float | None


def parse_gates(texts: Sequence[str], catalogue: Catalogue, asked: Sequence[str]) -> list[Gate]:
    """Reads gates, and makes sure that everything they name exists.

    Args:
        texts: such as `R07.rate >= 0.85`.
        catalogue: the rules.
        asked: the rules that the run judges, as the user names them; empty means all.

    Raises:
        UsageError: a text that is no gate, told with its column, or names what is not there.
    """
    judged = [rule.id for rule in catalogue.select(asked)]
    return [_parse(text, catalogue, judged) for text in texts]


def weigh_gates(
    con: Connection, gates: Sequence[Gate], results: Mapping[str, pl.DataFrame]
) -> list[Outcome]:
    """Compares each gate with what the audit found.

    Args:
        con: the audit's database, with `finding_changes` and `runs`.
        gates: the gates, in the order wanted.
        results: the audit's result tables.
    """
    figures: dict[str, RuleFigures] = {}
    outcomes = []
    for gate in gates:
        value = _value(con, gate, results, figures)
        held = value is None or _OPERATORS[gate.operator](round(value, 9), gate.limit)
        status: Literal["met", "breached", "no-value"] = "met" if held else "breached"
        outcomes.append(
            Outcome(gate=gate.text, status="no-value" if value is None else status, value=value)
        )
    return outcomes


@cache
def _parser() -> lark.Lark:
    return lark.Lark(GRAMMAR, parser="lalr")


def _parse(text: str, catalogue: Catalogue, judged: Sequence[str]) -> Gate:
    try:
        tokens = [token for token in _parser().parse(text).children if token is not None]
    except lark.UnexpectedInput as error:
        ended = isinstance(error, lark.UnexpectedToken) and error.token.type == "$END"
        at = len(text) + 1 if ended else error.column
        raise _refused(text, at, "write such as R07.rate >= 0.85; docs/gates.md") from error
    names = [lark.Token(t.type, str(t), column=t.column) for t in _of(tokens, "NAME")]
    rules = _rules(text, names, catalogue, judged)
    limit = _limit(text, names[-1] in _SHARES, _of(tokens, "NUMBER")[0], _of(tokens, "PERCENT"))
    path = tuple(str(name) for name in names)
    return Gate(text, path, str(_of(tokens, "OPERATOR")[0]), limit, rules)


def _limit(text: str, share: bool, number: lark.Token, percent: Sequence[lark.Token]) -> float:
    """The number compared with; a share of 85 would pass or fail whatever was found."""
    if percent and not share:
        raise _refused(text, percent[0].column, "leave this out: what is compared is a count")
    limit = float(number) / (100 if percent else 1)
    if share and not 0 <= limit <= 1:
        raise _refused(text, number.column, "write a share from 0 to 1, such as 0.85 or 85%")
    return limit


def _of(tokens: Sequence[object], kind: str) -> list[lark.Token]:
    return [token for token in tokens if isinstance(token, lark.Token) and token.type == kind]


def _rules(
    text: str, names: Sequence[lark.Token], catalogue: Catalogue, judged: Sequence[str]
) -> tuple[str, ...]:
    """The rules that a gate looks at; every name of it is known."""
    first, *rest = names
    if first in _COMPARED:
        _one_of(text, rest[0], IN_POPULATION)
        _no_more(text, rest[2:])
        return _among(text, rest[1] if len(rest) > 1 else None, catalogue, judged)
    if first == "quarantine":
        *table, measure = rest
        for name in table[:1]:
            _one_of(text, name, tuple(tables()))
        _no_more(text, table[1:])
        _one_of(text, measure, _LOADED)
        return ()
    _one_of(text, rest[0], RULE_MEASURES)
    _no_more(text, rest[1:])
    return _among(text, first, catalogue, judged, severities=False)


def _among(
    text: str,
    name: lark.Token | None,
    catalogue: Catalogue,
    judged: Sequence[str],
    *,
    severities: bool = True,
) -> tuple[str, ...]:
    """The rules of that id, number or severity; informational and optional ones gate nothing."""
    weighed = [
        rule_id
        for rule_id in judged
        if catalogue.rules[rule_id].card.kind not in ("informational", "optional")
    ]
    if name is None:
        return tuple(weighed)
    cards = {rule_id: catalogue.rules[rule_id].card for rule_id in weighed}
    by_severity = [rule_id for rule_id, card in cards.items() if card.severity == name]
    if severities and by_severity:
        return tuple(by_severity)
    rule_id = catalogue.numbers.get(name.upper(), str(name))
    if rule_id in weighed:
        return (rule_id,)
    if rule_id in judged:
        raise _refused(text, name.column, f"{name} is informational or optional: it gates nothing")
    kinds = ", ".join(sorted({card.severity for card in cards.values()})) if severities else ""
    raise _refused(
        text,
        name.column,
        f"name a rule that this run judges, by id or number{f', or {kinds}' if kinds else ''}",
    )


def _one_of(text: str, name: lark.Token, known: Sequence[str]) -> None:
    if name not in known:
        raise _refused(text, name.column, f"write one of {', '.join(known)}")


def _no_more(text: str, names: Sequence[lark.Token]) -> None:
    if names:
        raise _refused(text, names[0].column, "leave this out")


def _refused(text: str, column: int | None, todo: str) -> UsageError:
    at = column or 1
    return UsageError(f"gate, column {at}:\n  {text}\n  {' ' * (at - 1)}^", todo)


def _value(
    con: Connection,
    gate: Gate,
    results: Mapping[str, pl.DataFrame],
    figures: dict[str, RuleFigures],
) -> float | None:
    if gate.path[0] in _COMPARED:
        return _changed(con, gate)
    if gate.path[0] == "quarantine":
        return _quarantined(gate, results["load_counts"])
    (rule_id,) = gate.rules
    if rule_id not in figures:
        figures[rule_id] = rule_figures(results, rule_id, threshold=1)  # hides no small number
    counts = {name: cell.value or 0 for name, cell in figures[rule_id].registry.cells.items()}
    met, unmet, unknown = (
        counts[verdict] for verdict in ("conformant", "non_conformant", "not_evaluable")
    )
    # Exact however few were judged: a page hides such a rate, a gate is for the registry alone.
    interval = statistics.wilson(met, unmet)
    bounds = statistics.bounds(met, unmet, unknown)
    measures = {
        "rate": statistics.rate(met, unmet),
        "interval_low": interval and interval[0],
        "interval_high": interval and interval[1],
        "bound_low": bounds and bounds[0],
        "bound_high": bounds and bounds[1],
        "completeness": statistics.completeness(counts["population"], unknown),
    }
    name = gate.path[1]
    return measures[name] if name in measures else counts[name]


def _changed(con: Connection, gate: Gate) -> float | None:
    """Findings that have the verdict now and had not before, or the other way round."""
    if con.table("runs").pl().height == 1:
        return None
    when, verdict = gate.path[0], gate.path[1]
    had, has = ("verdict_before", "verdict") if when == "new" else ("verdict", "verdict_before")
    found: pl.DataFrame = con.table("finding_changes").pl()
    found = found.filter(pl.col("rule_id").is_in(gate.rules))
    return found.filter((pl.col(has) == verdict) & pl.col(had).ne_missing(verdict)).height


def _quarantined(gate: Gate, counts: pl.DataFrame) -> float | None:
    if len(gate.path) == len(("quarantine", "table", "measure")):
        counts = counts.filter(table_name=gate.path[1])
    rows, read = sum(counts["rows_quarantined"]), sum(counts["rows_read"])
    if gate.path[-1] == "rows":
        return float(rows) if read else None
    return rows / read if read else None
