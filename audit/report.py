"""Renders the templates of `reports/`: one self-contained page each, without a script."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audit import resources
from audit.present import PLACES, SPLIT, Page, percent, words

CHART_WIDTH = 200
"""Width of a rate chart in its own units; 0 to 100 % run along it."""


def render_report(page: Page, out: Path) -> Path:
    """Writes `report/index.html` under `out`, aggregate figures only, and gives its path."""
    path = out / "report" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render("report.html", {"page": page}), encoding="utf-8")
    return path


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
    environment.filters["thousands"] = lambda count: f"{count:,}"
    environment.filters["percent"] = percent
    environment.filters["along"] = lambda share: f"{CHART_WIDTH * share:.1f}"
    return environment
