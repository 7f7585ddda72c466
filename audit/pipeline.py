"""The stages in order: extract, warehouse, vocabulary, facts, quality, rules, outputs."""

import json
import logging
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from audit.errors import ExtractRefused, UsageError
from audit.evaluate import evaluate
from audit.extract import Extract, SourceMapping, load_extract
from audit.guideline import Catalogue
from audit.manifest import full_manifest, identity
from audit.publish import publication
from audit.quality import check_quality, refusal
from audit.quality_history import HISTORY, earlier_history, store_history
from audit.quality_page import Quality, present_quality
from audit.resources import root
from audit.settings import Settings
from audit.tnm import stage_texts
from audit.vocabulary import Vocabulary
from audit.warehouse import (
    Connection,
    build,
    load_parquet,
    lock_down,
    open_database,
    plan_simply,
    store,
)

logger = logging.getLogger("audit")

AGGREGATES = (
    "rates",
    "strata",
    "margins",
    "variant_rates",
    "gated_sites",
    "attrition",
    "verdict_reasons",
    "exception_reasons",
    "missing_fields",
    "completeness",
    "repairs",
    "unrecognised_drugs",
    "unreadable_stages",
    "registry_facts",
    "load_counts",
    "window_lines",
)
QUALITY = ("quality_checks", "quality_examples", "quality_history")


@dataclass
class Stages:
    """How long each stage took, in seconds, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times a stage and says that it began and ended."""
        logger.info("%s ...", name)
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 3)
        logger.info("%s took %.1f s", name, self.seconds[name])


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation without outputs gives; `lines` are those of the table `lines`."""

    findings: pl.DataFrame
    lines: pl.DataFrame
    tables: dict[str, pl.DataFrame]
    manifest: dict[str, Any]


def evaluate_extract(settings: Settings) -> Evaluation:
    """Loads and judges an extract in memory; writes nothing that outlives the call.

    The quality of the data is not looked at: `run` and `validate` do that.

    Args:
        settings: what to audit and by which rules.

    Returns:
        The findings as the contract gives them, the lines of treatment of metastatic disease, the
        result tables and the manifest.

    Raises:
        UserError: the extract, the mapping or the settings can't be used.
    """
    with tempfile.TemporaryDirectory(prefix="guideline-audit-") as folder:
        scratch = Path(folder)
        con = open_database(None, scratch)
        try:
            manifest = judge_extract(con, settings, scratch, Stages())
            tables = _results(con, AGGREGATES)
            findings = con.sql("from findings order by all").pl()
            lines = con.sql("from lines order by all").pl()
            return Evaluation(findings, lines, tables, manifest)
        finally:
            con.close()


def run(settings: Settings, out: Path) -> dict[str, Any]:
    """Audits an extract and publishes the whole audit in `out`, or leaves `out` untouched.

    Args:
        settings: what to audit and by which rules.
        out: the audit's folder; created private to the user, an earlier audit in it is replaced.

    Returns:
        The manifest.

    Raises:
        UserError: the extract, the mapping, the settings or `out` can't be used.
    """
    # Templates and writers are needed here alone: an evaluation in a notebook starts without them.
    from audit.outputs import write_outputs, write_quality_list
    from audit.present import present
    from audit.report import render_report
    from audit.worklist import write_worklists

    stages = Stages()
    earlier = earlier_history(out)
    with publication(out) as folder:
        scratch, audit = folder / "scratch", folder / "audit"
        scratch.mkdir()
        audit.mkdir()
        con = open_database(audit / "audit.duckdb", scratch)
        try:
            catalogue = _catalogue(settings)
            loaded = _build(con, catalogue, settings, scratch, stages)
            refused = _look(con, catalogue, settings, loaded, stages)
            if refused:
                raise refused
            manifest = _judge(con, catalogue, settings, loaded, stages)
            store_history(con, earlier, manifest)
            tables = _results(con, AGGREGATES + QUALITY)
            with stages.stage("worklist"):
                write_worklists(con, catalogue, audit, settings.cutoff)
                write_quality_list(con, audit / "worklist" / "quality.csv")
            with stages.stage("report"):
                render_report(present(tables, manifest, catalogue, settings.small_number), audit)
            with stages.stage("outputs"):
                write_outputs(con, tables, audit, settings.small_number)
            con.execute("checkpoint")
        finally:
            con.close()
        manifest["stages"] = stages.seconds
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        (audit / "manifest.json").write_text(text + "\n", encoding="utf-8")
    return manifest


@dataclass(frozen=True)
class Validation:
    """What the data can bear, and the exception that an audit of them would end with."""

    quality: Quality
    refusal: ExtractRefused | None


def validate(settings: Settings, out: Path | None) -> Validation:
    """Loads an extract and looks at its quality alone; no rule is judged.

    Args:
        settings: what to load, and what an audit would be refused for.
        out: a folder for `quality.html` and the patient-level `quality.csv`; None writes nothing.

    Raises:
        UserError: the extract, the mapping or `out` can't be used.
    """
    from audit.outputs import write_quality_list
    from audit.report import render_validation

    if out and (out / "audit.duckdb").exists():
        raise UsageError(f"{out} holds an audit", "choose another --out for the validation")
    catalogue = Catalogue.read()
    with tempfile.TemporaryDirectory(prefix="guideline-audit-") as place:
        scratch = Path(place)
        con = open_database(None, scratch)
        try:
            stages = Stages()
            loaded = _build(con, catalogue, settings, scratch, stages)
            refused = _look(con, catalogue, settings, loaded, stages)
            which = identity(settings)
            store_history(con, pl.DataFrame(schema=HISTORY), which)
            tables = _results(con, ("load_counts", *QUALITY))
            quality = present_quality(tables, catalogue.numbers, settings.small_number)
            if out:
                with publication(out) as folder:
                    (folder / "audit").mkdir()
                    render_validation(quality, which, settings.small_number, folder / "audit")
                    write_quality_list(con, folder / "audit" / "quality.csv")
            return Validation(quality, refused)
        finally:
            con.close()


def judge_extract(
    con: Connection, settings: Settings, scratch: Path, stages: Stages
) -> dict[str, Any]:
    """Loads an extract into an open database, builds the facts and judges every selected rule.

    Args:
        con: an empty database; it is locked down on the way.
        settings: what to audit and by which rules.
        scratch: a private folder for what does not fit into memory.
        stages: takes the time of each stage.

    Returns:
        The manifest, without the times.

    Raises:
        UserError: the extract, the mapping or the settings can't be used.
    """
    catalogue = _catalogue(settings)
    loaded = _build(con, catalogue, settings, scratch, stages)
    return _judge(con, catalogue, settings, loaded, stages)


@dataclass(frozen=True)
class _Loaded:
    """An extract whose facts are built, and the shared values that SQL may ask for by name."""

    extract: Extract
    conjugates_told_apart: bool
    shared: dict[str, object]


def _catalogue(settings: Settings) -> Catalogue:
    catalogue = Catalogue.read()
    catalogue.select(settings.rules)
    catalogue.check_variants(settings.variants)
    return catalogue


def _build(
    con: Connection, catalogue: Catalogue, settings: Settings, scratch: Path, stages: Stages
) -> _Loaded:
    mapping = SourceMapping.read(settings.mapping) if settings.mapping else None
    with stages.stage("extract"):
        extract = load_extract(
            settings.extract,
            cutoff=settings.cutoff,
            mapping=mapping,
            scratch=scratch / "typed",
            log=logger.info,
        )
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
        for layer in ("staging", "facts"):
            build(con, layer, shared)
    return _Loaded(extract, mapping is None or mapping.conjugates_told_apart, shared)


def _look(
    con: Connection, catalogue: Catalogue, settings: Settings, loaded: _Loaded, stages: Stages
) -> ExtractRefused | None:
    """What the data can bear; gives the exception to end with where they can't bear an audit."""
    with stages.stage("quality"):
        checks = check_quality(
            con,
            linked=loaded.extract.linked,
            numbers=catalogue.numbers,
            values=loaded.shared,
            log=logger.info,
        )
    return refusal(checks, con.table("load_counts").pl(), settings)


def _judge(
    con: Connection, catalogue: Catalogue, settings: Settings, loaded: _Loaded, stages: Stages
) -> dict[str, Any]:
    with stages.stage("rules"):
        evaluate(
            con,
            catalogue,
            settings,
            linked=loaded.extract.linked,
            conjugates_told_apart=loaded.conjugates_told_apart,
            log=logger.info,
        )
    return full_manifest(
        con,
        catalogue,
        settings,
        loaded.extract,
        conjugates_told_apart=loaded.conjugates_told_apart,
    )


def _load(con: Connection, extract: Extract) -> None:
    for name, table in extract.tables.items():
        load_parquet(con, name, table.path)
        table.path.unlink()
    store(con, "quarantine", extract.quarantine)
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


def _results(con: Connection, names: Iterable[str]) -> dict[str, pl.DataFrame]:
    tables = {name: con.table(name).order("all").pl() for name in names}
    quarantined = (
        "select table_name, reason, count(*) as n from quarantine group by all order by all"
    )
    return tables | {"quarantine": con.sql(quarantined).pl()}
