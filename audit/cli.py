"""The command line: parse, call, print. No logic."""

import sys
import traceback
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from audit.config import cutoff_day, read_config, write_example
from audit.errors import ExitCode, UsageError, UserError, unwritable
from audit.guideline import Catalogue
from audit.logs import new_run_id, progress
from audit.settings import Settings

DEMO_CUTOFF = date(2025, 12, 31)

app = typer.Typer(
    help="Audits the treatment of HER2-positive breast cancer against encoded guideline rules.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

QuarantineLimit = Annotated[
    float,
    typer.Option(min=0, max=1, help="Largest share of a table's rows that may be in quarantine."),
]


Quiet = Annotated[bool, typer.Option("--quiet", help="Say only what needs attention.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Also name each rule as it is judged.")]


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
    rules_from: Annotated[
        Path | None,
        typer.Option("--rules-from", help="Folder of rules of your own, judged beside ours."),
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
    period: Annotated[
        str | None,
        typer.Option(help="Trends by year (default), half-year or quarter of the decision."),
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(help="Folder of templates and a stylesheet that replace ours by name."),
    ] = None,
    pdf: Annotated[
        bool | None, typer.Option("--pdf", help="Also write report/report.pdf (extra: pdf).")
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Load an extract, judge every rule, and write the audit."""
    given = {
        "extract": extract,
        "cutoff": cutoff,
        "out": out,
        "jurisdiction": jurisdiction and jurisdiction.upper(),
        "rules": rules and tuple(word.strip() for word in rules.split(",") if word.strip()),
        "rules_from": rules_from,
        "mapping": mapping,
        "variants": tuple(variant) if variant else None,
        "compare_variants": compare_variants,
        "gates": tuple(gate) if gate else None,
        "quarantine_limit": quarantine_limit,
        "quality_warn_only": quality_warn_only,
        "period": period,
        "templates": templates,
        "pdf": pdf,
    }
    _audit(*read_config(config, given), quiet=quiet, verbose=verbose)


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
    from audit.tell import quality_lines

    settings = Settings(
        extract=extract,
        cutoff=cutoff_day(cutoff) if cutoff else datetime.now(UTC).date(),
        mapping=mapping,
        quarantine_limit=quarantine_limit,
    )
    with progress(new_run_id()):
        validation = pipeline.validate(settings, out)
    for line in quality_lines(validation.quality):
        typer.echo(line)
    if out:
        typer.echo(f"quality: {out / 'quality.html'}")
    if validation.refusal:
        raise validation.refusal


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="The earlier audit's folder, or the only one.")],
    after: Annotated[
        Path | None,
        typer.Argument(help="The later audit's folder; if not given, the newest in the first."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="A new file for every change: patient level.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="A new file for the page: aggregate.")
    ] = None,
    patients: Annotated[
        bool, typer.Option("--patients", help="Also a line a finding, and exact counts.")
    ] = False,
) -> None:
    """Show what changed between two audits, and prove what brings each change about."""
    from audit.diff import as_text, compare, write_json, write_page

    found = compare(before, after)
    threshold = found.after.settings.small_number
    for line in as_text(found, threshold, patients=patients):
        typer.echo(line)
    if json_file:
        write_json(found, json_file)
    if html_file:
        write_page(found, threshold, html_file)


@app.command()
def adjudicate(
    out: Annotated[Path, typer.Argument(help="The audit's folder.")],
    file: Annotated[Path, typer.Argument(help="The answered worklist, a CSV.")],
) -> None:
    """Keep reviewers' answers to a worklist; they count from the next run on."""
    from audit.adjudicate import ANSWERS
    from audit.adjudicate import adjudicate as keep

    taken = keep(out, file)
    for answer, count in taken.kept.items():
        typer.echo(f"{answer}: {count} kept ({ANSWERS[answer]})")
    typer.echo(f"not kept, because the evidence has changed since: {taken.expired}")


@app.command()
def rules(
    rule: Annotated[
        str | None, typer.Argument(help="A rule's id or number; or the word test.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Argument(help="After test: a folder with rules of your own.")
    ] = None,
) -> None:
    """Show the catalogue of rules, or one rule's card; or test rules of your own."""
    from audit.rulebook import render_rule

    if (rule == "test") is not (folder is not None):
        raise UsageError(
            "rules takes a rule, or the word test and a folder",
            "write `guideline-audit rules test FOLDER`, or `guideline-audit rules R10`",
        )
    if folder is not None:
        _test_rules(folder)
        return
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


def _test_rules(folder: Path) -> None:
    from audit.own_rules import check_rules

    found = check_rules(folder)
    for rule_id, problems in found.items():
        typer.echo(f"{rule_id}: {'as it should be' if not problems else 'to be put right'}")
        for problem in problems:
            typer.echo(f"  {problem}")
    if any(found.values()):
        raise UsageError(f"rules in {folder} are not as they should be", "see the lines above")


def _audit(settings: Settings, out: Path, *, quiet: bool = False, verbose: bool = False) -> None:
    from audit import pipeline
    from audit.tell import audit_lines, exit_code

    run_id = new_run_id()
    with progress(run_id, quiet=quiet, verbose=verbose):
        manifest = pipeline.run(settings, out, run_id)
    for line in audit_lines(manifest, settings, out, quiet=quiet):
        typer.echo(line)
    raise typer.Exit(exit_code(manifest))


def main() -> None:
    """Runs the command; a user's error ends with its message and exit code, without a traceback."""
    try:
        app()
    except UserError as error:
        typer.echo(f"guideline-audit: {error}", err=True)
        sys.exit(int(error.exit_code))
    except Exception as error:
        if told := unwritable(error):
            typer.echo(f"guideline-audit: {told}", err=True)
            sys.exit(int(told.exit_code))
        # Whatever is left is ours, and says so.
        traceback.print_exc()
        typer.echo("guideline-audit: internal error; nothing was published", err=True)
        sys.exit(int(ExitCode.INTERNAL))
