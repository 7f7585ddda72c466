"""What an audit costs beside one bare pass over the same files.

    python benchmarks/audit.py --patients 10000 100000 1000000 --keep DIR

For each size a synthetic extract is written as Parquet; then, each step in a process of its own so
that its peak memory is its own:

- bare: DuckDB, opened as the audit opens it, reads every value of every file (a hash over whole
  rows, which statistics can't answer) and sorts the treatments by patient and start date into a
  temporary table. The table is there because the optimiser drops a sort that only feeds an
  aggregate; writing it is part of the bare pass.
- audit: the whole of `guideline-audit run`, report and start of the interpreter included.

Both read the files that were just written, from the page cache where they fit. Times are wall
time: on a shared machine read ratios, and repeat.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq

SEED = 1
CUTOFF = "2025-12-31"
SYNTHESISE = "synthesise"
BARE = "bare"


@dataclass(frozen=True)
class Cost:
    """Wall time in seconds and peak resident memory in megabytes of one process."""

    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Measured:
    """The costs of one size; `stages` are the audit's own, in seconds."""

    patients: int
    rows: int
    synthesis: Cost
    bare: Cost
    audit: Cost
    stages: dict[str, float]


def bare_pass(extract: Path) -> None:
    """Read every value of every file, and sort the treatments."""
    from audit.warehouse import open_database

    with tempfile.TemporaryDirectory() as scratch:
        con = open_database(None, Path(scratch))
        for path in sorted(extract.glob("*.parquet")):
            con.execute("select bit_xor(hash(t)) from read_parquet(?) as t", [str(path)]).fetchall()
        con.execute(
            "create temporary table sorted as "
            "select * from read_parquet(?) order by patient_id, start_date",
            [str(extract / "treatments.parquet")],
        )
        con.close()


def cost_of(*words: str) -> Cost:
    """Run a Python process to its end and give what it cost.

    Raises:
        RuntimeError: the process failed.
    """
    with tempfile.TemporaryFile("w+") as said:
        start = time.monotonic()
        # -P: this file's folder must not come first where modules are looked up, or it is `audit`.
        process = subprocess.Popen([sys.executable, "-P", *words], stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(words)} failed:\n{said.read()}")
    return Cost(seconds, usage.ru_maxrss / 1024)


def measure(patients: int, folder: Path) -> Measured:
    """Synthesise an extract of so many patients in `folder`, pass over it, and audit it."""
    extract, out = folder / f"extract-{patients}", folder / f"audit-{patients}"
    here = str(Path(__file__).resolve())
    synthesis = cost_of(here, SYNTHESISE, str(patients), str(extract))
    bare = cost_of(here, BARE, str(extract))
    command = ("-c", "from audit.cli import main; main()", "run", str(extract))
    audit = cost_of(*command, "--cutoff", CUTOFF, "--out", str(out))
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    rows = sum(pq.read_metadata(path).num_rows for path in extract.glob("*.parquet"))
    return Measured(patients, rows, synthesis, bare, audit, manifest["stages"])


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Lay out a table as Markdown."""
    lines = [heads, ["---:"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(results: list[Measured]) -> str:
    """Give every size's costs, the stages, and how they grow from size to size."""
    stages = list(results[-1].stages)
    heads = ["patients", "rows", "synthesis s", "bare s", "audit s", "audit / bare"]
    heads += ["synthesis MB", "bare MB", "audit MB", *(f"{name} s" for name in stages)]
    rows = [
        [
            f"{r.patients:,}",
            f"{r.rows:,}",
            *(f"{cost.seconds:.1f}" for cost in (r.synthesis, r.bare, r.audit)),
            f"{r.audit.seconds / r.bare.seconds:.1f}",
            *(f"{cost.peak_mb:,.0f}" for cost in (r.synthesis, r.bare, r.audit)),
            *(f"{r.stages[name]:.1f}" for name in stages),
        ]
        for r in results
    ]
    growth = [
        [
            f"{before.patients:,} to {after.patients:,}",
            f"{after.rows / before.rows:.1f}",
            f"{after.bare.seconds / before.bare.seconds:.1f}",
            f"{after.audit.seconds / before.audit.seconds:.1f}",
            f"{after.audit.peak_mb / before.audit.peak_mb:.1f}",
        ]
        for before, after in pairwise(results)
    ]
    grows = table(["growth", "rows", "bare s", "audit s", "audit MB"], growth)
    return f"{table(heads, rows)}\n\n{grows}" if growth else table(heads, rows)


def main() -> None:
    """Measure the sizes asked for and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--patients", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a new folder to keep it all in")
    asked = parser.parse_args()
    if asked.keep:
        asked.keep.mkdir(parents=True)
    place = nullcontext(asked.keep) if asked.keep else tempfile.TemporaryDirectory()
    results = []
    with place as folder:
        for patients in asked.patients:
            results.append(measure(patients, Path(folder)))
            print(f"{patients:,} patients measured", file=sys.stderr)
    print(report(results))


if __name__ == "__main__":
    match sys.argv[1:]:
        case [step, patients, extract] if step == SYNTHESISE:
            from audit.synthesise import synthesise

            synthesise(int(patients), SEED, Path(extract), layout="parquet")
        case [step, extract] if step == BARE:
            bare_pass(Path(extract))
        case _:
            main()
