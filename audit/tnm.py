"""Stage texts as registries write them, read into TNM categories.

A text is read whole or not at all: "15 mm" is no T1 and "M0?" no M0. What can't be read counts as
missing, is listed with its rows, and an M of that kind is never taken for M0.
"""

import re
from collections.abc import Iterator

import polars as pl

from audit.warehouse import Connection

COLUMNS = {
    "tumours": {
        "clinical_t": "t",
        "clinical_n": "n",
        "clinical_m": "m",
        "pathological_t": "t",
        "pathological_n": "n",
    },
    "surgeries": {"yp_t": "yt", "yp_n": "n"},
}
"""The columns of the extract that hold TNM, each with its axis."""

# Behind a category: (sn), (m), (i-), a size in millimetres; no doubt ("?") and no second category.
_ASIDE = r"(?:\([^()?/]*\)|sn|nos)*"
_T = (
    rf"(is|1mi|1a|1b|1c|[01234])(?:(?<=1mi)c|(?<=is)(?:dcis|lcis|paget)|(?<=[234])[a-d])?m?{_ASIDE}"
)
_READ = {
    # T2a, T2b and T3a are no categories of the breast; sources write them, and the digit decides.
    "t": re.compile(rf"[cpyra]*t?{_T}"),
    # After treatment T0/is is a category of its own: no invasive cancer is left.
    "yt": re.compile(rf"[cpyra]*t?(?:0/t?(?=is))?{_T}"),
    "n": re.compile(
        rf"[cpyra]*n?(0\(?i\+\)?|0\(?itc\)?|1\(?mi\)?|[0123])(?:(?<=0)[im][+-]|(?<=[123])[abc]i{{0,3}}v?)?{_ASIDE}"
    ),
    "m": re.compile(rf"[cpyra]*m?([01])(?:(?<=0)i\+|(?<=1)[abc])?{_ASIDE}"),
}
_MISSING = re.compile(r"[cpyra]*[tnm]?x")
_SPELT = {"0i+": "0(i+)", "0itc": "0(i+)", "1mi": "1mi"}


def read_stage(axis: str, text: str) -> tuple[str | None, bool]:
    """What a stage text says.

    Args:
        axis: t, n or m; yt for T after neoadjuvant treatment.
        text: as the source wrote it.

    Returns:
        The category, and whether the text can't be read. T: is, 0, 1mi, 1a, 1b, 1c, 1, 2, 3, 4
        (4a to 4d as 4); N: 0, 0(i+), 1mi, 1, 2, 3; M: 0, 1. TX, NX and MX have no category, but
        say so readably.
    """
    folded = re.sub(r"\s", "", text.casefold())
    if found := _READ[axis].fullmatch(folded):
        category = found[1]
        return _SPELT.get(re.sub(r"[()]", "", category), category), False
    return None, _MISSING.fullmatch(folded) is None


def stage_texts(con: Connection) -> pl.DataFrame:
    """Every stage text of the loaded tables, read.

    Returns:
        column_name, text, category (null where missing or unreadable), unreadable, rows.
    """
    return pl.DataFrame(
        _texts(con),
        schema={
            "column_name": pl.String,
            "text": pl.String,
            "category": pl.String,
            "unreadable": pl.Boolean,
            "rows": pl.Int64,
        },
        orient="row",
    )


def _texts(con: Connection) -> Iterator[tuple[str, str, str | None, bool, int]]:
    for table, axes in COLUMNS.items():
        for column, axis in axes.items():
            counted = (
                con.table(table)
                .filter(f"{column} is not null")
                .aggregate(f"{column}, count(*)", column)
                .order(column)
            )
            for text, rows in counted.fetchall():
                yield column, text, *read_stage(axis, text), rows
