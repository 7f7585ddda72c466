"""Extracts that can't be read: what the user is told. Owns: every refusal of the loader."""

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from audit.errors import ExtractRefused, UsageError, UserError
from audit.extract import Extract, load_extract

PATIENTS = b"patient_id,birth_date\nP1,1960-01-01\n"
TUMOURS = b"tumour_id,patient_id,site_id,diagnosis_date\nT1,P1,S1,2020-01-01\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good extract of two files, for a test to spoil."""
    folder = tmp_path / "extract"
    folder.mkdir()
    (folder / "patients.csv").write_bytes(PATIENTS)
    (folder / "tumours.csv").write_bytes(TUMOURS)
    return folder


def load(source: Path) -> Extract:
    return load_extract(
        source,
        cutoff=date(2025, 6, 30),
        mapping=None,
        scratch=source.parent / "scratch",
        log=lambda _: None,
    )


def refusal(source: Path, kind: type[UserError] = ExtractRefused) -> UserError:
    """The error; it always says what to do."""
    with pytest.raises(kind) as caught:
        load(source)
    assert caught.value.todo
    return caught.value


def refused(source: Path, kind: type[UserError] = ExtractRefused) -> str:
    """What the user reads first."""
    return refusal(source, kind).found


def test_the_unspoiled_extract_loads(folder: Path) -> None:
    extract = load(folder)
    assert extract.tables["tumours"].rows_loaded == 1


def test_no_folder(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "nowhere", UsageError)
    file = tmp_path / "file.csv"
    file.write_text("")
    assert "is a file" in refused(file, UsageError)


def test_an_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "extract"
    folder.mkdir()
    assert "it is empty" in refused(folder)
    (folder / "patients.txt").write_text("patient_id\n")
    assert "it holds patients.txt" in refused(folder)


def test_a_required_table_is_missing(folder: Path) -> None:
    (folder / "tumours.csv").unlink()
    assert "no tumours (it holds patients)" in refused(folder)


def test_a_required_column_is_missing(folder: Path) -> None:
    (folder / "tumours.csv").write_text("tumour_id,patient,site_id\nT1,P1,S1\n")
    assert refused(folder) == (
        "tumours.csv: no column patient_id, diagnosis_date; its columns are "
        "tumour_id, patient, site_id"
    )


@pytest.mark.parametrize(
    ("name", "separator", "said"),
    [
        ("patients.csv", ";", "semicolons"),
        ("patients.csv", "\t", "tabs"),
        ("patients.tsv", ",", "commas"),
    ],
)
def test_another_separator_is_named(folder: Path, name: str, separator: str, said: str) -> None:
    (folder / "patients.csv").unlink()
    (folder / name).write_text(f"patient_id{separator}size\nP1{separator}1,5\n")
    assert refused(folder) == f"{name}: its header is one column, which holds {said}"


def test_two_sources_for_one_table(folder: Path) -> None:
    pl.DataFrame({"patient_id": ["P1"]}).write_parquet(folder / "patients.parquet")
    assert "two sources for table patients: patients.csv and patients.parquet" in refused(folder)
    (folder / "patients.parquet").unlink()
    with xlsxwriter.Workbook(folder / "book.xlsx") as book:
        book.add_worksheet("Patients")
    assert "book.xlsx [Patients] and patients.csv" in refused(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "patients.csv is empty"),
        (b"\n\n", "patients.csv is empty"),
        (b"patient_id,a,Patient_ID\nP1,2,P1\n", "two columns are called Patient_ID"),
        (b"patient_id,note,Note\nP1,2,3\n", "two columns are called Note"),
        (
            b'patient_id,note\nP1,"a\nb"\nP2,one,two\nP3,x\nP4\n',
            "patients.csv: 2 rows have the wrong number of fields; the header has 2; "
            "rows that end at line (fields): 4 (3), 6 (1)",
        ),
        (b'patient_id,note\nP1,x\nP2,"never closed\nP3,x\n', "row that begins at line 3"),
        (b'patient_id,note\nP1,x\nP2,"a" b\n', "row that begins at line 3"),
        (b"patient_id,note\nP1,a\x00b\n", "line 2 holds a NUL byte"),
        (b"patient_id,note\nP1,x\nP2,caf\xe9\n", "line 3 is not UTF-8: byte 0xe9 at offset 27"),
        ("patient_id\nP1\n".encode("utf-16"), "line 1 is not UTF-8: byte 0xff at offset 0"),
    ],
)
def test_a_broken_csv(folder: Path, content: bytes, said: str) -> None:
    (folder / "patients.csv").write_bytes(content)
    assert said in refused(folder)


def test_damaged_compression(folder: Path) -> None:
    (folder / "patients.csv").unlink()
    whole = gzip.compress(PATIENTS * 50)
    (folder / "patients.csv.gz").write_bytes(whole[:-12])
    assert "patients.csv.gz can't be read to its end" in refused(folder)
    (folder / "patients.csv.gz").write_bytes(PATIENTS)
    assert "patients.csv.gz can't be read to its end" in refused(folder)


@pytest.mark.parametrize("name", ["patients.parquet", "patients.xlsx"])
def test_a_damaged_binary_file(folder: Path, name: str) -> None:
    (folder / "patients.csv").unlink()
    (folder / name).write_bytes(b"PK\x03\x04 this is neither")
    assert f"{name} can't be read" in refused(folder)


def test_parquet_damaged_inside(folder: Path) -> None:
    (folder / "patients.csv").unlink()
    path = folder / "patients.parquet"
    pl.DataFrame({"patient_id": [f"P{at}" for at in range(2000)]}).write_parquet(path)
    content = bytearray(path.read_bytes())
    content[200:1200] = bytes(1000)
    path.write_bytes(content)
    assert "patients.parquet can't be read as Parquet" in refused(folder)


def test_an_empty_sheet(folder: Path) -> None:
    (folder / "patients.csv").unlink()
    with xlsxwriter.Workbook(folder / "book.xlsx") as book:
        book.add_worksheet("patients")
    assert "book.xlsx [patients] is empty" in refused(folder)


@pytest.mark.parametrize(
    ("column", "cells", "kind"),
    [
        ("diagnosis_date", pl.Series([1.0]), "Float64"),
        ("diagnosis_date", pl.Series([20200101]), "Int64"),
        ("diagnosis_date", pl.Series([{"year": 2020}]), "Struct"),
        ("site_id", pl.Series([1.5]), "Float64"),
        ("site_id", pl.Series([b"S1"]), "Binary"),
        ("grade", pl.Series([[1]]), "List"),
        ("grade", pl.Series([True]), "Boolean"),
        ("inflammatory", pl.Series([date(2020, 1, 1)]), "Date"),
    ],
)
def test_a_parquet_type_that_cannot_mean_the_contracts(
    folder: Path, column: str, cells: pl.Series, kind: str
) -> None:
    (folder / "tumours.csv").unlink()
    frame = pl.read_csv(TUMOURS).with_columns(cells.alias(column))
    frame.write_parquet(folder / "tumours.parquet")
    found = refused(folder)
    assert f"tumours.parquet: column {column} is of type {kind}" in found


def test_a_type_that_cannot_hold_text_is_answered_once(folder: Path) -> None:
    (folder / "patients.csv").unlink()
    pl.DataFrame({"patient_id": [1.5]}).write_parquet(folder / "patients.parquet")
    assert refusal(folder).todo == "write patient_id as text"


def test_a_link_to_nowhere(folder: Path) -> None:
    (folder / "patients.csv").unlink()
    (folder / "patients.csv").symlink_to(folder / "gone.csv")
    assert "patients.csv can't be opened" in refused(folder)


def test_a_header_that_the_loader_uses_itself_is_an_extra_column(folder: Path) -> None:
    (folder / "patients.csv").write_text("patient_id,§row,§number\nP1,a,b\n")
    extract = load(folder)
    loaded = pl.read_parquet(extract.tables["patients"].path)
    assert loaded.select("source_§row", "source_§number").rows() == [("a", "b")]


def test_a_header_cannot_write_to_the_terminal(folder: Path) -> None:
    (folder / "patients.csv").write_text("\x1b[2Jid," + "x" * 5000 + "\nP1,2\n")
    found = refused(folder)
    assert "\\x1b[2Jid" in found and "\x1b" not in found
    assert len(found) < 1_000
