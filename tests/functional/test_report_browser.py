"""The report in a browser: offline, silent, printable, and readable on a telephone."""

import io
import sys
from pathlib import Path

import chromium
import pypdf
import pytest
import report_checks as checks

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
import report_fixtures as fixtures
from report_registry import CATALOGUE

from audit.present import present
from audit.report import render_report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium on this machine"),
]

PAGES = ["index.html", "quality.html", "rules/neoadj-dual-blockade.html", "sites/S2.html"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    page = present(fixtures.tables(), fixtures.manifest(), CATALOGUE)
    return render_report(page, tmp_path_factory.mktemp("report")).parent


@pytest.fixture(params=PAGES)
def any_page(report, request):
    return report / request.param


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium.tab(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_it_opens_without_a_word_on_the_console_or_a_request(tab, any_page):
    assert checks.said(tab, any_page) == []
    assert tab.evaluate("document.querySelector('h1').textContent")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_against_it(tab, any_page, scheme):
    assert checks.inaccessible(tab, any_page, scheme) == []


def test_axe_would_find_a_picture_without_a_text(tab, tmp_path):
    page = tmp_path / "poor.html"
    page.write_text(
        "<!doctype html><html lang='en'><title>x</title><main><img src='data:,'></main>"
    )
    assert any(finding.startswith("image-alt") for finding in checks.inaccessible(tab, page))


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_never_scrolls_sideways_and_what_does_is_reached_by_keyboard(tab, any_page, width):
    assert checks.too_wide(tab, any_page, width) == []


def test_no_row_is_cut_in_print_and_nothing_at_the_paper_s_edge(tab, any_page):
    assert checks.cut_on_paper(tab, any_page) == []


def test_a_cut_row_would_be_found(tab, tmp_path):
    page = tmp_path / "long.html"
    rows = "<tr><td>x<td>" + "long<br>" * 200
    page.write_text(f"<!doctype html><title>x</title><table><tbody>{rows}</table>")
    assert checks.cut_on_paper(tab, page) == ["0"]


def test_it_prints_on_a4(tab, report):
    tab.open(report / "index.html")
    pages = pypdf.PdfReader(io.BytesIO(tab.pdf())).pages
    assert {tuple(round(side) for side in page.mediabox[2:]) for page in pages} <= {
        (595, 842),
        (596, 842),
    }
