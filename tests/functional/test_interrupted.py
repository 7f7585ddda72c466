"""Kills in the middle, and two runs at once: no audit is ever half written."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import duckdb
import polars as pl
from the_command import COMMAND, CUTOFF, audit, fingerprint


def test_a_killed_run_harms_nothing_and_the_next_one_works(
    registry: Path, earlier: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audit"
    shutil.copytree(earlier, out)
    before = fingerprint(out)
    for delay in (0.3, 0.9, 1.3, 1.7, 2.1):
        run = subprocess.Popen(
            [COMMAND, "run", str(registry), *CUTOFF, "--out", str(out)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        run.send_signal(signal.SIGKILL)
        if run.wait() == -signal.SIGKILL:
            found = fingerprint(out)
            assert found == before or set(found) == set(before)
            pl.read_parquet(out / "findings.parquet")
            with duckdb.connect(str(out / "audit.duckdb"), read_only=True) as con:
                con.sql("from findings limit 1").fetchall()
    assert audit(registry, out).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit"]


def test_a_second_run_on_one_folder_is_refused_while_the_first_works(
    registry: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audit"
    runs = [
        subprocess.Popen(
            [COMMAND, "run", str(registry), *CUTOFF, "--out", str(out)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [run.communicate()[1] for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 2], said
    assert any("another audit is being written" in text for text in said)
    assert (out / "manifest.json").is_file()
