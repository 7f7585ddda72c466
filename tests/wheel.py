"""Builds the wheel, installs it into an empty environment and runs its demo elsewhere."""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def call(*command: str | Path, cwd: Path) -> str:
    """Runs a command without anything of the checkout on its path; fails loudly when it fails."""
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed\n{done.stdout}\n{done.stderr}")
    return done.stdout


def main() -> None:
    """Ends with an error unless the installed wheel audits its demo registry."""
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = Path(folder)
        call(
            sys.executable,
            *("-m", "build", "--wheel", "--no-isolation", "--outdir", elsewhere, PROJECT),
            cwd=PROJECT,
        )
        (wheel,) = elsewhere.glob("*.whl")
        venv.create(elsewhere / "env")
        pip = (sys.executable, "-m", "pip", "--python", elsewhere / "env/bin/python", "install")
        locked = ("--no-compile", "--require-hashes", "-r", PROJECT / "locks/run.txt")
        call(*pip, "--quiet", "--disable-pip-version-check", *locked, cwd=elsewhere)
        call(*pip, "--quiet", "--disable-pip-version-check", "--no-deps", wheel, cwd=elsewhere)
        command = elsewhere / "env/bin/guideline-audit"
        told = call(command, "demo", "--patients", "300", cwd=elsewhere)
        report = elsewhere / "demo/audit/report/index.html"
        if str(Path("demo/audit/report/index.html")) not in told or not report.is_file():
            sys.exit(f"the demo of the installed wheel wrote no report\n{told}")
        cards = call(command, "rules", cwd=elsewhere)
        print(f"wheel: {wheel.name} runs outside the checkout, {len(cards.splitlines())} rules")


if __name__ == "__main__":
    main()
