"""The installed command, called as a user calls it."""

import hashlib
import subprocess
import sys
from pathlib import Path

COMMAND = str(Path(sys.executable).parent / "guideline-audit")
CUTOFF = ("--cutoff", "2024-06-30")


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def told(*arguments: str | Path) -> str:
    """What it prints; it has to end well."""
    done = call(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def audit(extract: Path, out: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return call("run", extract, *CUTOFF, "--out", out, *more)


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
