"""Charts in a notebook without a network."""


def draw_offline() -> None:
    """Has charts drawn here as SVG, where the analyst has chosen nothing else.

    By Altair's default the browser would fetch its drawing library from elsewhere.
    """
    import altair as alt

    if alt.renderers.active == "default":
        alt.renderers.enable("svg")
