"""The command as a user meets it: what it leaves, exit codes, gates, explanations."""

import json
import shutil
import stat
from pathlib import Path

import duckdb
import polars as pl
import pytest
from the_command import CUTOFF, audit, call, fingerprint, installed


def test_an_audit_leaves_what_the_contract_lists(earlier: Path) -> None:
    assert {path.name for path in earlier.iterdir()} == {
        "audit.duckdb",
        "findings.parquet",
        "summary.csv",
        "summary.parquet",
        "quarantine.csv",
        "manifest.json",
        "report",
        "worklist",
    }
    assert (earlier / "report" / "index.html").is_file()
    findings = pl.read_parquet(earlier / "findings.parquet")
    assert findings.schema == {
        "rule_id": pl.String,
        "subject_id": pl.String,
        "patient_id": pl.String,
        "tumour_id": pl.String,
        "site_id": pl.String,
        "decision_date": pl.Date,
        "due_date": pl.Date,
        "verdict": pl.String,
        "reason": pl.String,
        "missing": pl.List(pl.String),
        "margin_days": pl.Int32,
        "evidence": pl.String,
    }
    assert not findings.select("rule_id", "subject_id").is_duplicated().any()
    failed = findings.filter(verdict="non_conformant").select("rule_id", "tumour_id").rows()
    assert sorted(failed) == [
        ("early-her2-one-year", "T1"),
        ("early-her2-one-year", "T2"),
        ("neoadj-dual-blockade", "T2"),
        ("postneo-residual-tdm1", "T1"),
        ("postneo-residual-tdm1", "T2"),
    ]
    for evidence in findings["evidence"]:
        assert isinstance(json.loads(evidence), dict)
    manifest = json.loads((earlier / "manifest.json").read_text())
    for table in manifest["tables"].values():
        assert table["rows_read"] == sum(
            table[part] for part in ("rows_loaded", "duplicates_collapsed", "rows_quarantined")
        )
    with duckdb.connect(str(earlier / "audit.duckdb"), read_only=True) as con:
        concerned = con.sql("from findings").filter("verdict <> 'not_applicable'")
        assert len(concerned) == findings.height


def test_what_an_audit_leaves_is_private_to_the_user(earlier: Path) -> None:
    for path in (earlier, *earlier.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path.name} has mode {mode:o}"


def test_the_same_inputs_give_the_same_findings_and_report(
    earlier: Path, registry: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    assert audit(registry, again).returncode == 0
    first, second = (pl.read_parquet(out / "findings.parquet") for out in (earlier, again))
    assert first.equals(second)
    assert (earlier / "summary.csv").read_bytes() == (again / "summary.csv").read_bytes()
    assert pages_without_run(earlier) == pages_without_run(again)


def pages_without_run(out: Path) -> dict[str, str]:
    """The report's pages by path, without what belongs to the run and not to its inputs."""
    manifest = json.loads((out / "manifest.json").read_text())
    return {
        str(path.relative_to(out)): path.read_text(encoding="utf-8").replace(
            manifest["run_id"], "RUN"
        )
        for path in (out / "report").rglob("*.html")
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cutoff", "31.12.2024"), "YYYY-MM-DD"),
        (("--jurisdiction", "MARS"), "US, EU, ENGLAND"),
        (("--rules", "R99"), "there is no rule 'R99'"),
        (("--rules", "R5"), "perhaps you mean R05"),
        (
            ("--rules", "dual-blockade"),
            "perhaps you mean adj-dual-blockade or neoadj-dual-blockade",
        ),
        (("--variant", "neoadj-dual-blockade.population=everyone"), "all-early"),
        (("--variant", "nonsense"), "RULE.NAME=VALUE"),
        (("--no-such-option",), "No such option"),
    ],
)
def test_a_usage_error_ends_with_2_and_says_what_to_write(
    registry: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = audit(registry, tmp_path / "out", *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_verdict_is_explained_clause_by_clause_and_the_audit_stays(earlier: Path) -> None:
    before = fingerprint(earlier)
    done = call("explain", earlier, "T2", "--rule", "R05")
    assert done.returncode == 0, done.stderr
    for said in (
        "Timeline",
        "non_conformant",
        "Population",
        "Numerator",
        "2020-06-15",
    ):
        assert said in done.stdout
    everything = call("explain", earlier, "T1")
    assert everything.returncode == 0, everything.stderr
    assert "Not concerned" in everything.stdout and "not reached" in everything.stdout
    assert fingerprint(earlier) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("T9",), "knows no tumour"),
        (("P1",), "it is a patient; name a tumour: T1"),
        (("T1", "--rule", "R99"), "there is no rule"),
        (("T1", "--html"), "No such option"),
    ],
)
def test_what_cannot_be_explained_ends_with_2(
    earlier: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = call("explain", earlier, *arguments)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_a_folder_without_an_audit_cannot_be_explained(tmp_path: Path) -> None:
    done = call("explain", tmp_path, "T1")
    assert done.returncode == 2 and "there is no audit" in done.stderr


def test_a_rule_is_named_by_id_or_number(registry: Path, tmp_path: Path) -> None:
    assert audit(registry, tmp_path / "out", "--rules", "r05,early-her2-one-year").returncode == 0
    findings = pl.read_parquet(tmp_path / "out" / "findings.parquet")
    assert set(findings["rule_id"]) == {"neoadj-dual-blockade", "early-her2-one-year"}


def test_a_cut_off_in_the_future_is_told(registry: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit"
    done = audit(registry, out, "--rules", "R05", "--cutoff", "2999-12-31")
    assert done.returncode == 0, done.stderr
    assert "the cut-off 2999-12-31 lies in the future" in done.stderr
    for page in ("index.html", "report.md"):
        assert "cut-off lies in the future" in (out / "report" / page).read_text(encoding="utf-8")


def test_a_configuration_is_all_that_a_run_needs(registry: Path, tmp_path: Path) -> None:
    shutil.copytree(registry, tmp_path / "extract")
    assert call("init", "--config", tmp_path / "audit.toml").returncode == 0
    done = call("run", "--config", tmp_path / "audit.toml", "--rules", "R05")
    assert done.returncode == 0, done.stderr
    assert f"report: {tmp_path / 'audit' / 'report' / 'index.html'}" in done.stdout
    manifest = json.loads((tmp_path / "audit" / "manifest.json").read_text())
    assert list(manifest["verdicts"]) == ["neoadj-dual-blockade"]
    nothing = call("run", "--cutoff", "today", "--out", tmp_path / "other")
    assert nothing.returncode == 2
    assert "no extract is given" in nothing.stderr


def test_a_breached_gate_ends_with_4_after_the_audit_is_published(
    registry: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audit"
    gates = ("--gate", "R05.rate >= 0.51", "--gate", "quarantine.rows == 0")
    done = installed("run", registry, *CUTOFF, "--out", out, "--rules", "R05", *gates)
    assert done.returncode == 4, done.stderr
    # One of two: a page would hide this rate, a gate takes it.
    assert "gate breached: R05.rate >= 0.51 (found 0.5)" in done.stdout
    assert "gate met: quarantine.rows == 0 (found 0)" in done.stdout
    assert (out / "report" / "index.html").is_file()
    manifest = json.loads((out / "manifest.json").read_text())
    assert [gate["status"] for gate in manifest["gates"]] == ["breached", "met"]
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["exit_code"] == 4
    assert last["run_id"] == manifest["run_id"]
    assert last["gates_breached"] == ["R05.rate >= 0.51"]
    assert last["verdicts"]["non_conformant"] == 1
    assert Path(last["report"]).is_file()
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["run_id"] for line in lines} == {manifest["run_id"]}
    ended = {line["stage"]: line["seconds"] for line in lines if "seconds" in line}
    assert ended == manifest["stages"]
    wrong = audit(registry, out, "--gate", "R05.rate => 1")
    assert wrong.returncode == 2
    assert "column 10" in wrong.stderr


def test_the_same_inputs_again_are_recognised_and_the_earlier_audit_stays(
    registry: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audit"
    for _ in range(2):
        assert audit(registry, out, "--rules", "R05").returncode == 0
    second = json.loads((out / "manifest.json").read_text())
    (kept,) = (out / "earlier").iterdir()
    first = json.loads((kept / "manifest.json").read_text())
    assert second["history"]["same_as"] == first["run_id"]
    assert second["history"]["changes"] == {}
    before, after = (pl.read_parquet(f / "findings.parquet") for f in (kept, out))
    assert before.equals(after)
    assert audit(registry, out, "--rules", "R05", "--cutoff", "2020-07-30").returncode == 0
    third = json.loads((out / "manifest.json").read_text())
    assert third["history"]["same_as"] is None
    assert third["history"]["number"] == 3
    (kept,) = (out / "earlier").iterdir()
    assert json.loads((kept / "manifest.json").read_text())["run_id"] == second["run_id"]
    with duckdb.connect(str(out / "audit.duckdb"), read_only=True) as con:
        now = con.sql("from finding_history").filter("until_run is null").pl()
        past = con.sql("from past_findings").pl()
        assert now.height == pl.read_parquet(out / "findings.parquet").height
        assert set(past["until_run"]) == {2}
        assert set(past["from_run"]) == {1}
        changed = con.sql("from finding_changes").pl()
        assert past.height == changed.filter(pl.col("kind") != "new").height > 0


def test_a_folder_that_holds_something_else_is_never_replaced(
    registry: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    done = audit(registry, tmp_path)
    assert done.returncode == 2
    assert "thesis.docx" in done.stderr
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_the_catalogue_is_printed(tmp_path: Path) -> None:
    done = call("rules")
    assert done.returncode == 0
    assert "R10  postneo-residual-tdm1" in done.stdout
    card = call("rules", "R10")
    assert "84" in card.stdout
    assert call("rules", "R99").returncode == 2


@pytest.mark.parametrize("words", [("test",), ("R10", ".")])
def test_rules_of_ones_own_are_tested_by_the_word_and_their_folder(words: tuple[str, ...]) -> None:
    done = call("rules", *words)
    assert done.returncode == 2
    assert "guideline-audit rules test FOLDER" in done.stderr and not done.stdout


def test_a_mistake_in_templates_ends_the_run_before_it_begins(
    registry: Path, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text("a\n{% if %}", encoding="utf-8")
    refused = audit(registry, tmp_path / "out", "--templates", tmp_path)
    assert refused.returncode == 2
    assert f"{tmp_path / 'report.html'}, line 2" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "out").exists()
