"""A timeline holds every dated fact of the patients asked for, says what is vague, and draws."""

from datetime import date, timedelta
from xml.etree import ElementTree

import polars as pl
import pytest
import vl_convert
from extracts import write_extract

from audit.building import Stages
from audit.pipeline import judge_extract
from audit.settings import Settings
from audit.timeline import swimmer, timeline
from audit.warehouse import open_database

CUTOFF = date(2024, 12, 31)
FIRST = date(2020, 3, 2)


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    doses = [FIRST + timedelta(days=21 * k) for k in range(4)]
    again = doses[-1] + timedelta(days=120)
    rows = [("Herceptin", day.isoformat(), "") for day in [*doses, again]]
    rows += [
        ("docetaxel", "2020-03", ""),
        ("letrozole", "2020-09-01", "2021-08-27"),
        ("<i>wonder</i>", "2020-05-05", ""),
    ]
    tables = {
        "patients": [
            {"patient_id": "P", "last_contact_date": "2023-01-01"},
            {"patient_id": "Q", "death_date": "2022-02-02"},
        ],
        "tumours": [
            {"tumour_id": name, "patient_id": name, "site_id": "H", "diagnosis_date": "2020-02-01",
             "histology": "8500/3", "clinical_t": "T2", "clinical_n": "N1", "clinical_m": "M0"}
            for name in "PQ"
        ],
        "receptor_tests": [
            {"test_id": "R", "patient_id": "P", "tumour_id": "P", "specimen_date": "2020-02-01",
             "report_date": "2020-02-08", "her2_ihc": "3+"}
        ],
        "treatments": [
            {"treatment_id": str(n), "patient_id": "P", "tumour_id": "P", "drug": drug,
             "start_date": start, "end_date": end, "record_kind": "course" if end else ""}
            for n, (drug, start, end) in enumerate(rows)
        ] + [
            {"treatment_id": f"Q{n}", "patient_id": "Q", "tumour_id": "Q", "drug": drug,
             "start_date": start, "end_date": end, "record_kind": "course" if end else ""}
            for n, (drug, start, end) in enumerate([
                ("letrozole", "2021-03-01", "2021-09-01"),
                ("Goserelin", "2021-03-01", ""),
                ("Goserelin", "2021-04", ""),
            ])
        ],
        "events": [{"patient_id": "Q", "tumour_id": "Q", "event_date": "2021-02-01",
                    "event": "distant_metastasis"}],
        "surgeries": [
            {"surgery_id": "S", "patient_id": "P", "tumour_id": "P", "surgery_date": "2020-07",
             "procedure": "mastectomy", "yp_t": "ypT1a"}
        ],
        "imaging": [{"patient_id": "P", "imaging_date": day, "modality": "ct_chest"}
                    for day in ("2020-02-20", "2021-02-20")],
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("timeline")
    con = open_database(None, folder)
    extract = write_extract(folder / "extract", tables)
    judge_extract(con, Settings(extract=extract, cutoff=CUTOFF, rules=("R03",)), folder, Stages())
    yield con
    con.close()


def facts(con, lane):
    own = timeline(con, ["P"], CUTOFF).filter(pl.col("lane") == lane)
    columns = ("label", "start_date", "end_date", "earliest_date", "latest_date")
    return own.select(columns).rows()


def test_doses_are_one_course_until_a_long_gap(con):
    last, again = FIRST + timedelta(days=63), FIRST + timedelta(days=63 + 120)
    assert facts(con, "trastuzumab") == [
        ("4 days with a dose", FIRST, last, FIRST, last),
        ("1 day with a dose", again, again, again, again),
    ]
    courses = timeline(con, ["P"], CUTOFF).filter(pl.col("lane") == "trastuzumab")
    assert courses["dose_dates"].list.len().to_list() == [4, 1]


def test_an_imprecise_date_shows_the_days_it_can_stand_for(con):
    surgery = facts(con, "Surgery")
    assert surgery == [
        ("mastectomy, ypT1a", date(2020, 7, 16), date(2020, 7, 16),
         date(2020, 7, 1), date(2020, 7, 31))
    ]  # fmt: skip
    ((_, start, _, earliest, latest),) = facts(con, "docetaxel")
    assert (start, earliest, latest) == (date(2020, 3, 16), date(2020, 3, 1), date(2020, 3, 31))


def test_every_stream_is_there_and_other_patients_are_not(con):
    own = timeline(con, ["P"], CUTOFF)
    assert set(own["patient_id"]) == {"P"}
    assert set(own["lane"]) == {
        "Diagnosis", "Receptor test", "trastuzumab", "docetaxel", "letrozole", "unrecognised drug",
        "Surgery", "Imaging", "Follow-up",
    }  # fmt: skip
    assert facts(con, "Receptor test")[0][:3] == (
        "primary, IHC 3+", date(2020, 2, 1), date(2020, 2, 8)
    )  # fmt: skip
    assert own.filter(pl.col("lane") == "Imaging").height == 2
    assert facts(con, "letrozole")[0][1:3] == (date(2020, 9, 1), date(2021, 8, 27))


def test_several_patients_come_in_one_frame_and_the_unknown_give_no_row(con):
    both = timeline(con, ["Q", "P", "nobody"], CUTOFF)
    assert both.filter(pl.col("patient_id") == "P").equals(timeline(con, ["P"], CUTOFF))
    assert "death" in both.filter(pl.col("patient_id") == "Q")["kind"]
    assert set(both["patient_id"]) == {"P", "Q"}
    assert timeline(con, [], CUTOFF).is_empty()


def test_the_plot_is_plain_svg_and_the_same_each_time(con):
    own = timeline(con, ["P"], CUTOFF)
    svg, again = (vl_convert.vegalite_to_svg(swimmer(own).to_dict()) for _ in range(2))
    assert svg == again
    texts = "".join(ElementTree.fromstring(svg).itertext())
    assert "trastuzumab" in texts and "Surgery" in texts
    assert "<script" not in svg and "http" not in svg.replace("http://www.w3.org/", "")


def test_endocrine_drugs_of_metastatic_disease_and_ovarian_suppression_are_there(con):
    own = timeline(con, ["Q"], CUTOFF)
    given = own.filter(pl.col("lane").is_in(["letrozole", "goserelin"]))
    first = date(2021, 3, 1)
    assert sorted(given.select("lane", "start_date", "end_date").rows()) == [
        ("goserelin", first, date(2021, 4, 15)),
        ("letrozole", first, date(2021, 9, 1)),
    ]
