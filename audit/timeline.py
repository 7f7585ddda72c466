"""The dated facts of patients: a frame for many at once, and a swimmer plot for one."""

from collections.abc import Collection, Iterable
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from audit.design import ACCENT, INK, QUIET, WARN, WIDTH, in_a_notebook
from audit.resources import root
from audit.warehouse import Connection, lay_beside

if TYPE_CHECKING:
    import altair as alt

_MARKS = {
    "diagnosis": ("diamond", ACCENT),
    "test": ("circle", ACCENT),
    "surgery": ("triangle-down", "#8f2f0a"),
    "event": ("cross", WARN),
    "death": ("cross", INK),
    "heart": ("circle", "#6a64ab"),
    "reason": ("square", QUIET),
    "imaging": ("square", QUIET),
    "last-contact": ("triangle-up", QUIET),
    "transfer": ("triangle-right", QUIET),
}
_BARS = {"drug": ACCENT, "radiotherapy": "#c79a12", "line": "#8b97a3"}
_ABOVE = ("Diagnosis", "Receptor test", "Surgery", "Line of treatment", "Radiotherapy")
"""Lanes above those of the drugs; whatever else there is stands below them."""


def timeline(con: Connection, patient_ids: Collection[str], cutoff: date) -> pl.DataFrame:
    """The dated facts of some patients, in one query.

    Args:
        con: an audit's database; it may be open for reading alone.
        patient_ids: whose facts; ids that the audit does not know give no row.
        cutoff: the audit's data cut-off, inclusive.

    Returns:
        One row a fact, by patient and day, as `sql/results/timeline.sql` gives it: `patient_id`,
        `tumour_id` (null where the record names none), `kind`, `lane`, `label`, `start_date` and
        `end_date` (both inclusive; no end where none is recorded), `earliest_date` and
        `latest_date` (the days between which an imprecise fact lies), and `dose_dates`, the days
        of a drug course's single doses. Patient level: not for sharing.
    """
    lay_beside(con, "asked_patients", pl.DataFrame({"patient_id": sorted(patient_ids)}))
    statement = (root("sql") / "results" / "timeline.sql").read_text(encoding="utf-8")
    facts: pl.DataFrame = con.sql(statement, params={"cutoff": cutoff}).pl()
    return facts.sort("patient_id", "start_date", "kind", "lane", "label", "tumour_id")


def ordered(lanes: Iterable[tuple[str, str]]) -> list[str]:
    """The lanes of a plot from top to bottom: operations first, drugs by their first day, the rest.

    Takes the kind and the lane of each fact, in the order of their days.
    """
    kinds = {lane: kind for kind, lane in lanes}
    drugs = [lane for lane, kind in kinds.items() if kind == "drug"]
    others = sorted(lane for lane, kind in kinds.items() if kind != "drug")
    above = [lane for lane in _ABOVE if lane in others]
    return [*above, *drugs, *(lane for lane in others if lane not in above)]


def swimmer(facts: pl.DataFrame) -> "alt.LayerChart":
    """A swimmer plot of one patient: a lane a drug, bars for courses, ticks for doses.

    Hollow bars show the days on which an imprecisely dated fact can lie; a triangle stands where a
    course began whose end is not recorded; the dashed line is the data cut-off.

    Args:
        facts: rows of `timeline` of one patient.

    Returns:
        An Altair chart; every mark tells its fact on hover.
    """
    import altair as alt

    in_a_notebook()
    shown = facts.filter(pl.col("kind") != "cut-off")
    lanes = ordered(shown.select("kind", "lane").iter_rows())
    days = alt.X("start_date:T", title=None, axis=alt.Axis(format="%b %Y", tickCount=8))
    lane = alt.Y("lane:N", sort=lanes, title=None, scale=alt.Scale(domain=lanes))
    told = [alt.Tooltip(f"{name}:N") for name in ("lane", "label", "start_date", "end_date")]
    bars = shown.filter(pl.col("kind").is_in(list(_BARS)))
    points = shown.filter(pl.col("kind").is_in(list(_MARKS)))
    endless = bars.filter(pl.col("end_date").is_null())
    doses = shown.explode("dose_dates").drop_nulls("dose_dates")
    vague = shown.filter(
        (pl.col("earliest_date") != pl.col("start_date"))
        | (pl.col("latest_date") != pl.col("end_date"))
    )
    layers = [
        alt.Chart(_values(facts.filter(pl.col("kind") == "cut-off")))
        .mark_rule(color="#8b97a3", strokeDash=[4, 3])
        .encode(x=days, tooltip=told),
        alt.Chart(_values(vague))
        .mark_bar(height=13, filled=False, stroke=QUIET, strokeDash=[2, 2])
        .encode(x="earliest_date:T", x2="latest_date:T", y=lane, tooltip=told),
        alt.Chart(_values(bars.filter(pl.col("end_date").is_not_null())))
        .mark_bar(height=7, cornerRadius=2, opacity=0.55, stroke=ACCENT, strokeWidth=0.5)
        .encode(x=days, x2="end_date:T", y=lane, color=_colour(_BARS), tooltip=told),
        alt.Chart(_values(endless))
        .mark_point(shape="triangle-right", filled=True, size=70, opacity=1)
        .encode(x=days, y=lane, color=_colour(_BARS), tooltip=told),
        alt.Chart(_values(doses.select("lane", "dose_dates")))
        .mark_tick(thickness=1.2, size=11, color=ACCENT)
        .encode(x="dose_dates:T", y=lane),
        alt.Chart(_values(points))
        .mark_point(filled=True, size=55, opacity=1)
        .encode(
            x=days,
            y=lane,
            shape=alt.Shape(
                "kind:N",
                legend=None,
                scale=alt.Scale(domain=list(_MARKS), range=[shape for shape, _ in _MARKS.values()]),
            ),
            color=_colour({kind: colour for kind, (_, colour) in _MARKS.items()}),
            tooltip=told,
        ),
    ]
    chart: alt.LayerChart = (
        alt.layer(*layers)
        .resolve_scale(color="independent", shape="independent")
        .properties(width=WIDTH, height={"step": 20})
    )
    return chart


def _colour(colours: dict[str, str]) -> "alt.Color":
    import altair as alt

    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color("kind:N", legend=None, scale=scale)


def _values(facts: pl.DataFrame) -> "alt.InlineData":
    """Rows for Vega-Lite, which takes dates as text; noon, so that no time zone moves the day."""
    import altair as alt

    days = facts.select(pl.exclude(pl.List)).with_columns(
        pl.selectors.date().cast(pl.String) + "T12:00:00"
    )
    return alt.InlineData(values=days.to_dicts())
