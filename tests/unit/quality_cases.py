"""A sound patient, and for each expectation a way to break one patient's records against it.

A change is a mapping of table to what the patient's first row there says instead (`None` empties a
cell); under `+table` stand further rows, each the first row with changes of its own.
"""

SOUND = {
    "patients": {
        "patient_id": "{p}",
        "birth_date": "1960-03-05",
        "sex": "female",
        "death_date": None,
        "last_contact_date": "2024-05-20",
        "transfer_in_date": None,
        "transfer_out_date": None,
    },
    "tumours": {
        "tumour_id": "{p}-T",
        "patient_id": "{p}",
        "site_id": "H1",
        "diagnosis_date": "2020-02-10",
        "laterality": "left",
        "histology": "8500/3",
        "clinical_t": "T2",
        "clinical_n": "N1",
        "clinical_m": "M0",
        "pathological_t": None,
        "pathological_n": None,
        "clinical_size_mm": "30",
        "pathological_size_mm": None,
        "nodes_positive": None,
        "er_status": "positive",
        "her2_summary": "positive",
        "inflammatory": "false",
    },
    "receptor_tests": {
        "test_id": "{p}-R",
        "patient_id": "{p}",
        "tumour_id": "{p}-T",
        "specimen_date": "2020-02-10",
        "report_date": "2020-02-14",
        "specimen_site": "primary",
        "invasive": "true",
        "her2_ihc": "3+",
        "her2_ish": "amplified",
        "her2_ratio": "4",
        "her2_copies": "8",
        "er_percent": "90",
        "pr_percent": "80",
    },
    "treatments": {
        "treatment_id": "{p}-A",
        "patient_id": "{p}",
        "tumour_id": "{p}-T",
        "start_date": "2020-03-03",
        "end_date": None,
        "record_kind": "administration",
        "drug": "trastuzumab",
        "dose": "8",
        "dose_unit": "mg/kg",
        "route": "iv",
        "infusion_minutes": "90",
        "intent": "neoadjuvant",
        "trial": "false",
        "stop_reason": None,
    },
    "surgeries": {
        "surgery_id": "{p}-S",
        "patient_id": "{p}",
        "tumour_id": "{p}-T",
        "surgery_date": "2020-07-15",
        "procedure": "mastectomy",
        "yp_t": "ypT1a",
        "yp_n": "ypN0",
        "rcb_class": "I",
        "residual_invasive": "true",
        "report_date": "2020-07-20",
    },
    "radiotherapy": {
        "patient_id": "{p}",
        "tumour_id": "{p}-T",
        "start_date": "2020-09-02",
        "end_date": "2020-10-05",
        "target": "chest_wall",
    },
    "cardiac_assessments": {
        "patient_id": "{p}",
        "assessment_date": "2020-02-20",
        "method": "echocardiogram",
        "lvef_percent": "62",
        "result": "normal",
    },
    "events": {
        "patient_id": "{p}",
        "tumour_id": "{p}-T",
        "event_date": "2023-01-10",
        "event": "local_recurrence",
        "grade": None,
        "site": "skin",
        "action": None,
    },
    "exceptions": {
        "patient_id": "{p}",
        "tumour_id": "{p}-T",
        "recorded_date": "2020-09-03",
        "topic": "endocrine",
        "reason": "patient-refusal",
        "note": "",
    },
    "observations": {
        "patient_id": "{p}",
        "observation_date": "2020-02-20",
        "weight_kg": "70",
        "height_cm": "165",
        "bsa_m2": "1.79",
        "ecog": "0",
    },
    "imaging": {"patient_id": "{p}", "imaging_date": "2020-02-20", "modality": "ct_chest"},
    "sites": {"site_id": "H1", "name": "Alder", "region": "North", "peer_group": "large"},
}

PREFIX = {"tests": "receptor_tests", "lvef": "cardiac_assessments"}
"""Checks whose ids do not begin with their table."""

# Every table has the same few ways to have rows set aside.
_KEYS = {"tumours": "tumour_id", "receptor_tests": "test_id", "treatments": "treatment_id"}
_KEYS |= {"surgeries": "surgery_id"}
_DATES = {
    "patients": "death_date",
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
_WRONG = {
    "patients": {"sex": "F?"},
    "tumours": {"laterality": "middle"},
    "receptor_tests": {"her2_ratio": "-1"},
    "treatments": {"dose": "much"},
    "surgeries": {"procedure": "lumpectomy?"},
    "radiotherapy": {"target": "somewhere"},
    "cardiac_assessments": {"lvef_percent": "450"},
    "events": {"event": "relapse"},
    "exceptions": {"reason": "none given"},
    "observations": {"weight_kg": "0"},
    "imaging": {"modality": "mri"},
}


def _set_aside():
    names = {table: prefix for prefix, table in PREFIX.items()}
    for table, day in _DATES.items():
        name = names.get(table, table)
        if table in _KEYS:
            yield f"{name}-keys", {table: {_KEYS[table]: None}}
        elif table != "patients":
            yield f"{name}-keys", {table: {"patient_id": None}}
        if table != "patients":
            yield f"{name}-links", {table: {"patient_id": "nobody"}}
        yield f"{name}-values", {table: _WRONG[table]}
        yield f"{name}-dates", {table: {day: "2030-01-02"}}


TWO_TUMOURS = {"+tumours": [{"tumour_id": "{p}-U", "laterality": "right", "her2_summary": None}]}
COURSE = {"record_kind": "course", "dose": None, "infusion_minutes": None}

BREAKS = dict(_set_aside()) | {
    "patients-keys": {"+patients": [{"sex": "male"}]},
    "patients-without-tumour": {"tumours": {"patient_id": "other"}},
    "patients-transfer-order": {
        "patients": {"transfer_in_date": "2022-02-03", "transfer_out_date": "2021-02-03"}
    },
    "tumours-diagnosis-date": {"tumours": {"diagnosis_date": None}},
    "tumours-site": {"tumours": {"site_id": None}},
    "tumours-bilateral": {"tumours": {"laterality": "bilateral"}},
    "tumours-twice": {"+tumours": [{"tumour_id": "{p}-U", "diagnosis_date": "2020-03-20"}]},
    "tumours-histology": {"tumours": {"histology": "ductal"}},
    "tumours-not-carcinoma": {"tumours": {"histology": "9680/3"}},
    "tumours-age": {"patients": {"birth_date": "2010-03-05"}},
    "tumours-clinical-tnm": {"tumours": {"clinical_n": "some"}},
    "tumours-pathological-tnm": {"tumours": {"pathological_t": "big"}},
    "tumours-pathology-as-clinical": {"tumours": {"clinical_t": "pT2"}},
    "tumours-pathology-after-treatment": {"tumours": {"pathological_t": "T1c"}},
    "tumours-size-against-t": {"tumours": {"clinical_size_mm": "80"}},
    "tumours-clinical-size": {"tumours": {"clinical_size_mm": "999", "clinical_t": "T3"}},
    "tumours-pathological-size": {"tumours": {"pathological_size_mm": "888"}},
    "tumours-nodes": {"tumours": {"nodes_positive": "98"}},
    "tumours-nodes-against-n": {"tumours": {"nodes_positive": "0", "pathological_n": "N1"}},
    "tumours-inflammatory-not-t4": {"tumours": {"inflammatory": "true"}},
    "tumours-her2-summary": {"tumours": {"her2_summary": "negative"}},
    "tumours-her2-unproven": {
        "receptor_tests": {
            "her2_ihc": None,
            "her2_ish": None,
            "her2_ratio": None,
            "her2_copies": None,
        },
    },
    "tumours-er-summary": {"tumours": {"er_status": "negative"}},
    "tumours-metastatic-at-once": {
        "events": {"event": "distant_metastasis", "event_date": "2020-03-20"}
    },
    "tumours-known-by-death": {
        "patients": {"death_date": "2020-02-10", "last_contact_date": "2020-02-10"},
    },
    "tests-undated": {"receptor_tests": {"specimen_date": None, "report_date": None}},
    "tests-without-tumour": {"receptor_tests": {"tumour_id": None}, **TWO_TUMOURS},
    "tests-empty": {
        "receptor_tests": {
            "her2_ihc": None,
            "her2_ish": None,
            "her2_ratio": None,
            "her2_copies": None,
            "er_percent": None,
            "pr_percent": None,
        },
    },
    "tests-long-before-diagnosis": {"receptor_tests": {"specimen_date": "2018-02-10"}},
    "tests-only-after-treatment": {
        "receptor_tests": {"specimen_date": "2020-04-10", "report_date": None}
    },
    "tests-late-report": {"receptor_tests": {"report_date": "2021-04-10"}},
    "tests-ish-against-numbers": {"receptor_tests": {"her2_ish": "not_amplified"}},
    "tests-ihc-against-ish": {"receptor_tests": {"her2_ihc": "0"}},
    "tests-differ-for-one-specimen": {"+receptor_tests": [{"test_id": "{p}-Q", "her2_ihc": "1+"}]},
    "tests-ratio": {"receptor_tests": {"her2_ratio": "60"}},
    "tests-copies": {"receptor_tests": {"her2_copies": "800"}},
    "tests-percent-as-fraction": {"receptor_tests": {"pr_percent": "0.8"}},
    "treatments-after-death": {
        "patients": {"death_date": "2024-05-20"},
        "treatments": {"start_date": "2024-06-03"},
    },
    "treatments-undated": {"treatments": {"start_date": None}},
    "treatments-drug": {"treatments": {"drug": None}},
    "treatments-drug-unrecognised": {"treatments": {"drug": "bag 3"}},
    "treatments-without-tumour": {"treatments": {"tumour_id": None}, **TWO_TUMOURS},
    "treatments-long-before-diagnosis": {"treatments": {"start_date": "2018-03-03"}},
    "treatments-after-last-contact": {"patients": {"last_contact_date": "2020-02-20"}},
    "treatments-conjugate-as-trastuzumab": {"treatments": {"dose": "3.6"}},
    "treatments-trastuzumab-as-conjugate": {"treatments": {"drug": "Kadcyla"}},
    "treatments-dose": {"treatments": {"dose": "560"}},
    "treatments-route": {"treatments": {"route": "oral"}},
    "treatments-dose-without-unit": {"treatments": {"dose_unit": None}},
    "treatments-infusion": {"treatments": {"infusion_minutes": "5400"}},
    "treatments-weekly-too-close": {
        "+treatments": [{"treatment_id": "{p}-B", "start_date": "2020-03-05"}]
    },
    "treatments-three-weekly-too-close": {
        "treatments": {"drug": "pertuzumab", "dose": "840", "dose_unit": "mg"},
        "+treatments": [{"treatment_id": "{p}-B", "start_date": "2020-03-10"}],
    },
    "treatments-twice-a-day": {"+treatments": [{"treatment_id": "{p}-B", "dose": "6"}]},
    "treatments-courses-overlap": {
        "treatments": {**COURSE, "end_date": "2020-06-02"},
        "+treatments": [{"treatment_id": "{p}-B", "start_date": "2020-05-05"}],
    },
    "treatments-courses-open": {"treatments": COURSE},
    "treatments-intent-against-surgery": {"treatments": {"intent": "adjuvant"}},
    "treatments-palliative-without-spread": {"treatments": {"intent": "palliative"}},
    "treatments-before-approval": {
        "treatments": {"drug": "tucatinib", "dose": None, "route": "oral"}
    },
    "surgeries-undated": {"surgeries": {"surgery_date": None}},
    "surgeries-procedure": {"surgeries": {"procedure": None}},
    "surgeries-without-tumour": {"surgeries": {"tumour_id": None}, **TWO_TUMOURS},
    "surgeries-before-diagnosis": {"surgeries": {"surgery_date": "2019-07-15"}},
    "surgeries-yp-unread": {"surgeries": {"yp_t": "small"}},
    "surgeries-yp-without-drug": {"treatments": {"start_date": "2020-08-15", "intent": None}},
    "surgeries-response-contradicts": {"surgeries": {"residual_invasive": "false"}},
    "surgeries-after-mastectomy": {
        "+surgeries": [{"surgery_id": "{p}-Z", "surgery_date": "2020-09-15", "report_date": None}]
    },
    "radiotherapy-undated": {"radiotherapy": {"start_date": None}},
    "radiotherapy-before-diagnosis": {
        "radiotherapy": {"start_date": "2019-09-02", "end_date": "2019-10-05"}
    },
    "radiotherapy-too-long": {"radiotherapy": {"end_date": "2021-10-05"}},
    "lvef-undated": {"cardiac_assessments": {"assessment_date": None}},
    "lvef-range": {"cardiac_assessments": {"lvef_percent": "0.6", "result": None}},
    "lvef-empty": {"cardiac_assessments": {"lvef_percent": None, "result": None}},
    "lvef-against-result": {"cardiac_assessments": {"lvef_percent": "30"}},
    "lvef-differs-on-a-day": {"+cardiac_assessments": [{"lvef_percent": "48"}]},
    "events-undated": {"events": {"event_date": None}},
    "events-kind": {"events": {"event": None}},
    "events-recurrence-before-diagnosis": {"events": {"event_date": "2019-01-10"}},
    "events-pregnant-man": {"patients": {"sex": "male"}, "events": {"event": "pregnancy"}},
    "events-metastasis-without-site": {"events": {"event": "distant_metastasis", "site": None}},
    "events-toxicity-without-grade": {"events": {"event": "ild"}},
    "events-second-primary-alone": {"events": {"event": "second_primary"}},
    "exceptions-reason": {"exceptions": {"reason": None}},
    "exceptions-topic": {"exceptions": {"topic": "see letter"}},
    "exceptions-before-diagnosis": {"exceptions": {"recorded_date": "2018-09-03"}},
    "exceptions-not-borne-out": {"exceptions": {"reason": "death-before-due"}},
    "observations-undated": {"observations": {"observation_date": None}},
    "observations-weight": {"observations": {"weight_kg": "700", "bsa_m2": None}},
    "observations-height": {"observations": {"height_cm": "1.65", "bsa_m2": None}},
    "observations-bsa": {"observations": {"bsa_m2": "17.9"}},
    "observations-bsa-against-size": {"observations": {"bsa_m2": "2.6"}},
    "observations-weight-jump": {
        "+observations": [{"observation_date": "2020-03-05", "weight_kg": "110", "bsa_m2": None}]
    },
    "imaging-undated": {"imaging": {"imaging_date": None}},
}

# A column emptied for everybody: what is expected of nearly every row.
SPARSE = {
    "patients-birth-date": ("patients", "birth_date"),
    "patients-sex": ("patients", "sex"),
    "patients-last-contact": ("patients", "last_contact_date"),
    "tumours-never-dated": ("tumours", "diagnosis_date"),
    "tumours-laterality": ("tumours", "laterality"),
    "radiotherapy-target": ("radiotherapy", "target"),
    "exceptions-undated": ("exceptions", "recorded_date"),
}

# A date filled in for everybody: the columns that gather on a 1 January.
PILED = {
    "patients-born-on-1-january": ("patients", "birth_date", "1960-01-01"),
    "tumours-on-first-of-month": ("tumours", "diagnosis_date", "2020-01-01"),
    "tumours-on-1-january": ("tumours", "diagnosis_date", "2020-01-01"),
    "treatments-on-first-of-month": ("treatments", "start_date", "2020-01-01"),
    "treatments-on-1-january": ("treatments", "start_date", "2020-01-01"),
    "surgeries-on-first-of-month": ("surgeries", "surgery_date", "2020-01-01"),
    "surgeries-on-1-january": ("surgeries", "surgery_date", "2020-01-01"),
}

# Nobody's records can be used.
UNUSABLE = ("patients-none", "tumours-none")

# Sites stand beside the patients.
SITES = {
    "sites-keys": {"site_id": None},
    "sites-name": {"site_id": "H2", "name": None},
    "sites-without-tumour": {"site_id": "H3"},
}


def rows(patient, change=()):
    """The patient's rows by table, with a change made to them."""
    change = dict(change)
    written = {}
    for table, sound in SOUND.items():
        first = sound | change.get(table, {})
        written[table] = [first, *(first | more for more in change.get(f"+{table}", []))]
    return {
        table: [
            {name: cell and cell.replace("{p}", patient) for name, cell in row.items()}
            for row in rows
        ]
        for table, rows in written.items()
        if table != "sites"
    }
