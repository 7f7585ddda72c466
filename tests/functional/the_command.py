"""The installed command, called as a user calls it."""

import subprocess
import sys
from pathlib import Path

COMMAND = str(Path(sys.executable).parent / "guideline-audit")


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def told(*arguments: str | Path) -> str:
    """What it prints; it has to end well."""
    done = call(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout
