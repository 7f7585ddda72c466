"""The report in a browser: offline, silent, printable, and readable on a telephone."""

import re
import sys
from pathlib import Path

import chromium
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
import report_fixtures as fixtures

from audit.present import present
from audit.report import render_report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium on this machine"),
]

CONTRAST = """
(() => {
  const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.add(e.tagName + '.' + e.className);
  }
  return [...poor].join(' ');
})()
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    page = present(fixtures.tables(), fixtures.manifest(), fixtures.CATALOGUE)
    return render_report(page, tmp_path_factory.mktemp("report"))


@pytest.fixture(params=["index.html", "quality.html"])
def any_page(report, request):
    return report.with_name(request.param)


@pytest.fixture
def tab(tmp_path):
    with chromium.tab(tmp_path / "profile") as opened:
        yield opened


def test_it_opens_without_a_word_on_the_console_or_a_request(tab, report):
    tab.open(report)
    assert tab.said("Log.entryAdded") == []
    assert tab.said("Runtime.consoleAPICalled") == []
    assert tab.said("Runtime.exceptionThrown") == []
    asked = {request["request"]["url"] for request in tab.said("Network.requestWillBeSent")}
    assert {url for url in asked if not url.startswith("data:")} == {report.as_uri()}
    assert tab.evaluate("document.querySelector('h1').textContent").startswith("HER2-positive")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_never_scrolls_sideways(tab, any_page, width):
    tab.resize(width)
    tab.open(any_page)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("innerWidth") == width


def test_what_scrolls_on_a_telephone_can_be_reached_by_keyboard(tab, any_page):
    tab.resize(360)
    tab.open(any_page)
    assert tab.evaluate(
        "[...document.querySelectorAll('body *')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".filter(e => getComputedStyle(e).overflowX === 'auto')"
        ".every(e => e.tabIndex === 0 && e.getAttribute('role') === 'region' && e.ariaLabel)"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(tab, any_page, scheme):
    tab.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    tab.open(any_page)
    assert tab.evaluate(CONTRAST) == ""


def test_it_prints_on_a4(tab, report):
    tab.open(report)
    pdf = tab.pdf()
    assert pdf.startswith(b"%PDF")
    pages = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf)
    assert len(pages) > len(fixtures.RULES)
    width, height = map(float, pages[0])
    assert (round(width), round(height)) in {(595, 842), (596, 842)}


def test_nothing_is_cut_at_the_paper_s_edge(tab, any_page):
    tab.resize(688)
    tab.call("Emulation.setEmulatedMedia", media="print")
    tab.open(any_page)
    assert (
        tab.evaluate(
            "[...document.querySelectorAll('table')]"
            ".filter(t => t.getBoundingClientRect().right > 689)"
            ".map(t => t.className).join(' ')"
        )
        == ""
    )
