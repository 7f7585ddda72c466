"""A whole audit with every way to the network forbidden. Owns: that nothing calls out."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import small_registry

GUARD = Path(__file__).parent / "offline"
NETWORK = 97
COMMAND = str(Path(sys.executable).parent / "guideline-audit")

# Each of these is a way out; the last asks the kernel itself, as native libraries do.
WAYS_OUT = [
    "import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)",
    "import socket; socket.getaddrinfo('localhost', 80)",
    "import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')",
    "import threading, socket; threading.Thread(target=socket.socket).start()",
    "import subprocess; subprocess.run(['true'])",
    "import ctypes; ctypes.CDLL(None).socket(2, 1, 0)",
]


def forbidden(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command that can open no socket but a local one."""
    path = os.pathsep.join(filter(None, [str(GUARD), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [str(part) for part in command],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("code", WAYS_OUT)
def test_the_guard_bites(code: str) -> None:
    done = forbidden(sys.executable, "-c", code)
    assert done.returncode in (NETWORK, -signal.SIGSYS), done.stderr


def test_the_guard_leaves_local_sockets_alone() -> None:
    pair = "import socket; a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'"
    assert forbidden(sys.executable, "-c", pair).returncode == 0


def test_a_whole_audit_needs_no_network(tmp_path: Path) -> None:
    extract = small_registry.write(tmp_path / "extract")
    out = tmp_path / "audit"
    done = forbidden(COMMAND, "run", extract, "--cutoff", "2024-06-30", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "quality" in json.loads((out / "manifest.json").read_text())["stages"]
    assert (out / "report" / "index.html").is_file()


def test_the_guard_is_there_inside_the_command(tmp_path: Path) -> None:
    calling = (
        "import socket; from audit import cli, pipeline\n"
        "pipeline.run = lambda *_: socket.create_connection(('127.0.0.1', 9))\n"
        "cli.main()"
    )
    arguments = ["run", tmp_path, "--cutoff", "2024-06-30", "--out", tmp_path / "audit"]
    done = forbidden(sys.executable, "-c", calling, *arguments)
    assert done.returncode == NETWORK, done.stderr
