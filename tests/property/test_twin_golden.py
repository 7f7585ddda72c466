"""The twin alone against the boundary cases of the specification (rules.md section 10)."""

from datetime import date, timedelta

import pytest
from patients_drugs import DRUGS
from twin import judge

D0 = date(2020, 3, 1)
CUTOFF = date(2025, 1, 1)


def day(number):
    return D0 + timedelta(days=number)


def patient(cutoff=CUTOFF, last_contact=CUTOFF, **columns):
    """A registry of one HER2-positive cT2 cN1 M0 patient; keywords give or change tables."""
    tumour = {
        "tumour_id": "t",
        "patient_id": "p",
        "site_id": "s",
        "diagnosis_date": D0,
        "histology": "8500/3",
        "clinical_t": "T2",
        "clinical_n": "N1",
        "clinical_m": "M0",
        **columns.pop("tumour", {}),
    }
    tables = {
        "patients": [{"patient_id": "p", "last_contact_date": last_contact}],
        "tumours": [tumour],
        "receptor_tests": [test(day(0), her2_ihc="3+")],
        "treatments": [],
        "surgeries": [],
        "events": [],
        "exceptions": [],
    }
    tables.update(columns)
    return tables


def test(specimen, tumour="t", **columns):
    return {"patient_id": "p", "tumour_id": tumour, "specimen_date": specimen, **columns}


test.__test__ = False


def drug(name, *days, **columns):
    return [
        {"patient_id": "p", "tumour_id": "t", "start_date": day(d), "drug": name, **columns}
        for d in days
    ]


def surgery(number, **columns):
    row = {"patient_id": "p", "tumour_id": "t", "surgery_date": day(number)}
    return [{**row, "procedure": "mastectomy", **columns}]


def event(number, kind):
    return [{"patient_id": "p", "event_date": day(number), "event": kind}]


def ask(rule, tables, cutoff=CUTOFF, **settings):
    found = judge(tables, cutoff=cutoff, drugs=DRUGS, **settings)
    found = [f for f in found if f["rule_id"] == rule]
    assert len(found) <= 1
    return (found[0]["verdict"], found[0]["reason"]) if found else ("not_applicable", None)


NEOADJUVANT = drug("docetaxel", 20, 41, 62) + drug("Phesgo", 20, 41, 62)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (84, ("conformant", "on-time")),
        (85, ("conformant", "late")),
        (180, ("conformant", "late")),
        (181, ("non_conformant", None)),
    ],
)
def test_tdm1_after_residual_disease(start, expected):
    tables = patient(
        treatments=NEOADJUVANT + drug("trastuzumab emtansine", 100 + start),
        surgeries=surgery(100, yp_t="ypT1a", yp_n="ypN0"),
    )
    assert ask("postneo-residual-tdm1", tables) == expected
    assert ask("early-her2-one-year", tables)[1] == "switched-to-conjugate"


@pytest.mark.parametrize(
    ("yp", "expected"),
    [
        (("ypTis", "ypN0"), ("not_applicable", "pcr")),
        (("ypT0", "ypN0(i+)"), ("non_conformant", None)),
        (("ypT0", None), ("not_evaluable", "response-unknown")),
        (("T0", "NX"), ("not_evaluable", "response-unknown")),
    ],
)
def test_response(yp, expected):
    tables = patient(treatments=NEOADJUVANT, surgeries=surgery(100, yp_t=yp[0], yp_n=yp[1]))
    assert ask("postneo-residual-tdm1", tables) == expected


def every(first, interval, count):
    return [first + interval * number for number in range(count)]


YEAR = "early-her2-one-year"


def test_seventeen_three_weekly_doses():
    tables = patient(treatments=drug("trastuzumab", *every(10, 21, 17)))
    assert ask(YEAR, tables)[0] == "conformant"
    strict = {YEAR: {"target": "18-cycles"}}
    assert ask(YEAR, tables, variants=strict)[0] == "non_conformant"


def test_twelve_weekly_then_thirteen_three_weekly():
    days = every(10, 7, 12) + every(10 + 84, 21, 13)
    found = [
        f
        for f in judge(patient(treatments=drug("trastuzumab", *days)), cutoff=CUTOFF, drugs=DRUGS)
        if f["rule_id"] == YEAR
    ]
    assert (found[0]["verdict"], found[0]["margin_days"]) == ("conformant", 7)


def test_nine_doses():
    doses = drug("trastuzumab", *every(10, 21, 9))
    relapsed = patient(treatments=doses, events=event(300, "distant_metastasis"))
    assert ask(YEAR, relapsed) == ("excepted", "recurrence-before-due")
    early = patient(treatments=doses, last_contact=day(200))
    assert ask(YEAR, early, cutoff=day(200)) == ("pending", "not-yet-due")
    assert ask(YEAR, early) == ("pending", "lost-to-follow-up")
    assert ask(YEAR, patient(treatments=doses))[0] == "non_conformant"


R01 = "her2-positive-before-her2-therapy"


def test_equivocal_is_no_failure():
    tables = patient(
        receptor_tests=[test(day(0), her2_ihc="2+")], treatments=drug("trastuzumab", 10)
    )
    assert ask(R01, tables) == ("not_evaluable", "her2-equivocal")


@pytest.mark.parametrize(("year", "expected"), [(2015, "conformant"), (2019, "non_conformant")])
def test_ratio_above_two_with_few_copies(year, expected):
    specimen = date(year, 1, 10)
    tables = patient(
        tumour={"diagnosis_date": specimen},
        receptor_tests=[test(specimen, her2_ihc="2+", her2_ratio=2.3, her2_copies=3.6)],
        treatments=drug("trastuzumab", *every((specimen - D0).days + 30, 21, 5)),
    )
    assert ask(R01, tables)[0] == expected


def test_left_positive_right_negative():
    tables = patient(
        receptor_tests=[test(day(0), her2_ihc="3+"), test(day(0), "t2", her2_ihc="0")],
        treatments=drug("trastuzumab", 10),
    )
    tables["tumours"].append(
        {**tables["tumours"][0], "tumour_id": "t2", "clinical_t": "T3", "diagnosis_date": day(5)}
    )
    assert ask(R01, tables) == ("conformant", "assay")
    found = judge(tables, cutoff=CUTOFF, drugs=DRUGS)
    started = [f for f in found if f["rule_id"] == "early-her2-therapy-initiated"]
    assert [f["tumour_id"] for f in started] == ["t"]


def test_upstaged_at_surgery_is_judged_after_surgery():
    tables = patient(
        tumour={"clinical_t": "T1c", "clinical_n": "N0", "pathological_n": "pN1"},
        surgeries=surgery(20),
        treatments=drug("paclitaxel", 40) + drug("trastuzumab", *every(40, 21, 17)),
    )
    assert ask("adj-dual-blockade", tables)[0] == "non_conformant"


def test_imprecise_date_never_accuses():
    doses = drug("Phesgo", 20, 41) + drug("Phesgo", 62)
    tables = patient(
        tumour={"diagnosis_date": date(2020, 3, 1)},
        treatments=doses + drug("docetaxel", 20),
        surgeries=[{**surgery(0)[0], "surgery_date": "2020-05"}],
    )
    assert ask("neoadj-dual-blockade", tables) == ("not_evaluable", "imprecise-date")
    for row in tables["treatments"]:
        row["drug"] = "trastuzumab" if row["drug"] == "Phesgo" else row["drug"]
    assert ask("neoadj-dual-blockade", tables)[0] == "non_conformant"


RADIATION, TOGETHER = "chemo-before-radiation", "endocrine-not-with-chemo"


def radiotherapy(number, target="breast"):
    row = {"patient_id": "p", "tumour_id": "t", "start_date": day(number), "target": target}
    return [{**row, "end_date": day(number + 21)}]


def test_letrozole_with_tdm1_and_radiotherapy():
    tables = patient(
        tumour={"er_status": "positive"},
        treatments=NEOADJUVANT
        + drug("trastuzumab emtansine", *every(140, 21, 14))
        + drug("letrozole", *every(140, 90, 20)),
        surgeries=surgery(100, yp_t="ypT1a", yp_n="ypN0", procedure="breast_conserving"),
        radiotherapy=radiotherapy(150),
    )
    assert ask(RADIATION, tables) == ("conformant", "chemotherapy-first")
    assert ask(TOGETHER, tables) == ("conformant", "apart")
    assert ask("her2-continued-during-radiation", tables) == ("conformant", "continued")
    assert ask("postneo-tdm1-14-cycles", tables) == ("conformant", "fourteen-cycles")


def test_ovarian_protection_is_no_endocrine_therapy():
    tables = patient(
        tumour={"er_status": "positive"},
        treatments=drug("AC", *every(20, 21, 4)) + drug("goserelin", *every(15, 28, 4)),
    )
    assert ask(TOGETHER, tables) == ("not_applicable", "no-endocrine")
    assert ask("endocrine-initiated", tables)[0] != "conformant"


@pytest.mark.parametrize(("start", "expected"), [(61, "non_conformant"), (62, "conformant")])
def test_the_last_day_of_chemotherapy_is_early_enough(start, expected):
    tables = patient(
        treatments=NEOADJUVANT,
        surgeries=surgery(5, procedure="breast_conserving"),
        radiotherapy=radiotherapy(start),
    )
    assert ask(RADIATION, tables)[0] == expected


def test_a_hospital_without_linked_radiotherapy_accuses_nobody():
    tables = patient(
        treatments=NEOADJUVANT,
        surgeries=surgery(5, procedure="breast_conserving"),
        radiotherapy=radiotherapy(30),
    )
    assert ask(RADIATION, tables)[0] == "non_conformant"
    for name, rows in list(tables.items()):  # a second patient of the hospital without a row
        again = [{**row, "patient_id": "q"} for row in rows if name != "radiotherapy"]
        again = [row | {"tumour_id": "u"} if "tumour_id" in row else row for row in again]
        tables[name] = rows + again
    found = judge(tables, cutoff=CUTOFF, drugs=DRUGS)
    found = [f for f in found if f["rule_id"] == RADIATION and f["tumour_id"] == "t"]
    assert (found[0]["verdict"], found[0]["reason"]) == ("not_evaluable", "stream-not-linked")


@pytest.mark.parametrize(
    ("nodes", "expected"), [("N1", "non_conformant"), ("N0", "not_applicable")]
)
def test_trastuzumab_alone_after_a_complete_response(nodes, expected):
    tables = patient(
        tumour={"clinical_n": nodes},
        treatments=NEOADJUVANT + drug("trastuzumab", *every(120, 21, 14)),
        surgeries=surgery(100, yp_t="ypTis", yp_n="ypN0"),
    )
    assert ask("postneo-pcr-dual-continued", tables)[0] == expected
    everyone = {"postneo-pcr-dual-continued": {"population": "all"}}
    found = ask("postneo-pcr-dual-continued", tables, variants=everyone)
    assert found[0] == "non_conformant"
