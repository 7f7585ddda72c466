"""Seeded draws for a batch of patients, and the days they are counted in.

A day is an integer, days since 1970-01-01; `NEVER` stands for a date that does not come.
"""

import zlib
from collections.abc import Sequence
from datetime import date
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

NEVER = 1_000_000


def day(iso: str) -> int:
    """Give the day of an ISO date."""
    return (date.fromisoformat(iso) - date(1970, 1, 1)).days


def as_dates(days: Ints) -> pl.Series:
    """Give days as dates; `NEVER` becomes null."""
    return pl.select(
        pl.when(pl.lit(pl.Series(days)) < NEVER)
        .then(pl.lit(pl.Series(days)))
        .cast(pl.Int32)
        .cast(pl.Date)
    ).to_series()


class Chance:
    """Draws for `size` patients; the same seed, batch and topic always give the same draws."""

    def __init__(self, seed: int, batch: int, topic: str, size: int) -> None:
        self.rng = np.random.default_rng([seed, batch, zlib.crc32(topic.encode())])
        self.size = size

    def yes(self, share: float | Floats, size: int | None = None) -> Bools:
        """Give true with the probability `share`."""
        return self.rng.random(self.size if size is None else size) < share

    def between(self, low: int | Ints, high: int | Ints, size: int | None = None) -> Ints:
        """Give whole numbers from `low` to `high`, both inclusive."""
        return self.rng.integers(low, high, self.size if size is None else size, endpoint=True)

    def pick(self, weights: Sequence[float], size: int | None = None) -> Ints:
        """Give positions in `weights`, each as often as its weight says."""
        steps = np.cumsum(weights) / np.sum(weights)
        return np.searchsorted(
            steps[:-1], self.rng.random(self.size if size is None else size), side="right"
        ).astype(np.int64)

    def spread(self, low: float, high: float) -> Floats:
        """Give numbers spread evenly from `low` to `high`."""
        return self.rng.uniform(low, high, self.size)

    def around(self, mean: float | Floats, deviation: float) -> Floats:
        """Give normally distributed numbers."""
        return self.rng.normal(mean, deviation, self.size)

    def wait(self, mean_days: float | Floats) -> Ints:
        """Give whole days until an event of constant hazard."""
        return self.rng.exponential(mean_days, self.size).astype(np.int64)
