"""The command, called as a user calls it."""

import hashlib
import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from audit.cli import main

COMMAND = str(Path(sys.executable).parent / "guideline-audit")
CUTOFF = ("--cutoff", "2024-06-30")


def installed(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The installed command in a process of its own."""
    return subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What the installed command runs, in this process: four seconds of imports are spared."""
    words = [COMMAND, *map(str, arguments)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with patch.object(sys, "argv", words), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


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
