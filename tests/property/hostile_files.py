"""Files that nobody should have sent: each mutation takes a good table file and spoils it.

A mutation is a function of a random source, the folder and a table's name; it returns nothing.
Whatever it does, an audit must end in exit code 0 or 3.
"""

import csv
import gzip
import io
import random
import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import xlsxwriter

SECRET = "Mrs Example of Nowhere"
"""Stands in cells whose text no message may repeat."""
TEXTS = [
    *("", " ", "NA", "unknown", "???", "None", "nan", "inf", "-inf", "1e999", "-0", "+5", "0x1F"),
    *("true", "TRUE ", "2", "-1", "9" * 400, "1e308", "٣", "½", "1,5", "1.5.2", "NULL", "\\N"),
    *("2020-13-45", "0000-00-00", "0001-01-01", "9999-12-31", "99999-01-01", "1899-12-31"),
    *("31/12/2019", "2020-02-30", "2020-02", "2020", "-2020", "2020-W05", "2020-01-01T25:00"),
    *("2020-01-01T10:00:00+14:00", "20200101", "1e5", "Jan 2020", "2020-1-1", " 2020-01-01 "),
    *("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "<script>alert(1)</script>"),
    *("</td><img src=x onerror=alert(1)>", 'a "b" c', "a\nb", "a\r\nb", "a,b;c|d\te", "'; drop --"),
    *("{{ 7*7 }}", "{% raw %}", "$cutoff", "\u202eabc", "e\u0301", "\ufeff", "\u0085", "😀" * 50),
    SECRET,  # the last one: headers are quoted in messages, so they leave it out
]
Mutation = Callable[[random.Random, Path, str], None]


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a good CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, rows


def written(header: list[str], rows: list[list[str]], **style: object) -> str:
    """The same as delimited text."""
    text = io.StringIO()
    csv.writer(text, **{"lineterminator": "\n", **style}).writerows([header, *rows])
    return text.getvalue()


def _file(folder: Path, table: str) -> Path:
    return folder / f"{table}.csv"


def _store(folder: Path, table: str, header: list[str], rows: list[list[str]]) -> None:
    _file(folder, table).write_bytes(written(header, rows).encode("utf-8", "surrogatepass"))


# --- cells and columns -----------------------------------------------------------------------


def odd_cells(rng: random.Random, folder: Path, table: str) -> None:
    header, rows = read(_file(folder, table))
    for _ in range(rng.randint(1, 40)):
        if rows:
            row = rng.choice(rows)
            row[rng.randrange(len(row))] = rng.choice(TEXTS)
    _store(folder, table, header, rows)


def odd_column(rng: random.Random, folder: Path, table: str) -> None:
    header, rows = read(_file(folder, table))
    at = rng.randrange(len(header))
    for row in rows:
        row[at] = rng.choice(TEXTS)
    _store(folder, table, header, rows)


def odd_headers(rng: random.Random, folder: Path, table: str) -> None:
    header, rows = read(_file(folder, table))
    for _ in range(rng.randint(1, 3)):
        header[rng.randrange(len(header))] = rng.choice(
            [*TEXTS[:-1], *header, "row_number", "§row"]
        )
    _store(folder, table, header, rows)


def swapped_headers(rng: random.Random, folder: Path, table: str) -> None:
    header, rows = read(_file(folder, table))
    _store(folder, table, rng.sample(header, len(header)), rows)


def without_columns(rng: random.Random, folder: Path, table: str) -> None:
    header, rows = read(_file(folder, table))
    kept = sorted(rng.sample(range(len(header)), rng.randint(1, len(header))))
    _store(folder, table, [header[at] for at in kept], [[row[at] for at in kept] for row in rows])


def more_columns(rng: random.Random, folder: Path, table: str) -> None:
    header, rows = read(_file(folder, table))
    extra = rng.choice([1, 3, 800])
    names = [rng.choice(TEXTS[:-1]) + str(at) * rng.randint(0, 1) for at in range(extra)]
    header += names
    _store(folder, table, header, [[*row, *(rng.choice(TEXTS) for _ in names)] for row in rows])


def repeated_rows(rng: random.Random, folder: Path, table: str) -> None:
    header, rows = read(_file(folder, table))
    again = [list(rng.choice(rows)) for _ in range(rng.randint(1, 20))] if rows else []
    for row in again:
        if rng.random() < 0.5:
            row[rng.randrange(len(row))] = rng.choice(TEXTS)
    _store(folder, table, header, rng.sample(rows + again, len(rows + again)))


def huge_cell(rng: random.Random, folder: Path, table: str) -> None:
    header, rows = read(_file(folder, table))
    if rows:
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(["x", SECRET, "9", "é"]) * 10_000_000
    _store(folder, table, header, rows)


# --- the shape of the text -------------------------------------------------------------------


def torn(rng: random.Random, folder: Path, table: str) -> None:
    content = _file(folder, table).read_bytes()
    _file(folder, table).write_bytes(content[: rng.randrange(len(content))])


def flipped(rng: random.Random, folder: Path, table: str) -> None:
    content = bytearray(_file(folder, table).read_bytes())
    for _ in range(rng.randint(1, 20)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    _file(folder, table).write_bytes(content)


def inserted(rng: random.Random, folder: Path, table: str) -> None:
    content = _file(folder, table).read_bytes()
    at = rng.randrange(len(content))
    what = rng.choice([b"\0", b'"', b"\n", b"\r", b",", b",,,", b"\xff", b"\xef\xbb\xbf", b"\x1a"])
    _file(folder, table).write_bytes(content[:at] + what + content[at:])


def other_encoding(rng: random.Random, folder: Path, table: str) -> None:
    text = _file(folder, table).read_text("utf-8").replace("e", "é")
    name = rng.choice(["utf-16", "utf-16-le", "latin-1", "cp1252", "utf-32", "utf-7", "cp037"])
    _file(folder, table).write_bytes(text.encode(name, "replace"))


def other_style(rng: random.Random, folder: Path, table: str) -> None:
    header, rows = read(_file(folder, table))
    text = written(
        header, rows, delimiter=rng.choice(";|\t:"), quotechar=rng.choice("'\"`"), quoting=1
    )
    _file(folder, table).write_text(text)


def nearly_nothing(rng: random.Random, folder: Path, table: str) -> None:
    header, _ = read(_file(folder, table))
    contents = ["", "\n", " ", "\n\n\n", '"', ",", "\ufeff", ",".join(header), header[0], "\0" * 99]
    _file(folder, table).write_text(rng.choice(contents))


def torn_gzip(rng: random.Random, folder: Path, table: str) -> None:
    content = bytearray(gzip.compress(_file(folder, table).read_bytes()))
    if rng.random() < 0.5:
        content = content[: rng.randrange(len(content))]
    else:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    _file(folder, table).unlink()
    (folder / f"{table}.csv.gz").write_bytes(content)


def odd_place(rng: random.Random, folder: Path, table: str) -> None:
    path = _file(folder, table)
    twin = folder / f"{table}.tsv"
    match rng.randrange(5):
        case 0:
            path.unlink()
            path.mkdir()
        case 1:
            path.rename(folder / "kept.txt")
            path.symlink_to(folder / "nowhere")
        case 2:
            twin.write_bytes(path.read_bytes())
        case 3:
            path.rename(folder / f"{table.upper()}.CSV")
        case _:
            path.rename(folder / f"{table}.parquet")


# --- Parquet and workbooks -------------------------------------------------------------------


def _nested(depth: int, rows: int) -> pl.Series:
    value: object = "deep"
    for level in range(depth):
        value = [value] if level % 2 else {"in": value}
    return pl.Series([value] * rows)


def _columns_of(rng: random.Random, rows: int) -> pl.Series:
    day, at = date(2020, 1, 1), datetime(2020, 1, 1, 23, 59)
    kinds = [
        lambda: pl.Series([rng.choice([0, -1, 2**62, 20200101]) for _ in range(rows)]),
        lambda: pl.Series([rng.choice([float("nan"), float("inf"), -1e308]) for _ in range(rows)]),
        lambda: pl.Series([2**64 - 1] * rows, dtype=pl.UInt64),
        lambda: pl.Series([Decimal("1.50")] * rows),
        lambda: pl.Series([None] * rows),
        lambda: pl.Series([rng.choice([day, date(1, 1, 1), date(9999, 12, 31)])] * rows),
        lambda: pl.Series([at] * rows).dt.replace_time_zone("Asia/Tokyo"),
        lambda: pl.Series([at] * rows).dt.cast_time_unit("ns"),
        lambda: pl.Series([timedelta(days=1)] * rows),
        lambda: pl.Series([time(1, 2)] * rows),
        lambda: pl.Series([b"\x00\xff"] * rows),
        lambda: pl.Series(["a"] * rows, dtype=pl.Categorical),
        lambda: pl.Series([True] * rows),
        lambda: pl.Series([[1, 2]] * rows, dtype=pl.Array(pl.Int64, 2)),
        lambda: _nested(rng.choice([1, 2, 30]), rows),
        lambda: pl.Series([rng.choice(TEXTS) for _ in range(rows)]),
        lambda: pl.Series(["nul\0nul"] * rows),
    ]
    return rng.choice(kinds)()


def odd_parquet(rng: random.Random, folder: Path, table: str) -> None:
    header, rows = read(_file(folder, table))
    columns = {name: [row[place] for row in rows] for place, name in enumerate(header)}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String), strict=False)
    for _ in range(rng.randint(0, 3) if rows else 0):
        name = rng.choice([*header, header[0].upper(), "§row", "row_number", "extra", ""])
        frame = frame.with_columns(_columns_of(rng, frame.height).alias(name))
    cut = rng.choice([frame, frame, frame, frame.clear(), frame.select([]), frame[:1]])
    _file(folder, table).unlink()
    cut.write_parquet(folder / f"{table}.parquet")


def torn_parquet(rng: random.Random, folder: Path, table: str) -> None:
    odd_parquet(rng, folder, table)
    path = folder / f"{table}.parquet"
    content = bytearray(path.read_bytes())
    match rng.randrange(3):
        case 0:
            content = content[: rng.randrange(len(content))]
        case 1:
            for _ in range(rng.randint(1, 8)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        case _:
            content[-8:-4] = struct.pack("<I", rng.randrange(2**32))
    path.write_bytes(content)


def odd_workbook(rng: random.Random, folder: Path, table: str) -> None:
    header, rows = read(_file(folder, table))
    _file(folder, table).unlink()
    with xlsxwriter.Workbook(folder / "book.xlsx") as book:
        sheet = book.add_worksheet(rng.choice([table, table.title(), f" {table} ", "Sheet1"])[:31])
        for at, row in enumerate([header, *rows] if rng.random() < 0.9 else []):
            for column, text in enumerate(row):
                match rng.randrange(30) if at else 9:
                    case 0:
                        sheet.write_formula(at, column, "=1/0", None, "#DIV/0!")
                    case 1:
                        sheet.write_formula(at, column, f'="{text[:50]}"', None, text)
                    case 2:
                        sheet.write_number(at, column, rng.choice([43831, -1, 1e300, 0.5]))
                    case 3:
                        sheet.write_boolean(at, column, rng.random() < 0.5)
                    case 4:
                        sheet.write_datetime(
                            at, column, datetime(2020, 1, 1), book.add_format({"num_format": 14})
                        )
                    case 5:
                        sheet.write_string(at, column, rng.choice(TEXTS))
                    case _:
                        sheet.write_string(at, column, text)
        if rng.random() < 0.3:
            sheet.merge_range(1, 0, 2, 1, "merged")
        if rng.random() < 0.3:
            book.add_worksheet("hidden").hide()
    if rng.random() < 0.3:
        content = (folder / "book.xlsx").read_bytes()
        (folder / "book.xlsx").write_bytes(content[: rng.randrange(len(content))])


MUTATIONS: list[Mutation] = [
    *(odd_cells, odd_column, odd_headers, swapped_headers, without_columns, more_columns),
    *(repeated_rows, torn, flipped, inserted, other_encoding, other_style, nearly_nothing),
    *(torn_gzip, odd_place, odd_parquet, odd_parquet, torn_parquet, odd_workbook, odd_workbook),
]
