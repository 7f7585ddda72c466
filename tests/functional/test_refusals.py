"""Extracts and mappings that can't be used: refused in words, and no audit is touched."""

import gzip
import shutil
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from the_command import CUTOFF, audit, fingerprint, installed


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def without_column(folder: Path) -> None:
    lines = (folder / "tumours.csv").read_text().splitlines()
    position = lines[0].split(",").index("diagnosis_date")
    kept = [",".join(c for i, c in enumerate(line.split(",")) if i != position) for line in lines]
    (folder / "tumours.csv").write_text("\n".join(kept))


def truncated_gzip(folder: Path) -> None:
    packed = gzip.compress((folder / "treatments.csv").read_bytes())
    (folder / "treatments.csv").unlink()
    (folder / "treatments.csv.gz").write_bytes(packed[: len(packed) // 2])


def wrong_encoding(folder: Path) -> None:
    text = (folder / "patients.csv").read_text().replace("P2", "Pé2")
    (folder / "patients.csv").write_bytes(text.encode("latin-1"))


def wrong_types(folder: Path) -> None:
    frame = pl.read_csv(folder / "tumours.csv").with_columns(diagnosis_date=pl.lit(3.5))
    (folder / "tumours.csv").unlink()
    frame.write_parquet(folder / "tumours.parquet")


def missing_sheet(folder: Path) -> None:
    empty(folder)
    with xlsxwriter.Workbook(str(folder / "registry.xlsx")) as book:
        book.add_worksheet("patients").write_row(0, 0, ["patient_id", "birth_date", "sex"])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (empty, "patients"),
        (without_column, "diagnosis_date"),
        (truncated_gzip, "treatments.csv.gz"),
        (wrong_encoding, "patients.csv"),
        (wrong_types, "diagnosis_date"),
        (missing_sheet, "tumours"),
    ],
)
def test_a_bad_extract_is_refused_and_leaves_the_earlier_audit_alone(
    registry: Path, earlier: Path, tmp_path: Path, harm: object, said: str
) -> None:
    extract, out = tmp_path / "extract", tmp_path / "audit"
    shutil.copytree(registry, extract)
    shutil.copytree(earlier, out)
    before = fingerprint(out)
    assert callable(harm)
    harm(extract)
    done = installed("run", extract, *CUTOFF, "--out", out)
    assert done.returncode == 3, done.stderr
    assert said in done.stderr
    assert "What to do" in done.stderr
    assert "Traceback" not in done.stderr
    assert fingerprint(out) == before


def test_a_mapping_with_a_typo_is_refused_with_its_line(registry: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "ours.yaml"
    mapping.write_text("tables:\n  patients:\n    - fiel: patients.csv\n")
    done = audit(registry, tmp_path / "out", "--mapping", mapping)
    assert done.returncode == 3, done.stderr
    assert "ours.yaml" in done.stderr
    assert "line" in done.stderr
