"""The machine-readable twin: what the pages print, under the ids that they carry."""

import re
from html.parser import HTMLParser

import polars as pl
import pytest
import report_fixtures as fixtures
from report_registry import CATALOGUE

from audit.errors import UsageError
from audit.figures import all_figures
from audit.outputs import machine_readable, summary
from audit.present import present
from audit.published import number_id, published
from audit.report import render_report

RULES = ("neoadj-dual-blockade", "early-her2-one-year", fixtures.GATED)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    out = tmp_path_factory.mktemp("audit")
    manifest = fixtures.manifest() | {"verdicts": {rule_id: {} for rule_id in RULES}}
    render_report(present(fixtures.tables(), manifest, CATALOGUE), out)
    return sorted((out / "report").rglob("*.html"))


@pytest.fixture(scope="module")
def rows(pages):
    figures = all_figures(fixtures.tables(), RULES, 10)
    return summary(figures.values(), 10, published(pages))


@pytest.fixture(scope="module")
def twin(rows):
    frame = machine_readable(rows)
    assert frame["id"].is_unique().all()
    return {row["id"]: row for row in frame.to_dicts()}


def alike(printed, row):
    """Whether the summary says what a page prints, to the digits that the page has."""
    if not re.fullmatch(r"-?[0-9.]+", printed):
        return row["shown"] == printed and row["value"] is None
    decimals = len(printed.partition(".")[2])
    return abs(row["value"] - float(printed)) <= 0.5 * 10**-decimals + 1e-9


def test_every_number_with_an_id_is_in_the_summary(pages, twin):
    printed = published(pages)
    assert len(printed) > 100
    assert [id_ for id_, value in printed.items() if not alike(value, twin[id_])] == []


def test_an_element_prints_what_it_carries(pages):
    elements = re.findall(
        r'<data data-id="[^"]*" value="([^"]*)">(.*?)</data>',
        "".join(page.read_text("utf-8") for page in pages),
        re.DOTALL,
    )
    assert elements
    for value, shown in elements:
        if re.fullmatch(r"-?[0-9.]+", value):
            text = shown.replace(",", "")
            told = float(text.removesuffix("%"))
            assert told in (
                pytest.approx(float(value)),
                pytest.approx(100 * float(value), abs=1e-6),
            ), (value, shown)
        else:
            assert not re.search(r"\d", re.sub(r"&lt;\d+|fewer than \d+", "", shown)), shown


def test_the_wide_rows_hold_the_same_numbers_as_the_long_ones(rows, twin):
    row = rows.filter(pl.col("id") == "neoadj-dual-blockade/site/S1").to_dicts()[0]
    for name in ("population", "conformant", "rate", "bound_high"):
        assert twin[f"{row['id']}/{name}"]["shown"] == row[name]
    assert twin[f"{row['id']}/population"]["value"] == float(row["population"])


def test_two_numbers_under_one_id_are_refused(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<data data-id="a&amp;b" value="1">1</data>', "utf-8")
    assert published([page, page]) == {"a&b": "1"}
    page.write_text('<data data-id="a" value="1">1</data><data data-id="a" value="2">2</data>')
    with pytest.raises(UsageError, match=r"page\.html"):
        published([page])


def test_an_id_has_as_many_parts_as_were_named():
    assert number_id("rule", "site", "A/B <x>", "rate") == "rule/site/A%2FB%20%3Cx%3E/rate"
    assert number_id("rule", "registry", "", "rate") == "rule/registry/rate"


class Cells(HTMLParser):
    """The text of every data cell that stands outside `<data>`, charts and tables of method."""

    def __init__(self):
        super().__init__()
        self.bare, self.text, self.without, self.method = [], None, 0, False

    def handle_starttag(self, tag, attributes):
        classes = (dict(attributes).get("class") or "").split()
        if tag == "table":
            self.method = bool({"method", "editions", "inputs"} & set(classes))
        elif tag == "td":
            self.text = "" if "n" in classes or "heat" in classes else None
        elif tag in ("data", "svg"):
            self.without += 1

    def handle_endtag(self, tag):
        if tag in ("data", "svg"):
            self.without -= 1
        elif tag == "td" and self.text is not None:
            if re.search(r"\d", self.text) and not self.method:
                self.bare.append(self.text)
            self.text = None

    def handle_data(self, data):
        if self.text is not None and not self.without:
            self.text += data


def test_every_cell_with_a_number_says_under_which_id_it_stands(pages):
    bare = {}
    for page in pages:
        cells = Cells()
        cells.feed(page.read_text("utf-8"))
        if cells.bare:
            bare[page.name] = cells.bare[:5]
    assert bare == {}
