"""The stages in order: extract, warehouse, vocabulary, facts, quality, rules, outputs."""

import json
import logging
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from audit.adjudicate import reviewed_rates
from audit.building import Loaded, Stages, build_facts
from audit.errors import ExtractRefused, UsageError
from audit.evaluate import evaluate
from audit.extract import SourceMapping, load_extract
from audit.gates import parse_gates, weigh_gates
from audit.guideline import Catalogue
from audit.history import begin_history, record_run
from audit.logs import new_run_id
from audit.manifest import full_manifest, identity
from audit.publish import publication
from audit.quality import check_quality, refusal
from audit.quality_history import store_quality_history
from audit.quality_page import Quality, present_quality
from audit.settings import Settings
from audit.texts import own_texts
from audit.warehouse import Connection, open_database

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
    "responses",
    "load_counts",
    "window_lines",
)
QUALITY = ("quality_checks", "quality_examples", "quality_history")


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


def run(settings: Settings, out: Path, run_id: str | None = None) -> dict[str, Any]:
    """Audits an extract and publishes the whole audit in `out`, or leaves `out` untouched.

    Args:
        settings: what to audit and by which rules.
        out: the audit's folder; created private to the user, an earlier audit in it is replaced.
        run_id: the run's name; a new one if None.

    Returns:
        The manifest.

    Raises:
        UserError: the extract, the mapping, the settings or `out` can't be used.
    """
    # Templates and writers are needed here alone: an evaluation in a notebook starts without them.
    from audit.outputs import write_findings, write_outputs, write_quality_list
    from audit.pdf import require_weasyprint, write_pdf
    from audit.present import present
    from audit.report import check_templates, render_report
    from audit.worklist import write_worklists

    check_templates(settings.templates)
    if settings.pdf:
        require_weasyprint()
    stages = Stages()
    catalogue = _catalogue(settings)
    gates = parse_gates(settings.gates, catalogue, settings.rules)
    with publication(out, settings.keep) as folder:
        scratch, audit = folder / "scratch", folder / "audit"
        scratch.mkdir()
        audit.mkdir()
        con = open_database(audit / "audit.duckdb", scratch)
        try:
            begin_history(con, out)
            loaded = _build(con, catalogue, settings, scratch, stages)
            refused = _look(con, catalogue, settings, loaded, stages)
            if refused:
                raise refused
            manifest = _judge(con, catalogue, settings, loaded, stages, run_id or new_run_id())
            store_quality_history(con, manifest)
            manifest["history"] = record_run(
                con,
                settings,
                manifest,
                own=catalogue.own,
                conjugates_told_apart=loaded.conjugates_told_apart,
            )
            tables = _results(con, AGGREGATES + QUALITY)
            manifest["reviewed"] = reviewed_rates(tables["rates"])
            manifest["gates"] = [gate.model_dump() for gate in weigh_gates(con, gates, tables)]
            with ThreadPoolExecutor(1) as beside:
                # DuckDB and Arrow leave Python free meanwhile, and pages are made by it alone.
                findings = beside.submit(write_findings, con, audit / "findings.parquet")
                with stages.stage("worklist"):
                    write_worklists(con, catalogue, audit, settings)
                    write_quality_list(con, audit / "worklist" / "quality.csv")
                with stages.stage("report"):
                    page = present(tables, manifest, catalogue, settings.small_number)
                    render_report(page, audit, settings.templates)
                    if settings.pdf:
                        write_pdf(audit / "report", str(settings.cutoff), settings.templates)
                with stages.stage("outputs"):
                    figures = [rule.figures for rule in page.rules]
                    write_outputs(con, figures, audit, settings.small_number)
                    findings.result()
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
            begin_history(con)
            loaded = _build(con, catalogue, settings, scratch, stages)
            refused = _look(con, catalogue, settings, loaded, stages)
            which = identity(settings, new_run_id())
            store_quality_history(con, which)
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
    begin_history(con)
    loaded = _build(con, catalogue, settings, scratch, stages)
    return _judge(con, catalogue, settings, loaded, stages, new_run_id())


def _catalogue(settings: Settings) -> Catalogue:
    catalogue = Catalogue.read(own_texts(settings.rules_from)).with_parameters(settings.params)
    catalogue.select(settings.rules)
    catalogue.check_variants(settings.variants)
    return catalogue


def _build(
    con: Connection, catalogue: Catalogue, settings: Settings, scratch: Path, stages: Stages
) -> Loaded:
    mapping = SourceMapping.read(settings.mapping) if settings.mapping else None
    if settings.cutoff > datetime.now(UTC).date():
        logger.warning(
            "the cut-off %s lies in the future: what is not on record by then reads as not done; "
            "name the day up to which the records are complete",
            settings.cutoff,
        )
    with stages.stage("extract"):
        extract = load_extract(
            settings.extract,
            cutoff=settings.cutoff,
            mapping=mapping,
            scratch=scratch / "typed",
            log=logger.info,
        )
    told_apart = mapping is None or mapping.conjugates_told_apart
    return build_facts(con, extract, told_apart, catalogue, settings, stages)


def _look(
    con: Connection, catalogue: Catalogue, settings: Settings, loaded: Loaded, stages: Stages
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
    con: Connection,
    catalogue: Catalogue,
    settings: Settings,
    loaded: Loaded,
    stages: Stages,
    run_id: str,
) -> dict[str, Any]:
    with stages.stage("rules"):
        evaluate(
            con,
            catalogue,
            settings,
            linked=loaded.extract.linked,
            conjugates_told_apart=loaded.conjugates_told_apart,
            log=logger.debug,
        )
    return full_manifest(
        con,
        catalogue,
        settings,
        loaded.extract,
        run_id,
        conjugates_told_apart=loaded.conjugates_told_apart,
    )


def _results(con: Connection, names: Iterable[str]) -> dict[str, pl.DataFrame]:
    tables = {name: con.table(name).order("all").pl() for name in names}
    quarantined = (
        "select table_name, reason, count(*) as n from quarantine group by all order by all"
    )
    return tables | {"quarantine": con.sql(quarantined).pl()}
