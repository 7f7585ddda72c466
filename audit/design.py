"""How every chart looks, in the report and in a notebook: colours, fonts, axes."""

from typing import TYPE_CHECKING, Any

from audit.labels import WIDEST

if TYPE_CHECKING:
    from altair.theme import ThemeConfig

INK, QUIET, LINE, ACCENT, WARN = "#1c2733", "#55606d", "#d5dbe1", "#0b4f6c", "#b3450e"
"""Colours of the stylesheet, which swaps them in the dark."""
INTERVAL = "#9cc3d5"
SHADES = {0: "#ffffff", 1: "#e7f1f6", 2: "#c4dfec", 3: "#f5dfae", 4: "#f0b27a", 5: "#8f2f0a"}
MET = "#1f7a5c"
FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"
"""Fonts of the page's own list that are equally wide, so that labels fit as they were measured."""
WIDTH = 640
DOTS: dict[str, Any] = {"filled": True, "opacity": 1}
LABEL: dict[str, Any] = {"color": INK, "fontSize": 11, "limit": WIDEST}
HALO: dict[str, Any] = {"stroke": "white", "strokeWidth": 4, "strokeJoin": "round"}
"""The edge of a text, where lines run behind it."""
CONFIG: dict[str, Any] = {
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
_THEME = "guideline-audit"


def in_a_notebook() -> None:
    """Has charts drawn here as SVG and in this design, where the analyst has chosen nothing else.

    By Altair's default the browser would fetch its drawing library from elsewhere. The design is a
    theme, not part of a chart: charts can still be layered, put side by side and changed.
    """
    import altair as alt

    if alt.renderers.active == "default":
        alt.renderers.enable("svg")
    if alt.theme.active == "default":
        alt.theme.register(_THEME, enable=True)(_theme)


def _theme() -> "ThemeConfig":
    """White, as a notebook may stand on a dark page; facets are named as axes are."""
    header = {"labelColor": INK, "labelFontSize": 12, "labelFontWeight": "bold"}
    whole: Any = CONFIG | {"background": "white", "header": header, "padding": 8}
    return {"config": whole}
