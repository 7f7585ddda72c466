"""Every vignette of every rule is one test: the pipeline must give the verdict expected."""

import tempfile
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from vignette_format import Circumstances, Expected, Vignette, read, write

from audit import resources
from audit.pipeline import evaluate_extract
from audit.settings import Settings

FILES = sorted((resources.root("checks") / "rules").glob("*/*/vignettes.md"))
VIGNETTES = [vignette for path in FILES for vignette in read(path)]


@cache
def findings(rule: str, circumstances: Circumstances) -> pl.DataFrame:
    """Findings of one run over all vignettes of a rule that share their settings."""
    together = [v for v in VIGNETTES if v.rule == rule and v.circumstances == circumstances]
    with tempfile.TemporaryDirectory() as folder:
        write(together, Path(folder), circumstances.not_linked)
        settings = Settings(
            extract=Path(folder),
            cutoff=circumstances.cutoff,
            jurisdiction=circumstances.jurisdiction,
            rules=(rule,),
            variants={rule: dict(circumstances.variants)},
        )
        return evaluate_extract(settings).findings


def agrees(row: dict[str, object] | None, expected: Expected) -> bool:
    """Whether a finding has the verdict, and whatever else the vignette says of it.

    By the contract no finding and `not_applicable` mean the same.
    """
    if row is None:
        return expected.verdict == "not_applicable"
    return (
        row["verdict"] == expected.verdict
        and expected.reason in (None, row["reason"])
        and expected.margin in (None, row["margin_days"])
        and expected.due in (None, row["due_date"])
    )


@pytest.mark.parametrize("vignette", VIGNETTES, ids=lambda v: f"{v.rule}/{v.slug}")
def test_vignette(vignette: Vignette) -> None:
    rows = (
        findings(vignette.rule, vignette.circumstances)
        .filter(pl.col("patient_id") == vignette.prefix)
        .to_dicts()
    )
    found = {str(row["subject_id"]).removeprefix(f"{vignette.prefix}-"): row for row in rows}
    concerned = sorted(s for s, row in found.items() if row["verdict"] != "not_applicable")
    # A patient with one verdict: the finding in the population, or else one of those outside it.
    only = next(iter(concerned or sorted(found)), "the tumour")
    expected = {subject or only: verdict for subject, verdict in vignette.expected.items()}
    wrong = [
        f"{subject}: expected {verdict}, got {_told(found.get(subject))}"
        for subject, verdict in expected.items()
        if not agrees(found.get(subject), verdict)
    ]
    wrong += [
        f"{subject}: expected no finding, got {_told(found[subject])}"
        for subject in concerned
        if subject not in expected
    ]
    assert not wrong, "\n".join(["", f"{vignette.title} ({vignette.place})", *wrong])


def _told(row: dict[str, object] | None) -> str:
    if row is None:
        return "no finding"
    return (
        f"{row['verdict']} · {row['reason']} · margin {row['margin_days']} · due {row['due_date']}"
        f" · missing {row['missing']}\n  {row['evidence']}"
    )
