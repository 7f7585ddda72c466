"""Writes the tables batch by batch, each into one file."""

import gzip
from pathlib import Path
from typing import Literal, TypeAlias

import polars as pl

Layout: TypeAlias = Literal["auto", "parquet", "csv"]

ALL_PARQUET_FROM = 20_000
ROWS_A_GROUP = 250_000
# A small registry's extract is a mixture, as those of real ones are.
MIXED = {
    "patients": ".csv",
    "receptor_tests": ".tsv",
    "exceptions": ".csv.gz",
    "sites": ".csv",
    "events": ".csv",
}


def suffix_of(table: str, patients: int, layout: Layout) -> str:
    """Give the file name's ending for a table of an extract of so many patients."""
    if layout != "auto":
        return f".{layout}"
    return ".parquet" if patients >= ALL_PARQUET_FROM else MIXED.get(table, ".parquet")


class TableFile:
    """One table's file, put together from the pieces of every batch.

    The pieces stay on disk until `finish`, so that memory holds no more than one batch; the same
    pieces give the same bytes.

    Args:
        path: the file to write.
        scratch: an existing folder for the pieces.
    """

    def __init__(self, path: Path, scratch: Path) -> None:
        self.path = path
        self.scratch = scratch
        self.pieces: list[Path] = []

    def add(self, table: pl.DataFrame) -> None:
        """Add rows after those added before."""
        piece = self.scratch / f"{self.path.name}.{len(self.pieces)}.parquet"
        table.write_parquet(piece)
        self.pieces.append(piece)

    def finish(self) -> None:
        """Write the file."""
        rows = pl.scan_parquet(self.pieces)
        separator = "\t" if self.path.suffix == ".tsv" else ","
        if self.path.suffix == ".parquet":
            rows.sink_parquet(self.path, row_group_size=ROWS_A_GROUP)
        elif self.path.suffix == ".gz":
            # Neither name nor time in the header, so that the bytes depend on the rows alone.
            with (
                self.path.open("wb") as raw,
                gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
            ):
                packed.write(rows.collect().write_csv().encode())
        else:
            rows.sink_csv(self.path, separator=separator)
