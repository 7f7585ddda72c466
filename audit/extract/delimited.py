"""Delimited text to Parquet parts of plain text columns, row by row and strictly.

A row with the wrong number of fields refuses the whole file: once fields have shifted nobody can
say which patient the row belongs to, so no finding could be shielded from what it would have said.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from audit.errors import ExtractRefused

if TYPE_CHECKING:
    from _csv import Reader

# Small enough that the garbage collector has little to walk through.
_PART_ROWS = 25_000
_LINES_NAMED = 5
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}


@dataclass(frozen=True)
class Format:
    """How delimited text is written.

    `skip_after_header` counts further header rows under the names; without `quoting` a quote
    is a character like any other.
    """

    separator: str
    encoding: str = "utf-8-sig"
    quoting: bool = True
    skip_after_header: int = 0


def stage_delimited(path: Path, style: Format, scratch: Path) -> list[tuple[str, str]]:
    """Write the rows of `path` to Parquet parts c0, c1, … in `scratch`.

    Returns:
        The header's fields as written, each with its column in the parts.

    Raises:
        ExtractRefused: wrong encoding, damaged compression, NUL bytes, broken quoting or rows
            with the wrong number of fields, with the line they stand in.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with _opened(path) as binary, TextIOWrapper(binary, style.encoding, newline="") as text:
            reader = csv.reader(
                _without_nul(text, path),
                delimiter=style.separator,
                quoting=csv.QUOTE_MINIMAL if style.quoting else csv.QUOTE_NONE,
                strict=True,
            )
            header = _header(reader, style, path)
            _write_parts(reader, len(header), path, scratch)
    except UnicodeDecodeError as problem:
        raise _wrong_encoding(path, style) from problem
    except (OSError, EOFError, zlib.error) as problem:
        raise ExtractRefused(
            f"{path.name} can't be read to its end: {problem}",
            "the file is cut off or damaged: export or copy it again",
        ) from problem
    return [(field, f"c{at}") for at, field in enumerate(header)]


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    if path.suffix.casefold() == ".gz":
        return gzip.open(path)
    return path.open("rb")


def _without_nul(lines: Iterable[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise ExtractRefused(
                f"{path.name}: line {number} holds a NUL byte",
                "the file is damaged, or not delimited text in the declared encoding "
                "(UTF-8 unless a mapping says otherwise): export it again",
            )
        yield line


def _header(reader: Reader, style: Format, path: Path) -> list[str]:
    try:
        header = next(filter(None, reader), None)
        for _ in islice(reader, style.skip_after_header):
            pass
    except csv.Error as problem:
        raise _broken(path, 1, problem) from problem
    if header is None:
        raise ExtractRefused(f"{path.name} is empty", "export it again, with its header row")
    for sign, name in _SEPARATORS.items():
        if len(header) == 1 and sign in header[0]:
            raise ExtractRefused(
                f"{path.name}: its header is one column, which holds {name}",
                "save the file with commas (.csv) or tabs (.tsv), or declare its separator in a "
                "source mapping",
            )
    return header


def _write_parts(reader: Reader, width: int, path: Path, scratch: Path) -> None:
    parts = 0
    batch: list[list[str]] = []
    ragged: list[tuple[int, int]] = []
    ended = reader.line_num
    try:
        for row in reader:
            ended = reader.line_num
            if len(row) == width:
                batch.append(row)
                if len(batch) == _PART_ROWS:
                    _write_part(batch, width, scratch / f"{parts:06}.parquet")
                    parts, batch = parts + 1, []
            elif row:  # a blank line is no row
                ragged.append((ended, len(row)))
    except csv.Error as problem:
        raise _broken(path, ended + 1, problem) from problem
    if ragged:
        lines = ", ".join(f"{line} ({fields})" for line, fields in ragged[:_LINES_NAMED])
        raise ExtractRefused(
            f"{path.name}: {len(ragged)} rows have the wrong number of fields; the header has "
            f"{width}; rows that end at line (fields): {lines}",
            "put quotes around values that hold the separator or a line break, or correct the rows",
        )
    _write_part(batch, width, scratch / f"{parts:06}.parquet")


def _write_part(rows: list[list[str]], width: int, path: Path) -> None:
    columns = zip(*rows, strict=True) if rows else [()] * width
    series = [pl.Series(f"c{at}", cells, pl.String) for at, cells in enumerate(columns)]
    pl.DataFrame(series).write_parquet(path, compression="lz4")


def _broken(path: Path, line: int, problem: csv.Error) -> ExtractRefused:
    return ExtractRefused(
        f"{path.name}: the row that begins at line {line} can't be read: {problem}",
        "close every quoted value, and double the quotes inside it",
    )


def _wrong_encoding(path: Path, style: Format) -> ExtractRefused:
    """Where the first byte stands that the encoding can't mean: looked for only now."""
    before = 0
    with _opened(path) as binary:
        for number, line in enumerate(binary, 1):
            try:
                line.decode(style.encoding)
            except UnicodeDecodeError as problem:
                return ExtractRefused(
                    f"{path.name}: line {number} is not {_spoken(style.encoding)}: byte "
                    f"0x{line[problem.start]:02x} at offset {before + problem.start}",
                    "save the file as UTF-8, or declare its encoding in a source mapping",
                )
            before += len(line)
    return ExtractRefused(
        f"{path.name} is not {_spoken(style.encoding)}",
        "save the file as UTF-8, or declare its encoding in a source mapping",
    )


def _spoken(encoding: str) -> str:
    return "UTF-8" if encoding == "utf-8-sig" else encoding
