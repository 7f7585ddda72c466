"""Every vignette of every rule is one test: the pipeline must give the verdict expected."""

import tempfile
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from audit import resources
from audit.pipeline import evaluate_extract
from audit.vignette_run import disagreements, write
from audit.vignettes import Circumstances, Vignette, read

FILES = sorted((resources.root("checks") / "rules").glob("*/*/vignettes.md"))
VIGNETTES = [vignette for path in FILES for vignette in read(path)]


@cache
def findings(rule: str, circumstances: Circumstances) -> pl.DataFrame:
    """Findings of one run over all vignettes of a rule that share their settings."""
    together = [v for v in VIGNETTES if v.rule == rule and v.circumstances == circumstances]
    with tempfile.TemporaryDirectory() as folder:
        return evaluate_extract(write(together, Path(folder))).findings


@pytest.mark.parametrize("vignette", VIGNETTES, ids=lambda v: f"{v.rule}/{v.slug}")
def test_vignette(vignette: Vignette) -> None:
    rows = (
        findings(vignette.rule, vignette.circumstances)
        .filter(pl.col("patient_id") == vignette.prefix)
        .to_dicts()
    )
    wrong = disagreements(vignette, rows)
    assert not wrong, "\n".join(["", f"{vignette.title} ({vignette.place})", *wrong])
