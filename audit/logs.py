"""What a run says while it works: readable on a terminal, a line of JSON an event elsewhere."""

import json
import logging
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from audit.errors import UserError, unwritable

logger = logging.getLogger("audit")

STAGES = 9
"""How many stages an audit has, from reading the extract to writing the outputs."""


def new_run_id() -> str:
    """A name for a run that no other run has."""
    return uuid.uuid4().hex


@contextmanager
def progress(run_id: str, *, quiet: bool = False, verbose: bool = False) -> Iterator[None]:
    """What the stages log goes to standard error meanwhile; never a record's value.

    Args:
        run_id: stands in every line of JSON.
        quiet: only what needs attention.
        verbose: also each rule as it is judged.
    """
    handler = None if quiet else _bar(keeps_lines=verbose)
    level = logging.DEBUG
    for_machines = handler is None and not sys.stderr.isatty()
    if handler is None:
        handler = logging.StreamHandler()
        if for_machines:
            handler.setFormatter(_Lines(run_id))
        level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    with _listening(handler, level):
        try:
            yield
        except Exception as error:
            if for_machines:  # on a terminal the command's own message says it
                told = unwritable(error) or error
                # Of another error the name alone: its text may hold a record's value.
                said = told.found if isinstance(told, UserError) else type(error).__name__
                logger.error("ended without an audit: %s", said)
            raise


@contextmanager
def progress_bar() -> Iterator[None]:
    """A bar for what the stages log meanwhile, in a notebook or on a terminal; nothing elsewhere.

    It goes when the work has ended.
    """
    handler = _bar()
    if handler is None:
        yield
    else:
        with _listening(handler, logging.DEBUG):
            yield


def _bar(*, keeps_lines: bool = False) -> logging.Handler | None:
    """What shows progress to whoever watches; None where nobody does."""
    console = Console(stderr=True)
    if console.is_jupyter:
        return _NotebookBar()
    return _Bar(console, keeps_lines=keeps_lines) if sys.stderr.isatty() else None


@contextmanager
def _listening(handler: logging.Handler, level: int) -> Iterator[None]:
    before = logger.level
    logger.setLevel(level)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()


class _Lines(logging.Formatter):
    """A JSON object a line: time, run, level and message; stage and seconds where a stage ended."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a line break."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "run_id": self.run_id,
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        for name in ("stage", "seconds"):
            if hasattr(record, name):
                told[name] = getattr(record, name)
        return json.dumps(told, ensure_ascii=False)


class _Bar(logging.Handler):
    """A bar that a stage moves on when it ends, beside the latest line.

    Warnings stay above it, and where they are asked for all lines do.
    """

    def __init__(self, console: Console, *, keeps_lines: bool) -> None:
        super().__init__()
        self.keeps_lines = keeps_lines
        # The line takes what room is left: a long one would push bar and clock off the terminal.
        rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self.bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False, table_column=rest),
            console=console,
            transient=True,
            expand=True,
        )
        self.task = self.bar.add_task("starting ...", total=STAGES)
        self.bar.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Shows the line; one that tells how long a stage took ends it."""
        if self.keeps_lines or record.levelno >= logging.WARNING:
            self.bar.console.print(record.getMessage(), markup=False, highlight=False)
        if record.levelno >= logging.WARNING:
            return
        done = 1 if hasattr(record, "seconds") else 0
        self.bar.update(self.task, description=record.getMessage(), advance=done)

    def close(self) -> None:
        """Takes the bar away."""
        self.bar.stop()
        super().close()


class _NotebookBar(logging.Handler):
    """The same bar in the output of a notebook's cell, where rich would need ipywidgets."""

    def __init__(self) -> None:
        from IPython.display import display

        super().__init__()
        self.done = 0
        self.shown = display(_in_a_cell("starting ...", 0), raw=True, display_id=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Shows the line; one that tells how long a stage took ends it."""
        if record.levelno >= logging.WARNING:
            sys.stderr.write(f"{record.getMessage()}\n")
            return
        self.done += hasattr(record, "seconds")
        self.shown.update(_in_a_cell(record.getMessage(), self.done), raw=True)

    def close(self) -> None:
        """Takes the bar away."""
        self.shown.update({"text/plain": "", "text/html": ""}, raw=True)
        super().close()


def _in_a_cell(line: str, done: int) -> dict[str, str]:
    bar = f'<progress value="{done}" max="{STAGES}"></progress> {escape(line)}'
    return {"text/plain": f"{done}/{STAGES} {line}", "text/html": bar}
