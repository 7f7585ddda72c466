"""Laws that hold whatever the registry: what may and what may not move a verdict."""

import copy
import random
from collections import Counter
from datetime import date

import pytest
from patients import KEYS, Registry, generate
from run_pipeline import PATIENTS, pipeline_findings
from twin_record import DATES, after, between

SHARE = max(90, PATIENTS // 50)
JUDGED = ("verdict", "reason", "decision_date", "due_date", "margin_days")


@pytest.fixture(scope="module")
def registry():
    return generate(SHARE, seed=101)


@pytest.fixture(scope="module")
def findings(registry, tmp_path_factory):
    return pipeline_findings(registry, tmp_path_factory.mktemp("law") / "extract")


def judged(findings):
    """What was decided, without what only locates or shows it."""
    return {
        key: [finding[column] for column in JUDGED]
        for key, finding in findings.items()
        if finding["verdict"] != "not_applicable"
    }


def changed(registry, change):
    """A copy of the registry with every table put through `change(table, rows)`."""
    tables = copy.deepcopy(registry.tables)
    return Registry({name: change(name, rows) for name, rows in tables.items()}, registry.cutoff)


def test_row_order_changes_nothing(registry, findings, tmp_path):
    rng = random.Random(1)
    shuffled = changed(registry, lambda _, rows: rng.sample(rows, len(rows)))
    assert judged(pipeline_findings(shuffled, tmp_path / "extract")) == judged(findings)


def test_exact_duplicates_change_nothing(registry, findings, tmp_path):
    rng = random.Random(2)
    doubled = changed(registry, lambda _, rows: rows + [row for row in rows if rng.random() < 0.2])
    assert judged(pipeline_findings(doubled, tmp_path / "extract")) == judged(findings)


def test_relabelled_ids_change_nothing(registry, findings, tmp_path):
    ids = {"patient_id", "tumour_id", *KEYS.values()}

    def relabel(_, rows):  # a prefix keeps the order, which breaks ties between tumours
        return [{k: f"new-{v}" if k in ids and v else v for k, v in row.items()} for row in rows]

    relabelled = pipeline_findings(changed(registry, relabel), tmp_path / "extract")
    back = {(rule, subject.removeprefix("new-")): f for (rule, subject), f in relabelled.items()}
    assert judged(back) == judged(findings)


def test_shifted_dates_change_nothing(tmp_path):
    start, cutoff, shift = date(2020, 7, 1), date(2022, 3, 15), 45  # no edition begins in between
    registry = generate(SHARE, seed=102, cutoff=cutoff, start=start, imprecise=False)

    def move(table, rows):
        columns = set(DATES.get(table, ())) - {"birth_date"}
        return [
            {k: after(v, shift) if k in columns and v else v for k, v in row.items()}
            for row in rows
        ]

    early = {
        row["patient_id"]
        for table, rows in registry.tables.items()
        for row in rows
        for column in DATES.get(table, ())
        if column != "birth_date" and row.get(column) and row[column] < start
    }
    young = {
        row["patient_id"]
        for row in registry.tables["patients"]
        if row["birth_date"] and between(row["birth_date"], start) < 20 * 365
    }
    kept = changed(
        registry,
        lambda _, rows: [row for row in rows if row.get("patient_id") not in early | young],
    )
    moved = changed(kept, move)
    moved.cutoff = after(cutoff, shift)
    before = judged(pipeline_findings(kept, tmp_path / "before"))
    then = judged(pipeline_findings(moved, tmp_path / "after"))
    for decided in before.values():
        decided[2:4] = [day and after(day, shift) for day in decided[2:4]]
    assert before == then
    assert before


def test_an_excluded_patient_leaves_every_rate_alone(registry, findings, tmp_path):
    def add(table, rows):
        extra = {
            "patients": {"patient_id": "Z", "birth_date": date(1960, 1, 1)},
            "tumours": {
                "patient_id": "Z",
                "tumour_id": "Z-1",
                "diagnosis_date": date(2020, 1, 1),
                "histology": "8500/3",
                "clinical_t": "T2",
                "clinical_n": "N1",
                "clinical_m": "M0",
            },
            "receptor_tests": {
                "patient_id": "Z",
                "tumour_id": "Z-1",
                "test_id": "Z",
                "specimen_date": date(2020, 1, 1),
                "her2_ihc": "0",
            },
        }
        return rows + ([extra[table]] if table in extra else [])

    more = pipeline_findings(changed(registry, add), tmp_path / "extract")
    assert judged(more) == judged(findings)


# Facts a rule needs, each with what would stand in for it. Rows that excuse (exceptions, events,
# stop reasons, trials) are not facts a rule needs: without them an excuse is gone, not a fact.
DROPS = {
    "nodes": {"tumours": ["clinical_n", "pathological_n", "nodes_positive"]},
    "size": {
        "tumours": [
            *("clinical_t", "pathological_t", "inflammatory"),
            *("clinical_size_mm", "pathological_size_mm"),
        ]
    },
    "response": {"surgeries": ["yp_t", "yp_n", "rcb_class", "residual_invasive"]},
    "assays": {
        "receptor_tests": ["her2_ihc", "her2_ish", "her2_ratio", "her2_copies"],
        "tumours": ["her2_summary"],
    },
    "drug": {"treatments": ["drug"]},
    "doses": {"treatments": ["start_date"]},
}


@pytest.mark.parametrize("name", DROPS)
def test_a_missing_field_never_accuses(registry, findings, tmp_path, name):
    rng = random.Random(3)
    count = Counter(row["patient_id"] for row in registry.tables["tumours"])
    # with several tumours, a missing stage may make another one the tumour judged
    hit = {one for one, tumours in count.items() if tumours == 1 and rng.random() < 0.6}
    if name in (
        "drug",
        "doses",
    ):  # which of several HER2 results came before treatment hangs on its first day
        specimens = {
            (r["patient_id"], r["specimen_date"]) for r in registry.tables["receptor_tests"]
        }
        again = Counter(patient_id for patient_id, _ in specimens)
        hit -= {one for one, number in again.items() if number > 1}
        hit -= {row["patient_id"] for row in registry.tables["treatments"] if row.get("trial")}

    if name == "size":  # Tis says what the tumour is, not how large
        in_situ = [r for r in registry.tables["tumours"] if "Tis" in str(r["clinical_t"])]
        hit -= {row["patient_id"] for row in in_situ}

    def drop(table, rows):
        gone = DROPS[name].get(table, [])
        return [lacking(row, gone) if row.get("patient_id") in hit else row for row in rows]

    found = pipeline_findings(changed(registry, drop), tmp_path / "e")
    assert_no_new_accusation(without_excused(found, findings, name), findings)


def lacking(row, columns):
    """The row without the columns; but a trial excuses, and an imprecise date already protects."""
    kept = {name for name in columns if name.endswith("_date") and isinstance(row.get(name), str)}
    return row if row.get("trial") else row | dict.fromkeys(set(columns) - kept)


def without_excused(found, findings, name):
    """The findings without those that may fail because of what was dropped.

    One rule asks whether the response is recorded at all; and a pathologic stage that shows
    an operation whose date is missing excuses, as an event does.
    """
    return {
        key: finding
        for key, finding in found.items()
        if (name, key[0]) != ("response", "postneo-response-recorded")
        and findings.get(key, {"reason": None})["reason"] != "surgery-unclear"
    }


NEEDING_SURGERIES = {
    *("neoadj-dual-blockade", "postneo-residual-tdm1", "adj-dual-blockade"),
    *("postneo-tdm1-14-cycles", "postneo-pcr-dual-continued", "pmrt-delivered"),
    "her2-continued-during-radiation",
    *("mbc-any-her2-therapy", "mbc-early-relapse-second-line", "mbc-2l-tdxd"),
}


@pytest.mark.parametrize("stream", ["treatments", "surgeries", "receptor_tests", "radiotherapy"])
def test_a_missing_stream_never_accuses(registry, findings, tmp_path, stream):
    def drop(table, rows):  # the summary would stand in for the tests
        alone = table == "tumours" and stream == "receptor_tests"
        return [row | {"her2_summary": None} for row in rows] if alone else rows

    less = changed(registry, drop)
    del less.tables[stream]
    found = pipeline_findings(less, tmp_path / "extract")
    if stream == "surgeries":  # the others only take the stage from clinical fields instead
        found = {key: f for key, f in found.items() if key[0] in NEEDING_SURGERIES}
    assert_no_new_accusation(found, findings, stream)


def accused(findings):
    """Rule and patient of each accusation: less data may change a patient's index tumour."""
    return {
        (rule, subject.split("-")[0])
        for (rule, subject), finding in findings.items()
        if finding["verdict"] == "non_conformant"
    }


def assert_no_new_accusation(less, findings, gone=None):
    # What a hospital's gate held back is judged where its share, among fewer cases, opens it; and
    # what a row that names no tumour, or alone shows a recurrence, held back is judged where that
    # row is gone.
    held_back = {
        (rule, subject.split("-")[0])
        for (rule, subject), finding in findings.items()
        if finding["reason"] in ("stream-not-linked", "unlinked-row")
        or (
            finding["reason"] == "unrecorded-recurrence"
            and all(field.startswith(f"{gone}.") for field in finding["missing"])
        )
    }
    new = sorted(accused(less) - accused(findings) - held_back)
    assert not new, f"{len(new)} new, such as {new[:5]}"


def test_a_later_cutoff_only_settles_what_was_pending(registry, findings, tmp_path):
    later = changed(registry, lambda _, rows: rows)
    later.cutoff = after(registry.cutoff, 400)
    then = pipeline_findings(later, tmp_path / "extract")
    moved = [
        (key, finding["verdict"], then[key]["verdict"] if key in then else None)
        for key, finding in findings.items()
        if finding["verdict"] not in ("pending", "not_applicable")
        and finding["reason"] != "continuing-so-far"  # met as long as treatment runs
        and (key not in then or then[key]["verdict"] != finding["verdict"])
    ]
    assert not moved, f"{len(moved)} moved, such as {moved[:5]}"
