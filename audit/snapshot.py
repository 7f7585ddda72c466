"""A published audit, opened again: what it found, and all that judging it again needs."""

import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from audit.building import Stages, build_facts
from audit.errors import UsageError
from audit.evaluate import judge_rules, shared_values
from audit.extract import load_tables, stored_tables
from audit.guideline import Catalogue
from audit.resources import standing_at
from audit.settings import Settings
from audit.texts import kept_texts, own_among
from audit.warehouse import Connection, open_database, store

# Judging again is no run: it has no progress of its own.
_SILENT = logging.getLogger("audit.again")
_SILENT.setLevel(logging.WARNING)

_FINDINGS = "from findings where verdict <> 'not_applicable' order by rule_id, subject_id"

FACTORS = ("data", "clock", "rule", "code")
"""What decides an audit: its records, its cut-off, checks/ with the settings, and the program."""


@dataclass(frozen=True)
class Snapshot:
    """An audit's folder as it was published; `texts` is what stood in checks/, sql/ and own/.

    `adjudications` are the reviewers' answers that counted in it.
    """

    folder: Path
    manifest: Mapping[str, Any]
    settings: Settings
    conjugates_told_apart: bool
    texts: Mapping[str, str]
    findings: pl.DataFrame
    adjudications: pl.DataFrame

    @property
    def database(self) -> Path:
        """The audit's DuckDB database."""
        return self.folder / "audit.duckdb"

    @property
    def cutoff(self) -> date:
        """The data cut-off, inclusive."""
        return self.settings.cutoff

    @cached_property
    def factors(self) -> dict[str, object]:
        """What each of FACTORS was, so that two audits can be compared."""
        read = [(file["file"], file["sha256"]) for file in self.manifest["inputs"]]
        settings = self.settings.model_dump(include={"jurisdiction", "rules", "variants", "params"})
        return {
            "data": (sorted(read), self.conjugates_told_apart, self.adjudications.rows()),
            "clock": self.cutoff,
            "rule": (settings, self._hash("checks/", "own/")),
            "code": (self.manifest["product"]["code"], self._hash("sql/")),
        }

    def _hash(self, *folders: str) -> str:
        own = {path: text for path, text in self.texts.items() if path.startswith(folders)}
        return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def open_snapshot(folder: Path) -> Snapshot:
    """Reads a published audit.

    Raises:
        UsageError: there is no audit, it can't be opened, or it is of a release that kept too
            little to be judged again.
    """
    database = folder / "audit.duckdb"
    if not database.is_file():
        raise UsageError(f"{folder} holds no audit", "name a folder that an audit was written to")
    try:
        with duckdb.connect(str(database), read_only=True) as con:
            return _read(con, folder)
    except duckdb.CatalogException as error:
        raise UsageError(
            f"{database} is of an earlier release, which kept too little to compare it",
            "audit the same extract again with this release, and compare with that",
        ) from error
    except duckdb.IOException as error:
        raise UsageError(
            f"{database} can't be opened", "close it in other programs, or restore the folder"
        ) from error


def judge_again(
    data: Snapshot, clock: Snapshot, rule: Snapshot, code: Snapshot, rules: tuple[str, ...]
) -> pl.DataFrame:
    """What the records of one audit come to as another one would see and judge them.

    Args:
        data: whose records.
        clock: whose cut-off; rows dated after it are quarantined, and others come back.
        rule: whose cards, rules, vocabulary, editions, variants and jurisdiction.
        code: whose sql/. Python is always that of this program.
        rules: the ids of the rules to judge.

    Returns:
        Findings as in findings.parquet; those of `rules` that `rule` judges.

    Raises:
        UserError: the parts don't fit together, as when a rule asks for a fact of another release.
    """
    with tempfile.TemporaryDirectory(prefix="guideline-audit-") as place:
        scratch = Path(place)
        folders = {"checks": rule, "sql": code}
        for name, owner in folders.items():
            _write(owner.texts, name, scratch)
        with standing_at({name: scratch / name for name in folders}):
            con = open_database(None, scratch)
            try:
                return _judged(con, data, clock.cutoff, rule, rules, scratch)
            finally:
                con.close()


def _judged(
    con: Connection,
    data: Snapshot,
    cutoff: date,
    rule: Snapshot,
    rules: tuple[str, ...],
    scratch: Path,
) -> pl.DataFrame:
    catalogue = Catalogue.read(own_among(rule.texts)).with_parameters(rule.settings.params)
    judged = [one.id for one in catalogue.select(rule.settings.rules) if one.id in rules]
    settings = rule.settings.model_copy(update={"cutoff": cutoff, "rules": tuple(judged)})
    with duckdb.connect(str(data.database), read_only=True) as source:
        raws = stored_tables(source, scratch)
    store(con, "adjudications", data.adjudications)
    extract = load_tables(raws, cutoff=cutoff, scratch=scratch, log=_SILENT.debug)
    told_apart = data.conjugates_told_apart
    build_facts(con, extract, told_apart, catalogue, settings, Stages(_SILENT))
    shared = shared_values(
        catalogue, settings, linked=extract.linked, conjugates_told_apart=told_apart
    )
    if not judged:
        return data.findings.clear()
    judge_rules(con, catalogue, settings, extract.linked, shared, _SILENT.debug)
    found: pl.DataFrame = con.sql(_FINDINGS).pl()
    return found


def _read(con: Connection, folder: Path) -> Snapshot:
    run = con.table("runs").order("run_number desc").limit(1).pl().to_dicts()[0]
    settings = json.loads(run["settings"]) | {"extract": folder}
    return Snapshot(
        folder,
        json.loads(run["manifest"]),
        Settings.model_validate(settings),
        run["conjugates_told_apart"],
        kept_texts(con, run["run_number"]),
        con.sql(_FINDINGS).pl(),
        con.table("adjudications").pl().filter(pl.col("after_run") < run["run_number"]),
    )


def _write(texts: Mapping[str, str], folder: str, scratch: Path) -> None:
    for path, text in texts.items():
        if path.startswith(f"{folder}/"):
            (scratch / path).parent.mkdir(parents=True, exist_ok=True)
            (scratch / path).write_text(text, encoding="utf-8")
