"""Response at surgery by hormone receptors and adjacent DCIS: descriptive alone."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import polars as pl

from audit.counting import STRATA
from audit.disclosure import Cell, Sum, protect
from audit.figures import LEAST_JUDGED

RESPONSES = ("pcr", "residual", "unknown")
OPERATED = "operated"
LEVELS = {
    "all": ("all",),
    "receptors": STRATA["receptors"],
    "adjacent_dcis": STRATA["adjacent_dcis"],
}
"""Ways in which tumours are told apart, each with its groups in order."""
# The rate of all is given up when nothing else is left.
_WHOLE_WORTH = 20.0


@dataclass(frozen=True)
class Response:
    """The tumours of a group: all `operated`, and by response.

    `share` is that of complete responses (pCR) among known ones, 0 to 1; None where it can't be
    shown, or too few are known.
    """

    level: str
    group: str
    cells: Mapping[str, Cell]
    share: float | None


def responses(counts: pl.DataFrame, threshold: int) -> list[Response]:
    """The counts of the table `responses`, small ones hidden; groups without a tumour are none.

    Args:
        counts: a row a level and group, with a count a response.
        threshold: counts from 1 to one below it are hidden.
    """
    rows = {(row["level"], row["group_id"]): row for row in counts.to_dicts()}
    groups = [(level, id_) for level, ids in LEVELS.items() for id_ in ids if (level, id_) in rows]
    told: dict[Hashable, int] = {
        (*group, name): rows[group][name] for group in groups for name in RESPONSES
    }
    told |= {(*group, OPERATED): sum(rows[group][n] for n in RESPONSES) for group in groups}
    sums = [Sum(tuple((*group, n) for n in RESPONSES), (*group, OPERATED)) for group in groups]
    for level in LEVELS:
        own = [group for group in groups if group[0] == level != "all"]
        sums += [
            Sum(tuple((*group, name) for group in own), ("all", "all", name))
            for name in (*RESPONSES, OPERATED)
            if own
        ]
    worth: dict[Hashable, float] = {
        (*group, name): _WHOLE_WORTH
        for group in groups
        if group[0] == "all"
        for name in (OPERATED, *RESPONSES)
    }
    cells = protect(told, sums, threshold, worth)
    return [
        Response(*group, own, _share(own))
        for group in groups
        for own in [{name: cells[(*group, name)] for name in (OPERATED, *RESPONSES)}]
    ]


def _share(cells: Mapping[str, Cell]) -> float | None:
    complete, residual = cells["pcr"].value, cells["residual"].value
    if complete is None or residual is None or complete + residual < LEAST_JUDGED:
        return None
    return complete / (complete + residual)
