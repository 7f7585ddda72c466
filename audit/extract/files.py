"""Finding the extract's files, and bringing each into one shape: a lazy frame of its rows."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import fastexcel
import polars as pl

from audit.errors import ExtractRefused, UsageError
from audit.extract.contract import tables
from audit.extract.delimited import Format, stage_delimited

ROW = "§row"
NUMBER = "§number"
FORMATS = {
    ".csv": Format(separator=","),
    ".csv.gz": Format(separator=","),
    ".tsv": Format(separator="\t"),
    ".tsv.gz": Format(separator="\t"),
}
_READABLE = ".csv, .csv.gz, .tsv, .tsv.gz, .parquet or .xlsx"


@dataclass(frozen=True)
class Place:
    """Where a table stands: a file, or a sheet of a workbook."""

    path: Path
    sheet: str | None = None

    def __str__(self) -> str:
        return f"{self.path.name} [{self.sheet}]" if self.sheet else self.path.name


@dataclass(frozen=True)
class Staged:
    """A file's rows, not yet interpreted.

    Attributes:
        frame: ROW (0-based, unique), NUMBER (1-based data row in the file) and the columns.
        headers: each header as written, without surrounding blanks, to the frame's column.
        file: the file's name for messages.
    """

    frame: pl.LazyFrame
    headers: dict[str, str]
    file: str

    @property
    def folded(self) -> dict[str, str]:
        """Header without regard to case, to the frame's column."""
        return {header.casefold(): column for header, column in self.headers.items()}


def check_folder(source: Path) -> None:
    """Raises UsageError unless `source` is a folder."""
    if not source.exists():
        raise UsageError(f"{source} does not exist", "give the folder that holds the extract")
    if not source.is_dir():
        raise UsageError(
            f"{source} is a file, not a folder", "give the folder that holds the extract's files"
        )


def find_tables(source: Path, log: Callable[[str], None]) -> dict[str, Place]:
    """Where each contract table of the folder stands; other files are named in the log.

    Raises:
        ExtractRefused: two sources for one table, an unreadable workbook, or no table at all.
    """
    found: dict[str, Place] = {}
    ignored: list[str] = []
    for path in sorted(source.iterdir()):
        if path.name.startswith((".", "~$")):
            continue
        places = _tables_in(path)
        if not places:
            ignored.append(path.name)
        for name, place in places:
            if name in found:
                raise ExtractRefused(
                    f"{source}: two sources for table {name}: {found[name]} and {place}",
                    "keep the one that is meant and move the other out of the folder",
                )
            found[name] = place
    if ignored:
        log(f"ignored, no table of the contract: {', '.join(ignored)}")
    if not found:
        raise ExtractRefused(
            f"{source} holds no table of the extract"
            + (f" (it holds {', '.join(ignored)})" if ignored else ": it is empty"),
            f"put in one file a table, named after it ({', '.join(tables())}), as {_READABLE}",
        )
    return found


def stage(place: Place, style: Format | None, scratch: Path) -> Staged:
    """The rows of a file.

    Args:
        place: a delimited text file, a Parquet file or a sheet.
        style: how delimited text is written; None: as its ending says.
        scratch: an empty or missing folder for intermediate files.

    Raises:
        ExtractRefused: the file can't be read, or its header can't be used.
    """
    path = place.path
    try:
        size = path.stat().st_size
    except OSError as problem:
        raise ExtractRefused(
            f"{place} can't be opened: {problem.strerror}",
            "put the file itself in the folder, and make it readable",
        ) from problem
    if size == 0:
        raise ExtractRefused(f"{place} is empty", "export it again, with its header row")
    if path.suffix.casefold() == ".parquet":
        frame, headers = _scan(path)
    elif place.sheet:
        frame, headers = _sheet(place, scratch)
    else:
        headers = stage_delimited(path, style or FORMATS[_ending(path)], scratch)
        frame = pl.scan_parquet(scratch / "*.parquet", row_index_name=ROW)
    names = _named(headers, str(place))
    if NUMBER not in frame.collect_schema():
        frame = frame.with_columns((pl.col(ROW).cast(pl.Int64) + 1).alias(NUMBER))
    return Staged(frame, names, str(place))


def fingerprint(path: Path) -> tuple[str, int]:
    """SHA-256 and size in bytes of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest(), path.stat().st_size


def unreadable(file: str, kind: str, problem: Exception) -> ExtractRefused:
    """The refusal for a file that its reader can't make sense of."""
    return ExtractRefused(
        f"{file} can't be read as {kind}: {str(problem).splitlines()[0]}",
        "the file may be cut off or damaged: export or copy it again",
    )


def _ending(path: Path) -> str:
    name = path.name.casefold()
    return next((end for end in (*FORMATS, ".parquet", ".xlsx") if name.endswith(end)), "")


def _tables_in(path: Path) -> list[tuple[str, Place]]:
    ending = _ending(path)
    if not ending or path.is_dir():
        return []
    if ending == ".xlsx":
        try:
            sheets = fastexcel.read_excel(path).sheet_names
        except fastexcel.FastExcelError as problem:
            raise unreadable(path.name, "an Excel workbook", problem) from problem
        named = [(sheet.strip().casefold(), Place(path, sheet)) for sheet in sheets]
    else:
        named = [(path.name.casefold().removesuffix(ending), Place(path))]
    return [(name, place) for name, place in named if name in tables()]


def _scan(path: Path) -> tuple[pl.LazyFrame, list[tuple[str, str]]]:
    try:
        frame = pl.scan_parquet(path, row_index_name=ROW, glob=False)
        columns = [name for name in frame.collect_schema() if name != ROW]
        # Damage inside the pages shows only when every column is read.
        frame.select(pl.col(columns).null_count()).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as problem:
        raise unreadable(path.name, "Parquet", problem) from problem
    return frame, [(name, name) for name in columns]


def _sheet(place: Place, scratch: Path) -> tuple[pl.LazyFrame, list[tuple[str, str]]]:
    try:
        workbook = fastexcel.read_excel(place.path)
        # As text, so that a column may mix dates and partial dates, and ids keep their zeros.
        cells = workbook.load_sheet(place.sheet or 0, header_row=None, dtypes="string").to_polars()
    except fastexcel.FastExcelError as problem:
        raise unreadable(str(place), "an Excel sheet", problem) from problem
    if cells.is_empty():
        raise ExtractRefused(f"{place} is empty", "fill the sheet, its header in the first row")
    headers = [("" if cell is None else cell, f"c{at}") for at, cell in enumerate(cells.row(0))]
    rows = cells[1:].rename(dict(zip(cells.columns, (name for _, name in headers), strict=True)))
    rows = rows.with_row_index(NUMBER, offset=1).with_columns(pl.col(NUMBER).cast(pl.Int64))
    rows = rows.filter(~pl.all_horizontal(pl.exclude(NUMBER).is_null()))
    scratch.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(scratch / "sheet.parquet")
    return pl.scan_parquet(scratch / "sheet.parquet", row_index_name=ROW), headers


def _named(headers: list[tuple[str, str]], file: str) -> dict[str, str]:
    """Header to column; a column without a header is called after its position."""
    names: dict[str, str] = {}
    seen: dict[str, str] = {}
    for position, (written, column) in enumerate(headers, 1):
        header = written.strip() or f"column_{position}"
        if header.casefold() in seen:
            raise ExtractRefused(
                f"{file}: two columns are called {header} (case does not count)",
                "rename one of them, or leave one out",
            )
        seen[header.casefold()] = header
        names[header] = column
    return names
