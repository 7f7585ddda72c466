"""Charts as inline SVG, drawn by Vega-Lite from numbers that a table beside them shows as well.

They are written as Vega-Lite specifications: a report has hundreds of charts, and building each
from Altair's objects takes as long as drawing it. That they keep to Altair's schema is tested.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import vl_convert

from audit import statistics
from audit.comparison import Comparison, Place
from audit.figures import Group
from audit.margins import BANDS, WAITING, Margins

INK, QUIET, LINE, ACCENT, WARN = "#1c2733", "#55606d", "#d5dbe1", "#0b4f6c", "#b3450e"
"""Colours of the stylesheet, which swaps them in the dark."""
INTERVAL = "#9cc3d5"
SHADES = {0: "#ffffff", 1: "#e7f1f6", 2: "#c4dfec", 3: "#f5dfae", 4: "#f0b27a", 5: "#8f2f0a"}
FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"
"""Fonts of the page's own list that are equally wide, so that labels fit as they were measured."""
WIDTH = 640
FUNNEL_STEPS = 40
"""Numbers of cases at which the limits of a funnel are worked out."""
SHAPES = {
    Place.BELOW_3SD: "triangle-down",
    Place.BELOW_2SD: "triangle-down",
    Place.INSIDE: "circle",
    Place.ABOVE_2SD: "triangle-up",
    Place.ABOVE_3SD: "triangle-up",
}
_DOTS = {"type": "point", "filled": True, "opacity": 1}
DASHES = {"low_3sd": [1, 0], "low_2sd": [4, 3], "high_2sd": [4, 3], "high_3sd": [1, 0]}
SHARES = {"scale": {"zero": False}, "axis": {"format": "%", "tickCount": 6}}
"""Shares along the y axis, which begins where the data do."""
Spec = dict[str, Any]
"""A chart, or a part of one, in Vega-Lite's words."""
CONFIG: Spec = {
    # Without `aria`, as its marks would be read out one by one.
    "aria": False,
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    # Whether a text keeps to a limit takes as long to find out as to draw it: only names have one.
    "axis": {
        "labelColor": QUIET,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "gridColor": LINE,
        "domainColor": QUIET,
        "tickColor": QUIET,
        "titlePadding": 10,
        "labelLimit": 0,
        "titleLimit": 0,
    },
    "legend": {"labelColor": INK, "labelFontSize": 12, "labelLimit": 0},
}
Rows = Sequence[Mapping[str, Any]]


def funnel(comparison: Comparison, name: str, title: str, desc: str) -> str:
    """Rates of hospitals by their judged cases, between limits of 2 (dashed) and 3 SD (solid).

    Takes the comparison, and the rest as `svg` does.
    """
    judged = [position.judged for position in comparison.positions]
    step = max((max(judged) - min(judged)) // FUNNEL_STEPS, 1)
    numbers = range(max(min(judged) - step, 1), max(judged) + step + 1, step)
    limits = [
        {"cases": cases, "limit": limit, "share": share}
        for cases in numbers
        for limit, share in statistics.funnel(cases, comparison.target, comparison.dispersion)
        ._asdict()
        .items()
    ]
    points: list[dict[str, Any]] = [
        {
            "cases": position.judged,
            "share": position.share,
            "place": position.place.value,
            "name": position.group.name,
        }
        for position in comparison.positions
    ]
    beyond = [point for point in points if point["place"] != Place.INSIDE]
    middle = (min(judged) + max(judged)) / 2
    x = _field(
        "cases",
        "quantitative",
        title="Cases judged",
        scale={"zero": False, "nice": False},
        axis={"format": ",d", "tickMinStep": 1, "tickCount": 8},
    )
    y = _field("share", "quantitative", title="Recommendation met", **SHARES)
    layers = [
        _layer(
            limits,
            {"type": "line", "strokeWidth": 1.25, "color": QUIET},
            x=x,
            y=y,
            strokeDash=_field("limit", "nominal", legend=None, scale=_scale(DASHES)),
        ),
        _layer(
            [{"share": comparison.target}],
            {"type": "rule", "color": ACCENT, "strokeWidth": 1.25},
            y=_field("share", "quantitative"),
        ),
        _layer(
            points,
            {**_DOTS, "size": 60, "stroke": "white", "strokeWidth": 0.75},
            x=x,
            y=y,
            shape=_field("place", "nominal", legend=None, scale=_scale(SHAPES)),
            color=_either("datum.place === 'inside'", ACCENT, WARN),
        ),
        *(
            _layer(
                [point for point in beyond if (point["cases"] <= middle) == left],
                {"type": "text", "color": INK, "fontSize": 11, "limit": 220, **side},
                x=x,
                y=y,
                text=_field("name", "nominal"),
            )
            for left, side in (
                (True, {"align": "left", "dx": 8}),
                (False, {"align": "right", "dx": -8}),
            )
        ),
    ]
    return svg({"layer": layers}, 300, name, title, desc)


def trend(
    years: Sequence[Group],
    target: float,
    editions: Iterable[str],
    name: str,
    title: str,
    desc: str,
) -> str:
    """Rates by year with 95 % intervals; a dashed upright where an edition came into force.

    Args:
        years: the years in order; those without a rate stay empty.
        target: the registry's rate over all years.
        editions: years in which an edition of the rule came into force.
        name: as `svg` takes it, like the rest.
        title: the same.
        desc: the same.
    """
    domain = [year.name for year in years]
    points: list[dict[str, Any]] = [
        {"year": year.name, "share": year.rate.share, **year.rate.interval._asdict()}
        for year in years
        if year.rate.share is not None and year.rate.interval is not None
    ]
    rated = {point["year"] for point in points}
    gaps = [{"year": year, "share": None} for year in domain if year not in rated]
    since = [{"year": year} for year in editions if year in domain]
    x = _field(
        "year",
        "ordinal",
        title="Year of decision",
        scale={"domain": domain},
        axis={"labelAngle": 0, "labelOverlap": True, "grid": False},
    )
    y = _field("share", "quantitative", title="Recommendation met", **SHARES)
    layers = [
        _layer(
            [{"share": target}],
            {"type": "rule", "color": QUIET, "strokeDash": [2, 3]},
            y=_field("share", "quantitative"),
        ),
        _layer(
            points,
            {"type": "rule", "color": INTERVAL, "strokeWidth": 8},
            x=x,
            y={**y, "field": "low"},
            y2={"field": "high"},
        ),
        _layer(
            [*points, *gaps],
            {
                "type": "line",
                "color": ACCENT,
                "strokeWidth": 1.5,
                "invalid": "break-paths-filter-domains",
            },
            x=x,
            y=y,
        ),
        _layer(points, {**_DOTS, "color": ACCENT, "size": 50}, x=x, y=y),
        _layer(
            since,
            {"type": "rule", "color": WARN, "strokeDash": [5, 3], "strokeWidth": 1.5},
            x=x,
        ),
    ]
    return svg({"layer": layers}, 220, name, title, desc)


def margin_histogram(
    margins: Margins, words: Mapping[str, str], name: str, title: str, desc: str
) -> str:
    """Cases by days outside and inside the limit; a hidden count has no bar.

    Args:
        margins: the bands as they may be shown.
        words: the bands' names by code.
        name: as `svg` takes it, like the rest.
        title: the same.
        desc: the same.
    """
    codes = [WAITING, *(band.code for band in BANDS)]
    labels = {"conformant": "Met", "non_conformant": "For review"}
    bars = [
        {"band": words[code], "answer": labels[verdict], "cases": cell.value}
        for verdict, cells in margins.cells.items()
        for code in codes
        if (cell := cells[code]).value
    ]
    layer = _layer(
        bars,
        {"type": "bar", "stroke": "white", "strokeWidth": 0.75},
        x=_field(
            "band",
            "ordinal",
            title="Days outside the limit (left) and inside it (right)",
            scale={"domain": [words[code] for code in codes]},
            axis={"labelAngle": -40, "grid": False},
        ),
        y=_field(
            "cases",
            "quantitative",
            title="Cases",
            stack=True,
            axis={"format": ",d", "tickMinStep": 1},
        ),
        color=_field(
            "answer",
            "nominal",
            scale={"domain": list(labels.values()), "range": ["#1f7a5c", WARN]},
            legend={"title": None, "orient": "top"},
        ),
        order=_field("answer", "nominal"),
    )
    return svg(layer, 220, name, title, desc)


def standing(rows: Rows, name: str, title: str, desc: str) -> str:
    """A hospital's rates (dot, with 95 % interval) beside the registry's (tick), a rule a line.

    Takes rows with `rule`, `share`, `low`, `high` and `registry`, and the rest as `svg` does.
    """
    y = _field(
        "rule",
        "nominal",
        title=None,
        sort=[row["rule"] for row in rows],
        axis={"grid": True, "gridColor": LINE},
    )
    whole = {"scale": {"domain": [0, 1]}}
    x = _field(
        "share",
        "quantitative",
        title="Recommendation met",
        axis={"format": "%", "grid": False},
        **whole,
    )
    layers = [
        _layer(
            rows,
            {"type": "rule", "color": INTERVAL, "strokeWidth": 7},
            y=y,
            x=_field("low", "quantitative"),
            x2={"field": "high"},
        ),
        _layer(
            rows,
            {"type": "tick", "color": WARN, "thickness": 2, "size": 14},
            y=y,
            x=_field("registry", "quantitative", **whole),
        ),
        _layer(rows, {**_DOTS, "color": ACCENT, "size": 50}, y=y, x=x),
    ]
    return svg({"layer": layers}, 18 * len(rows), name, title, desc)


def heat_map(rows: Rows, order: Sequence[str], name: str, title: str, desc: str) -> str:
    """How complete fields are at hospitals, as shades with the per cent in them.

    Args:
        rows: `field`, `site`, `shade` (0 for what is not shown, else 1 to 5) and `text`.
        order: the fields from top to bottom.
        name: as `svg` takes it, like the rest.
        title: the same.
        desc: the same.
    """
    place = {
        "x": _field(
            "site",
            "nominal",
            title=None,
            sort=None,
            axis={"orient": "top", "labelAngle": -50, "labelLimit": 150, "grid": False},
        ),
        "y": _field(
            "field",
            "nominal",
            title=None,
            sort=list(order),
            axis={"labelLimit": 230, "grid": False},
        ),
    }
    shades = _layer(
        rows,
        {"type": "rect", "stroke": "white"},
        **place,
        color=_field(
            "shade",
            "ordinal",
            legend=None,
            scale={"domain": list(SHADES), "range": list(SHADES.values())},
        ),
    )
    texts = _layer(
        rows,
        {"type": "text", "fontSize": 10},
        **place,
        text=_field("text", "nominal"),
        color=_either("datum.shade === 5", "white", INK),
    )
    return svg({"layer": [shades, texts]}, 20 * len(order), name, title, desc)


def svg(chart: Spec, height: int, name: str, title: str, desc: str) -> str:
    """The chart as SVG for a page: named for those who can't see it, and with ids of its own.

    Args:
        chart: the chart in Vega-Lite's words; its width is WIDTH.
        height: in the chart's units.
        name: unlike that of any other chart of the page; every id in the SVG begins with it.
        title: what the chart shows.
        desc: what can be seen in it, in words.
    """
    drawn = vl_convert.vegalite_to_svg(
        {**chart, "width": WIDTH, "height": height, "config": CONFIG}
    )
    size = re.search(r'viewBox="[^"]+"', drawn)
    drawn = re.sub(r"<[^>]+>", lambda tag: _of_a_page(tag[0], name), drawn)
    named = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" {size[0] if size else ""}'
        f' aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(desc)}</desc>'
    )
    return re.sub(r"^<svg[^>]*>", lambda _: named, drawn)


def _of_a_page(tag: str, name: str) -> str:
    """A tag with ids of its own and without roles: the whole chart is one image with a text."""
    tag = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", tag)
    return re.sub(r'(?<= id=")|(?<=url\(#)', f"{name}-", tag)


def _layer(rows: Rows, mark: Spec, **encoding: Spec) -> Spec:
    return {"data": {"values": rows}, "mark": mark, "encoding": encoding}


def _field(field: str, kind: str, **how: object) -> Spec:
    return {"field": field, "type": kind, **how}


def _either(test: str, value: str, otherwise: str) -> Spec:
    return {"condition": {"test": test, "value": value}, "value": otherwise}


def _scale(mapping: Mapping[Place, str] | Mapping[str, list[int]]) -> Spec:
    return {"domain": [str(key) for key in mapping], "range": list(mapping.values())}
