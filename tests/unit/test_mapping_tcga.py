"""The TCGA-BRCA mapping against the real files, where they stand beside the project."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from audit.extract import Extract, SourceMapping, load_extract

REAL = Path(__file__).resolve().parents[3] / "shared" / "real" / "tcga-brca"
pytestmark = pytest.mark.skipif(
    not REAL.is_dir(), reason="the TCGA-BRCA files do not stand beside the project"
)


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Extract:
    return load_extract(
        REAL,
        cutoff=date(2016, 12, 31),
        mapping=SourceMapping.read("tcga-brca"),
        scratch=tmp_path_factory.mktemp("scratch"),
        log=lambda _: None,
    )


def table(extract: Extract, name: str) -> pl.DataFrame:
    return pl.read_parquet(extract.tables[name].path)


def test_every_row_is_accounted_for(extract: Extract) -> None:
    read = {name: loaded.rows_read for name, loaded in extract.tables.items() if loaded.linked}
    assert read == {
        "patients": 1097,
        "tumours": 1097,
        "receptor_tests": 1097,
        "treatments": 2406,
        "radiotherapy": 618,
        "events": 145 + 13 + 2 + 11,
    }


def test_only_events_of_no_recorded_kind_are_quarantined(extract: Extract) -> None:
    """No start after its end, nothing after death: counted from the files by other means."""
    quarantine = extract.quarantine
    assert quarantine["reason"].unique().to_list() == ["not-in-mapping"]
    assert dict(quarantine.group_by("file").len().rows()) == {
        "nationwidechildrens.org_clinical_follow_up_v4.0_nte_brca.txt": 13,
        "nationwidechildrens.org_clinical_follow_up_v2.1_brca.txt": 2,
        "nationwidechildrens.org_clinical_follow_up_v1.5_brca.txt": 11,
    }


def test_her2_positive_by_ihc_or_fish(extract: Extract) -> None:
    tests = table(extract, "receptor_tests")
    positive, amplified = pl.col("her2_ihc") == "3+", pl.col("her2_ish") == "amplified"
    assert tests.filter(positive | amplified)["patient_id"].n_unique() == 197
    assert tests.filter(positive, pl.col("her2_ish") == "not_amplified").height == 12
    assert tests.filter(pl.col("her2_ihc") == "1+", amplified).height == 3
    assert tests.filter(pl.col("her2_ihc") == "2+", amplified).height == 19


def test_drugs(extract: Extract) -> None:
    drugs = table(extract, "treatments")
    assert drugs["patient_id"].n_unique() == 780
    # 205 strings in the file, two of them sentinels.
    assert drugs["drug"].drop_nulls().n_unique() == 203
    assert drugs["trial"].value_counts().sort("trial").rows() == [
        (None, 1321),
        (False, 992),
        (True, 93),
    ]
    assert dict(drugs["intent"].value_counts().rows()) == {
        None: 2406 - 1257 - 46,
        "adjuvant": 1257,
        "palliative": 46,
    }


def test_dates_are_offsets_from_a_year_that_two_patients_lack(extract: Extract) -> None:
    diagnosed = table(extract, "tumours")["diagnosis_date"]
    assert diagnosed.null_count() == 2
    assert extract.imprecise_dates["unit"].unique().to_list() == ["index"]
    span = pl.col("last_day") - pl.col("first_day")
    assert set(extract.imprecise_dates.select(span.dt.total_days()).to_series()) == {364, 365}


def test_laterality_and_m(extract: Extract) -> None:
    tumours = table(extract, "tumours")
    assert tumours["laterality"].null_count() == 0
    assert dict(tumours["clinical_m"].value_counts().rows()) == {"M0": 912, "M1": 22, None: 163}
