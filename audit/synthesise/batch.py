"""One batch of patients with everything decided about it, and columns made from arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from audit.synthesise.aftercare import Aftercare
from audit.synthesise.chance import NEVER, Bools, Chance, Ints
from audit.synthesise.course import Course, Fate
from audit.synthesise.deviations import Delivered, Deviations
from audit.synthesise.disease import Disease

MISSING = -1


@dataclass(frozen=True)
class Batch:
    """One batch of patients: what befell them and what was done; arrays run over patients.

    `second` tells who has a small HER2-negative tumour on the other side as well, and `unassayed`
    whose HER2 assays are missing from the record.
    """

    patient_id: pl.Series
    site_id: pl.Series
    disease: Disease
    course: Course
    fate: Fate
    delivered: Delivered
    deviations: Deviations
    aftercare: Aftercare
    second: Bools
    unassayed: Bools
    chance: Chance

    @property
    def tumour_id(self) -> pl.Series:
        """The id of each patient's first tumour."""
        return self.patient_id + "-1"

    def known_by_end(self, when: Ints) -> Ints:
        """Give the days that are on record, `NEVER` for the others."""
        return np.where(when <= self.fate.end, when, NEVER)

    def table(
        self, who: Ints, columns: Mapping[str, pl.Series], *, tumour: bool = True
    ) -> pl.DataFrame:
        """Give rows of the patients `who`, a column each, with the patient's and tumour's id."""
        keys = {"patient_id": self.patient_id.gather(who)}
        if tumour:
            keys["tumour_id"] = self.tumour_id.gather(who)
        return pl.DataFrame(keys | dict(columns))


def shown(values: pl.Series, known: Bools) -> pl.Series:
    """Give the values where they are known, null elsewhere."""
    return pl.select(pl.when(pl.lit(pl.Series(known))).then(pl.lit(values))).to_series()


def words(values: Sequence[str], index: Ints, known: Bools | bool = True) -> pl.Series:
    """Give a word for each index; null where it is `MISSING` or not `known`."""
    told = (index != MISSING) & known
    return shown(pl.Series(values, dtype=pl.String).gather(np.where(told, index, 0)), told)


def numbers(values: npt.NDArray[np.generic], known: Bools) -> pl.Series:
    """Give the numbers where they are known, null elsewhere."""
    return shown(pl.Series(values), known)
