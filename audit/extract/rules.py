"""What rows can get wrong beside their cells: pointing at nothing, and dates that contradict."""

from dataclasses import dataclass, field
from datetime import date

import polars as pl

from audit.extract.contract import Column, Table
from audit.extract.typed import Day, Flag, Typed

_LOADED, _QUARANTINED = 1, 2


@dataclass
class Known:
    """What the tables loaded so far say about the rows that point at them.

    Attributes:
        cutoff: the last day of the extract, inclusive.
        patients: patient_id, whether its row was loaded or quarantined, and the birth and death
            days as far as they are needed to call a date impossible.
        tumours: tumour_id, whether its row was loaded or quarantined, and its patient.
        sites: the site ids, quarantined rows included: the hospital is known, its name is not;
            None while none is named: an empty list of hospitals rules no hospital out.
        indexed: which of birth_date and death_date move with the patient's index date.
    """

    cutoff: date
    patients: pl.DataFrame = field(default_factory=pl.DataFrame)
    tumours: pl.DataFrame = field(default_factory=pl.DataFrame)
    sites: pl.DataFrame | None = None
    indexed: frozenset[str] = frozenset()

    def learn(self, table: Table, read: Typed, good: pl.LazyFrame, quarantined: pl.Series) -> None:
        """Take in a table that was just loaded.

        Args:
            table: which one.
            read: the table as typed.
            good: its loaded rows, with the columns of `read.frame`.
            quarantined: the keys of its quarantined rows, null where unreadable.
        """
        key = table.key
        held = quarantined.drop_nulls().unique().alias(key or "").to_frame()
        if table.name == "patients":
            birth, death = read.days["birth_date"], read.days["death_date"]
            found = good.select(
                "patient_id",
                pl.lit(_LOADED, pl.Int8).alias("§patient"),
                birth.first.alias("§birth.first"),
                birth.middle.alias("§birth.middle"),
                death.last.alias("§death.last"),
                death.middle.alias("§death.middle"),
            ).collect(engine="streaming")
            self.patients = _with_held(found, held, "§patient")
            self.indexed = frozenset(name for name, day in read.days.items() if day.indexed)
        elif table.name == "tumours":
            found = good.select(
                "tumour_id",
                pl.lit(_LOADED, pl.Int8).alias("§tumour"),
                pl.col("patient_id").alias("§tumour.patient"),
            ).collect(engine="streaming")
            self.tumours = _with_held(found, held, "§tumour")
        elif table.name == "sites":
            found = good.select("site_id").collect(engine="streaming")
            named = pl.concat([found, held])
            if named.height:
                self.sites = named.with_columns(pl.lit(True).alias("§site"))

    def joined(self, table: Table, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The frame with what is known of the rows it points at."""
        for column in table.columns.values():
            looked_up = {"patients": self.patients, "tumours": self.tumours, "sites": self.sites}
            known = looked_up.get(column.to or "")
            if known is not None:
                frame = frame.join(known.lazy(), on=column.name, how="left")
        return frame

    def flags(self, table: Table, read: Typed) -> list[Flag]:
        """What can be wrong with a row of the joined frame, in column order."""
        if table.name == "patients":
            birth, death = read.days["birth_date"], read.days["death_date"]
        else:
            birth = _looked_up("§birth.first", "§birth.middle", "birth_date" in self.indexed)
            death = _looked_up("§death.last", "§death.middle", "death_date" in self.indexed)
        within_life = "patient_id" in table.columns
        found: list[Flag] = []
        for name, column in table.columns.items():
            if column.to:
                found += self._pointing(column)
            elif column.type == "date":
                day = read.days[name]
                own = table.name == "patients" and name in ("birth_date", "death_date")
                if within_life and name != "birth_date":
                    found.append(Flag(name, "before-birth", day.before(birth)))
                if within_life and not own:
                    found.append(Flag(name, "after-death", death.before(day)))
                if not column.bounds_observation:
                    found.append(Flag(name, "after-cut-off", day.first > self.cutoff))
                if column.not_before and column.otherwise:
                    earlier = day.before(read.days[column.not_before])
                    found.append(Flag(name, column.otherwise, earlier))
        return found

    def _pointing(self, column: Column) -> list[Flag]:
        filled = pl.col(column.name).is_not_null()
        if column.to == "patients":
            return [
                Flag(column.name, "unknown-patient", filled & pl.col("§patient").is_null()),
                Flag(column.name, "patient-quarantined", pl.col("§patient") == _QUARANTINED),
            ]
        if column.to == "tumours":
            of_another = pl.col("§tumour.patient") != pl.col("patient_id")
            return [
                Flag(column.name, "unknown-tumour", filled & pl.col("§tumour").is_null()),
                Flag(column.name, "tumour-quarantined", pl.col("§tumour") == _QUARANTINED),
                Flag(column.name, "tumour-of-another-patient", of_another),
            ]
        if self.sites is None:
            return []
        return [Flag(column.name, "unknown-site", filled & pl.col("§site").is_null())]


def _looked_up(bound: str, middle: str, indexed: bool) -> Day:
    return Day(pl.col(bound), pl.col(middle), pl.col(bound), indexed)


def _with_held(found: pl.DataFrame, held: pl.DataFrame, state: str) -> pl.DataFrame:
    quarantined = held.with_columns(pl.lit(_QUARANTINED, pl.Int8).alias(state))
    return pl.concat([found, quarantined], how="diagonal")
