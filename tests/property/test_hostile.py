"""Hostile extracts. Owns: exit code 0 or 3 with a clean message, whatever the files hold.

More cases by hand: AUDIT_HOSTILE=5000 pytest tests/property/test_hostile.py
"""

import hashlib
import os
import random
import shutil
from pathlib import Path

import polars as pl
import pytest
from hostile_files import MUTATIONS, SECRET, huge_cell
from patients import generate

from audit import pipeline
from audit.errors import ExitCode, UserError
from audit.extract import Extract, load_extract
from audit.settings import Settings

CASES = int(os.environ.get("AUDIT_HOSTILE", "100"))
CHUNK = 50
WHOLE = 50
"""Of so many extracts one is audited whole; where it is refused, on top of an earlier audit."""
HUGE = 13
"""Of a hundred cases this one has a cell of ten million characters."""


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    registry = generate(12, seed=7)
    return registry, registry.write(tmp_path_factory.mktemp("good") / "extract")


@pytest.fixture(scope="module")
def earlier(good, tmp_path_factory):
    registry, extract = good
    out = tmp_path_factory.mktemp("earlier") / "audit"
    pipeline.run(Settings(extract=extract, cutoff=registry.cutoff), out)
    return out


def fingerprint(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def loaded(folder: Path, registry, scratch: Path) -> Extract:
    return load_extract(
        folder, cutoff=registry.cutoff, mapping=None, scratch=scratch, log=lambda _: None
    )


def assert_clean(error: UserError, table: str) -> None:
    """A refusal says where, what was found and what to do, shortly and without a record."""
    said = str(error)
    assert error.exit_code == ExitCode.REFUSED, said
    assert table in said.casefold() or "book.xlsx" in said, said
    assert error.found and error.todo
    assert len(said) < 2_000, said[:500]
    assert "Traceback" not in said and SECRET not in said, said[:500]
    assert all(character.isprintable() or character == "\n" for character in said), repr(said)


def assert_accounted(extract: Extract) -> None:
    """Every row read is loaded, collapsed or quarantined with its reason."""
    for name, table in extract.tables.items():
        held = extract.quarantine.filter(table_name=name)
        assert table.rows_read == (
            table.rows_loaded + table.duplicates_collapsed + table.rows_quarantined
        )
        assert held.height == table.rows_quarantined
        assert pl.read_parquet(table.path).height == table.rows_loaded
        assert held["reason"].null_count() == held["row_number"].null_count() == 0


def outcome(folder, registry, table, tmp_path, earlier, *, whole):
    """Loads the extract; a refusal must be clean, and a whole run must end as the loading did."""
    settings = Settings(extract=folder, cutoff=registry.cutoff)
    scratch = tmp_path / "scratch"
    try:
        assert_accounted(loaded(folder, registry, scratch))
        if whole:
            pipeline.run(settings, tmp_path / "audit")
    except UserError as error:
        assert_clean(error, table)
        if whole:
            with pytest.raises(type(error)):
                pipeline.run(settings, earlier)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(tmp_path / "audit", ignore_errors=True)


@pytest.mark.parametrize("seed", range(0, CASES, CHUNK))
def test_whatever_the_files_hold(good, earlier, tmp_path, seed):
    registry, source = good
    tables = sorted(path.stem for path in source.iterdir())
    before, failed = fingerprint(earlier), []
    for case in range(seed, min(seed + CHUNK, CASES)):
        rng = random.Random(case)
        table = rng.choice(tables)
        mutation = huge_cell if case % 100 == HUGE else rng.choice(MUTATIONS)
        folder = tmp_path / "extract"
        shutil.copytree(source, folder)
        mutation(rng, folder, table)
        try:
            outcome(folder, registry, table, tmp_path, earlier, whole=case % WHOLE == 0)
        except BaseException as problem:  # a panic of Polars is no Exception
            told = str(problem)[:300] or "no message"
            failed.append(f"case {case}: {mutation.__name__} on {table}: {problem!r:.80} {told}")
        shutil.rmtree(folder)
    assert not failed, "\n".join([f"{len(failed)} of {CHUNK}", *failed[:5]])
    assert fingerprint(earlier) == before
