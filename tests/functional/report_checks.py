"""What every page of a report has to be in a real browser, as checks that name what is wrong.

By hand on all pages of an audit: `python tests/functional/report_checks.py DIR`.
"""

import io
import re
import sys
import tempfile
from pathlib import Path

import axe_core_python
import chromium
import pypdf

AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# Marks the beginning and end of every cell with the number of its row.
NUMBER_ROWS = """
[...document.querySelectorAll('tr')].forEach((row, number) => {
  for (const cell of row.cells) {
    cell.insertAdjacentText('afterbegin', `{${number}}`);
    cell.insertAdjacentText('beforeend', `{${number}}`);
  }
})
"""
UNREACHABLE = """
[...document.querySelectorAll('body *')]
  .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'auto')
  .filter(e => !(e.tabIndex === 0 && e.getAttribute('role') === 'region' && e.ariaLabel))
  .map(e => e.className)
"""
HEADS = """
[...document.querySelectorAll('tr')].flatMap((row, n) => row.closest('thead') ? [`${n}`] : [])
"""
WIDER_THAN_PAPER = """
[...document.querySelectorAll('table, svg')]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.getAttribute('class'))
"""
A4_AT_96_DPI = 688
"""Width of the printed area in pixels: 182 mm."""


def said(tab, path):
    """What the page says on the console, and what it asks for beside itself."""
    tab.open(path)
    noise = [
        event
        for method in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        for event in tab.said(method)
    ]
    asked = {request["request"]["url"] for request in tab.said("Network.requestWillBeSent")}
    return noise + sorted(url for url in asked - {path.as_uri()} if not url.startswith("data:"))


def inaccessible(tab, path, scheme="light"):
    """What axe-core finds against WCAG 2.2 AA, with the place of each finding."""
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    tab.call("Emulation.setEmulatedMedia", features=media)
    tab.call("Page.setBypassCSP", enabled=True)
    tab.open(path)
    tab.evaluate(AXE + ";true")
    options = f"{{runOnly: {AXE_RULES}, resultTypes: ['violations']}}"
    found = tab.evaluate(
        f"axe.run(document, {options}).then(r => r.violations.map("
        "v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target + ' ' + n.failureSummary)))"
    )
    tab.call("Page.setBypassCSP", enabled=False)
    return found


def too_wide(tab, path, width):
    """By how many pixels the page scrolls sideways, and what scrolls that no key can reach."""
    tab.resize(width)
    tab.open(path)
    assert tab.evaluate("innerWidth") == width
    wider = tab.evaluate("document.documentElement.scrollWidth") - width
    return [wider] * (wider > 0) + tab.evaluate(UNREACHABLE)


def cut_on_paper(tab, path):
    """Rows of tables that stand on more than one printed page, and what is wider than the paper."""
    tab.resize(A4_AT_96_DPI)
    tab.call("Emulation.setEmulatedMedia", media="print")
    tab.open(path)
    wide = tab.evaluate(WIDER_THAN_PAPER)
    tab.evaluate(NUMBER_ROWS)
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(tab.pdf())).pages]
    tab.call("Emulation.setEmulatedMedia", media="")
    seen = [set(re.findall(r"{(\d+)}", text.replace("\n", ""))) for text in pages]
    heads = set(tab.evaluate(HEADS))
    rows = set().union(*seen) - heads
    assert rows or not tab.evaluate("document.querySelector('tbody td')")
    return wide + sorted(row for row in rows if sum(row in page for page in seen) > 1)


def check(tab, path):
    """Every finding on one page."""
    return [
        *said(tab, path),
        *inaccessible(tab, path),
        *cut_on_paper(tab, path),
        *(finding for width in (360, 1280) for finding in too_wide(tab, path, width)),
    ]


def check_all(pages):
    """Tells each page's findings as they are found, and gives how many pages have any."""
    poor = 0
    with tempfile.TemporaryDirectory() as profile, chromium.tab(Path(profile)) as tab:
        for path in pages:
            findings = check(tab, path)
            poor += bool(findings)
            for finding in findings:
                print(path.name, finding, flush=True)
    return poor


if __name__ == "__main__":
    pages = sorted(Path(sys.argv[1]).resolve().rglob("*.html"))
    poor = check_all(pages)
    print(f"{len(pages)} pages, {poor} with findings")
    sys.exit(poor > 0)
