"""Charts as inline SVG, built by Altair from numbers that a table beside them shows as well.

A report has hundreds of them. As Altair walks through all that a chart holds, a chart only names
its rows; they, and the style that every chart shares, are put beside what Altair wrote.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from math import floor
from typing import Any, Literal

import altair as alt
import vl_convert
from altair.utils.schemapi import debug_mode

from audit import statistics
from audit.comparison import Comparison, Place
from audit.design import (
    ACCENT,
    CONFIG,
    DOTS,
    HALO,
    INK,
    INTERVAL,
    LABEL,
    LINE,
    MET,
    QUIET,
    SHADES,
    WARN,
    WIDTH,
)
from audit.figures import Group
from audit.labels import Point, labels
from audit.margins import BANDS, WAITING, Margins

FUNNEL_STEPS = 40
"""Numbers of cases at which the limits of a funnel are worked out."""
FUNNEL_HEIGHT = 300
SIDES: tuple[tuple[str, Literal["left", "right"]], ...] = (("after", "left"), ("before", "right"))
"""On which side of its point a name stands, and what of it then does."""
SHAPES = {
    Place.BELOW_3SD: "triangle-down",
    Place.BELOW_2SD: "triangle-down",
    Place.INSIDE: "circle",
    Place.ABOVE_2SD: "triangle-up",
    Place.ABOVE_3SD: "triangle-up",
}
DASHES = {"low_3sd": [1, 0], "low_2sd": [4, 3], "high_2sd": [4, 3], "high_3sd": [1, 0]}
_IN_A_PAGE = CONFIG | {"aria": False}
"""Without `aria`, as its marks would be read out one by one."""
Rows = Sequence[Mapping[str, Any]]
Plot = alt.Chart | alt.LayerSpec
"""Layers stand in a bare LayerSpec, as `alt.layer` copies all that they hold several times."""
_unvalidated = debug_mode(False)
"""Parts are not held against Altair's schema as they are built: tests see to it for charts."""


@_unvalidated
def funnel(comparison: Comparison, name: str, title: str, desc: str) -> str:
    """Rates of hospitals by their judged cases, between limits of 2 (dashed) and 3 SD (solid).

    Takes the comparison, and the rest as `svg` does.
    """
    points = [
        {
            "cases": position.judged,
            "share": position.share,
            "place": position.place.value,
            "name": position.group.name,
        }
        for position in comparison.positions
    ]
    rows = funnel_rows(points, comparison.target, comparison.dispersion)
    layers = funnel_layers(alt.NamedData)
    return svg(alt.LayerSpec(layer=[*layers.values()]), rows, FUNNEL_HEIGHT, name, title, desc)


def funnel_rows(points: Rows, target: float, dispersion: float) -> dict[str, Rows]:
    """What the layers of a funnel plot draw, by name.

    Args:
        points: one a hospital: `cases` judged, `share`, `place` among the limits, `name`.
        target: the rate around which the limits lie.
        dispersion: as `statistics.funnel` takes it.
    """
    judged = [point["cases"] for point in points]
    step = max((max(judged) - min(judged)) // FUNNEL_STEPS, 1)
    numbers = range(max(min(judged) - step, 1), max(judged) + step + 1, step)
    limits = [
        {"cases": cases, "limit": limit, "share": share}
        for cases in numbers
        for limit, share in statistics.funnel(cases, target, dispersion)._asdict().items()
    ]
    shares = [row["share"] for row in (*limits, *points)]
    return {
        "limits": limits,
        "target": [{"share": target}],
        "points": points,
        **_named(points, (numbers[0], numbers[-1]), (min(shares), max(shares))),
    }


def _named(
    points: Rows, cases: tuple[float, float], shares: tuple[float, float]
) -> dict[str, Rows]:
    """The names of hospitals beyond the limits, `after` and `before` their points.

    Where one has been moved up or down, `leaders` holds the ends of a line to its point.

    Takes the points and the ends of both axes. Places are worked out in the chart's units.
    """
    wide = WIDTH / ((cases[1] - cases[0]) or 1)
    high = FUNNEL_HEIGHT / ((shares[1] - shares[0]) or 1)
    at = [
        (p["name"], Point((p["cases"] - cases[0]) * wide, (shares[1] - p["share"]) * high))
        for p in points
    ]
    beyond = [one for one, point in zip(at, points, strict=True) if point["place"] != Place.INSIDE]
    placed = labels(beyond, [place for _, place in at], WIDTH, FUNNEL_HEIGHT)

    def data(x: float, y: float) -> dict[str, float]:
        return {"cases": x / wide + cases[0], "share": shares[1] - y / high}

    both = [(one, place) for one, (_, place) in zip(placed, beyond, strict=True)]
    return {
        "leaders": [
            {"leader": number, **data(x, y)}
            for number, (one, place) in enumerate(both)
            if one.y != place.y
            for x, y in ((one.x, one.y), place)
        ],
        "after": [{"name": one.text, **data(one.x, one.y)} for one in placed if not one.before],
        "before": [{"name": one.text, **data(one.x, one.y)} for one in placed if one.before],
    }


def funnel_layers(data: Callable[[str], alt.Data]) -> dict[str, alt.Chart]:
    """The layers of a funnel plot over `funnel_rows`, which `data` gives by name."""
    x = alt.X(
        "cases:Q",
        title="Cases judged",
        scale=alt.Scale(zero=False, nice=False),
        axis=alt.Axis(format=",d", tickMinStep=1, tickCount=8),
    )
    y = _shares()
    dash = alt.StrokeDash("limit:N", legend=None, scale=_scale(DASHES))
    shape = alt.Shape("place:N", legend=None, scale=_scale(SHAPES))
    inside = {"test": "datum.place === 'inside'", "value": ACCENT}
    drawn = ("limits", "target", "points", "leaders", "after", "before")
    of = {name: alt.Chart(data(name)) for name in drawn}
    name = alt.Text("name:N")
    return {
        "limits": of["limits"]
        .mark_line(strokeWidth=1.25, color=QUIET)
        .encode(x=x, y=y, strokeDash=dash),
        "target": of["target"].mark_rule(color=ACCENT, strokeWidth=1.25).encode(y=alt.Y("share:Q")),
        "points": of["points"]
        .mark_point(size=60, stroke="white", strokeWidth=0.75, **DOTS)
        .encode(x=x, y=y, shape=shape, color=alt.ColorValue(WARN, condition=inside)),
        "leaders": of["leaders"]
        .mark_line(color=QUIET, strokeWidth=0.75)
        .encode(x=x, y=y, detail=alt.Detail("leader:N")),
        # Twice each: a broad edge in the colour of the paper keeps the lines behind it away.
        **{
            f"{side} {layer}": of[side]
            .mark_text(align=align, **LABEL, **edge)
            .encode(x=x, y=y, text=name)
            for side, align in SIDES
            for layer, edge in (("edge", HALO), ("text", {}))
        },
    }


@_unvalidated
def trend(
    periods: Sequence[Group],
    target: float,
    editions: Iterable[str],
    axis: str,
    name: str,
    title: str,
    desc: str,
) -> str:
    """Rates by period with 95 % intervals; a dashed upright where an edition came into force.

    Args:
        periods: the periods in order; those without a rate stay empty.
        target: the registry's rate over all periods.
        editions: periods in which an edition of the rule came into force.
        axis: what the periods are, as the axis says it.
        name: as `svg` takes it, like the rest.
        title: the same.
        desc: the same.
    """
    domain = [period.name for period in periods]
    points: list[dict[str, Any]] = [
        {"period": one.name, "share": one.rate.share, **one.rate.interval._asdict()}
        for one in periods
        if one.rate.share is not None and one.rate.interval is not None
    ]
    rated = {point["period"] for point in points}
    gaps = [{"period": name, "share": None} for name in domain if name not in rated]
    rows = {
        "target": [{"share": target}],
        "points": points,
        "line": [*points, *gaps],
        "since": [{"period": period} for period in editions if period in domain],
    }
    x = alt.X(
        "period:O",
        title=axis,
        scale=alt.Scale(domain=domain),
        axis=alt.Axis(labelAngle=0, labelOverlap=True, grid=False),
    )
    y = _shares()
    layers = [
        _chart("target").mark_rule(color=QUIET, strokeDash=[2, 3]).encode(y=alt.Y("share:Q")),
        _chart("points")
        .mark_rule(color=INTERVAL, strokeWidth=8)
        .encode(x=x, y=_shares("low"), y2=alt.Y2("high")),
        _chart("line")
        .mark_line(color=ACCENT, strokeWidth=1.5, invalid="break-paths-filter-domains")
        .encode(x=x, y=y),
        _chart("points").mark_point(color=ACCENT, size=50, **DOTS).encode(x=x, y=y),
        _chart("since").mark_rule(color=WARN, strokeDash=[5, 3], strokeWidth=1.5).encode(x=x),
    ]
    return svg(alt.LayerSpec(layer=layers), rows, 220, name, title, desc)


@_unvalidated
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
    chart = (
        _chart("bars")
        .mark_bar(stroke="white", strokeWidth=0.75)
        .encode(
            x=alt.X(
                "band:O",
                title="Days outside the limit (left) and inside it (right)",
                scale=alt.Scale(domain=[words[code] for code in codes]),
                axis=alt.Axis(labelAngle=-40, grid=False),
            ),
            y=alt.Y(
                "cases:Q", title="Cases", stack=True, axis=alt.Axis(format=",d", tickMinStep=1)
            ),
            color=alt.Color(
                "answer:N",
                scale=alt.Scale(domain=list(labels.values()), range=[MET, WARN]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            order=alt.Order("answer:N"),
        )
    )
    return svg(chart, {"bars": bars}, 220, name, title, desc)


@_unvalidated
def standing(rows: Rows, name: str, title: str, desc: str) -> str:
    """A hospital's rates (dot, with 95 % interval) beside the registry's (tick), a rule a line.

    The axis begins at the tenth below the lowest of them.

    Takes rows with `rule`, `share`, `low`, `high` and `registry`, and the rest as `svg` does.
    """
    y = alt.Y(
        "rule:N",
        title=None,
        sort=[row["rule"] for row in rows],
        axis=alt.Axis(grid=True, gridColor=LINE),
    )
    least = min(min(row["low"], row["registry"]) for row in rows)
    scale = alt.Scale(domain=[floor(10 * least) / 10, 1])
    x = alt.X(
        "share:Q",
        title="Recommendation met",
        scale=scale,
        axis=alt.Axis(format="%", grid=False),
    )
    layers = [
        _chart("rates")
        .mark_rule(color=INTERVAL, strokeWidth=7)
        .encode(y=y, x=alt.X("low:Q"), x2=alt.X2("high")),
        _chart("rates")
        .mark_tick(color=WARN, thickness=2, size=14)
        .encode(y=y, x=alt.X("registry:Q", scale=scale)),
        _chart("rates").mark_point(color=ACCENT, size=50, **DOTS).encode(y=y, x=x),
    ]
    return svg(alt.LayerSpec(layer=layers), {"rates": rows}, 18 * len(rows), name, title, desc)


@_unvalidated
def heat_map(rows: Rows, order: Sequence[str], name: str, title: str, desc: str) -> str:
    """How complete fields are at hospitals, as shades with the per cent in them.

    Args:
        rows: `field`, `site`, `shade` (0 for what is not shown, else 1 to 5) and `text`.
        order: the fields from top to bottom.
        name: as `svg` takes it, like the rest.
        title: the same.
        desc: the same.
    """
    x = alt.X(
        "site:N",
        title=None,
        sort=None,
        axis=alt.Axis(orient="top", labelAngle=-50, labelLimit=150, grid=False),
    )
    y = alt.Y("field:N", title=None, sort=list(order), axis=alt.Axis(labelLimit=230, grid=False))
    shade = alt.Color(
        "shade:O",
        legend=None,
        scale=alt.Scale(domain=list(SHADES), range=list(SHADES.values())),
    )
    dark = {"test": "datum.shade === 5", "value": "white"}
    color = alt.ColorValue(INK, condition=dark)
    layers = [
        _chart("cells").mark_rect(stroke="white").encode(x=x, y=y, color=shade),
        _chart("cells")
        .mark_text(fontSize=10)
        .encode(x=x, y=y, text=alt.Text("text:N"), color=color),
    ]
    return svg(alt.LayerSpec(layer=layers), {"cells": rows}, 20 * len(order), name, title, desc)


def svg(
    chart: Plot, rows: Mapping[str, Rows], height: int, name: str, title: str, desc: str
) -> str:
    """The chart as SVG for a page: named for those who can't see it, and with ids of its own.

    Args:
        chart: the chart; its width is WIDTH.
        rows: what it draws, by the names that its layers use.
        height: in the chart's units.
        name: unlike that of any other chart of the page; every id in the SVG begins with it.
        title: what the chart shows.
        desc: what can be seen in it, in words.
    """
    # Not at the top level, Altair leaves out the default style.
    built = chart.to_dict(validate=False, context={"top_level": False})
    style = {"width": WIDTH, "height": height, "config": _IN_A_PAGE}
    drawn = vl_convert.vegalite_to_svg({**built, **style, "datasets": rows})
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


def _chart(rows: str) -> alt.Chart:
    """A chart of the rows that `svg` is given under that name."""
    return alt.Chart(alt.NamedData(name=rows))


def _shares(field: str = "share") -> alt.Y:
    """Shares along the y axis, which begins where the data do."""
    return alt.Y(
        field,
        type="quantitative",
        title="Recommendation met",
        scale=alt.Scale(zero=False),
        axis=alt.Axis(format="%", tickCount=6),
    )


def _scale(mapping: Mapping[Place, str] | Mapping[str, list[int]]) -> alt.Scale:
    return alt.Scale(domain=[str(key) for key in mapping], range=list(mapping.values()))
