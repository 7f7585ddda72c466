"""Cumulative incidence with competing events (Aalen-Johansen), and its plot."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from audit.design import ACCENT, INK, MET, QUIET, WARN, WIDTH, in_a_notebook
from audit.errors import UsageError
from audit.extra import needed
from audit.statistics import Z_95

if TYPE_CHECKING:
    import altair as alt

ENDS = {
    "stopped": ("Stopped short of a year, whatever the reason", ACCENT),
    "begun": ("T-DM1 begun", ACCENT),
    "completed": ("A year complete", MET),
    "switched": ("Switched to a conjugate", "#6a64ab"),
    "cardiac": ("Stopped for the heart", "#c79a12"),
    "recurrence": ("Recurrence", WARN),
    "death": ("Death", QUIET),
}
"""What ends a treatment or a wait: its words and its colour in a plot."""

LEAST = 2
"""Fewer cases than this have no curve."""


def cumulative_incidence(cases: pl.DataFrame, by: str | None = None) -> pl.DataFrame:
    """The probability that each event has ended things by each day.

    Estimated by statsmodels' `CumIncidenceRight`: right-censored cases count until they are lost
    from sight, and an event of one kind takes a case out of reach of the others.

    Args:
        cases: one row a case, with `days` (1 or more) and `ended_by` (null: censored).
        by: a column to draw a curve each for; its missing values are left out.

    Returns:
        One row a group, event and day on which something happened: `group`, `event`, `days`,
        `incidence` (0 to 1), and its 95 % interval `low` to `high`, from the standard error and
        kept within 0 and 1 (null where nobody is left to estimate it from). Groups of fewer than
        two cases are left out.

    Raises:
        UsageError: the extra `notebook` is missing, or there is no such column.
    """
    estimator = needed("statsmodels.duration.survfunc").CumIncidenceRight
    if by is not None and by not in cases.columns:
        raise UsageError(f"can't group by {by}", f"choose from: {', '.join(cases.columns)}")
    events = cases["ended_by"].drop_nulls().unique().sort().to_list()
    numbers = {event: number for number, event in enumerate(events, start=1)}
    coded = cases.with_columns(
        status=pl.col("ended_by").replace_strict(numbers, default=0, return_dtype=pl.Int64),
        group=pl.lit("all") if by is None else pl.col(by).cast(pl.String),
    ).drop_nulls("group")
    frames = []
    for (group,), own in coded.partition_by("group", as_dict=True).items():
        found = own["status"].unique().to_list()
        if own.height < LEAST or found == [0]:
            continue
        # The estimator wants events numbered without gaps: those this group lacks are left out.
        present = [event for event in events if numbers[event] in found]
        own_numbers = {numbers[event]: place for place, event in enumerate(present, start=1)} | {
            0: 0
        }
        days, status = own["days"], own["status"].replace_strict(own_numbers)
        # Once nobody is left under observation the standard error is not defined.
        with np.errstate(divide="ignore", invalid="ignore"):
            curve = estimator(days.to_numpy(), status.to_numpy())
        for place, event in enumerate(present):
            incidence = pl.Series(curve.cinc[place])
            error = pl.Series(curve.cinc_se[place]).fill_nan(None)
            frames.append(
                pl.DataFrame(
                    {
                        "group": str(group),
                        "event": event,
                        "days": pl.Series(curve.times).cast(pl.Int64),
                        "incidence": incidence,
                        "low": (incidence - Z_95 * error).clip(0, 1),
                        "high": (incidence + Z_95 * error).clip(0, 1),
                    }
                )
            )
    schema = {
        "group": pl.String(),
        "event": pl.String(),
        "days": pl.Int64(),
        "incidence": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
    }
    empty = pl.DataFrame(schema=schema)
    return pl.concat([empty, *frames]).sort("group", "event", "days")


def plot_incidence(curves: pl.DataFrame, events: Sequence[str] | None = None) -> "alt.FacetChart":
    """The curves of `cumulative_incidence` as steps with their intervals, a panel a group.

    Args:
        curves: what `cumulative_incidence` gave.
        events: those to draw; all where none is named.
    """
    import altair as alt

    in_a_notebook()
    shown = curves if events is None else curves.filter(pl.col("event").is_in(list(events)))
    data = alt.InlineData(values=shown.to_dicts())
    present = set(shown["event"])
    ends = {event: ENDS[event] for event in ENDS if event in present}
    ends |= {event: (event, INK) for event in sorted(present - ENDS.keys())}
    worded = json.dumps({event: words for event, (words, _) in ends.items()})
    legend = alt.Legend(
        title=None,
        orient="top",
        columns=3,
        symbolOpacity=1,
        symbolType="stroke",
        symbolStrokeWidth=2,
        labelExpr=f"({worded})[datum.label]",
    )
    colours = alt.Scale(domain=[*ends], range=[colour for _, colour in ends.values()])
    base = alt.Chart().encode(
        x=alt.X(
            "days:Q",
            title="Days",
            scale=alt.Scale(nice=False, domainMin=0),
            axis=alt.Axis(format=",d", tickCount=8),
        ),
        color=alt.Color("event:N", legend=legend, scale=colours),
    )
    share = alt.Axis(format="%", tickCount=6)
    band = base.mark_area(interpolate="step-after", opacity=0.18).encode(
        y=alt.Y("low:Q", title="Cumulative incidence", axis=share), y2="high:Q"
    )
    line = base.mark_line(interpolate="step-after", strokeWidth=1.5).encode(
        y=alt.Y("incidence:Q", title="Cumulative incidence", axis=share),
        tooltip=["group:N", "event:N", "days:Q", alt.Tooltip("incidence:Q", format=".1%")],
    )
    alone = curves["group"].n_unique() == 1
    groups = alt.Facet(
        "group:N", title=None, header=alt.Header(labelExpr="''" if alone else "datum.label")
    )
    return (
        alt.LayerChart(layer=[band, line])
        .properties(width=WIDTH if alone else WIDTH / 2 - 40, height=220)
        .facet(groups, columns=2, data=data)
    )
