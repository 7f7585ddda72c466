"""What the commands print when they are done: lines of text, and one of JSON for a machine."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from rich.console import Console
from rich.table import Table

from audit.disclosure import is_small
from audit.errors import ExitCode
from audit.quality_page import Quality
from audit.settings import Settings
from audit.verdicts import VERDICTS

_WIDTH = 140
"""Columns of a table where no terminal says how wide it is."""
_ROOMY = 130
"""Columns of a terminal in which the verdicts of every rule stand in a line."""
_NARROW = 6
"""Columns for a count on a narrower one."""


def audit_lines(
    manifest: dict[str, Any], settings: Settings, out: Path, *, quiet: bool
) -> Iterator[str]:
    """What an audit came to, for whoever runs it.

    Verdict counts and gates are exact and not for sharing; what changed since the audit before
    hides small numbers, because it is sent by mail. Without a terminal the last line is JSON.

    Args:
        manifest: the run's manifest.
        settings: what was audited.
        out: the audit's folder.
        quiet: only what needs attention, and where the report is.
    """
    if not quiet:
        yield from _verdict_lines(manifest)
        yield from _review_lines(manifest)
    history, threshold = manifest["history"], settings.small_number
    if history["same_as"]:
        yield f"the same inputs, rules, code and cut-off as run {history['same_as']}"
    elif history["before"]:
        told = [
            f"{f'fewer than {threshold}' if is_small(count, threshold) else count} {kind}"
            for kind, count in history["changes"].items()
        ]
        yield f"findings since the audit before: {', '.join(told) or 'no difference'}"
        if settings.keep:  # with 0 there is no audit left to compare with
            yield f"what brings that about: guideline-audit diff {out}"
    for gate in manifest["gates"]:
        if gate["status"] != "met" or not quiet:
            found = "nothing to compare" if gate["value"] is None else f"found {gate['value']:.6g}"
            yield f"gate {gate['status'].replace('-', ' ')}: {gate['gate']} ({found})"
    yield f"report: {_report(out)}"
    if not sys.stdout.isatty():
        yield json.dumps(_last_line(manifest, out))


def exit_code(manifest: dict[str, Any]) -> int:
    """0, or 4 where a gate was breached."""
    return int(ExitCode.GATE if _breached(manifest) else ExitCode.DONE)


def quality_lines(quality: Quality) -> Iterator[str]:
    """Counts of rows and expectations: no record's value, no patient."""
    table = Table(title="Data quality at a glance")
    table.add_column("table", no_wrap=True)
    for column in ("rows read", "quarantined", "expectations", "block", "warn", "info"):
        table.add_column(column, justify="right")
    for one in quality.tables:
        if one.linked:
            counts = (one.read, one.quarantined, one.judged, *one.failed.values())
            table.add_row(one.name, *(f"{count:,}" for count in counts))
        else:
            table.add_row(one.name, "not linked")
    yield _text(table)
    for severity, failures in quality.failed.items():
        for failed in failures:
            rows = "a few" if failed.rows.value is None else f"{failed.rows.value:,}"
            yield (
                f"{severity}  {failed.id}: not so in {rows} of {failed.checked:,} rows: "
                f"{failed.says}"
            )


def _verdict_lines(manifest: dict[str, Any]) -> Iterator[str]:
    table = Table(title="Verdicts (counts for internal use; the report suppresses small numbers)")
    narrow = _width() < _ROOMY
    if narrow:
        table.box, table.padding, table.pad_edge = None, (0, 1, 0, 0), False
    # What does not fit goes on in the next line: no id, no heading and no count is cut off.
    table.add_column("rule", overflow="fold")
    for verdict in VERDICTS:
        table.add_column(
            verdict.replace("_", " "),
            justify="right",
            overflow="fold",
            width=_NARROW if narrow else None,
        )
    for rule, counts in manifest["verdicts"].items():
        table.add_row(rule, *(str(counts.get(verdict, 0)) for verdict in VERDICTS))
    yield _text(table)
    for name, t in manifest["tables"].items():
        if t["linked"]:
            yield (
                f"{name}: {t['rows_read']} rows read = {t['rows_loaded']} loaded "
                f"+ {t['duplicates_collapsed']} duplicates + {t['rows_quarantined']} quarantined"
            )


def _review_lines(manifest: dict[str, Any]) -> Iterator[str]:
    for rule, reviewed in manifest["reviewed"].items():
        before, after = (
            "no rate" if reviewed[when] is None else f"{100 * reviewed[when]:.1f} %"
            for when in ("before", "after")
        )
        yield f"{rule}: {before} before review, {after} after ({reviewed['adjudicated']} accepted)"


def _last_line(manifest: dict[str, Any], out: Path) -> dict[str, Any]:
    """For a machine: which run this was, its verdicts over all rules, and where the report is."""
    counts = list(manifest["verdicts"].values())
    return {
        "run_id": manifest["run_id"],
        "exit_code": exit_code(manifest),
        "verdicts": {name: sum(own.get(name, 0) for own in counts) for name in VERDICTS},
        "gates_breached": _breached(manifest),
        "report": str(_report(out)),
    }


def _breached(manifest: dict[str, Any]) -> list[str]:
    return [gate["gate"] for gate in manifest["gates"] if gate["status"] == "breached"]


def _report(out: Path) -> Path:
    return out / "report" / "index.html"


def _width() -> int:
    return get_terminal_size().columns if sys.stdout.isatty() else _WIDTH


def _text(table: Table) -> str:
    console = Console(width=_width(), file=io.StringIO(), force_terminal=sys.stdout.isatty())
    with console.capture() as shown:
        console.print(table)
    return shown.get().rstrip()
