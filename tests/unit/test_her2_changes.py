"""HER2 of later samples is set beside the result before treatment, and never overwrites it."""

from datetime import date

import pytest
from extracts import write_extract

from audit.building import Stages
from audit.pipeline import judge_extract
from audit.settings import Settings
from audit.warehouse import open_database

METASTASIS = "HER2 of the newest metastasis against the result before treatment (tumours)"
LATER = (
    "HER2 of the newest breast or node sample after treatment began against the one before it"
    " (tumours)"
)
# Before treatment, and after it: site, day and IHC of each sample.
SAMPLES = {
    "lost": ["3+", ("metastasis", "2022-05-02", "0")],
    "gained": ["0", ("metastasis", "2022-05-02", "3+")],
    "kept": ["3+", ("metastasis", "2022-05-02", "3+")],
    "newest": ["3+", ("metastasis", "2022-05-02", "0"), ("metastasis", "2023-05-02", "3+")],
    "two at once": ["3+", ("primary", "2020-09-01", "0"), ("node", "2020-09-01", "3+")],
    "undecided": ["3+", ("metastasis", "2022-05-02", "2+")],
    "residual": ["3+", ("primary", "2020-09-01", "1+")],
    "still negative": ["1+", ("node", "2020-09-01", "0")],
    "before treatment": ["3+", ("primary", "2020-03-15", "0")],
    "never tested before": [None, ("metastasis", "2022-05-02", "3+")],
}


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    tests = [
        {"patient_id": name, "tumour_id": name, "specimen_site": site, "specimen_date": day,
         "her2_ihc": ihc, "test_id": f"{name} {number}", "invasive": "true"}
        for name, (before, *later) in SAMPLES.items()
        for number, (site, day, ihc) in enumerate([("primary", "2020-03-01", before), *later])
        if ihc
    ]  # fmt: skip
    tests.append(dict(tests[0], test_id="in situ", invasive="false", her2_ihc="1+"))
    tables = {
        "patients": [{"patient_id": name} for name in SAMPLES],
        "tumours": [
            {"tumour_id": name, "patient_id": name, "site_id": "H", "diagnosis_date": "2020-03-01",
             "histology": "8500/3", "clinical_t": "T2", "clinical_n": "N0", "clinical_m": "M0"}
            for name in SAMPLES
        ],
        "receptor_tests": tests,
        "treatments": [
            {"treatment_id": name, "patient_id": name, "tumour_id": name, "drug": "docetaxel",
             "start_date": "2020-04-01"}
            for name in SAMPLES
        ],
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("samples")
    con = open_database(None, folder)
    settings = Settings(
        extract=write_extract(folder / "extract", tables), cutoff=date(2024, 12, 31)
    )
    judge_extract(con, settings, folder, Stages())
    yield con
    con.close()


def test_later_samples_are_set_beside_the_result_before_treatment(audited):
    rows = audited.sql("select tumour_id, sample_kind, change from fct_her2_changes").fetchall()
    assert {(name, kind): change for name, kind, change in rows} == {
        ("lost", "metastasis"): "loss",
        ("gained", "metastasis"): "gain",
        ("kept", "metastasis"): "unchanged",
        ("newest", "metastasis"): "unchanged",
        ("two at once", "breast or nodes"): "unchanged",
        ("residual", "breast or nodes"): "loss",
        ("still negative", "breast or nodes"): "unchanged",
    }
    status = dict(audited.sql("select tumour_id, her2_status from fct_her2_status").fetchall())
    assert status["lost"] == status["residual"] == "positive"


def test_gain_and_loss_are_counted_for_the_page(audited):
    rows = audited.sql("select topic, label, n from registry_facts").fetchall()
    counts = {(topic, label): n for topic, label, n in rows}
    assert counts[METASTASIS, "sampled again"] == 4
    assert counts[METASTASIS, "loss: positive before, negative now"] == 1
    assert counts[METASTASIS, "gain: negative before, positive now"] == 1
    assert counts[METASTASIS, "still positive"] == 2
    assert counts[METASTASIS, "still negative"] == 0
    assert counts[LATER, "loss: positive before, negative now"] == 1
    assert counts[LATER, "still positive"] == counts[LATER, "still negative"] == 1


def test_every_assay_is_kept_in_situ_too(audited):
    query = "select invasive, ihc, definition, result from fct_her2_assays where tumour_id = 'lost'"
    assert sorted(audited.sql(query).fetchall(), key=str) == [
        (False, 1, "2018", None),
        (True, 0, "2018", "negative"),
        (True, 3, "2018", "positive"),
    ]
