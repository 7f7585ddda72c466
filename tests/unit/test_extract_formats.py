"""The same rows in every format, mixed in one folder. Owns: files.py, delimited.py."""

import gzip
import hashlib
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from audit.extract import Extract, load_extract

TUMOURS = [("007", "P1", "S1", "2020-01-01", "left", "x;y"), ("008", "P1", "", "2020-02", "NA", "")]
HEADER = ("tumour_id", "patient_id", "SITE_ID ", " diagnosis_date", "laterality", "local")


def load(folder: Path, lines: list[str] | None = None) -> Extract:
    return load_extract(
        folder,
        cutoff=date(2025, 6, 30),
        mapping=None,
        scratch=folder.parent / "scratch",
        log=(lines if lines is not None else []).append,
    )


def text(separator: str, ending: str = "\n") -> str:
    return "".join(separator.join(row) + ending for row in (HEADER, *TUMOURS))


def write_workbook(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("notes").write(0, 0, "about this file")
        sheet = book.add_worksheet("Tumours")
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, TUMOURS[0])
        sheet.write_datetime(1, 3, datetime(2020, 1, 1), day)
        sheet.write_row(2, 0, TUMOURS[1])


@pytest.mark.parametrize(
    "name",
    [
        "tumours.csv",
        "Tumours.CSV",
        "tumours.csv.gz",
        "tumours.tsv",
        "tumours.tsv.gz",
        "tumours.parquet",
        "registry.xlsx",
    ],
)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "extract"
    folder.mkdir()
    (folder / "patients.csv").write_bytes(b"\xef\xbb\xbfpatient_id\r\nP1\r\n")
    path = folder / name
    if name.endswith(".parquet"):
        columns = zip(*TUMOURS, strict=True)
        pl.DataFrame(dict(zip(HEADER, columns, strict=True))).write_parquet(path)
    elif name.endswith(".xlsx"):
        write_workbook(path)
    else:
        encoded = text("\t" if ".tsv" in name else ",", "\r\n").encode()
        path.write_bytes(gzip.compress(encoded) if name.endswith(".gz") else encoded)
    extract = load(folder)
    loaded = pl.read_parquet(extract.tables["tumours"].path)
    wanted = ["row_number", "tumour_id", "site_id", "diagnosis_date", "laterality", "grade"]
    assert loaded.select(wanted).rows() == [
        (1, "007", "S1", date(2020, 1, 1), "left", None),
        (2, "008", None, date(2020, 2, 15), None, None),
    ]
    assert loaded["local"].fill_null("").to_list() == ["x;y", ""]
    assert extract.imprecise_dates["row_number"].to_list() == [2]
    assert extract.quarantine.is_empty()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (name, digest, path.stat().st_size) in extract.inputs.rows()


def test_native_cells_of_a_workbook(tmp_path: Path) -> None:
    folder = tmp_path / "extract"
    folder.mkdir()
    with xlsxwriter.Workbook(folder / "book.xlsx") as book:
        patients = book.add_worksheet("patients")
        patients.write_column(0, 0, ["patient_id", "P1"])
        sheet = book.add_worksheet("tumours")
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet.write_row(0, 0, [*HEADER[:4], "grade", "inflammatory", "clinical_size_mm"])
        sheet.write_row(1, 0, [12, "P1", None, None, 2, True, 12.5])
        sheet.write_datetime(1, 3, datetime(2020, 3, 4, 5, 6), moment)
        sheet.write_row(3, 0, [13, "P1", None, 2019, 3, "no", "big"])
    extract = load(folder)
    loaded = pl.read_parquet(extract.tables["tumours"].path)
    wanted = ["tumour_id", "diagnosis_date", "grade", "inflammatory", "clinical_size_mm"]
    assert loaded.select(wanted).rows() == [("12", date(2020, 3, 4), 2, True, 12.5)]
    # Row 2 of the sheet is blank: the number still leads to the row.
    kept = extract.quarantine.select("file", "row_number", "value", "reason").rows()
    assert kept == [("book.xlsx [tumours]", 3, "big", "not-a-number")]


def test_unknown_files_are_ignored_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "extract"
    (folder / "old").mkdir(parents=True)
    (folder / "patients.csv").write_text("patient_id\nP1\n")
    (folder / "tumours.csv").write_text(text(","))
    (folder / "readme.txt").write_text("hello")
    (folder / "doses.csv").write_text("a\n1\n")
    (folder / ".hidden").write_text("")
    lines: list[str] = []
    load(folder, lines)
    assert lines[0] == "ignored, no table of the contract: doses.csv, old, readme.txt"


def test_csv_of_several_parts_keeps_its_row_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.extract.delimited._PART_ROWS", 3)
    folder = tmp_path / "extract"
    folder.mkdir()
    ids = [f"P{at:02}" for at in range(1, 12)]
    (folder / "patients.csv").write_text("patient_id\n" + "\n".join(ids))
    (folder / "tumours.csv").write_text(",".join(HEADER) + "\n")
    loaded = pl.read_parquet(load(folder).tables["patients"].path)
    assert loaded.select("row_number", "patient_id").rows() == list(enumerate(ids, 1))
