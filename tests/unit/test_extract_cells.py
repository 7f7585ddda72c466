"""What single cells become, whatever format they come in. Owns: audit/extract/cells.py."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from audit.extract import Extract, load_extract

CUTOFF = date(2025, 12, 31)


def load_tumours(folder: Path, column: str, cells: pl.Series) -> Extract:
    """One patient, and a tumour for each cell of `column`, all in Parquet."""
    folder.mkdir()
    pl.DataFrame({"patient_id": ["P1"]}).write_parquet(folder / "patients.parquet")
    rows = {
        "tumour_id": [f"T{at}" for at in range(len(cells))],
        "patient_id": ["P1"] * len(cells),
        "site_id": [None] * len(cells),
        "diagnosis_date": [date(2020, 1, 1)] * len(cells),
    }
    frame = pl.DataFrame({**rows, column: cells})
    frame.write_parquet(folder / "tumours.parquet")
    return load_extract(
        folder, cutoff=CUTOFF, mapping=None, scratch=folder / "s", log=lambda _: None
    )


def typed(tmp_path: Path, column: str, cells: pl.Series) -> list[object]:
    """What each cell becomes; a quarantined one is the reason, in brackets."""
    extract = load_tumours(tmp_path / "extract", column, cells)
    loaded = pl.read_parquet(extract.tables["tumours"].path)
    found = dict(zip(loaded["row_number"], loaded[column], strict=True))
    for row in extract.quarantine.iter_rows(named=True):
        assert row["column_name"] == column
        found[row["row_number"]] = f"[{row['reason']}]"
    return [found[at] for at in range(1, len(cells) + 1)]


@pytest.mark.parametrize(
    ("column", "cells", "expected"),
    [
        (
            "grade",
            ["2", " 3 ", "2.0", "2.5", "two", "4", "NA", "unknown", "UNKNOWN", "", "nan", "inf"],
            [2, 3, 2, "[not-an-integer]", "[not-a-number]", "[out-of-range]"]
            + [None] * 4
            + ["[not-a-number]"] * 2,
        ),
        (
            "clinical_size_mm",
            ["20", "0", "-1", "1e1", "1,5", "2_0"],
            [20.0, 0.0, "[out-of-range]", 10.0, "[not-a-number]", "[not-a-number]"],
        ),
        (
            "inflammatory",
            ["true", "FALSE", "Yes", "no", "1", "0", "maybe", "2", "Na"],
            [True, False, True, False, True, False, "[not-a-boolean]", "[not-a-boolean]", None],
        ),
        (
            "laterality",
            ["left", "RIGHT", " Bilateral ", "both", "Unknown", None],
            ["left", "right", "bilateral", "[not-in-list]", None, None],
        ),
        ("histology", [" 8500/3 ", "na", "", "NAevus"], ["8500/3", None, None, "NAevus"]),
        (
            "diagnosis_date",
            [
                "2020-02-29",
                "2020-02-30",
                "2021-03-04T10:11:12Z",
                "2021-03-04 10:11",
                "2021-03-04 25:11",
                "04/03/2021",
                "2021-3-4",
                "20210304",
                "2020-01-01/2020-12-31",
                "2020-13",
            ],
            [date(2020, 2, 29), "[not-a-date]", date(2021, 3, 4), date(2021, 3, 4)]
            + ["[not-a-date]"] * 6,
        ),
    ],
)
def test_text_is_read_by_the_contract(
    tmp_path: Path, column: str, cells: list[str | None], expected: list[object]
) -> None:
    assert typed(tmp_path, column, pl.Series(cells, dtype=pl.String)) == expected


@pytest.mark.parametrize(
    ("column", "cells", "expected"),
    [
        (
            "grade",
            pl.Series([1.0, 2.5, float("nan"), None]),
            [1, "[not-an-integer]", "[not-a-number]", None],
        ),
        ("grade", pl.Series([1, 9], dtype=pl.UInt64), [1, "[out-of-range]"]),
        ("clinical_size_mm", pl.Series([Decimal("1.5"), None]), [1.5, None]),
        ("clinical_size_mm", pl.Series([float("inf"), 3.0]), ["[not-a-number]", 3.0]),
        ("inflammatory", pl.Series([0, 1, 2]), [False, True, "[not-a-boolean]"]),
        ("inflammatory", pl.Series([False, None]), [False, None]),
        ("laterality", pl.Series(["Left", "x"], dtype=pl.Categorical), ["left", "[not-in-list]"]),
        ("diagnosis_date", pl.Series([datetime(2020, 5, 6, 23, 59)]), [date(2020, 5, 6)]),
        ("histology", pl.Series([None, None], dtype=pl.Null), [None, None]),
    ],
)
def test_parquet_types_that_can_mean_the_contracts(
    tmp_path: Path, column: str, cells: pl.Series, expected: list[object]
) -> None:
    assert typed(tmp_path, column, cells) == expected


def test_imprecise_dates_hold_their_middle_day_and_are_listed(tmp_path: Path) -> None:
    cells = pl.Series(["2019", "2020-02", "2020-02-01"])
    extract = load_tumours(tmp_path / "extract", "diagnosis_date", cells)
    loaded = pl.read_parquet(extract.tables["tumours"].path)["diagnosis_date"].to_list()
    assert loaded == [date(2019, 7, 2), date(2020, 2, 15), date(2020, 2, 1)]
    assert extract.imprecise_dates.rows() == [
        (
            "tumours",
            1,
            "diagnosis_date",
            "P1",
            date(2019, 1, 1),
            date(2019, 7, 2),
            date(2019, 12, 31),
            None,
        ),
        (
            "tumours",
            2,
            "diagnosis_date",
            "P1",
            date(2020, 2, 1),
            date(2020, 2, 15),
            date(2020, 2, 29),
            None,
        ),
    ]


def test_several_values_are_each_looked_up(tmp_path: Path) -> None:
    folder = tmp_path / "extract"
    folder.mkdir()
    (folder / "patients.csv").write_text("patient_id\nP1\n")
    (folder / "tumours.csv").write_text("tumour_id,patient_id,site_id,diagnosis_date\n")
    (folder / "events.csv").write_text(
        "patient_id,event_date,event,action\n"
        "P1,2020-01-01,ild,Stopped ; medicated;\n"
        "P1,2020-01-02,ild,stopped;prayed\n"
        "P1,2020-01-03,ild,NA\n"
        "P1,2020-01-04,ild,;\n"
    )
    extract = load_extract(
        folder, cutoff=CUTOFF, mapping=None, scratch=tmp_path / "s", log=lambda _: None
    )
    loaded = pl.read_parquet(extract.tables["events"].path)
    assert loaded["action"].to_list() == ["stopped;medicated", None, None]
    assert extract.quarantine.select("column_name", "value", "reason").rows() == [
        ("action", "stopped;prayed", "not-in-list")
    ]


def test_whole_number_ids_in_parquet_become_text_and_extra_columns_too(tmp_path: Path) -> None:
    folder = tmp_path / "extract"
    folder.mkdir()
    pl.DataFrame(
        {
            "PATIENT_ID ": [7, 8],
            "nested": [{"a": [1]}, None],
            "raw": [b"\x01", None],
            "seen": [datetime(2020, 1, 1), None],
            "row_number": [99, 98],
        }
    ).write_parquet(folder / "patients.parquet")
    (folder / "tumours.tsv").write_text(
        "tumour_id\tpatient_id\tsite_id\tdiagnosis_date\n001\t7\t01\t2020-01-01\n"
    )
    extract = load_extract(
        folder, cutoff=CUTOFF, mapping=None, scratch=tmp_path / "s", log=lambda _: None
    )
    patients = pl.read_parquet(extract.tables["patients"].path)
    assert patients["patient_id"].to_list() == ["7", "8"]
    assert patients["row_number"].to_list() == [1, 2]
    extras = ["nested", "raw", "seen", "source_row_number"]
    assert patients.select(extras).row(0) == (
        '{"nested":{"a":[1]}}',
        "01",
        "2020-01-01 00:00:00.000000",
        "99",
    )
    tumours = pl.read_parquet(extract.tables["tumours"].path)
    assert tumours.select("tumour_id", "patient_id", "site_id").row(0) == ("001", "7", "01")
