"""What is wrong with real extracts: copies, months for dates, unknown strings, impossible rows.

Mess is harmless to the truth: a copy may fall anywhere, everything else falls on patients marked
for it, who depart from no rule in silence.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import polars as pl

from audit.synthesise.batch import Batch
from audit.synthesise.chance import NEVER
from audit.synthesise.departures import Mess

Tables: TypeAlias = dict[str, pl.DataFrame]

COPIED = 0.002
COPIED_TABLES = ("receptor_tests", "treatments", "surgeries", "cardiac_assessments", "events")
UNKNOWN_DRUGS = ("study drug A", "bag 3", "see notes", "as per protocol", "infusion no. 7")
IMPRECISE_DATES = (("tumours", "diagnosis_date"), ("surgeries", "surgery_date"))
AFTER_CUTOFF, IMPOSSIBLE_DAY = "2026-04-14", "2021-02-31"


@dataclass
class Counts:
    """What loading the extract must count, by table, and the strings it can't recognise."""

    duplicates: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    unrecognised: set[str] = field(default_factory=set)

    def add(self, kind: dict[str, int], table: str, count: int) -> None:
        """Count `count` more rows of a table."""
        kind[table] = kind.get(table, 0) + count

    def table(self) -> pl.DataFrame:
        """Give the counts: what, of which table or string, how many."""
        rows = [
            *(("duplicates", name, n) for name, n in self.duplicates.items()),
            *(("quarantined", name, n) for name, n in self.quarantined.items()),
            *(("unrecognised", drug, 1) for drug in self.unrecognised),
        ]
        return pl.DataFrame(sorted(rows), schema=["measure", "name", "n"], orient="row")


def make_untidy(tables: Tables, batch: Batch, counts: Counts) -> Tables:
    """Give the tables with the mess in them, and count it."""
    chance = batch.chance
    tables = _imprecise(tables, batch)
    tables = _unknown_drugs(tables, batch, counts)
    for name in COPIED_TABLES:
        table = tables[name]
        copies = table.filter(pl.Series(chance.yes(COPIED, table.height)))
        tables[name] = pl.concat([table, copies])
        counts.add(counts.duplicates, name, copies.height)
    return _impossible(tables, batch, counts)


def _of(batch: Batch, mess: Mess) -> pl.Series:
    return batch.patient_id.filter(pl.Series(batch.deviations.mess == mess))


def _imprecise(tables: Tables, batch: Batch) -> Tables:
    """Leave the month of some dates: one for each patient marked for it."""
    marked = _of(batch, Mess.IMPRECISE)
    choice = pl.DataFrame({"patient_id": marked, "which": batch.chance.between(0, 2, len(marked))})
    for which, (name, column) in enumerate(IMPRECISE_DATES):
        chosen = choice.filter(pl.col("which") == which)["patient_id"]
        tables[name] = _months(
            tables[name], column, pl.col("patient_id").is_in(chosen.implode()), batch
        )
    chosen = choice.filter(pl.col("which") == len(IMPRECISE_DATES))["patient_id"]
    once = pl.col("patient_id").is_in(chosen.implode()) & (
        pl.col("start_date")
        == pl.col("start_date").sort().gather(8 % pl.len()).first().over("patient_id")
    )
    tables["treatments"] = _months(tables["treatments"], "start_date", once, batch)
    return tables


def _months(table: pl.DataFrame, column: str, chosen: pl.Expr, batch: Batch) -> pl.DataFrame:
    """Cut dates to their month, save those in the last month on record, which may not hold it."""
    last = pl.DataFrame({"patient_id": batch.patient_id, "_last": batch.fate.end - 40})
    last = last.with_columns(pl.col("_last").cast(pl.Int32).cast(pl.Date).cast(pl.String))
    cut = chosen & (pl.col(column) < pl.col("_last"))
    return (
        table.join(last, on="patient_id", how="left", maintain_order="left")
        .with_columns(
            pl.when(cut)
            .then(pl.col(column).str.slice(0, 7))
            .otherwise(pl.col(column))
            .alias(column)
        )
        .drop("_last")
    )


def _unknown_drugs(tables: Tables, batch: Batch, counts: Counts) -> Tables:
    """Add administrations of something nobody can name."""
    marked = _of(batch, Mess.UNRECOGNISED)
    base = _one_each(tables["treatments"], marked)
    drugs = pl.Series(UNKNOWN_DRUGS).gather(
        batch.chance.between(0, len(UNKNOWN_DRUGS) - 1, base.height)
    )
    added = base.with_columns(
        treatment_id=pl.col("treatment_id") + "U", drug=drugs, record_kind=None, end_date=None
    )
    counts.unrecognised.update(drugs.to_list())
    tables["treatments"] = pl.concat([tables["treatments"], added.cast(base.schema)])
    return tables


def _one_each(table: pl.DataFrame, patients: pl.Series) -> pl.DataFrame:
    return table.filter(pl.col("patient_id").is_in(patients.implode())).unique(
        "patient_id", keep="first", maintain_order=True
    )


def _impossible(tables: Tables, batch: Batch, counts: Counts) -> Tables:
    """Add rows that can't be true, one kind a patient, each beside the patient's true rows."""
    marked = _of(batch, Mess.QUARANTINE)
    dead = batch.patient_id.filter(pl.Series(batch.fate.death < NEVER))
    kinds: list[tuple[str, Callable[[pl.DataFrame], pl.DataFrame]]] = [
        ("cardiac_assessments", lambda t: t.with_columns(lvef_percent=450.0)),
        ("treatments", lambda t: _renamed(t, start_date=pl.lit(AFTER_CUTOFF), end_date=None)),
        ("treatments", lambda t: _renamed(t, start_date=pl.lit(IMPOSSIBLE_DAY), end_date=None)),
        ("treatments", lambda t: _renamed(t, tumour_id=pl.col("patient_id") + "-9")),
        ("events", lambda t: t.with_columns(event=pl.lit("relapse, site unclear"))),
        ("surgeries", lambda t: t.with_columns(
            surgery_id=pl.col("surgery_id") + "Q", procedure=pl.lit("lumpectomy?"))),
        ("receptor_tests", lambda t: t.with_columns(
            test_id=pl.col("test_id") + "Q", her2_ratio=pl.lit(-1.0))),
        ("observations", lambda t: t.with_columns(weight_kg=pl.lit(0.0))),
    ]  # fmt: skip
    share = np.arange(len(marked)) % (len(kinds) + 1)
    added: dict[str, list[pl.DataFrame]] = {}
    for n, (name, spoil) in enumerate(kinds):
        base = _one_each(tables[name], marked.filter(pl.Series(share == n)))
        added.setdefault(name, []).append(spoil(base).cast(base.schema))
    late = _one_each(tables["treatments"], marked.filter(pl.Series(share == len(kinds))))
    late = late.filter(pl.col("patient_id").is_in(dead.implode()))
    deaths = pl.DataFrame(
        {"patient_id": batch.patient_id, "_day": (batch.fate.death + 30).astype(np.int32)}
    )
    late = late.join(deaths, on="patient_id", how="left", maintain_order="left").with_columns(
        start_date=pl.col("_day").cast(pl.Date).cast(pl.String), end_date=None
    )
    added["treatments"].append(_renamed(late.drop("_day")).cast(tables["treatments"].schema))
    for name, parts in added.items():
        rows = pl.concat(parts)
        tables[name] = pl.concat([tables[name], rows])
        counts.add(counts.quarantined, name, rows.height)
    return tables


def _renamed(table: pl.DataFrame, **columns: pl.Expr | None) -> pl.DataFrame:
    """Give the rows changed as said, under ids of their own."""
    return table.with_columns(treatment_id=pl.col("treatment_id") + "Q", **columns)
