"""Renders the templates of `reports/`: one self-contained page each, without a script."""

import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)
from markupsafe import Markup, escape

from audit import resources
from audit.errors import UsageError
from audit.present import PLACES, Page
from audit.published import number_id
from audit.quality_page import Quality
from audit.rule_page import SPLIT
from audit.wording import fine_percent, percent, words

CHART_WIDTH = 200
"""Width of a rate chart in its own units; 0 to 100 % run along it."""


def render_report(page: Page, out: Path, templates: Path | None = None) -> Path:
    """Writes `report/` under `out`, aggregate figures only, and gives the path of its `index.html`.

    Beside it stand `quality.html`, `rules/<rule id>.html`, `sites/<file name>.html` and
    `report.md`, the same as text. `templates` is that of `render`.
    """
    # Brings in Altair, which takes long: only where charts are drawn.
    from audit import pages

    views = pages.rule_views(page)
    sites = pages.site_views(page, views)
    context = {
        "page": page,
        "views": views,
        "sites": sites,
        "alarms": pages.alarms(views),
        "exceptions": pages.exceptions(page),
        "completeness_map": pages.completeness_map(page),
    }
    folder = out / "report"
    written = {
        "quality.html": render("quality.html", {**context, "up": ""}, templates),
        "report.md": render("report.md", context, templates),
    }
    for view in views:
        written[f"rules/{view.rule.id}.html"] = render(
            "rule.html", {**context, "view": view, "rule": view.rule, "up": "../"}, templates
        )
    for site in sites:
        written[f"sites/{site.file}.html"] = render(
            "site.html", {**context, "site": site, "up": "../"}, templates
        )
    written["index.html"] = render("report.html", {**context, "up": ""}, templates)
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


def check_templates(templates: Path | None) -> None:
    """Reads a user's templates, so that a mistake in one does not wait until the pages are made.

    Raises:
        UsageError: there is no such folder, or a template in it can't be read.
    """
    if templates is None:
        return
    if not templates.is_dir():
        raise UsageError(
            f"{templates} is not a folder",
            "give --templates a folder with templates named as those of reports/",
        )
    environment = _environment(templates)
    for name in environment.list_templates():
        if (templates / name).is_file():
            with _own_mistakes(templates):
                environment.get_template(name)


def render(template: str, context: Mapping[str, object], templates: Path | None = None) -> str:
    """A template as text; the same context gives the same bytes.

    Args:
        template: the name of a template of `reports/`.
        context: what it may name.
        templates: a folder whose files take the place of those of `reports/` of the same name, be
            it the template, one that it includes, or the stylesheet.

    Raises:
        UsageError: a template of that folder can't be rendered.
        jinja2.UndefinedError: one of ours names something the context doesn't hold.
    """
    with _own_mistakes(templates):
        rendered = (
            _environment(templates)
            .get_template(template)
            .render(context, words=words(), order=SPLIT, places=PLACES)
        )
    lines = [line.rstrip() for line in rendered.splitlines()]
    if template.endswith(".md"):
        # An empty line ends a paragraph there; a second one in a row says nothing.
        return "\n".join(b for a, b in pairwise(["", *lines]) if a or b) + "\n"
    return "\n".join(line for line in lines if line) + "\n"


def markdown(text: object) -> Markup:
    """Text from a source or a card as it stands inside a line of Markdown: never markup or HTML."""
    plain = " ".join(str(text).split())
    return escape(re.sub(r"([\\`*_\[\]|~])", r"\\\1", plain))


@contextmanager
def _own_mistakes(templates: Path | None) -> Iterator[None]:
    """Turns what goes wrong in a user's template into a message with its file and line."""
    try:
        yield
    except Exception as error:
        if isinstance(error, TemplateSyntaxError):
            place, line = error.filename or "", error.lineno
        else:
            frames = traceback.extract_tb(error.__traceback__)
            place, line = frames[-1].filename, frames[-1].lineno or 0
            own = [frame for frame in frames if _is_in(frame.filename, templates)]
            if own:
                place, line = own[-1].filename, own[-1].lineno or 0
        if not _is_in(place, templates):
            raise
        # Jinja's own words name what a template says; any other error may quote a record's value.
        says = str(error) if isinstance(error, TemplateError) else type(error).__name__
        raise UsageError(
            f"template {place}, line {line}: {says}",
            "correct the template, or take it out of the folder to use the one that is shipped",
        ) from error


def _is_in(file: str, folder: Path | None) -> bool:
    return folder is not None and Path(file).is_relative_to(folder)


@cache
def _environment(templates: Path | None) -> Environment:
    folders = (
        [resources.root("reports")] if templates is None else [templates, resources.root("reports")]
    )
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["number_id"] = number_id
    environment.filters["md"] = markdown
    environment.filters["thousands"] = lambda count: f"{count:,}"
    environment.filters["percent"] = percent
    environment.filters["points"] = lambda share: f"{100 * share:.1f}"
    environment.filters["fine_percent"] = fine_percent
    environment.filters["along"] = lambda share: f"{CHART_WIDTH * share:.1f}"
    return environment
