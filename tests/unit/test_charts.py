"""Charts: each keeps to Altair's schema, draws only what is shown, and is an image with a text."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import altair as alt
import pytest
import report_fixtures as fixtures
from jsonschema import ValidationError
from report_registry import CATALOGUE

from audit import charts
from audit.comparison import compare
from audit.present import present
from audit.wording import words


@pytest.fixture(scope="module")
def page():
    return present(fixtures.tables(), fixtures.manifest(), CATALOGUE)


@pytest.fixture(scope="module")
def figures(page):
    """A rule with four hospitals, of which the first may not show its rate."""
    compared = next(rule.figures for rule in page.rules if compare(rule.figures))
    first, *others = compared.sites
    hidden = replace(first, rate=replace(first.rate, share=None))
    assert len(others) == 3
    return replace(compared, sites=[hidden, *others])


@pytest.fixture(scope="module")
def drawn(figures):
    """Every kind of chart, each checked against the schema on the way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charts.vl_convert, "vegalite_to_svg", _checked)
        yield _draw(figures)


def _checked(spec, draw=charts.vl_convert.vegalite_to_svg):
    alt.Chart.from_dict(spec, validate=True)
    return draw(spec)


def _draw(figures):
    standing = [{"rule": "R05", "share": 0.8, "low": 0.7, "high": 0.9, "registry": 0.85}]
    cells = [{"field": "Grade", "site": 'A "<b>" & C', "shade": 1, "text": "98"}]
    text = ("a <title>", 'what is "seen" & said')
    return {
        "funnel": charts.funnel(compare(figures), "one", *text),
        "trend": charts.trend(figures.periods, 0.8, ["2020"], "Year", "two", *text),
        "histogram": charts.margin_histogram(figures.margins, words()["margins"], "three", *text),
        "standing": charts.standing(standing, "four", *text),
        "heat": charts.heat_map(cells, ["Grade"], "five", *text),
    }


def test_each_is_one_image_with_a_title_and_a_description(drawn):
    for svg in drawn.values():
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        title, desc = (element for element in list(root)[:2])
        assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
        assert (title.text, desc.text) == ("a <title>", 'what is "seen" & said')
        assert not re.search(r"(role|aria-\w+)=", svg[svg.index("</desc>") :])


def test_no_two_share_an_id_and_each_reference_arrives(drawn):
    together = "".join(drawn.values())
    ids = re.findall(r' id="([^"]+)"', together)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", together)) <= set(ids)


def test_nothing_is_fetched_and_no_script_runs(drawn):
    for svg in drawn.values():
        assert not re.search(r"<script|<image|href=|\bon\w+=|@import", svg)


def test_what_a_source_wrote_stays_text(drawn):
    texts = [element.text for element in ElementTree.fromstring(drawn["heat"]).iter()]
    assert 'A "<b>" & C' in texts


def test_what_breaks_the_schema_is_noticed():
    with pytest.raises(ValidationError):
        _checked({"data": {"values": []}, "mark": {"type": "dots"}, "encoding": {}})


def test_the_same_numbers_give_the_same_bytes(figures, drawn):
    text = ("a <title>", 'what is "seen" & said')
    again = charts.trend(figures.periods, 0.8, ["2020"], "Year", "two", *text)
    assert again == drawn["trend"]


def test_a_hidden_hospital_is_in_no_chart(figures, drawn):
    rated = [site for site in figures.sites if site.rate.share is not None]
    points = re.search(r'<g class="mark-symbol role-mark[^>]*>(.*?)</g>', drawn["funnel"])[1]
    assert points.count("<path") == len(rated) < len(figures.sites)
    for hidden in (site for site in figures.sites if site not in rated):
        assert hidden.name.split()[0] not in drawn["funnel"]


def test_a_hidden_band_has_no_bar(page):
    figures = next(rule for rule in page.rules if rule.id == "adj-dual-blockade").figures
    shown = [
        cell.value
        for cells in figures.margins.cells.values()
        for code, cell in cells.items()
        if code != "none" and cell.value
    ]
    hidden = [c for cells in figures.margins.cells.values() for c in cells.values() if not c.value]
    svg = charts.margin_histogram(figures.margins, words()["margins"], "x", "t", "d")
    bars = re.search(r'<g class="mark-rect role-mark marks">(.*?)</g>', svg)
    assert hidden
    assert (bars[1].count("<path") if bars else 0) == len(shown)
