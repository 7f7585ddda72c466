"""Every audit that was published in a folder: what it read, by what it judged, what it found."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from audit.errors import UsageError
from audit.outputs import FINDINGS_A_BATCH
from audit.resources import root
from audit.settings import Settings
from audit.texts import texts
from audit.warehouse import Connection, run_sql, store

CARRIED = (
    "quality_history",
    "runs",
    "source_texts",
    "run_sources",
    "run_rates",
    "past_findings",
    "finding_since",
    "adjudications",
)
"""The tables that go from one audit to the next in the same folder."""

FIRST_RELEASE = 1
"""The schema of a database that does not say which one it has."""


def begin_history(con: Connection, out: Path | None = None) -> None:
    """Carries the history of the audit in `out` into a new database, in the newest schema.

    The earlier database stays as it is; what was carried is brought up to date by the numbered
    files of sql/migrations. The earlier findings are laid beside as `earlier_findings`.

    Args:
        con: the new, empty database.
        out: the audit's folder; None, or one without an audit, begins a history.

    Raises:
        UsageError: the earlier database is open in another program, or of a newer release.
    """
    version = 0
    with _earlier(out) as earlier:
        if earlier:
            version = schema_of(earlier)
            there = {name for (name,) in earlier.sql("show tables").fetchall()}
            for name in CARRIED:
                if name in there:
                    con.from_arrow(earlier.table(name).to_arrow_table()).create(name)
            # A batch at a time: a national registry's findings don't fit into memory twice.
            concerned = earlier.table("findings").filter("verdict <> 'not_applicable'")
            found = concerned.to_arrow_reader(FINDINGS_A_BATCH)
            con.register("findings_before", found)
            con.execute("create temp table earlier_findings as from findings_before")
            con.unregister("findings_before")
    newest = _migrate(con, version)
    if not version:
        con.execute(
            "create temp table earlier_findings as "
            "select * exclude (from_run, until_run) from past_findings limit 0"
        )
    store(con, "schema_version", pl.DataFrame({"version": [newest]}))


def schema_of(con: Connection) -> int:
    """The number of the last migration that an audit's database has been through."""
    try:
        found: int = con.table("schema_version").fetchall()[0][0]
    except duckdb.CatalogException:
        return FIRST_RELEASE
    return found


def record_run(
    con: Connection,
    settings: Settings,
    manifest: dict[str, Any],
    *,
    own: Mapping[str, str],
    conjugates_told_apart: bool,
) -> dict[str, Any]:
    """Adds this run to the history, with all that judging it again needs.

    Args:
        con: the audit's database, with findings, rates and the history so far.
        settings: what was audited and by which rules.
        manifest: the run's manifest.
        own: the texts of the user's own rules, as the catalogue has them.
        conjugates_told_apart: as the source mapping says.

    Returns:
        What the manifest says of the history: `number`, counted from 1, `before` (the id of the
        run before it, or None), `same_as` (the id of the last run, if nothing that decides an
        audit has changed since, nor was a case answered) and `changes`, how many findings changed
        in which way.
    """
    runs = con.table("runs").order("run_number").pl().to_dicts()
    number = len(runs) + 1
    before = runs[-1]["run_id"] if runs else None
    same = (
        bool(runs)
        and _decides(json.loads(runs[-1]["manifest"])) == _decides(manifest)
        and not con.table("adjudications").filter(f"after_run = {number - 1}").fetchall()
    )
    _record_sources(con, number, own)
    statements = (root("sql") / "history" / "record.sql").read_text(encoding="utf-8")
    run_sql(con, statements, {"run_number": number})
    counted = con.sql("select kind, count(*) from finding_changes group by kind order by kind")
    history = {
        "number": number,
        "before": before,
        "same_as": before if same else None,
        "changes": dict(counted.fetchall()),
    }
    row = {
        "run_number": number,
        "run_id": manifest["run_id"],
        "created_at": manifest["created_at"],
        "settings": settings.model_dump_json(exclude={"extract", "mapping"}),
        "conjugates_told_apart": conjugates_told_apart,
        "manifest": json.dumps(manifest, ensure_ascii=False),
        "same_as": history["same_as"],
    }
    con.execute(
        "insert into runs values ($run_number, $run_id, $created_at, $settings, "
        "$conjugates_told_apart, $manifest, $same_as)",
        row,
    )
    return history


def _record_sources(con: Connection, number: int, own: Mapping[str, str]) -> None:
    sources = pl.DataFrame(
        [
            (number, path, hashlib.sha256(text.encode()).hexdigest(), text)
            for path, text in texts(own).items()
        ],
        {"run_number": pl.Int32, "path": pl.String, "sha256": pl.String, "content": pl.String},
        orient="row",
    )
    known = con.table("source_texts").select("sha256").pl()
    new = sources.select("sha256", "content").unique("sha256").join(known, on="sha256", how="anti")
    con.from_arrow(new.to_arrow()).insert_into("source_texts")
    con.from_arrow(sources.drop("content").to_arrow()).insert_into("run_sources")


def _decides(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the findings of an audit: nothing else may change them."""
    named = ("catalogue", "jurisdiction", "variants", "inputs", "cutoff")
    return {name: manifest[name] for name in named} | {"code": manifest["product"]}


@contextmanager
def _earlier(out: Path | None) -> Iterator[Connection | None]:
    database = out and out / "audit.duckdb"
    if not database or not database.is_file():
        yield None
        return
    try:
        con = duckdb.connect(str(database), read_only=True)
    except duckdb.IOException as error:
        if "lock" in str(error):
            raise UsageError(
                f"{database} is open in another program", "close it there, and run the audit again"
            ) from error
        con = None  # damaged, and about to be replaced
    try:
        yield con
    finally:
        if con:
            con.close()


def _migrate(con: Connection, version: int) -> int:
    """Runs the migrations after a version, in order; gives the number of the last one."""
    numbered = {
        int(match[1]): path
        for path in (root("sql") / "migrations").glob("*.sql")
        if (match := re.match(r"(\d+)_", path.name))
    }
    newest = max(numbered)
    if version > newest:
        raise UsageError(
            f"the audit in this folder was written by a newer release (schema {version})",
            "use that release, or choose another --out",
        )
    for number in sorted(numbered):
        if number > version:
            run_sql(con, numbered[number].read_text(encoding="utf-8"), {})
    return newest
