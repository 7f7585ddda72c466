"""A hundred runs killed at random moments: the last complete audit stays readable.

By hand: PYTHONPATH=.:tests/functional python tests/crash/hundred_kills.py --kills 100
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import duckdb
import polars as pl
import small_registry

COMMAND = str(Path(sys.executable).parent / "guideline-audit")


def command(folder: Path) -> list[str]:
    """A short audit of a small registry into `audit`."""
    options = ("--cutoff", "2024-06-30", "--rules", "R05", "--quiet")
    return [COMMAND, "run", str(folder / "extract"), *options, "--out", str(folder / "audit")]


def whole(audit: Path) -> str:
    """The id of the audit's run; fails unless all its parts can be read and belong together."""
    manifest = json.loads((audit / "manifest.json").read_text())
    published = pl.read_parquet(audit / "findings.parquet")
    with duckdb.connect(str(audit / "audit.duckdb"), read_only=True) as con:
        run = con.sql("select run_id from runs order by run_number desc limit 1").fetchall()
        found = con.sql("from findings where verdict <> 'not_applicable'").pl()
    assert run == [(manifest["run_id"],)]
    assert found.height == published.height > 0
    assert "</html>" in (audit / "report" / "index.html").read_text()
    for kept in (audit / "earlier").glob("*"):
        with duckdb.connect(str(kept / "audit.duckdb"), read_only=True) as con:
            assert con.sql("from findings limit 1").fetchall()
    return str(manifest["run_id"])


def kill_once(folder: Path, delay: float) -> str:
    """Runs the command, kills it after so many seconds, and looks at what stands."""
    audit = folder / "audit"
    before = whole(audit)
    with subprocess.Popen(
        command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        time.sleep(delay)
        run.send_signal(signal.SIGKILL)
        ended = run.wait()
    after = whole(audit)
    if ended == 0:
        assert after != before, "a run that ended well was not published"
        return "was done before it was killed"
    assert ended == -signal.SIGKILL, f"ended with {ended}"
    return "killed, earlier audit stands" if after == before else "killed, new audit stands"


def main() -> None:
    """Prints how the kills ended; fails at the first audit that is not whole."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=100)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    draw, ends = random.Random(given.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        small_registry.write(folder / "extract")
        begun = time.monotonic()
        subprocess.run(command(folder), check=True, capture_output=True)
        lasts = time.monotonic() - begun
        for number in range(given.kills):
            ends[kill_once(folder, draw.uniform(0, lasts * 1.05))] += 1
            print(f"kill {number + 1}: {dict(ends)}", flush=True)
        subprocess.run(command(folder), check=True, capture_output=True)
        left = sorted(path.name for path in folder.iterdir())
        assert left == ["audit", "extract"], left
    print(f"nothing was lost; a run took {lasts:.1f} s")


if __name__ == "__main__":
    main()
