"""What a source mapping may say and what it does, on a made-up source.

Owns: audit/extract/mapping.
"""

import hashlib
import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from audit.errors import ExtractRefused, UsageError
from audit.extract import Extract, SourceMapping, load_extract

MAPPING = """\
says: a made-up registry
style: {separator: "|", encoding: latin-1, quoting: false, skip_after_header: 1}
sentinels: ["[Not Known]", "999"]
index: {file: people.txt, patient: Pat, year: Year}
not_linked: [receptor_tests, surgeries, radiotherapy, cardiac_assessments, events, exceptions,
  observations, imaging, sites]
tables:
  patients:
    - file: people.txt
      columns:
        patient_id: Pat
        birth_date: {column: birth_days, days_after: index}
        sex:
          column: gender
          values: {F: female, "*man*": other, X: ~}
          otherwise: quarantine
        death_date:
          days_after: index
          latest_of:
            - {file: people.txt, patient: Pat, column: dead}
            - {file: visits_*.txt, patient: who, column: dead}
  tumours:
    - file: people.txt
      columns:
        tumour_id: {template: "{Pat}/{side}"}
        patient_id: Pat
        site_id: {constant: S1}
        diagnosis_date: {column: zero, days_after: index}
        laterality: {column: side, values: {"L*": left}, otherwise: keep}
        histology: {column: side, values: {"L*": ~}, otherwise: missing}
  treatments:
    - file: drugs_*.txt
      where:
        - {column: kind, in: [drug, Drug]}
        - {column: state, not_in: ["[Not Known]"]}
      split: {column: drug, on: ["+", " and "]}
      columns:
        treatment_id: id
        patient_id: who
        start_date: day
        drug: name
"""
FILES = {
    "people.txt": "Pat|Year|gender|birth_days|dead|zero|side|sex\n---\n"
    "P1|2010|f|-18262|[not known]|0|Left|caf\xe9\n"
    'P2|[Not Known]|Woman|-100|5|0|right|"\n'
    "P3|2011|?|-100|999|0|left|\n"
    "P4|2011|x|-12.5||0||\n"
    "P5|20l1|F|-1000||0||\n"
    "P6|2012|F|-99999||0||\n",
    "visits_1.txt": "who|dead\n---\nP1|400\nP1|800\n",
    "visits_2.txt": "who|dead\n---\nP1|600\nP2|700\n",
    "drugs_a.txt": "id|who|day|name|kind|state|Ward\n---\n"
    "A1|P1|2011-01-01|AC + T and H|drug|given|1\n"
    "A2|P1|2011-02-30|one+two|drug|given|1\n"
    "A3|P1|2011-01-01|left out|other|given|1\n"
    "A4|P1|2011-01-01|left out|drug|[Not Known]|1\n",
    "drugs_b.txt": "id|who|day|name|kind|state|ward\n---\n"
    "B1|P2|2011-03|H|Drug|given|2\n"
    "B2|P2|2011-04-01||drug||2\n",
}


def written(tmp_path: Path, mapping: str = MAPPING) -> Path:
    path = tmp_path / "made-up.yaml"
    path.write_text(mapping)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="latin-1")
    return folder


def load(source: Path, mapping: Path, log: list[str] | None = None) -> Extract:
    return load_extract(
        source,
        cutoff=date(2025, 6, 30),
        mapping=SourceMapping.read(mapping),
        scratch=source.parent / "scratch",
        log=(log if log is not None else []).append,
    )


@pytest.fixture
def extract(source: Path, tmp_path: Path) -> Extract:
    return load(source, written(tmp_path))


def rows(extract: Extract, table: str, *columns: str) -> list[tuple[object, ...]]:
    return pl.read_parquet(extract.tables[table].path).select(columns).rows()


def test_offsets_from_a_year_move_together(extract: Extract) -> None:
    indexed = extract.imprecise_dates.filter(pl.col("patient_id") == "P1", table_name="patients")
    assert indexed.drop("table_name", "patient_id").rows() == [
        (1, "birth_date", date(1960, 1, 2), date(1960, 7, 2), date(1960, 12, 31), "index"),
        (1, "death_date", date(2012, 3, 11), date(2012, 9, 9), date(2013, 3, 10), "index"),
    ]
    assert rows(extract, "patients", "patient_id", "birth_date", "death_date", "sex") == [
        ("P1", date(1960, 7, 2), date(2012, 9, 9), "female"),
        ("P2", None, None, "other"),  # without a year there is no day
    ]


def test_what_cannot_be_translated_is_quarantined_as_the_source_has_it(extract: Extract) -> None:
    patients = extract.quarantine.filter(table_name="patients")
    assert patients.select("row_number", "column_name", "value", "reason").rows() == [
        (3, "sex", "?", "not-in-mapping"),
        (4, "birth_date", "-12.5", "not-a-date"),
        (5, "birth_date", "-1000 days after 20l1", "not-a-date"),
        (6, "birth_date", "-99999", "not-a-date"),
    ]
    assert json.loads(patients["record"][0])["gender"] == "?"


def test_templates_constants_and_translations(extract: Extract) -> None:
    columns = ("tumour_id", "site_id", "laterality", "histology")
    assert rows(extract, "tumours", *columns) == [
        ("P1/Left", "S1", "left", None),
        ("P2/right", "S1", "right", None),
    ]


def test_every_source_column_is_kept_and_a_name_of_the_contract_is_set_apart(
    extract: Extract,
) -> None:
    assert rows(extract, "patients", "source_sex", "gender") == [("caf\xe9", "f"), ('"', "Woman")]


def test_split_rows_keep_their_source_row_and_get_ids_of_their_own(extract: Extract) -> None:
    columns = ("row_number", "treatment_id", "drug", "start_date", "Ward")
    assert rows(extract, "treatments", *columns) == [
        (1, "A1-1", "AC", date(2011, 1, 1), "1"),
        (1, "A1-2", "T", date(2011, 1, 1), "1"),
        (1, "A1-3", "H", date(2011, 1, 1), "1"),
        (5, "B1", "H", date(2011, 3, 16), "2"),
        (6, "B2", None, date(2011, 4, 1), "2"),
    ]
    treatments = extract.tables["treatments"]
    assert (treatments.rows_read, treatments.rows_quarantined) == (7, 2)
    kept = extract.quarantine.filter(table_name="treatments").select("file", "row_number", "value")
    assert kept.rows() == [("drugs_a.txt", 2, "2011-02-30")] * 2
    imprecise = extract.imprecise_dates.filter(table_name="treatments")
    assert imprecise.select("row_number", "unit").rows() == [(5, None)]


def test_the_log_tells_rows_left_out_and_files_not_named(source: Path, tmp_path: Path) -> None:
    (source / "extra.txt").write_text("")
    log: list[str] = []
    load(source, written(tmp_path), log)
    assert "treatments: 4 source rows in drugs_a.txt give 5 rows" in log
    assert (
        "treatments: row numbers run on through its files: drugs_a.txt from 1, drugs_b.txt from 5"
        in log
    )
    assert "not named by the mapping, ignored: extra.txt" in log


def test_offsets_that_share_an_index_are_compared_exactly(source: Path, tmp_path: Path) -> None:
    people = FILES["people.txt"].replace("P1|2010|f|-18262|", "P1|2010|f|801|")
    (source / "people.txt").write_text(people, encoding="latin-1")
    extract = load(source, written(tmp_path))
    # Born a day after death: certain, although either may be any day of a year.
    first = extract.quarantine.row(0, named=True)
    assert (first["column_name"], first["reason"]) == ("death_date", "before-birth")


def test_conjugates_are_told_apart_unless_the_mapping_says_otherwise(tmp_path: Path) -> None:
    assert SourceMapping.read(written(tmp_path)).conjugates_told_apart
    told = SourceMapping.read(written(tmp_path, MAPPING + "conjugates_told_apart: false\n"))
    assert not told.conjugates_told_apart


@pytest.mark.parametrize(
    ("old", "new", "marked", "said"),
    [
        ("says: a made-up", "says: [a made-up", "", "not YAML"),
        ("sentinels:", "centinels:", "centinels", "Extra inputs are not permitted"),
        ("  tumours:", "  tumors:", "tumors:", "no table tumors in the contract"),
        (
            "        histology:",
            "        histologie:",
            "histologie:",
            "no column histologie in tumours",
        ),
        ("        sex:\n", "        sex:\n          colum: x\n", "colum:", "Extra inputs"),
        ("values: {F: female", "values: {F: woman", "sex:", "sex can't hold woman"),
        ("otherwise: keep", "otherwise: guess", "otherwise: guess", "'missing', 'keep'"),
        (", otherwise: keep", "", "laterality:", "values and otherwise"),
        ("{constant: S1}", "{constant: S1, column: Pat}", "site_id:", "exactly one of"),
        ("        site_id: {constant: S1}\n", "", "columns:", "tumours needs site_id"),
        (
            "days_after: index}\n        sex",
            "days_after: surgery}\n        sex",
            "birth_date",
            "'index'",
        ),
        ("index: {file", "style: {file", "style: {file", "style is said twice"),
        ("encoding: latin-1", "encoding: latin-99", "latin-99", "no such encoding: latin-99"),
        ("imaging, sites", "sites", "tables:", "nothing is said about imaging"),
        (
            "imaging, sites",
            "imaging, patients",
            "imaging, patients",
            "patients is no table of the contract, is",
        ),
        ("split: {column: drug", "split: {column: intent", "split:", "intent is not mapped here"),
        ("in: [drug, Drug]", "is: [drug]", "is: [drug]", "Extra inputs"),
        ("file: drugs_*.txt", "file: meds.txt", "meds.txt", "there is no file meds.txt"),
        (
            "treatment_id: id",
            "treatment_id: ident",
            "treatment_id",
            "drugs_a.txt has no column ident",
        ),
        ("column: kind", "column: type", "column: type", "drugs_a.txt has no column type"),
        ("{Pat}/{side}", "{Pat}/{lobe}", "lobe", "people.txt has no column lobe"),
        (
            "patient: who, column: dead",
            "patient: who, column: end",
            "column: end",
            "has no column end",
        ),
        ("{Pat}/{side}", "{Pat}/{side", "tumour_id:", "no template: "),
        ("file: drugs_*.txt", "file: /drugs.txt", "/drugs.txt", "there is no file /drugs.txt"),
        ("year: Year", "year: Yr", "year: Yr", "people.txt has no column Yr"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_line(
    source: Path, tmp_path: Path, old: str, new: str, marked: str, said: str
) -> None:
    assert old in MAPPING
    text = MAPPING.replace(old, new, 1)
    with pytest.raises(ExtractRefused) as caught:
        load(source, written(tmp_path, text))
    assert said in caught.value.found
    assert caught.value.todo
    if marked:
        lines = [at for at, line in enumerate(text.splitlines(), 1) if marked in line]
        assert any(f"mapping made-up.yaml, line {at}:" in caught.value.found for at in lines)
    assert "mapping made-up.yaml, line " in caught.value.found


def test_a_mapping_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="tcga-brca"):
        SourceMapping.read("no-such-mapping")
    with pytest.raises(UsageError):
        SourceMapping.read("folder/none.yaml")


def test_the_shipped_mappings_are_in_order() -> None:
    assert SourceMapping.read("tcga-brca").says.startswith("TCGA-BRCA")


def test_the_mapping_itself_is_among_the_inputs(source: Path, tmp_path: Path) -> None:
    mapping = written(tmp_path)
    name, digest, size = load(source, mapping).inputs.row(-1)
    content = mapping.read_bytes()
    assert (name, digest, size) == (mapping.name, hashlib.sha256(content).hexdigest(), len(content))
