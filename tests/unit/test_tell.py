"""What a command prints when it is done: nothing of it is cut off, however narrow the terminal."""

import re
import sys
from pathlib import Path

import pytest
import report_fixtures as fixtures
from report_registry import SETTINGS

from audit.tell import audit_lines
from audit.verdicts import VERDICTS


@pytest.mark.parametrize("columns", [80, 100, 130])
def test_the_verdicts_fit_on_a_terminal_whole(monkeypatch, columns):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    counts = {verdict: 987_600 + at for at, verdict in enumerate(VERDICTS)}
    manifest = {
        "verdicts": dict.fromkeys(fixtures.RULES, counts),
        "tables": {},
        "reviewed": {},
        "gates": [],
        "history": {"same_as": None, "before": None},
    }
    table, report = audit_lines(manifest, SETTINGS, Path("audit"), quiet=False)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", table)
    drawn = plain.splitlines()
    assert max(map(len, drawn)) <= columns
    assert "…" not in plain
    assert all(plain.count(str(count)) == len(fixtures.RULES) for count in counts.values())
    longest = max(fixtures.RULES, key=len)
    assert (longest in plain) == (columns > 80)
    assert report == "report: audit/report/index.html"


@pytest.mark.parametrize("keep", [0, 1])
def test_a_diff_is_offered_only_where_an_earlier_audit_stays(keep):
    settings = SETTINGS.model_copy(update={"keep": keep})
    history = {"same_as": None, "before": "r1", "changes": {"new": 12}}
    manifest = {"run_id": "r2", "verdicts": {}, "gates": [], "history": history}
    told = list(audit_lines(manifest, settings, Path("out"), quiet=True))
    assert "findings since the audit before: 12 new" in told
    assert ("what brings that about: guideline-audit diff out" in told) == bool(keep)
