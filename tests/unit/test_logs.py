"""The library shows how far an audit is where someone watches, and is silent elsewhere."""

import builtins
import io
import json
import logging
import re
import sys

import pytest

from audit.building import Stages
from audit.errors import UsageError
from audit.logs import STAGES, logger, progress, progress_bar


def work():
    """Two stages with a warning between them, as a run logs them."""
    stages = Stages()
    with stages.stage("<facts>"):
        pass
    logger.warning("look here")
    with stages.stage("rules"):
        pass


@pytest.fixture(autouse=True)
def nothing_left():
    before = logger.level, list(logger.handlers)
    yield
    assert (logger.level, logger.handlers) == before


class ZMQInteractiveShell:
    """By this name a notebook's kernel is known."""


@pytest.fixture
def cell(monkeypatch):
    """What the output of a notebook's cell holds, one state after the other."""
    states = []

    class Shown:
        def update(self, data, *, raw):
            assert raw
            states.append(data["text/html"])

    def display(data, *, raw, display_id):
        assert display_id
        shown = Shown()
        shown.update(data, raw=raw)
        return shown

    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setattr("IPython.display.display", display)
    return states


def test_a_notebook_shows_a_bar_that_moves_and_goes(cell, capsys):
    with progress_bar():
        work()
    values = [state.split('"')[1] for state in cell[:-1]]
    assert values == ["0", "0", "1", "1", "2"]
    assert all(f'max="{STAGES}"' in state for state in cell[:-1])
    assert "&lt;facts&gt; took" in cell[2] and "<facts>" not in "".join(cell)
    assert cell[-1] == ""
    assert capsys.readouterr().err == "look here\n"


def test_a_bar_goes_when_the_audit_fails(cell):
    with pytest.raises(ValueError, match="unreadable"), progress_bar():
        raise ValueError("unreadable")
    assert cell[-1] == ""


def a_terminal(monkeypatch):
    """What a terminal of 60 columns gets; not a fixture, for pytest sets its own before a test."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    return terminal


def test_a_terminal_shows_a_bar(monkeypatch):
    terminal = a_terminal(monkeypatch)
    with progress_bar():
        work()
    assert "starting ..." in terminal.getvalue() and "look here" in terminal.getvalue()


def test_a_long_line_leaves_room_for_bar_and_clock(monkeypatch):
    terminal = a_terminal(monkeypatch)
    with progress("a"):
        logger.debug("judged %s", "long-" * 30)
    drawn = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in lines(terminal)]
    (last,) = {line for line in drawn if "judged" in line}
    assert re.search(r"━{20} 0:00:00 judged (long-)+.*…", last)
    assert max(map(len, drawn)) <= 60


@pytest.mark.parametrize(("verbose", "stays"), [(True, 1), (False, 0)])
def test_lines_stay_above_the_bar_where_they_are_asked_for(monkeypatch, verbose, stays):
    terminal = a_terminal(monkeypatch)
    with progress("a", verbose=verbose):
        logger.debug("judged [R05] 12")
    assert sum(line.endswith("judged [R05] 12") for line in lines(terminal)) == stays


def test_quiet_says_what_needs_attention_alone(monkeypatch):
    terminal = a_terminal(monkeypatch)
    with progress("a", quiet=True):
        work()
    assert terminal.getvalue() == "look here\n"


def test_lines_for_machines_are_json(capsys):
    with progress("a", quiet=True):
        work()
    line = json.loads(capsys.readouterr().err)
    assert (line["run_id"], line["level"], line["message"]) == ("a", "warning", "look here")


def lines(terminal):
    return re.split(r"[\r\n]+", terminal.getvalue())


@pytest.mark.parametrize(
    ("error", "said"),
    [(UsageError("no such file", "name one"), "no such file"), (ValueError("P1"), "ValueError")],
)
def test_a_run_that_fails_ends_its_log_with_its_id_and_no_record(capsys, error, said):
    with pytest.raises(type(error)), progress("r1", quiet=True):
        raise error
    line = json.loads(capsys.readouterr().err)
    assert (line["run_id"], line["level"]) == ("r1", "error")
    assert line["message"] == f"ended without an audit: {said}"


def test_where_nobody_watches_nothing_is_said(capsys):
    with progress_bar():
        logging.getLogger("audit").info("facts ...")
        assert logger.handlers == []
    assert capsys.readouterr() == ("", "")
