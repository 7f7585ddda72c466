"""What goes from audit to audit in a folder. Owns: migrations, and findings kept as changes."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from audit.errors import UsageError
from audit.history import begin_history, record_run, schema_of
from audit.settings import Settings

FIRST_RELEASE = Path(__file__).with_name("first_release.sql")
SETTINGS = Settings(extract=Path("extract"), cutoff=date(2024, 1, 1))
FINDINGS = (
    "create table findings (rule_id text, subject_id text, patient_id text, tumour_id text, "
    "site_id text, decision_date date, due_date date, verdict text, reason text, missing text[], "
    "margin_days integer, evidence text)"
)


def manifest(run_id: str, code: str = "c") -> dict[str, object]:
    decides = {"catalogue": {"hash": "h"}, "jurisdiction": "US", "variants": {}, "inputs": []}
    when = {"created_at": "2025-01-01T00:00:00+00:00", "cutoff": "2024-01-01"}
    return {"run_id": run_id, "product": {"code": code}} | when | decides


def audit(out: Path, verdicts: dict[str, str], code: str = "c") -> dict[str, object]:
    """An audit that finds these verdicts, by tumour, in the place of the one in the folder."""
    out.mkdir(exist_ok=True)
    new = out / "new.duckdb"
    with duckdb.connect(str(new)) as con:
        begin_history(con, out)
        con.execute(FINDINGS)
        con.execute("create table rates as select * exclude (run_number) from run_rates limit 0")
        for tumour, verdict in verdicts.items():
            con.execute(
                "insert into findings values "
                "('R', $t, 'P', $t, 'S', null, null, $v, null, null, null, '{}')",
                {"t": tumour, "v": verdict},
            )
        runs = con.table("runs").pl().height
        told = record_run(
            con, SETTINGS, manifest(f"run-{runs + 1}", code), own={}, conjugates_told_apart=True
        )
    new.replace(out / "audit.duckdb")
    return told


def test_a_database_of_the_first_release_is_carried_forward_and_left_as_it_was(
    tmp_path: Path,
) -> None:
    with duckdb.connect(str(tmp_path / "audit.duckdb")) as con:
        con.execute(FIRST_RELEASE.read_text())
        con.execute("insert into quality_history values ('r1', '2025-01-01', 'check', 3, 100)")
    before = (tmp_path / "audit.duckdb").read_bytes()
    with duckdb.connect() as con:
        begin_history(con, tmp_path)
        assert con.table("quality_history").fetchall() == [("r1", "2025-01-01", "check", 3, 100)]
        assert con.table("runs").fetchall() == []
        assert schema_of(con) > 1
    assert (tmp_path / "audit.duckdb").read_bytes() == before
    told = audit(tmp_path, {"T1": "conformant"})
    assert told["number"] == 1
    assert audit(tmp_path, {"T1": "conformant"})["number"] == 2


def test_a_database_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "audit.duckdb")) as con:
        con.execute(FINDINGS)
        con.execute("create table schema_version as select 1000 as version")
    with duckdb.connect() as con, pytest.raises(UsageError, match="newer release"):
        begin_history(con, tmp_path)


def test_findings_are_kept_as_changes(tmp_path: Path) -> None:
    first = {"T1": "non_conformant", "T2": "conformant", "T3": "pending", "T4": "conformant"}
    second = {"T1": "excepted", "T2": "conformant", "T3": "conformant", "T5": "conformant"}
    assert audit(tmp_path, first)["changes"] == {}
    told = audit(tmp_path, second)
    assert told["changes"] == {"changed": 1, "gone": 1, "new": 1, "resolved": 1}
    assert told["before"] == "run-1"
    audit(tmp_path, second | {"T1": "non_conformant", "T4": "conformant"})
    with duckdb.connect(str(tmp_path / "audit.duckdb"), read_only=True) as con:
        kept = con.sql(
            "select subject_id, verdict, from_run, until_run from finding_history "
            "order by subject_id, from_run"
        ).fetchall()
    assert kept == [
        ("T1", "non_conformant", 1, 1),
        ("T1", "excepted", 2, 2),
        ("T1", "non_conformant", 3, None),
        ("T2", "conformant", 1, None),
        ("T3", "pending", 1, 1),
        ("T3", "conformant", 2, None),
        ("T4", "conformant", 1, 1),
        ("T4", "conformant", 3, None),
        ("T5", "conformant", 2, None),
    ]


def test_the_same_inputs_rules_and_code_are_recognised(tmp_path: Path) -> None:
    found = {"T1": "conformant"}
    assert audit(tmp_path, found)["same_as"] is None
    assert audit(tmp_path, found)["same_as"] == "run-1"
    assert audit(tmp_path, found, code="other")["same_as"] is None


def test_the_rules_are_kept_as_text_once_a_wording(tmp_path: Path) -> None:
    for _ in range(2):
        audit(tmp_path, {})
    with duckdb.connect(str(tmp_path / "audit.duckdb"), read_only=True) as con:
        sources, texts = con.table("run_sources").pl(), con.table("source_texts").pl()
    assert sources.filter(run_number=1).height == sources.filter(run_number=2).height > 0
    assert not texts["sha256"].is_duplicated().any()
    assert set(sources["sha256"]) == set(texts["sha256"])
    assert "checks/editions.yaml" in sources["path"]
