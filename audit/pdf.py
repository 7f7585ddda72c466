"""The report as one PDF: the overview and a chapter a rule, made from the finished pages."""

import logging
import re
from importlib import import_module
from pathlib import Path

from audit.errors import UsageError
from audit.published import number_id
from audit.report import render

_MAIN = re.compile(r"<main[^>]*>(.*)</main>", re.DOTALL)
_TITLE = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
_NUMBER = re.compile(r'class="kicker">.*<span class="number">([^<]*)</span>')
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_SMALL_CHART = re.compile(r'<svg class="(?:strip|split|spark|trend)\b[^>]*>')
_OF_SMALL_CHARTS = re.compile(r"/\* Small charts.*?\*/(.*?)/\*", re.DOTALL)
_COLOUR = re.compile(r"(--[\w-]+): ([^;]+);")
_USED = re.compile(r"var\((--[\w-]+)\)")
_NAMES = re.compile(r'(\bid="|\bhref="#|\baria-labelledby="|\baria-describedby="|url\(#)')
_RULE_LINK = re.compile(r'href="(?:\.\./)?rules/([^"#]+)\.html"')
_OTHER_LINK = re.compile(r'href="(?![#"])[^"]*"')


def require_weasyprint() -> None:
    """Makes sure that a PDF can be made.

    Raises:
        UsageError: WeasyPrint, or a library that it needs, is not installed.
    """
    try:
        import_module("weasyprint")
    except (ImportError, OSError) as error:
        raise UsageError(
            "--pdf needs WeasyPrint, which is not installed",
            'install it with: pip install "guideline-audit[pdf]"',
        ) from error


def write_pdf(report: Path, cutoff: str, templates: Path | None = None) -> Path:
    """Writes `report.pdf` beside the finished pages: aggregate figures only, and nothing fetched.

    Args:
        report: the folder with `index.html` and `rules/`.
        cutoff: the data cut-off, for the running head.
        templates: a user's folder of templates, as `audit.report.render` takes it.
    """
    weasyprint = import_module("weasyprint")
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    overview = (report / "index.html").read_text(encoding="utf-8")
    named = set(_RULE_LINK.findall(overview))
    pages = {
        name: (report / "rules" / f"{name}.html").read_text(encoding="utf-8") for name in named
    }
    style = _part(_STYLE, overview)
    chapters = [{"id": "overview", "number": "", "title": "Overview", "body": overview}]
    chapters += sorted(
        (
            {
                "id": number_id("rule", name).replace("/", "-"),
                "number": _part(_NUMBER, page),
                "title": _part(_TITLE, page),
                "body": page,
            }
            for name, page in pages.items()
        ),
        key=lambda chapter: chapter["number"],
    )
    small_charts = _of_small_charts(style)
    for chapter in chapters:
        chapter["body"] = _body(chapter["id"], chapter["body"], small_charts)
    context = {"chapters": chapters, "style": style, "cutoff": cutoff}
    path = report / "report.pdf"
    document = weasyprint.HTML(string=render("pdf.html", context, templates), url_fetcher=_refuse)
    document.write_pdf(path)
    return path


def _part(pattern: re.Pattern[str], page: str) -> str:
    found = pattern.search(page)
    return found.group(1) if found else ""


def _of_small_charts(style: str) -> str:
    """The stylesheet's rules for small charts, with its colours for the day in place.

    An SVG is drawn without the styles of the page around it.
    """
    colours = dict(_COLOUR.findall(style.partition("}")[0]))
    return _USED.sub(lambda used: colours[used[1]], _part(_OF_SMALL_CHARTS, style))


def _body(prefix: str, page: str, small_charts: str) -> str:
    """A page's content under names that no other chapter has, its links pointing into the PDF."""
    body = _NAMES.sub(rf"\g<1>{prefix}--", _part(_MAIN, page))
    body = _SMALL_CHART.sub(rf"\g<0><style>{small_charts}</style>", body)
    body = _RULE_LINK.sub(r'href="#rule-\1"', body)
    return _OTHER_LINK.sub("", body)


def _refuse(url: str, *_: object, **__: object) -> object:
    raise ValueError("a report fetches nothing")
