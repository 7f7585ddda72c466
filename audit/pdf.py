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
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
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
    in_order = dict.fromkeys(_RULE_LINK.findall(overview))
    pages = {"overview": overview} | {
        number_id("rule", name): (report / "rules" / f"{name}.html").read_text(encoding="utf-8")
        for name in in_order
    }
    chapters = [
        {"id": id_.replace("/", "-"), "title": _part(_TITLE, page), "body": _body(id_, page)}
        for id_, page in pages.items()
    ]
    context = {"chapters": chapters, "style": _part(_STYLE, overview), "cutoff": cutoff}
    path = report / "report.pdf"
    document = weasyprint.HTML(string=render("pdf.html", context, templates), url_fetcher=_refuse)
    document.write_pdf(path)
    return path


def _part(pattern: re.Pattern[str], page: str) -> str:
    found = pattern.search(page)
    return found.group(1) if found else ""


def _body(id_: str, page: str) -> str:
    """A page's content under names that no other chapter has, its links pointing into the PDF."""
    prefix = id_.replace("/", "-")
    body = _NAMES.sub(rf"\g<1>{prefix}--", _part(_MAIN, page))
    body = _RULE_LINK.sub(r'href="#rule-\1"', body)
    return _OTHER_LINK.sub("", body)


def _refuse(url: str, *_: object, **__: object) -> object:
    raise ValueError("a report fetches nothing")
