"""Data quality as a user meets it: validate, limits, the lists beside an audit, and the trend."""

import re
import shutil
from pathlib import Path

import chromium
import duckdb
import polars as pl
import pytest
import small_registry
from test_command import audit, call

CUTOFF = ("--cutoff", "2024-06-30")


@pytest.fixture(scope="module")
def untidy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients, one with a dose of no drug, and a row that can't be read."""
    folder = small_registry.write(tmp_path_factory.mktemp("untidy") / "extract")
    path = folder / "treatments.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, "=A,P1,T1,2020-07-03,bag 3", "B,P2,T2,31 May,TCH", ""]))
    return folder


@pytest.fixture(scope="module")
def audited(untidy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("audited") / "audit"
    for _ in range(2):
        done = audit(untidy, out)
        assert done.returncode == 0, done.stderr
    return out


def test_validate_shows_the_state_without_a_record(untidy: Path, tmp_path: Path) -> None:
    out = tmp_path / "quality"
    done = call("validate", untidy, *CUTOFF, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "treatments-drug-unrecognised: not so in a few of 9 rows" in done.stdout
    assert "treatments-values: not so in a few of 10 rows" in done.stdout
    page = (out / "quality.html").read_text()
    for secret in ("bag 3", "31 May", "P1", "T2"):
        # As a word: a log's time of day may hold T2.
        assert not re.search(rf"\b{secret}\b", done.stdout + done.stderr)
        assert f">{secret}<" not in page
    assert {path.name for path in out.iterdir()} == {"quality.html", "quality.csv"}


def test_validate_refuses_over_the_limit_after_it_has_shown_why(untidy: Path) -> None:
    done = call("validate", untidy, *CUTOFF, "--quarantine-limit", "0.05")
    assert done.returncode == 3
    assert "Data quality at a glance" in done.stdout
    assert "treatments: 1 of 10 rows are in quarantine, more than the limit of 5%" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_audit_over_the_limit_leaves_the_earlier_one(audited: Path, untidy: Path) -> None:
    before = (audited / "manifest.json").read_bytes()
    assert audit(untidy, audited, "--quarantine-limit", "0.05").returncode == 3
    assert (audited / "manifest.json").read_bytes() == before
    assert call("validate", untidy, *CUTOFF, "--out", audited).returncode == 2


def test_a_block_ends_the_run_unless_told_not_to(untidy: Path, tmp_path: Path) -> None:
    crowd = tmp_path / "crowd"
    shutil.copytree(untidy, crowd)
    rows = "".join(f"Q{at},long ago\n" for at in range(100))
    (crowd / "patients.csv").write_text(f"patient_id,birth_date\n{rows}")
    refused = audit(crowd, tmp_path / "audit")
    assert refused.returncode == 3
    assert "patients-none" in refused.stderr
    assert not (tmp_path / "audit").exists()
    assert audit(crowd, tmp_path / "audit", "--quality-warn-only").returncode == 0


def test_the_list_beside_the_audit_names_the_row(audited: Path) -> None:
    listed = pl.read_csv(audited / "worklist" / "quality.csv")
    row = listed.filter(check_id="treatments-drug-unrecognised").to_dicts()
    assert [(one["patient_id"], one["row_number"], one["column_name"]) for one in row] == [
        ("P1", 9, "drug")
    ]


def test_each_run_adds_to_the_history(audited: Path) -> None:
    with duckdb.connect(str(audited / "audit.duckdb"), read_only=True) as con:
        runs = con.sql("select distinct run_id from quality_history").fetchall()
    assert len(runs) == 2


@pytest.mark.browser
@pytest.mark.skipif(chromium.find() is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_opens_silently_and_never_scrolls_sideways(
    audited: Path, tmp_path: Path, width: int
) -> None:
    with chromium.tab(tmp_path / "profile") as tab:
        tab.resize(width)
        tab.open(audited / "report" / "quality.html")
        assert tab.said("Log.entryAdded") == []
        asked = {request["request"]["url"] for request in tab.said("Network.requestWillBeSent")}
        assert all(url.startswith(("file:", "data:")) for url in asked)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert "Every drug name" in tab.evaluate("document.body.innerText")
