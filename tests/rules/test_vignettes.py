"""Every vignette of every rule is one test: the pipeline must give the verdict expected."""

import tempfile
from collections.abc import Hashable
from functools import cache
from itertools import groupby
from pathlib import Path

import polars as pl
import pytest

from audit import resources
from audit.pipeline import evaluate_extract
from audit.vignette_run import disagreements, write
from audit.vignettes import Vignette, read

FILES = sorted((resources.root("checks") / "rules").glob("*/*/vignettes.md"))


def circumstances(vignette: Vignette) -> tuple[Hashable, ...]:
    """Equal for vignettes that one run can judge, were it not for the variants of a rule.

    A hospital without a name would be every rule's.
    """
    under = vignette.circumstances
    unnamed = any(not tumour["site_id"] for tumour in vignette.tables["tumours"])
    return (
        under.cutoff,
        under.jurisdiction,
        under.conjugates_told_apart,
        tuple(sorted(under.not_linked)),
        vignette.rule if unnamed else "",
    )


WRITTEN = [vignette for path in FILES for vignette in read(path)]
VARIANTS = {
    key: sorted({vignette.circumstances.variants for vignette in group})
    for key, group in groupby(
        sorted(WRITTEN, key=lambda v: (circumstances(v), v.rule)),
        key=lambda v: (circumstances(v), v.rule),
    )
}


def together(vignette: Vignette) -> tuple[Hashable, ...]:
    """Equal for vignettes that one run judges: a rule brings one choice of its variants to it."""
    key = circumstances(vignette)
    return *key, VARIANTS[key, vignette.rule].index(vignette.circumstances.variants)


# One run after another: workers that share the tests out then share the runs out too.
VIGNETTES = sorted(WRITTEN, key=together)


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
