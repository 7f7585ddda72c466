"""The drug names of TCGA-BRCA, as typed at dozens of hospitals; skipped without the files."""

from pathlib import Path

import polars as pl
import pytest

from audit.vocabulary import Vocabulary

FILE = (
    Path(__file__).parents[3]
    / "shared/real/tcga-brca/nationwidechildrens.org_clinical_drug_brca.txt"
)
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the TCGA-BRCA files are not here")

LEFT = {
    "[Not Available]": 15,
    "Chemo, NOS": 3,
    "[Unknown]": 1,
    "BEVACIZUMAB (AVASTIN)/PLACEBO PROVIDED BY STUDY": 1,
    "Bevacizumab or Placebo": 1,
    "Hormone, NOS": 1,
    "Not otherwise specified": 1,
    "Poly E": 1,
    "Taxane": 1,
}


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    header, *lines = FILE.read_text("latin-1").splitlines()
    table = pl.DataFrame([line.split("\t") for line in lines[2:]], header.split("\t"), orient="row")
    return table.select(drug="pharmaceutical_therapy_drug_name", patient="bcr_patient_barcode")


@pytest.fixture(scope="module")
def her2(rows: pl.DataFrame) -> pl.DataFrame:
    vocabulary = Vocabulary.read()
    drugs = vocabulary.resolve(rows["drug"]).join(vocabulary.ingredients(), on="ingredient")
    return rows.join(drugs.filter("is_her2"), on="drug")


def test_what_is_left_unrecognised(rows: pl.DataFrame) -> None:
    assert rows["drug"].n_unique() == 205
    unrecognised = Vocabulary.read().resolve(rows["drug"]).filter(via="unrecognised")["drug"]
    left = rows.filter(pl.col("drug").is_in(unrecognised.to_list()))["drug"].value_counts()
    assert dict(left.rows()) == LEFT


def test_every_anti_her2_row_is_found(rows: pl.DataFrame, her2: pl.DataFrame) -> None:
    assert set(her2["ingredient"]) == {"trastuzumab", "lapatinib"}
    assert (her2.height, her2["patient"].n_unique()) == (91, 75)


def test_the_87_rows_named_in_full_are_among_them(rows: pl.DataFrame, her2: pl.DataFrame) -> None:
    # The count by plain text search; it misses "Trustuzumab" (3 rows) and "TCH" (1 row, 1 patient).
    named = rows.filter(pl.col("drug").str.contains("(?i)trastuzumab|herceptin|lapatinib"))
    assert (named.height, named["patient"].n_unique()) == (87, 74)
    assert set(named["drug"]) <= set(her2["drug"])
    assert set(her2["drug"]) - set(named["drug"]) == {"Trustuzumab", "TCH"}
