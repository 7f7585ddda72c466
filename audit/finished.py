"""A finished audit's folder: what was audited, by which rules and numbers, and its database."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from audit.errors import UsageError
from audit.evaluate import RuleFailed
from audit.guideline import Catalogue, Rule
from audit.settings import Settings
from audit.texts import kept_texts, own_among
from audit.warehouse import Connection, without_progress_bar


@dataclass(frozen=True)
class Finished:
    """An audit that was published.

    Attributes:
        folder: where it stands.
        manifest: its provenance, as `manifest.json` has it.
        catalogue: the rules of this installation, and the user's own as they were judged, with the
            numbers that the audit was made with.
        settings: what was audited and by which rules.
    """

    folder: Path
    manifest: Mapping[str, Any]
    catalogue: Catalogue
    settings: Settings

    @classmethod
    def read(cls, folder: Path) -> "Finished":
        """Reads what an audit's folder says of itself.

        Raises:
            UsageError: there is no audit in it.
        """
        manifest, database = folder / "manifest.json", folder / "audit.duckdb"
        if not manifest.is_file() or not database.is_file():
            raise UsageError(
                f"there is no audit in {folder}",
                "name a folder that `guideline-audit run … --out` wrote",
            )
        said = json.loads(manifest.read_text(encoding="utf-8"))
        catalogue = Catalogue.read(_own(database, said["run_id"]) if said["rules_from"] else {})
        known = {rule: own for rule, own in said["parameters"].items() if rule in catalogue.rules}
        settings = Settings(
            extract=folder,
            cutoff=date.fromisoformat(said["cutoff"]),
            jurisdiction=said["jurisdiction"],
            period=said.get("period", "year"),
            rules=tuple(known),
            variants={rule: said["variants"][rule] for rule in known},
        )
        return cls(folder, said, catalogue.with_parameters(_typed(catalogue, known)), settings)

    @property
    def linked(self) -> dict[str, bool]:
        """Whether each table of the extract was there."""
        return {name: table["linked"] for name, table in self.manifest["tables"].items()}

    def rule(self, asked: str) -> Rule:
        """The rule of an id or number.

        Raises:
            UsageError: no such rule, or the audit did not judge it.
        """
        rule = self.catalogue.select([asked])[0]
        if rule.id not in self.manifest["verdicts"]:
            raise UsageError(
                f"rule {rule.id} was not judged in {self.folder}",
                f"name one of: {', '.join(self.manifest['verdicts'])}",
            )
        return rule

    @contextmanager
    def judged_anew(self) -> Iterator[None]:
        """Where a rule is judged again on the audit's facts: these may not fit another version.

        Raises:
            UsageError: the SQL does not run, and the rules or facts are not those of the audit.
        """
        try:
            yield
        except (duckdb.Error, RuleFailed) as error:
            if self.manifest["catalogue"]["hash"] == self.catalogue.hash:
                raise
            raise UsageError(
                f"the audit in {self.folder} was judged by other rules than this version has",
                "ask the version that made it, or run the audit again",
            ) from error

    def open(self) -> Connection:
        """A connection of its own with the audit's tables as `published`; it can't change them.

        The file may be replaced by a newer audit meanwhile: this connection keeps reading the old
        one.

        Raises:
            UsageError: it has been replaced since the manifest was read.
        """
        con = duckdb.connect(config={"autoinstall_known_extensions": "false"})
        without_progress_bar(con)
        path = str(self.folder / "audit.duckdb").replace("'", "''")
        con.execute(f"attach '{path}' as published (read_only)")
        # Else numbers of one run would stand beside the cut-off and the rules of another.
        runs = con.table("published.main.runs")
        newest = runs.order("run_number desc").limit(1).project("run_id").fetchall()
        if newest not in ([], [(self.manifest["run_id"],)]):
            raise UsageError(
                f"the audit in {self.folder} has been replaced by a newer one since it was opened",
                "open it again",
            )
        return con


def _own(database: Path, run_id: str) -> dict[str, str]:
    """The texts of the user's own rules, as a run kept them: their folder may have changed."""
    with duckdb.connect(str(database), read_only=True) as con:
        own = con.table("runs").filter(duckdb.ColumnExpression("run_id") == run_id)
        return own_among(kept_texts(con, own.project("run_number").fetchall()[0][0]))


def _typed(
    catalogue: Catalogue, written: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The manifest's numbers as the cards type them: it writes dates as text."""
    return {
        rule: {
            name: date.fromisoformat(value)
            if isinstance(catalogue.rules[rule].card.parameters[name].value, date)
            else value
            for name, value in own.items()
            if name in catalogue.rules[rule].card.parameters
        }
        for rule, own in written.items()
    }
