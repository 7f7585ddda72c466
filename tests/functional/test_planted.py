"""The whole pipeline on a synthetic registry finds what was planted, and accuses nobody else."""

from datetime import date

import polars as pl
import pytest

from audit.guideline import Catalogue
from audit.pipeline import evaluate_extract
from audit.settings import Settings
from audit.synthesise import synthesise
from audit.verdicts import VERDICTS

CUTOFF = date(2025, 12, 31)


@pytest.fixture(scope="module", params=[3, 2024])
def audited(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("planted") / "registry"
    synthesise(3_000, request.param, out)
    truth = pl.read_csv(out.parent / "registry.truth.csv")
    counts = pl.read_csv(out.parent / "registry.counts.csv")
    return evaluate_extract(Settings(extract=out, cutoff=CUTOFF)), truth, counts


def of(counts: pl.DataFrame, measure: str) -> dict[str, int]:
    return dict(counts.filter(pl.col("measure") == measure).select("name", "n").iter_rows())


def test_non_conformant_are_the_planted_ones_and_nobody_else(audited):
    evaluation, truth, _ = audited
    accused = evaluation.findings.filter(pl.col("verdict") == "non_conformant")
    found = set(accused.select("rule_id", "tumour_id").iter_rows())
    planted = set(truth.select("rule_id", "tumour_id").iter_rows())
    assert sorted(found - planted) == [], "accused, though not planted"
    assert sorted(planted - found) == [], "planted, but not found"


def test_every_verdict_is_there_to_be_told_from_the_others(audited):
    evaluation, _, _ = audited
    verdicts = evaluation.findings.group_by("rule_id").agg(pl.col("verdict").unique())
    rules = Catalogue.read().rules
    for rule, given in verdicts.iter_rows():
        can_fail = " as failed" in rules[rule].sql
        assert {"conformant", *(["non_conformant"] if can_fail else [])} <= set(given), rule
    assert set(evaluation.findings["verdict"]) == set(VERDICTS)


def test_duplicates_and_quarantined_rows_are_counted(audited):
    evaluation, _, counts = audited
    tables = evaluation.manifest["tables"]
    duplicates, quarantined = of(counts, "duplicates"), of(counts, "quarantined")
    for name, loaded in tables.items():
        assert loaded["duplicates_collapsed"] == duplicates.get(name, 0), name
        assert loaded["rows_quarantined"] == quarantined.get(name, 0), name


def test_unrecognised_strings_are_listed(audited):
    evaluation, _, counts = audited
    listed = evaluation.tables["unrecognised_drugs"]["drug"]
    assert set(listed) == set(of(counts, "unrecognised"))
