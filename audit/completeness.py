"""How complete each field is, as far as it may be shown: registry, hospitals and years."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import polars as pl

from audit.disclosure import Cell, Mark, Sum, protect
from audit.guideline import Catalogue, Field

_WORTH = {"expected": 1e3, "present": 0.01, "missing": 1.0}
"""How dear a count is where another one needs cover: what is recorded is not printed itself."""
_REGISTRY_WORTH = 1e6
"""Hospitals and years give cover before the registry does."""
SHADES = (98, 90, 75, 50)
"""Least per cent of the shades, the best one first; below all of them is the last one."""

Group = tuple[str, str]
"""Level (registry, site, year) and id."""


@dataclass(frozen=True)
class Recorded:
    """What may be said of a field in one group.

    `percent` is whole, 100 and 0 only where none is missing or recorded, and None unless `why` is
    empty. `why`: `nobody` is expected to have it, `few` are, `few-missing` lack it, `few-recorded`
    have it, or it is `hidden` to protect a small count.
    """

    percent: int | None
    why: str

    @property
    def shade(self) -> int:
        """From 1, the best, to 5; 0 where no share is shown."""
        if self.percent is None:
            return 0
        return 1 + sum(self.percent < least for least in SHADES)


@dataclass(frozen=True)
class FieldRow:
    """A field with what may be said of it: `missing` in the registry, and a cell a group."""

    name: str
    field: Field
    rules: list[str]
    missing: Cell
    registry: Recorded
    sites: list[Recorded]
    years: list[Recorded]


@dataclass(frozen=True)
class Completeness:
    """The fields in the order of their list; their cells in the order of `sites` and `years`.

    `site_ids` are those of `sites`, which are names and may be alike.
    """

    site_ids: list[str]
    sites: list[str]
    years: list[str]
    fields: list[FieldRow]


def completeness(
    counted: pl.DataFrame, site_names: Mapping[str, str], catalogue: Catalogue, threshold: int
) -> Completeness:
    """Completeness as it may be shown.

    Args:
        counted: the result table `completeness`.
        site_names: names of hospitals by id; an id without a name stands for itself.
        catalogue: the fields in words, and the numbers of the rules.
        threshold: counts from 1 to one below it are hidden.
    """
    ids = counted["site_id"].drop_nulls().unique().to_list()
    named = sorted((site_names.get(id_, id_), id_) for id_ in ids)
    years = sorted(counted["year"].drop_nulls().unique().to_list())
    groups = [("site", id_) for _, id_ in named], [("year", year) for year in years]
    rows = []
    for name, field in catalogue.fields.items():
        own = counted.filter(pl.col("field") == name)
        if own.height:
            numbers = [catalogue.rules[rule_id].card.number for rule_id in own["rules"][0]]
            rows.append(_row(name, field, numbers, _counts(own), groups, threshold))
    site_ids = [id_ for _, id_ in named]
    return Completeness(site_ids, [name for name, _ in named], years, rows)


def _counts(own: pl.DataFrame) -> dict[Group, tuple[int, int]]:
    """Expected and recorded by group."""
    return {
        ("site", row["site_id"])
        if row["site_id"] is not None
        else ("year", row["year"])
        if row["year"] is not None
        else ("registry", ""): (row["expected"], row["present"])
        for row in own.to_dicts()
    }


def _row(
    name: str,
    field: Field,
    rules: list[str],
    counts: Mapping[Group, tuple[int, int]],
    groups: tuple[list[Group], list[Group]],
    threshold: int,
) -> FieldRow:
    cells = _cells(counts, threshold)
    sites, years = ([_recorded(group, cells) for group in level] for level in groups)
    whole = ("registry", "")
    return FieldRow(
        name, field, rules, cells["missing", *whole], _recorded(whole, cells), sites, years
    )


def _cells(counts: Mapping[Group, tuple[int, int]], threshold: int) -> Mapping[Hashable, Cell]:
    """Expected, recorded and missing of each group under disclosure control.

    How many are expected is not printed, as fields of nested groups of tumours would give small
    differences away; but a reader may know it, so it is taken as known.
    """
    values: dict[Hashable, int] = {
        (what, *group): count
        for group, (expected, present) in counts.items()
        for what, count in (
            ("expected", expected),
            ("present", present),
            ("missing", expected - present),
        )
    }
    sums = [Sum((("present", *g), ("missing", *g)), ("expected", *g)) for g in counts]
    for level in ("site", "year"):
        members = [group for group in counts if group[0] == level]
        for what in ("expected", "present", "missing"):
            parts = tuple((what, *group) for group in members)
            sums.append(Sum(parts, (what, "registry", "")))
    weights: dict[Hashable, float] = {
        (what, *group): weight * (_REGISTRY_WORTH if group[0] == "registry" else 1)
        for group in counts
        for what, weight in _WORTH.items()
    }
    return protect(values, sums, threshold, weights)


def _recorded(group: Group, cells: Mapping[Hashable, Cell]) -> Recorded:
    if ("expected", *group) not in cells:
        return Recorded(None, "nobody")
    expected, present, missing = (
        cells[what, *group] for what in ("expected", "present", "missing")
    )
    marks = {"few": expected, "few-missing": missing, "few-recorded": present}
    small = [why for why, cell in marks.items() if cell.mark is Mark.SMALL]
    if small:
        return Recorded(None, small[0])
    if missing.value == 0 or present.value == 0:
        return Recorded(100 if missing.value == 0 else 0, "")
    if expected.value is not None and missing.value is not None:
        return Recorded(_percent(expected.value - missing.value, expected.value), "")
    return Recorded(None, "hidden")


def _percent(part: int, whole: int) -> int:
    """Rounded towards the middle, so that nothing but all is 100 and nothing but none is 0."""
    return 100 * part // whole if 2 * part >= whole else -(-100 * part // whole)
