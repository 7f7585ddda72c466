"""The command line: parse, call, print. No logic."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from audit.config import cutoff_day, read_config, write_example
from audit.errors import ExitCode, UserError
from audit.guideline import Catalogue
from audit.settings import Settings
from audit.verdicts import VERDICTS

if TYPE_CHECKING:
    from audit.quality_page import Quality

DEMO_CUTOFF = date(2025, 12, 31)

app = typer.Typer(
    help="Audits the treatment of HER2-positive breast cancer against encoded guideline rules.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
logger = logging.getLogger("audit")

QuarantineLimit = Annotated[
    float,
    typer.Option(min=0, max=1, help="Largest share of a table's rows that may be in quarantine."),
]


class _Status(logging.Handler):
    """On a terminal, the latest line of progress takes the place of the one before."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.status = console.status("starting ...")
        self.status.start()

    def emit(self, record: logging.LogRecord) -> None:
        self.status.update(record.getMessage())

    def close(self) -> None:
        self.status.stop()
        super().close()


@app.command()
def run(
    extract: Annotated[
        Path | None, typer.Argument(help="Folder with the registry extract.", show_default=False)
    ] = None,
    cutoff: Annotated[
        str | None,
        typer.Option(help="Data cut-off, inclusive: YYYY-MM-DD, or such as 'end of last quarter'."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the audit; made private to you.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="audit.toml: what is not given here.")
    ] = None,
    jurisdiction: Annotated[str | None, typer.Option(help="US (default), EU or ENGLAND.")] = None,
    rules: Annotated[
        str | None, typer.Option(help="Rule ids or numbers, separated by commas; all if not given.")
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="A source mapping: a file, or the name of a shipped one.")
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="RULE.NAME=VALUE; may be given more than once.")
    ] = None,
    compare_variants: Annotated[
        bool | None,
        typer.Option("--compare-variants", help="Show the rates of the other readings too."),
    ] = None,
    gate: Annotated[
        list[str] | None,
        typer.Option(help="What must hold, such as 'R07.rate >= 0.85'; exit code 4 if not."),
    ] = None,
    quarantine_limit: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Largest share of a table's rows in quarantine."),
    ] = None,
    quality_warn_only: Annotated[
        bool | None,
        typer.Option("--quality-warn-only", help="Audit even data that can't bear it."),
    ] = None,
) -> None:
    """Load an extract, judge every rule, and write the audit."""
    given = {
        "extract": extract,
        "cutoff": cutoff,
        "out": out,
        "jurisdiction": jurisdiction and jurisdiction.upper(),
        "rules": rules and tuple(word.strip() for word in rules.split(",") if word.strip()),
        "mapping": mapping,
        "variants": tuple(variant) if variant else None,
        "compare_variants": compare_variants,
        "gates": tuple(gate) if gate else None,
        "quarantine_limit": quarantine_limit,
        "quality_warn_only": quality_warn_only,
    }
    _audit(*read_config(config, given))


@app.command()
def init(
    config: Annotated[Path, typer.Option("--config", help="Where to write it.")] = Path(
        "audit.toml"
    ),
) -> None:
    """Write a commented configuration for scheduled audits."""
    write_example(config)
    typer.echo(f"configuration: {config}")


@app.command()
def validate(
    extract: Annotated[Path, typer.Argument(help="Folder with the registry extract.")],
    cutoff: Annotated[
        str | None, typer.Option(help="Data cut-off, YYYY-MM-DD, inclusive; today if not given.")
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="A source mapping: a file, or the name of a shipped one.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for quality.html and quality.csv.")
    ] = None,
    quarantine_limit: QuarantineLimit = 1.0,
) -> None:
    """Load an extract and look at the quality of its data; no rule is judged."""
    from audit import pipeline

    settings = Settings(
        extract=extract,
        cutoff=cutoff_day(cutoff) if cutoff else datetime.now(UTC).date(),
        mapping=mapping,
        quarantine_limit=quarantine_limit,
    )
    with _progress():
        validation = pipeline.validate(settings, out)
    _show(validation.quality)
    if out:
        typer.echo(f"quality: {out / 'quality.html'}")
    if validation.refusal:
        raise validation.refusal


@app.command()
def rules(
    rule: Annotated[str | None, typer.Argument(help="A rule's id or number.")] = None,
) -> None:
    """Show the catalogue of rules, or one rule's card."""
    from audit.rulebook import render_rule

    catalogue = Catalogue.read()
    if rule is not None:
        typer.echo(render_rule(catalogue.select([rule])[0]))
        return
    for entry in catalogue.rules.values():
        typer.echo(f"{entry.card.number}  {entry.id:<40} {entry.card.title}")


@app.command()
def explain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of an audit.")],
    tumour_id: Annotated[str, typer.Argument(metavar="TUMOUR_ID", help="A tumour of the audit.")],
    rule: Annotated[
        str | None, typer.Option(help="A rule's id or number; all if not given.")
    ] = None,
) -> None:
    """Show one patient's timeline, and clause by clause why each verdict came out."""
    from audit.explain_text import explanation_on_terminal
    from audit.finished import Finished

    finished = Finished.read(folder)
    shown = explanation_on_terminal(finished, tumour_id, finished.rule(rule) if rule else None)
    Console(width=None if sys.stdout.isatty() else 140).print(shown)


@app.command()
def synthesise(
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same registry.")],
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder for the extract.")],
) -> None:
    """Make a synthetic registry extract, with the truth about its planted deviations beside it."""
    from audit.synthesise import synthesise as make

    make(patients, seed, out)
    typer.echo(f"extract: {out}")


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the extract and its audit.")
    ] = Path("demo"),
    patients: Annotated[int, typer.Option(min=100, help="How many patients.")] = 3000,
) -> None:
    """Make a small synthetic registry and audit it."""
    from audit.synthesise import synthesise as make

    extract = out / f"extract-{patients}"
    if not extract.exists():
        make(patients, 1, extract)
    _audit(Settings(extract=extract, cutoff=DEMO_CUTOFF, compare_variants=True), out / "audit")


@contextmanager
def _progress() -> Iterator[None]:
    """What the stages log goes to standard error meanwhile."""
    handler: logging.Handler
    if sys.stderr.isatty():
        handler = _Status(Console(stderr=True))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def _audit(settings: Settings, out: Path) -> None:
    from audit import pipeline

    with _progress():
        manifest = pipeline.run(settings, out)
    _summarise(manifest)
    typer.echo(f"report: {out / 'report' / 'index.html'}")


def _show(quality: "Quality") -> None:
    """Counts of rows and expectations: no record's value, no patient."""
    table = Table(title="Data quality at a glance")
    table.add_column("table", no_wrap=True)
    for column in ("rows read", "quarantined", "expectations", "block", "warn", "info"):
        table.add_column(column, justify="right")
    for one in quality.tables:
        if one.linked:
            counts = (one.read, one.quarantined, one.judged, *one.failed.values())
            table.add_row(one.name, *(f"{count:,}" for count in counts))
        else:
            table.add_row(one.name, "not linked")
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    for severity, failures in quality.failed.items():
        for failed in failures:
            rows = "a few" if failed.rows.value is None else f"{failed.rows.value:,}"
            typer.echo(
                f"{severity}  {failed.id}: not so in {rows} of {failed.checked:,} rows: "
                f"{failed.says}"
            )


def _summarise(manifest: dict[str, Any]) -> None:
    """Verdict counts are for whoever runs the audit; they are not for sharing."""
    table = Table(title="Verdicts (counts for internal use; the report suppresses small numbers)")
    table.add_column("rule", no_wrap=True)
    for verdict in VERDICTS:
        table.add_column(verdict.replace("_", " "), justify="right")
    for rule, counts in manifest["verdicts"].items():
        table.add_row(rule, *(str(counts.get(verdict, 0)) for verdict in VERDICTS))
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    for name, t in manifest["tables"].items():
        if t["linked"]:
            typer.echo(
                f"{name}: {t['rows_read']} rows read = {t['rows_loaded']} loaded "
                f"+ {t['duplicates_collapsed']} duplicates + {t['rows_quarantined']} quarantined"
            )


def main() -> None:
    """Runs the command; a user's error ends with its message and exit code, without a traceback."""
    try:
        app()
    except UserError as error:
        typer.echo(f"guideline-audit: {error}", err=True)
        sys.exit(int(error.exit_code))
    except Exception:  # whatever is left is ours, and says so
        traceback.print_exc()
        typer.echo("guideline-audit: internal error; nothing was published", err=True)
        sys.exit(int(ExitCode.INTERNAL))
