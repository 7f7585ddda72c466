"""Exact duplicates and broken keys, found by 64-bit hashes and then compared exactly."""

from dataclasses import dataclass

import polars as pl

from audit.extract.contract import Table
from audit.extract.files import ROW
from audit.extract.typed import Typed


@dataclass(frozen=True)
class Repeats:
    """Row identities: `collapsed` repeat an earlier row exactly, `clashing` share a key."""

    collapsed: pl.Series
    clashing: pl.Series


def repeats(table: Table, read: Typed, faulty: pl.Series) -> Repeats:
    """The rows that say again what another row says, or contradict it under the same key.

    Args:
        table: the table.
        read: the table as typed.
        faulty: identities of rows with a cell that can't be typed or without a key. They are
            never collapsed, but a row that shares its key with one of them clashes.
    """
    content = [
        *table.columns,
        *read.extras,
        *(day for pair in read.imprecise.values() for day in pair),
    ]
    if table.key:
        hashed: pl.Expr = pl.when(pl.col(table.key).is_not_null()).then(pl.col(table.key).hash())
    else:
        # A seed a column, so that equal values in two columns don't cancel out.
        hashed = pl.sum_horizontal(pl.col(name).hash(seed) for seed, name in enumerate(content))
    hashes = read.frame.select(hashed.alias("hash")).collect(engine="streaming").to_series()
    hashes = hashes.drop_nulls().sort()
    shared = hashes.filter(hashes == hashes.shift(1)).unique()
    if shared.is_empty():
        return Repeats(faulty.clear(), faulty.clear())
    candidates = (
        read.frame.filter(hashed.is_in(shared.implode()))
        .select(ROW, *content)
        .collect(engine="streaming")
    )
    sound = candidates.filter(~pl.col(ROW).is_in(faulty.implode()))
    kept = sound.group_by(content).agg(pl.col(ROW).min())[ROW]
    collapsed = sound.filter(~pl.col(ROW).is_in(kept.implode()))[ROW]
    if not table.key:
        return Repeats(collapsed, faulty.clear())
    left = candidates.filter(~pl.col(ROW).is_in(collapsed.implode()))
    clashing = left.filter(pl.len().over(table.key) > 1)[ROW]
    return Repeats(collapsed, clashing.filter(~clashing.is_in(faulty.implode())))
