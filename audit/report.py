"""Renders the templates of `reports/`: one self-contained page each, without a script."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audit import resources
from audit.present import PLACES, SPLIT, Page, fine_percent, percent, words
from audit.published import number_id
from audit.quality_page import Quality

CHART_WIDTH = 200
"""Width of a rate chart in its own units; 0 to 100 % run along it."""


def render_report(page: Page, out: Path) -> Path:
    """Writes `report/index.html` and `report/quality.html` under `out`, aggregate figures only.

    Gives the path of the first.
    """
    folder = out / "report"
    folder.mkdir(parents=True, exist_ok=True)
    for name, template in (("quality.html", "quality.html"), ("index.html", "report.html")):
        path = folder / name
        path.write_text(render(template, {"page": page}), encoding="utf-8")
    return path


def render_validation(
    quality: Quality, identity: Mapping[str, object], threshold: int, out: Path
) -> None:
    """Writes `quality.html` under `out`: what a validation found, without a record's value."""
    context = {"quality": quality, "manifest": identity, "threshold": threshold}
    (out / "quality.html").write_text(render("validation.html", context), encoding="utf-8")


def render(template: str, context: Mapping[str, object]) -> str:
    """A template of `reports/` as text; the same context gives the same bytes.

    Raises:
        jinja2.UndefinedError: the template names something the context doesn't hold.
    """
    rendered = (
        _environment()
        .get_template(template)
        .render(context, words=words(), order=SPLIT, places=PLACES)
    )
    return "\n".join(line.rstrip() for line in rendered.splitlines() if line.strip()) + "\n"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(resources.root("reports")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["number_id"] = number_id
    environment.filters["thousands"] = lambda count: f"{count:,}"
    environment.filters["percent"] = percent
    environment.filters["points"] = lambda share: f"{100 * share:.1f}"
    environment.filters["fine_percent"] = fine_percent
    environment.filters["along"] = lambda share: f"{CHART_WIDTH * share:.1f}"
    return environment
