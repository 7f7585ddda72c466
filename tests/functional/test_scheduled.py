"""Audits that follow each other in one folder. Owns: what diff and adjudicate make of them."""

import csv
import ctypes
import json
import resource
import runpy
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
import pytest
import small_registry

from audit import pipeline
from audit.adjudicate import adjudicate
from audit.config import read_config
from audit.diff import Diff, as_json, as_text, compare, write_json, write_page
from audit.errors import UsageError

COMMAND = str(Path(sys.executable).parent / "guideline-audit")
EXAMPLES = Path(__file__).parents[2] / "examples" / "scheduled"
CONFIG = 'extract = "extract"\nout = "audit"\ncutoff = 2024-06-30\nrules = ["R05"]\n'


def change(extract: Path, table: str, **values: str) -> None:
    """Gives every row of P2 other values; a table without columns named loses P2's last row."""
    file = extract / f"{table}.csv"
    with file.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    own = [row for row in rows if row["patient_id"] == "P2"]
    for row in own:
        row.update(values)
    with file.open("w", newline="", encoding="utf-8") as text:
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(rows if values else [row for row in rows if row is not own[-1]])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    small_registry.write(folder / "extract")
    (folder / "audit.toml").write_text(CONFIG)
    audit(folder)
    return folder


@pytest.fixture
def place(published: Path, tmp_path: Path) -> Path:
    """An audit of two patients, with its extract and configuration, to go on from."""
    return shutil.copytree(published, tmp_path / "place")


def audit(place: Path, **given: object) -> dict[str, object]:
    return pipeline.run(*read_config(place / "audit.toml", given, {}))


def finding(place: Path, tumour: str) -> dict[str, object]:
    found = pl.read_parquet(place / "audit" / "findings.parquet")
    return found.filter(tumour_id=tumour).to_dicts()[0]


def only(found: Diff, kind: str) -> tuple[str, tuple[str, ...], bool]:
    (one,) = [change for change in found.changes if change.kind == kind]
    return one.subject_id.split("/")[0], one.causes, one.together


def test_where_several_things_changed_each_is_tried_alone(place: Path) -> None:
    change(place / "extract", "treatments", drug="TCHP")
    audit(place, cutoff="2024-06-29")
    found = compare(place / "audit", None)
    assert found.differs == ["data", "clock"]
    assert only(found, "resolved") == ("T2", ("data",), False)
    assert found.evaluations == 2


def test_a_diff_of_one_thing_needs_no_proof_and_is_told_three_ways(place: Path) -> None:
    change(place / "extract", "treatments", drug="TCHP")
    audit(place)
    found = compare(place / "audit", None)
    assert found.differs == ["data"]
    assert found.evaluations == 0
    assert only(found, "resolved") == ("T2", ("data",), False)
    (told,) = as_json(found)["findings"]
    assert [row["change"] for row in told["causes"]["data"]] == ["corrected"] * 4
    assert {row["columns"] for row in told["causes"]["data"]} == {("drug",)}
    assert told["before"]["verdict"] == "non_conformant"
    hidden = "\n".join(as_text(found, 10))
    assert "fewer than 10 findings, by data" in hidden
    assert "T2" not in hidden
    assert "T2" in "\n".join(as_text(found, 10, patients=True))
    write_json(found, place / "diff.json")
    write_page(found, 10, place / "diff.html")
    assert json.loads((place / "diff.json").read_text())["differs"] == ["data"]
    page = (place / "diff.html").read_text()
    assert "fewer than 10 findings, by data" in page
    assert "T2" not in page
    with pytest.raises(UsageError, match="can't be written"):
        write_json(found, place / "diff.json")


def test_the_message_names_what_of_the_rules_changed(place: Path) -> None:
    audit(place, rules=("R05", "R24"))
    found = compare(place / "audit", None)
    assert found.differs == ["rule"]
    named = "the selection of rules"
    assert f"of the rules changed: {named}" in as_text(found, 10)
    assert as_text(found, 10, patients=True)[-1].endswith(f"by rule: {named}")


def test_a_reviewers_answer_counts_until_the_evidence_changes(place: Path) -> None:
    file = answered(place)
    taken = adjudicate(place / "audit", file)
    assert taken.kept == {"accepted-reason": 1}
    manifest = audit(place)
    assert manifest["reviewed"] == {
        "neoadj-dual-blockade": {"adjudicated": 1, "before": 0.5, "after": 1.0}
    }
    case = finding(place, "T2")
    assert (case["verdict"], case["reason"]) == ("excepted", "adjudicated")
    evidence = json.loads(str(case["evidence"]))
    assert evidence["adjudicated"] == "accepted-reason by Dr A on 2024-07-01"
    assert manifest["history"]["same_as"] is None
    found = compare(place / "audit", None)
    assert only(found, "resolved") == ("T2", ("data",), False)
    assert "by data: adjudications row 1 added" in as_text(found, 10, patients=True)[-1]
    manifest = audit(place)
    assert manifest["history"]["same_as"] == manifest["history"]["before"]
    change(place / "extract", "treatments", start_date="2020-03-05")
    audit(place)
    case = finding(place, "T2")
    assert case["reason"] != "adjudicated"
    assert adjudicate(place / "audit", file).expired == 1


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("answer", "yes", "accepted-reason"),
        ("answer", "", "accepted-reason"),
        ("reviewer", "", "column reviewer is empty"),
        ("reviewed_on", "1.7.2024", "YYYY-MM-DD"),
        ("reviewed_on", "2999-01-01", "future"),
    ],
)
def test_an_answer_that_cannot_be_taken_names_row_and_column(
    tmp_path: Path, column: str, value: str, said: str
) -> None:
    (tmp_path / "audit.duckdb").write_bytes(b"")
    row = {
        "rule_id": "R",
        "subject_id": "T",
        "evidence_hash": "h",
        "answer": "unclear",
        "reason": "r",
        "reviewer": "A",
        "reviewed_on": "2024-07-01",
        "evidence": "e",
    } | {column: value}
    pl.DataFrame([row]).write_csv(tmp_path / "answered.csv")
    with pytest.raises(UsageError) as caught:
        adjudicate(tmp_path, tmp_path / "answered.csv")
    assert f"row 2, column {column}" in caught.value.found
    assert said in str(caught.value)


def test_two_answers_to_one_case_are_refused(place: Path) -> None:
    file = answered(place)
    rows = pl.read_csv(file, infer_schema=False)
    other = rows.with_columns(pl.lit("not-met").alias("answer"))
    pl.concat([rows, other]).write_csv(file)
    with pytest.raises(UsageError, match="row 3 answers a case that an earlier row has answered"):
        adjudicate(place / "audit", file)
    file.unlink()
    with pytest.raises(UsageError, match="there is no file"):
        adjudicate(place / "audit", file)


def test_a_folder_without_an_audit_is_told_from_one_without_an_earlier_audit(place: Path) -> None:
    with pytest.raises(UsageError, match="extract holds no audit"):
        compare(place / "extract", None)
    with pytest.raises(UsageError, match="audit keeps no earlier audit"):
        compare(place / "audit", None)


def ends_cleanly(place: Path, args: list[str], before: Callable[[], object], *said: str) -> None:
    """A command that can't write says so, with exit code 2, and leaves every file as it was."""
    stood = {path: path.is_file() and path.read_bytes() for path in place.rglob("*")}
    done = subprocess.run(
        [COMMAND, *args], capture_output=True, text=True, check=False, preexec_fn=before
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert all(words in done.stderr for words in (*said, "What to do")), done.stderr
    left = {path: path.is_file() and path.read_bytes() for path in place.rglob("*")}
    # A database that could not be written may keep an empty log beside it.
    assert {path: text for path, text in left.items() if path.suffix != ".wal"} == stood


@pytest.mark.parametrize("most", [0, 300_000, 3_000_000])
def test_a_full_disk_is_told_and_leaves_the_earlier_audit(place: Path, most: int) -> None:
    full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most))
    ends_cleanly(place, ["run", "--config", str(place / "audit.toml")], full, "no room left")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["adjudicate", "audit", "answered.csv"], "audit.duckdb can't be written"),
        (["validate", "extract", "--out", "looked"], "no room left"),
    ],
)
def test_a_full_disk_is_told_by_other_commands(place: Path, args: list[str], said: str) -> None:
    answered(place)
    full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (0, 0))
    ends_cleanly(place, [in_place(place, word) for word in args], full, said)


@pytest.mark.parametrize(
    "args",
    [
        ["run", "--config", "audit.toml"],
        ["adjudicate", "audit", "answered.csv"],
        ["validate", "extract", "--out", "looked"],
        ["synthesise", "--patients", "9", "--seed", "1", "--out", "made"],
        ["init", "--config", "second.toml"],
    ],
)
def test_a_read_only_folder_is_told_and_leaves_the_earlier_audit(
    place: Path, args: list[str]
) -> None:
    answered(place)
    place.chmod(0o555)
    try:
        words = [in_place(place, word) for word in args]
        ends_cleanly(place, words, as_anyone, "can't be written", "Permission denied")
    finally:
        place.chmod(0o755)


def test_a_mount_point_is_refused_before_anything_is_done(place: Path) -> None:
    with pytest.raises(UsageError, match="/proc is a mount point"):
        audit(place, out=Path("/proc"))


def as_anyone() -> None:
    """Takes from the command what lets root write anywhere; others never had it."""
    drop_from_bounding_set, override_permissions = 24, 1
    ctypes.CDLL(None).prctl(drop_from_bounding_set, override_permissions, 0, 0, 0)


def in_place(place: Path, word: str) -> str:
    names = ("audit", "extract", "looked", "made")
    return str(place / word) if word in names or "." in word else word


def answered(place: Path) -> Path:
    """The worklist of the two patients, with a reviewer's answer."""
    rows = pl.read_csv(place / "audit" / "worklist" / "H1.csv", infer_schema=False)
    answer = {
        "answer": "accepted-reason",
        "reason": "allergy",
        "reviewer": "Dr A",
        "reviewed_on": "2024-07-01",
        "evidence": "letter",
    }
    file = place / "answered.csv"
    rows.with_columns(pl.lit(text).alias(name) for name, text in answer.items()).write_csv(file)
    return file


def test_an_extract_that_changes_while_it_is_read_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audit.errors import ExtractRefused
    from audit.extract import load

    typed = load.typed

    def meanwhile(table, raw):
        if table.name == "tumours":
            change(place / "extract", "treatments")
        return typed(table, raw)

    monkeypatch.setattr(load, "typed", meanwhile)
    before = (place / "audit" / "manifest.json").read_bytes()
    with pytest.raises(ExtractRefused, match=r"treatments\.csv changed while it was read"):
        audit(place)
    assert (place / "audit" / "manifest.json").read_bytes() == before


def test_the_prefect_example_audits_and_tells_what_changed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    log = types.SimpleNamespace(warning=lambda *_: None, info=said.append)
    stub = types.ModuleType("prefect")
    stub.task = lambda function: function
    stub.flow = lambda **_: lambda function: function
    stub.get_run_logger = lambda: log
    monkeypatch.setitem(sys.modules, "prefect", stub)
    weekly = runpy.run_path(str(EXAMPLES / "prefect_flow.py"))["weekly"]
    weekly.__globals__["CONFIG"] = place / "audit.toml"
    shutil.copytree(place / "audit", place / "copy")
    weekly()
    assert said[-1] == "no finding differs"
    assert compare(place / "copy", place / "audit").changes == []
