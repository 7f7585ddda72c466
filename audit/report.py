"""Renders the templates of `reports/`: one self-contained page each, without a script."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from altair.utils.schemapi import debug_mode
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audit import pages, resources
from audit.present import PLACES, SPLIT, Page, fine_percent, percent, words
from audit.published import number_id
from audit.quality_page import Quality

CHART_WIDTH = 200
"""Width of a rate chart in its own units; 0 to 100 % run along it."""


def render_report(page: Page, out: Path) -> Path:
    """Writes `report/` under `out`, aggregate figures only, and gives the path of its `index.html`.

    Beside it stand `quality.html`, `rules/<rule id>.html` and `sites/<file name>.html`.
    """
    # That charts keep to their schema is tested; asking each of them would take as long again.
    with debug_mode(False):
        views = pages.rule_views(page)
        sites = pages.site_views(page, views)
        completeness_map = pages.completeness_map(page)
    context = {
        "page": page,
        "views": views,
        "sites": sites,
        "alarms": pages.alarms(views),
        "exceptions": pages.exceptions(page),
        "completeness_map": completeness_map,
    }
    folder = out / "report"
    written = {"quality.html": render("quality.html", {**context, "up": ""})}
    for view in views:
        written[f"rules/{view.rule.id}.html"] = render(
            "rule.html", {**context, "view": view, "rule": view.rule, "up": "../"}
        )
    for site in sites:
        written[f"sites/{site.file}.html"] = render(
            "site.html", {**context, "site": site, "up": "../"}
        )
    written["index.html"] = render("report.html", {**context, "up": ""})
    for name, text in written.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "index.html"


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
