"""An explanation on the terminal, and as HTML for a notebook."""

from collections.abc import Iterator, Mapping
from datetime import date
from html import escape
from itertools import groupby
from typing import Any

import polars as pl
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from audit.explain import (
    NOT_REACHED,
    TRUE,
    UNKNOWN,
    Clause,
    Explanation,
    explain,
    explain_concerned,
)
from audit.finished import Finished
from audit.guideline import Rule
from audit.patient import PatientFacts, patient_timeline
from audit.suppose import in_words
from audit.wording import words

_COLOURS = {NOT_REACHED: "#6b7580", TRUE: "#1f7a5c", UNKNOWN: "#8a6a00"}
_STYLES = {NOT_REACHED: "bright_black", TRUE: "green", UNKNOWN: "yellow"}


def headline(explanation: Explanation) -> str:
    """The verdict and why, in one line."""
    label = words()["verdicts"][explanation.verdict]["label"]
    return f"{label} ({explanation.verdict}): {explanation.because}"


def explanation_on_terminal(
    finished: Finished, tumour_id: str, rule: Rule | None
) -> RenderableType:
    """A patient's timeline and why one rule, or each that concerns the tumour, says what it says.

    Raises:
        UsageError: the audit does not know the tumour.
    """
    with PatientFacts(finished, tumour_id) as facts:
        dated = patient_timeline(finished, facts)
        left_out: dict[str, str] = {}
        if rule is None:
            explained, left_out = explain_concerned(finished, facts)
        else:
            explained = explain(finished, facts, rule)
    parts: list[RenderableType] = [_timeline(dated), *map(on_terminal, explained)]
    if rule is not None and not explained:
        parts.append(
            Text(f"{rule.card.number} {rule.card.title}: nothing to judge for this tumour")
        )
    if left_out:
        parts.append(Text("Not concerned", style="bold"))
        for rule_id, because in left_out.items():
            card = finished.catalogue.rules[rule_id].card
            parts.append(Text(f"  {card.number} {card.title}: {because}", style="bright_black"))
    return Group(*parts)


def on_terminal(explanation: Explanation) -> RenderableType:
    """The whole explanation; what was never reached is grey."""
    card = explanation.rule.card
    title = Text(f"{card.number} {card.title}", style="bold")
    parts: list[RenderableType] = [
        title,
        Text(f"{explanation.rule.id} · {explanation.subject_id}", style="bright_black"),
        Text(headline(explanation), style="bold"),
    ]
    parts += [Text(line) for line in _lines(explanation)]
    for part, clauses in groupby(explanation.clauses, key=lambda clause: clause.part):
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=13)
        table.add_column(ratio=1)
        table.add_column(ratio=1)
        for clause in clauses:
            style = _STYLES.get(clause.state, "")
            mark = f"{'▸ ' if clause.decides else '  '}{clause.state}"
            table.add_row(
                Text(mark, style=style),
                Text(clause.says, style=f"{style} bold" if clause.decides else style),
                Text(_read(clause), style="bright_black" if clause.state == NOT_REACHED else ""),
            )
        parts += [Text(part.capitalize(), style="underline"), Padding(table, (0, 0, 0, 1))]
    return Group(*parts, Text(""))


def _timeline(facts: pl.DataFrame) -> RenderableType:
    """A patient's dated facts, a line each, by day."""
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column()
    for row in facts.iter_rows(named=True):
        table.add_row(_days(row), row["lane"], row["label"])
    return Group(Text("Timeline", style="bold"), table, Text(""))


def as_html(explanation: Explanation) -> str:
    """The whole explanation as an HTML fragment; every value of the record is escaped."""
    card = explanation.rule.card
    cell = "padding:2px 10px 2px 0;text-align:left;vertical-align:top"
    rows = "".join(
        f'<tr style="color:{_COLOURS.get(clause.state, "inherit")}">'
        f'<td style="{cell};white-space:nowrap">{"" if number else escape(part)}</td>'
        f'<td style="{cell};white-space:nowrap">{"▸ " if clause.decides else ""}{clause.state}</td>'
        f'<td style="{cell};min-width:14em{_weight(clause)}">{escape(clause.says)}</td>'
        f'<td style="{cell};min-width:14em">{escape(_read(clause))}</td></tr>'
        for part, clauses in groupby(explanation.clauses, key=lambda clause: clause.part)
        for number, clause in enumerate(clauses)
    )
    lines = "".join(f"<div>{escape(line)}</div>" for line in _lines(explanation))
    return (
        f'<div style="overflow-x:auto"><strong>{escape(card.number)} {escape(card.title)}</strong>'
        f"<div>{escape(explanation.subject_id)}</div>"
        f"<div><strong>{escape(headline(explanation))}</strong></div>{lines}"
        f'<table style="border-collapse:collapse;margin:0.5em 0">{rows}</table></div>'
    )


def _lines(explanation: Explanation) -> Iterator[str]:
    """Dates, margin, what is missing and what would have changed the verdict."""
    window = {
        "decided on": explanation.decision_date,
        "clock starts": explanation.clock_start,
        "due by": explanation.due_date,
    }
    told = [f"{name} {value}" for name, value in window.items() if value is not None]
    if explanation.margin_days is not None:
        days = explanation.margin_days
        told.append(f"margin {abs(days)} days {'outside' if days < 0 else 'inside'}")
    if told:
        yield " · ".join(told)
    if explanation.missing:
        yield f"could be judged with: {', '.join(explanation.missing)}"
    for sentence in explanation.changes:
        yield f"→ {sentence}"
    for how, verdict in explanation.placements.items():
        yield f"imprecise dates, {how}: {verdict}"


def _weight(clause: Clause) -> str:
    return ";font-weight:600" if clause.decides else ""


def _read(clause: Clause) -> str:
    if not clause.condition and all(value is None for value in clause.facts.values()):
        return ""
    return ", ".join(f"{in_words(name)}: {_value(value)}" for name, value in clause.facts.items())


def _value(value: object) -> str:
    if value is None or value in (date.min, date.max):
        return "not recorded"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return "; ".join(map(_value, value))
    return str(value)


def _days(row: Mapping[str, Any]) -> str:
    start, end = row["start_date"], row["end_date"]
    days = f"{start}" if start == end else f"{start} to {end or '(not recorded)'}"
    if row["earliest_date"] != start or (end and row["latest_date"] != end):
        days += f" (between {row['earliest_date']} and {row['latest_date'] or 'an unknown day'})"
    return days
