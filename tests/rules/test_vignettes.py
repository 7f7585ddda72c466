"""Every vignette of every rule is one test: the pipeline must give the verdict expected."""

import tempfile
from collections.abc import Hashable
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from audit import resources
from audit.pipeline import evaluate_extract
from audit.vignette_run import disagreements, write
from audit.vignettes import Vignette, read

FILES = sorted((resources.root("checks") / "rules").glob("*/*/vignettes.md"))


def together(vignette: Vignette) -> tuple[Hashable, ...]:
    """Equal for vignettes that one run can judge.

    Variants are of one rule alone, and a hospital without a name would be every rule's.
    """
    under = vignette.circumstances
    unnamed = any(not tumour["site_id"] for tumour in vignette.tables["tumours"])
    return (
        under.cutoff,
        under.jurisdiction,
        under.conjugates_told_apart,
        tuple(sorted(under.not_linked)),
        under.variants,
        vignette.rule if under.variants or unnamed else "",
    )


# One run after another: workers that share the tests out then share the runs out too.
VIGNETTES = sorted((vignette for path in FILES for vignette in read(path)), key=together)


@cache
def findings(group: tuple[Hashable, ...]) -> pl.DataFrame:
    """Findings of one run over all vignettes that share their settings, whatever their rule."""
    with tempfile.TemporaryDirectory() as folder:
        settings = write([v for v in VIGNETTES if together(v) == group], Path(folder))
        return evaluate_extract(settings).findings


@pytest.mark.parametrize("vignette", VIGNETTES, ids=lambda v: f"{v.rule}/{v.slug}")
def test_vignette(vignette: Vignette) -> None:
    rows = (
        findings(together(vignette))
        .filter(
            pl.col("patient_id") == vignette.prefix,
            pl.col("rule_id") == vignette.rule,
        )
        .to_dicts()
    )
    wrong = disagreements(vignette, rows)
    assert not wrong, "\n".join(["", f"{vignette.title} ({vignette.place})", *wrong])
