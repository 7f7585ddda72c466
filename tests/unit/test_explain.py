"""An explanation shows the verdict that the audit published, and where it came from."""

import json
import shutil
from datetime import date, timedelta
from html import escape

import duckdb
import pytest
from extracts import write_extract
from finished_audit import write_audit

import audit
from audit.errors import UsageError
from audit.explain import FALSE, NOT_REACHED, TRUE, explain, explain_concerned
from audit.explain_text import as_html
from audit.finished import Finished
from audit.patient import PatientFacts, patient_timeline
from audit.resources import root
from audit.settings import Settings
from audit.synthesise import synthesise

CUTOFF = date(2025, 12, 31)
SURGERY = date(2021, 6, 14)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    synthesise(45, 4, folder / "extract")
    settings = Settings(extract=folder / "extract", cutoff=CUTOFF)
    return Finished.read(write_audit(settings, folder / "audit"))


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    """Residual disease, and T-DM1 on some day after surgery, by the name of the tumour."""
    folder = tmp_path_factory.mktemp("late")
    days = {"timely": 30, "late": 193, "never": None, "<b>odd</b>": 193}
    doses = [
        (name, drug, date(2021, 1, 4) + timedelta(days=21 * k))
        for name in days
        for drug in ("trastuzumab", "pertuzumab", "docetaxel")
        for k in range(6)
    ]
    doses += [
        (name, "trastuzumab emtansine", SURGERY + timedelta(days=after))
        for name, after in days.items()
        if after is not None
    ]
    tables = {
        "patients": [{"patient_id": n, "last_contact_date": "2025-12-01"} for n in days],
        "tumours": [
            {"tumour_id": n, "patient_id": n, "site_id": "H", "diagnosis_date": "2020-12-14",
             "histology": "8500/3", "clinical_t": "T2", "clinical_n": "N1", "clinical_m": "M0"}
            for n in days
        ],
        "receptor_tests": [
            {"test_id": n, "patient_id": n, "tumour_id": n, "specimen_date": "2020-12-14",
             "her2_ihc": "3+"} for n in days
        ],
        "treatments": [
            {"treatment_id": str(k), "patient_id": n, "tumour_id": n, "drug": drug,
             "start_date": day.isoformat()} for k, (n, drug, day) in enumerate(doses)
        ],
        "surgeries": [
            {"surgery_id": n, "patient_id": n, "tumour_id": n, "surgery_date": SURGERY.isoformat(),
             "procedure": "mastectomy", "yp_t": "ypT1c", "yp_n": "ypN0"} for n in days
        ],
    }  # fmt: skip
    settings = Settings(
        extract=write_extract(folder / "extract", tables), cutoff=CUTOFF, rules=("R10", "R14")
    )
    return Finished.read(write_audit(settings, folder / "audit"))


def explained(finished, tumour, rule="R10"):
    with PatientFacts(finished, tumour) as facts:
        return explain(finished, facts, finished.rule(rule))


def cases(finished):
    """For every rule, verdict and reason of the audit one tumour with it."""
    con = duckdb.connect(str(finished.folder / "audit.duckdb"), read_only=True)
    with con:
        return con.sql(
            "select rule_id, min(tumour_id) as tumour_id from judgements"
            " where verdict <> 'not_applicable' group by rule_id, verdict, reason"
            " union all select rule_id, min(tumour_id) from judgements"
            " where verdict = 'not_applicable' group by rule_id order by all"
        ).fetchall()


def test_every_kind_of_finding_is_explained_with_its_own_verdict(registry):
    con = duckdb.connect(str(registry.folder / "audit.duckdb"), read_only=True)
    found = {
        (rule, subject): (verdict, reason, margin)
        for rule, subject, verdict, reason, margin in con.sql(
            "select rule_id, subject_id, verdict, reason, margin_days from judgements"
        ).fetchall()
    }
    con.close()
    asked = cases(registry)
    assert len(asked) > 70
    by_tumour = {}
    for rule, tumour in asked:
        by_tumour.setdefault(tumour, set()).add(rule)
    for tumour, rules in by_tumour.items():
        with PatientFacts(registry, tumour) as facts:
            for rule in rules:
                explanations = explain(registry, facts, registry.rule(rule))
                assert explanations
                for one in explanations:
                    told = (one.verdict, one.reason, one.margin_days)
                    assert told == found[(rule, one.subject_id)]
                    deciding = [clause.says for clause in one.clauses if clause.decides]
                    if one.reason != "imprecise-date":
                        assert len(deciding) == (one.verdict != "non_conformant"), one.subject_id


def test_clauses_after_the_deciding_one_are_not_reached(late):
    (one,) = explained(late, "timely")
    states = [(clause.state, clause.decides) for clause in one.clauses]
    decided = next(n for n, (_, decides) in enumerate(states) if decides)
    assert states[decided] == (TRUE, True)
    assert {state for state, _ in states[decided + 1 :]} == {NOT_REACHED}
    assert {state for state, _ in states[:decided]} == {FALSE}


def test_an_explanation_is_short_on_a_line_and_whole_as_html(late):
    (timely,), (one,) = explained(late, "timely"), explained(late, "late")
    (decided,) = (clause.says for clause in timely.clauses if clause.decides)
    assert repr(timely) == f"<R10 timely: conformant, as: {decided}>"
    assert repr(one) == f"<R10 late: non_conformant, as: {one.because}>"
    html = one._repr_html_()
    assert all(escape(clause.says) in html for clause in one.clauses)


def test_what_would_have_changed_a_late_start(late):
    (one,) = explained(late, "late")
    assert (one.verdict, one.margin_days) == ("non_conformant", -13)
    assert any(
        text == "conformant had conjugate been by 11 December 2021; it was 13 days later, on "
        "24 December 2021"
        for text in one.changes
    )
    assert any(text.startswith("excepted had a reason been documented") for text in one.changes)


def test_what_is_not_recorded_and_what_keeps_a_verdict(late):
    (never,) = explained(late, "never")
    assert "conformant had conjugate been by 11 December 2021; none is recorded" in never.changes
    (timely,) = explained(late, "timely")
    assert timely.changes == ()


def test_the_facts_and_the_numbers_of_the_card_stand_in_the_clauses(late):
    (one,) = explained(late, "late")
    clause = next(c for c in one.clauses if c.says.startswith("T-DM1") and "180" in c.condition)
    assert clause.state == FALSE
    assert clause.facts["last_surgery_date"] == SURGERY
    assert clause.facts["conjugate_date"] == SURGERY + timedelta(days=193)


def test_the_rules_that_leave_a_tumour_out_say_why(late):
    with PatientFacts(late, "late") as facts:
        concerned, left_out = explain_concerned(late, facts)
        assert [one.rule.card.number for one in concerned] == ["R10"]
        assert left_out == {"adj-dual-blockade": "Not operated on first"}
        assert set(patient_timeline(late, facts)["patient_id"]) == {"late"}


@pytest.fixture(scope="module")
def answered(late, tmp_path_factory):
    """The same audit after a reviewer has accepted one of its cases, and left the other open."""
    folder = tmp_path_factory.mktemp("answered") / "audit"
    shutil.copytree(late.folder, folder)
    with duckdb.connect(str(folder / "audit.duckdb")) as con:
        con.execute(
            "insert into adjudications select row_number() over (order by subject_id), 1, rule_id,"
            " subject_id, evidence_hash, if(subject_id = 'late', 'accepted-reason', 'unclear'),"
            " 'on holiday', 'Dr <i>B</i>', date '2026-01-07', 'letter'"
            " from case_hashes where subject_id in ('late', 'never')"
        )
        con.execute((root("sql") / "results/findings/02_findings.sql").read_text("utf-8"))
        assert con.sql("select subject_id from applied_answers").fetchall() == [("late",)]
    return Finished.read(folder)


def test_an_answer_that_a_reviewer_gave_stands_above_the_verdict(late, answered):
    (before,), (after,) = explained(late, "late"), explained(answered, "late")
    assert before.verdict == "non_conformant"
    assert (after.verdict, after.reason) == ("excepted", "adjudicated")
    assert after.clauses[:-1] == before.clauses
    review = after.clauses[-1]
    assert (review.part, review.state, review.decides) == ("review", TRUE, True)
    assert review.facts == {
        "answer": "accepted-reason",
        "reviewer": "Dr <i>B</i>",
        "reviewed_on": date(2026, 1, 7),
    }
    html = as_html(after)
    assert "accepted-reason" in html and "2026-01-07" in html
    assert "Dr &lt;i&gt;B" in html and "<i>B" not in html


def test_an_answer_that_accepts_nothing_leaves_the_verdict(late, answered):
    assert explained(answered, "never") == explained(late, "never")


def test_html_shows_the_records_text_as_text(late):
    (one,) = explained(late, "<b>odd</b>")
    assert "&lt;b&gt;odd" in as_html(one) and "<b>odd" not in as_html(one)


def test_an_audit_is_never_mixed_with_the_manifest_of_another_run(late, tmp_path):
    folder = shutil.copytree(late.folder, tmp_path / "audit")
    finished = Finished.read(folder)
    with duckdb.connect(str(folder / "audit.duckdb")) as con:
        con.execute("insert into runs values (1, 'other', '2026-01-01', '{}', true, '{}', null)")
    with pytest.raises(UsageError, match="replaced by a newer one"):
        finished.open()


def test_the_audit_is_left_as_it_was(late):
    database = late.folder / "audit.duckdb"
    before = database.read_bytes()
    explained(late, "late")
    assert database.read_bytes() == before
    with PatientFacts(late, "late") as facts, pytest.raises(duckdb.Error):
        facts.con.execute("delete from published.tumours")


def test_what_is_not_there_is_the_users_to_put_right(late, tmp_path):
    with pytest.raises(UsageError, match="knows no tumour"):
        PatientFacts(late, "nobody")
    with pytest.raises(UsageError, match="there is no audit"):
        Finished.read(tmp_path)
    with pytest.raises(UsageError, match="no rule"):
        late.rule("R99")
    with pytest.raises(UsageError, match="was not judged"):
        late.rule("R17")


def test_an_audit_whose_facts_do_not_fit_these_rules_says_so(late, tmp_path):
    folder = tmp_path / "audit"
    shutil.copytree(late.folder, folder)
    with duckdb.connect(str(folder / "audit.duckdb")) as con:
        con.execute("alter table fct_first_doses rename first_taxane_date to taxane_date")
    same = Finished.read(folder)
    with pytest.raises(duckdb.BinderException):
        explained(same, "late")
    said = json.loads((folder / "manifest.json").read_text())
    said["catalogue"]["hash"] = "of an earlier version"
    (folder / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(UsageError, match="judged by other rules than this version"):
        explained(Finished.read(folder), "late")
    with pytest.raises(UsageError, match="judged by other rules than this version"):
        audit.open(folder).sensitivity("R10", "due_days", [70])
