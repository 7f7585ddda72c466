"""A registry of two patients, small enough to break on purpose."""

import csv
from pathlib import Path

PATIENTS = [
    {
        "patient_id": "P1",
        "birth_date": "1960-01-05",
        "sex": "female",
        "last_contact_date": "2024-01-01",
    },
    {
        "patient_id": "P2",
        "birth_date": "1955-07-09",
        "sex": "female",
        "last_contact_date": "2024-01-01",
    },
]
TUMOURS = [
    {
        "tumour_id": f"T{n}",
        "patient_id": f"P{n}",
        "site_id": "H1",
        "diagnosis_date": "2020-01-01",
        "histology": "8500/3",
        "clinical_t": "T2",
        "clinical_n": "N1",
        "clinical_m": "M0",
    }
    for n in (1, 2)
]
TESTS = [
    {
        "test_id": f"R{n}",
        "patient_id": f"P{n}",
        "tumour_id": f"T{n}",
        "specimen_date": "2020-01-01",
        "her2_ihc": "3+",
    }
    for n in (1, 2)
]
TREATMENTS = [
    {
        "treatment_id": f"A{n}{k}",
        "patient_id": f"P{n}",
        "tumour_id": f"T{n}",
        "start_date": f"2020-0{2 + k}-03",
        "drug": drug,
    }
    for n, drug in ((1, "TCHP"), (2, "TCH"))
    for k in range(4)
]
TABLES = {
    "patients": PATIENTS,
    "tumours": TUMOURS,
    "receptor_tests": TESTS,
    "treatments": TREATMENTS,
    "surgeries": [
        {
            "surgery_id": f"S{n}",
            "patient_id": f"P{n}",
            "tumour_id": f"T{n}",
            "surgery_date": "2020-06-15",
            "procedure": "mastectomy",
            "yp_t": "ypT1a",
            "yp_n": "ypN0",
        }
        for n in (1, 2)
    ],
}


def write(folder: Path) -> Path:
    """Writes the tables as CSV files and gives the folder."""
    folder.mkdir(parents=True)
    for name, rows in TABLES.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return folder
