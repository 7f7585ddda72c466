"""The library shows how far an audit is where someone watches, and is silent elsewhere."""

import builtins
import io
import logging
import sys

import pytest

from audit.building import Stages
from audit.logs import STAGES, logger, progress_bar


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


def test_a_terminal_shows_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar():
        work()
    assert "starting ..." in terminal.getvalue() and "look here" in terminal.getvalue()


def test_where_nobody_watches_nothing_is_said(capsys):
    with progress_bar():
        logging.getLogger("audit").info("facts ...")
        assert logger.handlers == []
    assert capsys.readouterr() == ("", "")
