"""The small registry and an audit of it, for every test of the command."""

from pathlib import Path

import pytest
import small_registry
from the_command import CUTOFF, installed


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_registry.write(tmp_path_factory.mktemp("registry") / "extract")


@pytest.fixture(scope="session")
def earlier(registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("earlier") / "audit"
    done = installed("run", registry, *CUTOFF, "--out", out)
    assert done.returncode == 0, done.stderr
    return out
