"""The library for analysts: run an audit, or open a finished one."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

import duckdb
import polars as pl
from pydantic import ValidationError

from audit.errors import UsageError
from audit.finished import Finished
from audit.frames import ArrowStream, write_frames, write_tables
from audit.guideline import Catalogue, Scalar
from audit.logs import progress_bar
from audit.periods import Period
from audit.result import Result
from audit.settings import Jurisdiction, Settings
from audit.texts import own_texts
from audit.warehouse import Connection

Choice = TypeVar("Choice")


def run(
    extract: str | Path | Mapping[str, pl.DataFrame | pl.LazyFrame | ArrowStream] | Connection,
    *,
    cutoff: date | str,
    jurisdiction: Jurisdiction = "US",
    rules: Sequence[str] = (),
    variants: Mapping[str, Mapping[str, str]] | None = None,
    params: Mapping[str, Mapping[str, Scalar]] | None = None,
    mapping: str | None = None,
    rules_from: str | Path | None = None,
    period: Period = "year",
    out: str | Path | None = None,
) -> "Result":
    """Audits an extract; a bar shows how far it is, in a notebook and on a terminal.

    Args:
        extract: a folder; or frames (Polars, pandas or Arrow) by table name; or a DuckDB connection
            that shows tables or views under these names.
        cutoff: the data cut-off, inclusive, as a date or YYYY-MM-DD.
        jurisdiction: decides from when each recommendation is in force.
        rules: ids or numbers (`R07`); all where none is named.
        variants: choices by rule id or number and by variant name.
        params: other values of rules' own numbers, by rule id or number and by the name on the
            card, in the card's unit.
        mapping: a source mapping's file or shipped name, for a folder in another layout.
        rules_from: a folder with rules of one's own, judged beside the shipped ones.
        period: `year`, `half-year` or `quarter`: by what rates are counted in trends.
        out: the audit's folder; a temporary one that goes with the result where it is not given.

    Raises:
        UserError: the extract or a setting can't be used; the message says what to do.
    """
    from audit import pipeline

    home = tempfile.TemporaryDirectory(prefix="guideline-audit-")
    try:
        folder = Path(home.name)
        if isinstance(extract, Mapping):
            source = write_frames(extract, folder / "extract")
        elif isinstance(extract, duckdb.DuckDBPyConnection):
            source = write_tables(extract, folder / "extract")
        else:
            source = Path(extract)
        own = Path(rules_from) if rules_from else None
        catalogue = Catalogue.read(own_texts(own))
        settings = Settings(
            extract=source,
            cutoff=_day(cutoff),
            jurisdiction=jurisdiction,
            rules=(rules,) if isinstance(rules, str) else tuple(rules),
            variants=_by_rule("variants", variants or {}, catalogue),
            params=_by_rule("params", params or {}, catalogue),
            mapping=mapping,
            rules_from=own,
            period=period,
        )
        target = Path(out) if out else folder / "audit"
        with progress_bar():
            pipeline.run(settings, target)
    except ValidationError as error:
        home.cleanup()
        first = error.errors()[0]
        raise UsageError(
            f"{'.'.join(map(str, first['loc'][:3]))}: {first['msg']}",
            "`help(audit.run)` says what each setting takes",
        ) from error
    except BaseException:
        home.cleanup()
        raise
    return Result(Finished.read(target), home)


def open(folder: str | Path) -> "Result":
    """Opens a finished audit for reading; a scheduled run may replace it meanwhile.

    Raises:
        UsageError: there is no audit in the folder.
    """
    return Result(Finished.read(Path(folder)))


def _day(text: date | str) -> date:
    if isinstance(text, date):
        return text
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"cutoff {text!r} is not a date", "write it as YYYY-MM-DD") from error


def _by_rule(
    setting: str, given: Mapping[str, Mapping[str, Choice]], catalogue: Catalogue
) -> dict[str, dict[str, Choice]]:
    chosen: dict[str, dict[str, Choice]] = {}
    for asked, choices in given.items():
        if not isinstance(choices, Mapping):
            raise UsageError(
                f"{setting}: {asked!r} has {choices!r}, not names and values",
                'write {"R05": {"population": "all-early"}}: the rule, then what is chosen of it',
            )
        chosen.setdefault(catalogue.select([asked])[0].id, {}).update(choices)
    return chosen
