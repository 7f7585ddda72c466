"""Every vignette of lines of treatment is one test: the table `lines` must say what it says."""

import tempfile
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from audit import resources
from audit.pipeline import evaluate_extract
from audit.vignette_run import write
from audit.vignettes import Circumstances, Vignette, read

VIGNETTES = read(resources.root("checks") / "lines" / "vignettes.md")
COLUMNS = {
    "line": "line_number",
    "begins": "start_date",
    "because": "began_by",
    "last dose": "last_dose_date",
    "ended by": "ended_by",
    "certainty": "certainty",
    "regimen": "regimen",
    "drugs": "drugs",
    "counts as": "counts_as",
    "clock": "clock",
    "months": "interval_months",
    "progression": "progression_date",
    "HER2 before": "prior_her2",
    "brain": "cns_at_start",
    "HER2": "her2_at_line",
}


@cache
def lines(circumstances: Circumstances) -> pl.DataFrame:
    """The lines of one run over all vignettes that share their settings."""
    together = [v for v in VIGNETTES if v.circumstances == circumstances]
    with tempfile.TemporaryDirectory() as folder:
        settings = write(together, Path(folder))
        one_rule = settings.model_copy(update={"rules": ("R09",), "variants": {}})
        return evaluate_extract(one_rule).lines


def shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


@pytest.mark.parametrize("vignette", VIGNETTES, ids=lambda v: v.slug)
def test_vignette(vignette: Vignette) -> None:
    expected = [row for row in vignette.lines if row["line"] != "none"]
    found = (
        lines(vignette.circumstances)
        .filter(pl.col("patient_id") == vignette.prefix)
        .sort("line_number")
        .to_dicts()
    )
    given = list(expected[0]) if expected else ["line", "begins", "regimen"]
    told = [{name: shown(row[COLUMNS[name]]) for name in given} for row in found]
    assert told == expected, f"{vignette.title} ({vignette.place})"
