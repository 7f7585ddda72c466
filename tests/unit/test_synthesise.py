"""The synthetic registry by itself: the same from the same seed, whole, and within its own time."""

import hashlib
from pathlib import Path

import polars as pl
import pytest
import yaml

from audit import synthesise as package
from audit.errors import UsageError
from audit.resources import root
from audit.synthesise import synthesise
from audit.synthesise.planted import KINDS
from audit.synthesise.sites import draw_sites

PATIENTS, SEED = 2_000, 12
CUTOFF = "2025-12-31"
DATED = {
    "tumours": "diagnosis_date",
    "receptor_tests": "specimen_date",
    "treatments": "start_date",
    "surgeries": "surgery_date",
    "radiotherapy": "start_date",
    "cardiac_assessments": "assessment_date",
    "events": "event_date",
    "exceptions": "recorded_date",
    "observations": "observation_date",
    "imaging": "imaging_date",
}


def read(folder: Path, table: str) -> pl.DataFrame:
    """Read a table whatever its file, every value as text."""
    (path,) = folder.glob(f"{table}.*")
    if path.suffix == ".parquet":
        return pl.read_parquet(path).cast(pl.String)
    separator = "\t" if path.suffix == ".tsv" else ","
    return pl.read_csv(path, separator=separator, infer_schema=False)


def digest(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    out = tmp_path_factory.mktemp("synthetic") / "registry"
    synthesise(PATIENTS, SEED, out)
    return out


@pytest.fixture(scope="module")
def tables(extract):
    return {name: read(extract, name) for name in contract()}


def contract() -> dict:
    return yaml.safe_load((root("sql") / "schema" / "extract.yaml").read_text(encoding="utf-8"))


def test_every_table_and_column_of_the_contract_is_there(tables):
    assert {name: set(table.columns) for name, table in tables.items()} == {
        name: set(table["columns"]) for name, table in contract().items()
    }


def test_the_same_seed_gives_the_same_bytes(extract, tmp_path):
    synthesise(PATIENTS, SEED, tmp_path / "registry")
    synthesise(PATIENTS, SEED + 1, tmp_path / "other")
    again = digest(tmp_path / "registry")
    assert again == digest(extract)
    other = digest(tmp_path / "other")
    assert not set(again.values()) & set(other.values())
    truth, counts = "registry.truth.csv", "registry.counts.csv"
    for name in (truth, counts):
        assert (tmp_path / name).read_bytes() == (extract.parent / name).read_bytes()


def test_several_batches_make_one_file_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(package, "PATIENTS_A_BATCH", 150)
    for name in ("first", "second"):
        synthesise(400, SEED, tmp_path / name, layout="parquet")
    assert digest(tmp_path / "first") == digest(tmp_path / "second")
    assert len(list((tmp_path / "first").iterdir())) == len(contract())
    assert read(tmp_path / "first", "patients")["patient_id"].n_unique() == 400
    ids = read(tmp_path / "first", "treatments").unique()["treatment_id"]
    # Two different rows never share an id.
    assert ids.n_unique() == len(ids)


@pytest.mark.parametrize("patients", [1, 7])
def test_a_registry_can_be_tiny(patients, tmp_path):
    synthesise(patients, SEED, tmp_path / "tiny")
    assert read(tmp_path / "tiny", "patients").height == patients


def test_csv_all_through(tmp_path):
    synthesise(50, SEED, tmp_path / "texts", layout="csv")
    assert {path.suffix for path in (tmp_path / "texts").iterdir()} == {".csv"}


def test_a_folder_in_use_is_refused_and_kept(tmp_path):
    kept = tmp_path / "mine.txt"
    kept.write_text("keep")
    with pytest.raises(UsageError, match="not an empty folder"):
        synthesise(10, SEED, tmp_path)
    assert kept.read_text() == "keep"


@pytest.mark.parametrize(("patients", "seed"), [(0, 1), (10, -1)])
def test_numbers_out_of_range_are_refused(patients, seed, tmp_path):
    with pytest.raises(UsageError):
        synthesise(patients, seed, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_keys_are_unique_and_every_row_belongs_to_somebody(tables):
    known = {
        "patients": tables["patients"]["patient_id"],
        "tumours": tables["tumours"]["tumour_id"],
        "sites": tables["sites"]["site_id"],
    }
    strangers = 0
    for name, description in contract().items():
        rows = tables[name].unique()
        for column, meaning in description["columns"].items():
            if meaning.get("key"):
                assert rows[column].n_unique() == rows.height, name
            if "to" in meaning:
                given = rows[column].drop_nulls()
                strangers += (~given.is_in(known[meaning["to"]].implode())).sum()
    # The one kind planted: treatments of a tumour the registry does not hold.
    planted = tables["treatments"]["tumour_id"].drop_nulls().str.ends_with("-9").sum()
    assert strangers == planted


def test_nothing_happens_after_the_last_day_on_record(tables):
    ends = tables["patients"].select(
        "patient_id",
        end=pl.min_horizontal(
            pl.col("death_date", "last_contact_date", "transfer_out_date").str.to_date(),
            pl.lit(CUTOFF).str.to_date(),
        ),
    )
    for name, column in DATED.items():
        rows = tables[name].join(ends, on="patient_id")
        late = rows.filter(pl.col(column).str.slice(0, 10) > pl.col("end").cast(pl.String))
        if name == "treatments":
            assert late["treatment_id"].str.ends_with("Q").all()
        else:
            assert late.is_empty(), name


def test_ends_reports_and_transfers_are_on_record_too(tables):
    patients = tables["patients"]
    assert patients.filter(pl.col("last_contact_date") > pl.col("death_date")).is_empty()
    assert patients.filter(pl.col("last_contact_date") > CUTOFF).is_empty()
    for name, column in [
        ("receptor_tests", "report_date"),
        ("surgeries", "report_date"),
        ("radiotherapy", "end_date"),
        ("treatments", "end_date"),
    ]:
        assert tables[name].filter(pl.col(column) > CUTOFF).is_empty()
    ran = tables["treatments"].filter(pl.col("end_date") < pl.col("start_date"))
    assert ran.is_empty()


def test_the_registry_is_about_her2_positive_disease(tables):
    tumours = tables["tumours"].filter(pl.col("tumour_id").str.ends_with("-1"))
    assert 0.80 < (tumours["her2_summary"] == "positive").mean() < 0.92
    assert 0.04 < (tumours["clinical_m"] == "M1").mean() < 0.10
    before = tables["surgeries"].filter(
        pl.any_horizontal(pl.col("yp_t", "rcb_class", "residual_invasive").is_not_null())
    )
    assert 0.45 < before["patient_id"].n_unique() / PATIENTS < 0.60
    assert 28 < tables["treatments"].height / PATIENTS < 42
    years = tumours["diagnosis_date"].str.slice(0, 4)
    assert (years.min(), years.max()) == ("2012", "2025")


def test_drugs_come_only_in_their_time(tables):
    rows = tables["treatments"].filter(pl.col("start_date").str.len_chars() == 10)
    for word, since in {
        "pertuzumab|perjeta": "2012-06-08",
        "emtansine|kadcyla|t-?dm1": "2013-02-22",
        "deruxtecan|enhertu|t-dxd": "2022-05-04",
        "phesgo": "2020-06-29",
        "tucatinib|tukysa": "2020-04-17",
    }.items():
        given = rows.filter(pl.col("drug").str.to_lowercase().str.contains(word))
        assert given.height > 0
        assert given["start_date"].min() >= since, word


def test_trastuzumab_is_dosed_by_weight(tables):
    weights = (
        tables["observations"]
        .group_by("patient_id")
        .agg(pl.col("weight_kg").cast(pl.Float64).max())
    )
    rows = (
        tables["treatments"]
        .filter(pl.col("drug") == "Herceptin", pl.col("record_kind").fill_null("") != "course")
        .join(weights, on="patient_id")
        .with_columns(pl.col("dose").cast(pl.Float64))
    )
    per_kg = rows.select(
        pl.when(pl.col("dose_unit") == "mg/kg")
        .then(pl.col("dose"))
        .otherwise(pl.col("dose") / pl.col("weight_kg"))
    ).to_series()
    assert per_kg.drop_nulls().is_between(1.7, 8.9).mean() > 0.99


def test_hospitals_differ():
    sites = draw_sites(100_000, SEED)
    assert sites.count == 40
    assert draw_sites(100, SEED).count == 6
    for shares in sites.departs.values():
        assert shares.max() > 2 * shares.min()


def test_the_truth_names_the_planted_deviations(extract):
    truth = pl.read_csv(extract.parent / "registry.truth.csv")
    assert truth.columns == ["rule_id", "patient_id", "tumour_id", "deviation"]
    assert truth["rule_id"].n_unique() == len(KINDS)
    assert truth.select("rule_id", "tumour_id").is_unique().all()
    assert truth["deviation"].str.len_chars().min() > 0


def test_the_counts_of_duplicates_are_right(extract, tables):
    counts = pl.read_csv(extract.parent / "registry.counts.csv")
    planted = dict(counts.filter(measure="duplicates").select("name", "n").iter_rows())
    for name, table in tables.items():
        assert table.height - table.n_unique() == planted.get(name, 0), name
