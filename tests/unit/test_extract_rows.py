"""Which rows are loaded, collapsed or quarantined, and why.

Owns: rules.py, duplicates.py, load.py.
"""

import json
from datetime import date
from pathlib import Path

import polars as pl

from audit.extract import Extract, load_extract
from audit.extract.contract import tables

PATIENTS = "patient_id,birth_date,death_date,last_contact_date,transfer_out_date\n"
TUMOURS = "tumour_id,patient_id,site_id,diagnosis_date\n"
TREATMENTS = "treatment_id,patient_id,tumour_id,start_date,end_date,drug\n"


def load(tmp_path: Path, **texts: str) -> Extract:
    """An extract of CSV files; patients P1 and P2 with tumours T1 and T2 unless told otherwise."""
    folder = tmp_path / "extract"
    folder.mkdir()
    given = {
        "patients": PATIENTS + "P1,1960-05-01,2022-03-31,,\nP2,1970,,,\n",
        "tumours": TUMOURS + "T1,P1,S1,2020-01-01\nT2,P2,S1,2020-01-01\n",
        **texts,
    }
    for name, text in given.items():
        (folder / f"{name}.csv").write_text(text)
    return load_extract(
        folder,
        cutoff=date(2025, 6, 30),
        mapping=None,
        scratch=tmp_path / "scratch",
        log=lambda _: None,
    )


def faults(extract: Extract) -> list[tuple[object, ...]]:
    return extract.quarantine.select(
        "table_name", "row_number", "column_name", "value", "reason", "patient_id"
    ).rows()


def counts(extract: Extract, name: str) -> tuple[int, int, int, int]:
    table = extract.tables[name]
    return (
        table.rows_read,
        table.rows_loaded,
        table.duplicates_collapsed,
        table.rows_quarantined,
    )


def test_streams_that_are_absent_are_not_linked_and_empty(tmp_path: Path) -> None:
    extract = load(tmp_path, surgeries="surgery_id,patient_id,tumour_id,surgery_date,procedure\n")
    assert list(extract.tables) == list(tables())
    assert extract.tables["surgeries"].linked
    assert not extract.tables["treatments"].linked
    assert extract.tables["treatments"].file is None
    empty = pl.read_parquet(extract.tables["treatments"].path)
    assert empty.schema == tables()["treatments"].schema
    assert empty.is_empty()


def test_a_quarantined_row_is_kept_whole_and_named(tmp_path: Path) -> None:
    extract = load(
        tmp_path,
        treatments="Ward,Drug,start_date,patient_id,treatment_id,end_date\n"
        '"7, ""é""",x,2020-02-30,P1,A1,NA\n',
    )
    assert faults(extract) == [("treatments", 1, "start_date", "2020-02-30", "not-a-date", "P1")]
    assert json.loads(extract.quarantine["record"][0]) == {
        "Ward": '7, "é"',
        "Drug": "x",
        "start_date": "2020-02-30",
        "patient_id": "P1",
        "treatment_id": "A1",
        "end_date": "NA",
    }
    assert extract.quarantine["file"].to_list() == ["treatments.csv"]


def test_the_first_fault_in_column_order_is_named(tmp_path: Path) -> None:
    extract = load(
        tmp_path,
        receptor_tests="test_id,patient_id,tumour_id,specimen_date,her2_ihc,er_percent\n"
        "R1,P1,T1,2019-13-01,5+,101\nR2,P1,T1,2020-01-01,5+,101\n",
    )
    assert [fault[2:5] for fault in faults(extract)] == [
        ("specimen_date", "2019-13-01", "not-a-date"),
        ("her2_ihc", "5+", "not-in-list"),
    ]


def test_missing_keys(tmp_path: Path) -> None:
    extract = load(
        tmp_path,
        treatments=TREATMENTS + ",P1,T1,2020-02-01,,x\nA2,NA,T1,2020-02-01,,x\n",
        imaging="patient_id,imaging_date,modality\n,2020-02-01,other\n",
    )
    assert [(fault[0], fault[2], fault[4], fault[5]) for fault in faults(extract)] == [
        ("treatments", "treatment_id", "missing-key", "P1"),
        ("treatments", "patient_id", "missing-key", None),
        ("imaging", "patient_id", "missing-key", None),
    ]


def test_exact_duplicates_collapse_and_other_rows_of_one_key_are_all_quarantined(
    tmp_path: Path,
) -> None:
    extract = load(
        tmp_path,
        treatments=TREATMENTS.replace("drug", "drug,ward")
        + "A1,P1,T1,2020-02-01,,x,w\n"  # the same as row 2 once trimmed
        + " A1 ,P1,T1,2020-02-01,unknown,x,w\n"
        + "A2,P1,T1,2020-02-01,,x,w\n"  # the same as row 4 but for an extra column
        + "A2,P1,T1,2020-02-01,,x,v\n"
        + "A2,P1,T1,2020-02-01,,x,w\n"
        + "A3,P1,T1,2020-02-01,,x,w\n"  # shares its key with a row that can't be typed
        + "A3,P1,T1,2020-02-31,,x,w\n"
        + "A4,P1,T1,2020-02-01,,x,w\n",
    )
    assert counts(extract, "treatments") == (8, 2, 2, 4)
    assert [(row, reason) for _, row, _, _, reason, _ in faults(extract)] == [
        (3, "duplicate-key"),
        (4, "duplicate-key"),
        (6, "duplicate-key"),
        (7, "not-a-date"),
    ]
    loaded = pl.read_parquet(extract.tables["treatments"].path)
    assert loaded["row_number"].to_list() == [1, 8]


def test_an_imprecise_date_is_no_duplicate_of_its_middle_day(tmp_path: Path) -> None:
    extract = load(
        tmp_path,
        imaging="patient_id,imaging_date,modality\n"
        "P1,2020-02,ct_chest\nP1,2020-02-15,ct_chest\nP1,2020-02-15,ct_chest\n",
    )
    assert counts(extract, "imaging") == (3, 2, 1, 0)


def test_a_duplicate_of_a_row_that_contradicts_itself_is_collapsed_before_it_is_judged(
    tmp_path: Path,
) -> None:
    row = "A1,P1,T1,2022-04-01,,x\n"
    extract = load(tmp_path, treatments=TREATMENTS + row + row)
    assert counts(extract, "treatments") == (2, 0, 1, 1)
    assert [fault[4] for fault in faults(extract)] == ["after-death"]


def test_dates_of_a_patient_that_contradict_each_other(tmp_path: Path) -> None:
    extract = load(
        tmp_path,
        patients=PATIENTS
        + "P1,1960-05-02,1960-05-01,,\n"
        + "P2,2026-01-01,,,\n"
        + "P3,1960,1960-01-01,,\n"  # may have died on the day of birth
        + "P4,1960,,1959-12-31,\n"
        + "P5,1960,2025-07-01,,\n"
        + "P6,1960,,2026-01-01,2027-01-01\n"  # these two only bound what can be observed
        + "P7,1960,2020-01-01,,2020-01-02\n",
        tumours=TUMOURS,
    )
    assert [fault[1:5] for fault in faults(extract)] == [
        (1, "death_date", "1960-05-01", "before-birth"),
        (2, "birth_date", "2026-01-01", "after-cut-off"),
        (4, "last_contact_date", "1959-12-31", "before-birth"),
        (5, "death_date", "2025-07-01", "after-cut-off"),
        (7, "transfer_out_date", "2020-01-02", "after-death"),
    ]


def test_dates_of_a_stream_against_the_patients_life_and_the_cut_off(tmp_path: Path) -> None:
    days = {
        "1960-04-30": "before-birth",
        "1960-05": None,  # may be the day of birth or later
        "1960-04": "before-birth",
        "2022-03-31": None,  # the day of death itself
        "2022-04-01": "after-death",
        "2022-03": None,
        "2022": None,
        "2023": "after-death",
        "2025-07-01": "after-death",
    }
    others = {"1969-12-31": "before-birth", "1970-01-01": None, "2025": None, "2025-06-30": None}
    others |= {"2025-07-01": "after-cut-off", "2025-07": "after-cut-off", "2026": "after-cut-off"}
    rows = [f"A{at},P1,T1,{day},,x\n" for at, day in enumerate(days)]
    rows += [f"B{at},P2,T2,{day},,x\n" for at, day in enumerate(others)]
    extract = load(tmp_path, treatments=TREATMENTS + "".join(rows))
    expected = [*days.items(), *others.items()]
    assert [(value, reason) for _, _, _, value, reason, _ in faults(extract)] == [
        pair for pair in expected if pair[1]
    ]


def test_dates_of_one_row_that_contradict_each_other(tmp_path: Path) -> None:
    extract = load(
        tmp_path,
        treatments=TREATMENTS
        + "A1,P1,T1,2020-02-01,2020-01-31,x\n"
        + "A2,P1,T1,2020-02-01,2020-02,x\nA3,P1,T1,2020-03,2020-02,x\n"
        + "A4,P1,T1,,2020-02,x\n",
        receptor_tests="test_id,patient_id,tumour_id,specimen_date,report_date\n"
        "R1,P1,T1,2020-01-02,2020-01-01\n",
        surgeries="surgery_id,patient_id,tumour_id,surgery_date,procedure,report_date\n"
        "S1,P1,T1,2020-01-02,mastectomy,2020-01-01\n",
        radiotherapy="patient_id,tumour_id,start_date,end_date\nP1,T1,2020-01-02,2020-01-01\n",
    )
    assert [fault[:3] + fault[4:5] for fault in faults(extract)] == [
        ("receptor_tests", 1, "report_date", "report-before-specimen"),
        ("treatments", 1, "end_date", "ends-before-start"),
        ("treatments", 3, "end_date", "ends-before-start"),
        ("surgeries", 1, "report_date", "report-before-surgery"),
        ("radiotherapy", 1, "end_date", "ends-before-start"),
    ]


def test_rows_that_point_at_nothing_or_at_the_wrong_row(tmp_path: Path) -> None:
    extract = load(
        tmp_path,
        tumours=TUMOURS + "T1,P1,S1,2020-01-01\nT2,P2,S9,2020-01-01\nT3,P9,S1,2020-01-01\n",
        sites="site_id,name\nS1,One\nS2,Two\n",
        treatments=TREATMENTS
        + "A1,P1,T1,2020-02-01,,x\nA2,P1,,2020-02-01,,x\nA3,P9,,2020-02-01,,x\n"
        + "A4,P1,T9,2020-02-01,,x\nA5,P2,T1,2020-02-01,,x\nA6,P2,T2,2020-02-01,,x\n",
    )
    assert faults(extract) == [
        ("tumours", 2, "site_id", "S9", "unknown-site", "P2"),
        ("tumours", 3, "patient_id", "P9", "unknown-patient", "P9"),
        ("treatments", 3, "patient_id", "P9", "unknown-patient", "P9"),
        ("treatments", 4, "tumour_id", "T9", "unknown-tumour", "P1"),
        ("treatments", 5, "tumour_id", "T1", "tumour-of-another-patient", "P2"),
        ("treatments", 6, "tumour_id", "T2", "tumour-quarantined", "P2"),
    ]


def test_sites_count_only_where_they_are_linked_and_a_quarantined_site_is_still_known(
    tmp_path: Path,
) -> None:
    extract = load(tmp_path, sites="site_id,name\nS1,One\nS1,Uno\n")
    assert counts(extract, "sites") == (2, 0, 0, 2)
    assert counts(extract, "tumours") == (2, 2, 0, 0)
    assert [fault[5] for fault in faults(extract)] == [None, None]


def test_an_empty_list_of_hospitals_rules_no_hospital_out(tmp_path: Path) -> None:
    extract = load(tmp_path, sites="site_id,name\n")
    assert counts(extract, "sites") == (0, 0, 0, 0)
    assert counts(extract, "tumours") == (2, 2, 0, 0)


def test_everything_of_a_quarantined_patient_is_quarantined(tmp_path: Path) -> None:
    extract = load(
        tmp_path,
        patients="patient_id,sex\nP1,x\nP2,female\n",
        events="patient_id,event_date,event\nP1,2020-01-01,ild\nP2,2020-01-01,ild\n",
    )
    assert faults(extract) == [
        ("patients", 1, "sex", "x", "not-in-list", "P1"),
        ("tumours", 1, "patient_id", "P1", "patient-quarantined", "P1"),
        ("events", 1, "patient_id", "P1", "patient-quarantined", "P1"),
    ]


def test_quotes_line_breaks_and_extra_columns_load_right(tmp_path: Path) -> None:
    extract = load(
        tmp_path,
        exceptions="patient_id,Topic,reason,note,\n"
        'P1,pertuzumab,toxicity,"two\nlines, and ""quotes""",more\n'
        "\n"
        'P2,her2,trial,"",""\n',
    )
    loaded = pl.read_parquet(extract.tables["exceptions"].path)
    assert loaded["note"].to_list() == ['two\nlines, and "quotes"', None]
    assert loaded["column_5"].to_list() == ["more", ""]
    assert loaded["row_number"].to_list() == [1, 2]
    assert loaded["tumour_id"].to_list() == [None, None]
