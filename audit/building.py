"""From typed tables to the facts that every rule shares: load, lock down, resolve names, build."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import polars as pl

from audit.extract import Extract
from audit.guideline import Catalogue
from audit.resources import root
from audit.settings import Settings
from audit.tnm import stage_texts
from audit.vocabulary import Vocabulary
from audit.warehouse import (
    Connection,
    build,
    load_parquet,
    lock_down,
    plan_simply,
    store,
    tables_behind,
)

logger = logging.getLogger("audit")

OFFERED = "select * from fct_courses"
"""What every result offers besides its tables of results, whatever its rules."""


@dataclass
class Stages:
    """How long each stage took, in seconds, in order."""

    logger: logging.Logger = logger
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times a stage and says that it began and ended."""
        self.logger.info("%s ...", name, extra={"stage": name})
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 3)
        took = self.seconds[name]
        self.logger.info("%s took %.1f s", name, took, extra={"stage": name, "seconds": took})


@dataclass(frozen=True)
class Loaded:
    """An extract whose facts are built, and the shared values that SQL may ask for by name."""

    extract: Extract
    conjugates_told_apart: bool
    shared: dict[str, object]


def build_facts(
    con: Connection,
    extract: Extract,
    conjugates_told_apart: bool,
    catalogue: Catalogue,
    settings: Settings,
    stages: Stages,
) -> Loaded:
    """Loads an extract's tables into an open database and builds the facts from them.

    Args:
        con: a database without these tables; it is locked down on the way.
        extract: the typed tables; their files are removed once they are loaded.
        conjugates_told_apart: False when the source stores conjugates under trastuzumab.
        catalogue: the definitions that the facts share.
        settings: the jurisdiction and the cut-off.
        stages: takes the time of each stage.
    """
    with stages.stage("warehouse"):
        _load(con, extract)
        plan_simply(con, max(table.rows_loaded for table in extract.tables.values()))
        lock_down(con)
    with stages.stage("vocabulary"):
        _resolve(con, catalogue)
    shared: dict[str, object] = {name: p.value for name, p in catalogue.definitions.items()}
    numbers = {n: float(v) for n, v in shared.items() if isinstance(v, int | float)}
    store(
        con, "definitions", pl.DataFrame({"name": list(numbers), "value": list(numbers.values())})
    )
    shared["cutoff"] = settings.cutoff
    shared["jurisdiction"] = settings.jurisdiction
    shared["surgeries_linked"] = extract.tables["surgeries"].linked
    shared["events_linked"] = extract.tables["events"].linked
    with stages.stage("facts"):
        wanted = _wanted(catalogue, settings)
        for layer in ("staging", "facts"):
            build(con, layer, shared, wanted)
    return Loaded(extract, conjugates_told_apart, shared)


def _wanted(catalogue: Catalogue, settings: Settings) -> frozenset[str]:
    """The facts that the selected rules rest on, those of every audit, and what these come from."""
    shared = [
        path.read_text(encoding="utf-8")
        for layer in ("quality", "results", "results/findings", "results/tables", "history")
        for path in (root("sql") / layer).glob("*.sql")
    ]
    rules = (rule.sql for rule in catalogue.select(settings.rules))
    return tables_behind([OFFERED, *shared, *rules])


def _load(con: Connection, extract: Extract) -> None:
    for name, table in extract.tables.items():
        load_parquet(con, name, table.path)
        table.path.unlink()
    store(con, "quarantine", extract.quarantine)
    store(con, "held_rows", extract.held)
    store(con, "imprecise_dates", extract.imprecise_dates)
    store(
        con,
        "load_counts",
        pl.DataFrame(
            [
                {
                    "table_name": table.name,
                    "linked": table.linked,
                    "file": table.file,
                    "rows_read": table.rows_read,
                    "rows_loaded": table.rows_loaded,
                    "duplicates_collapsed": table.duplicates_collapsed,
                    "rows_quarantined": table.rows_quarantined,
                }
                for table in extract.tables.values()
            ],
            schema_overrides={"file": pl.String},
        ),
    )


def _resolve(con: Connection, catalogue: Catalogue) -> None:
    vocabulary = Vocabulary.read()
    drugs = con.sql(
        "select distinct drug from treatments where drug is not null order by drug"
    ).pl()
    topics = con.sql(
        "select distinct topic from exceptions where topic is not null order by topic"
    ).pl()
    store(con, "ingredients", vocabulary.ingredients())
    store(con, "drug_names", vocabulary.resolve(drugs["drug"]))
    store(con, "topics", vocabulary.resolve_topics(topics["topic"], catalogue.numbers))
    store(con, "stage_texts", stage_texts(con))
    store(con, "plausible_doses", pl.read_csv(root("checks") / "quality" / "doses.csv"))
    store(con, "lvef_limits", pl.read_csv(root("checks") / "lvef_limits.csv", try_parse_dates=True))
