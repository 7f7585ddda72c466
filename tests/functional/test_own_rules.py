"""Rules of a user's own: tested by the command, audited beside the shipped ones, and locked in."""

import json
import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from the_command import call, told

from audit.errors import UsageError, UserError
from audit.guideline import Catalogue
from audit.own_rules import check_rules
from audit.pipeline import evaluate_extract
from audit.settings import Settings
from audit.synthesise import synthesise
from audit.texts import own_texts

SHIPPED = Path(__file__).parents[2] / "examples" / "my_rules"
RULE = "her2-first-dose-in-time"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "my_rules"))


def change(own: Path, file: str, old: str, new: str) -> None:
    path = own / RULE / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_command_tests_the_example(own: Path) -> None:
    done = call("rules", "test", own)
    assert (done.returncode, done.stdout) == (0, f"{RULE}: as it should be\n")
    change(own, "rule.sql", "<= $window_days then", "< $window_days then")
    done = call("rules", "test", own)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "First dose on the last day" in done.stdout
    assert "expected conformant · in-time · margin 0, got non_conformant" in done.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("rule.sql", "t.is_index", "t.is_indexx", "is_indexx"),
        ("rule.sql", "<= $window_days then", "<= 75 then", "75 belongs on the card"),
        ("rule.sql", "$window_days - date", "$windows - date", "$windows is neither"),
        ("rule.sql", "'in-time' end", "'timely' end", "the reason timely of the SQL is not worded"),
        ("card.yaml", "severity: undertreatment", "severity: dire", "severity 'dire' is not known"),
        ("card.yaml", "  late: The", "  early: Too early\n  late: The", "has the reason early"),
        ("vignettes.md", "conformant · in-time · margin 47", "conformant · in-time · margin 46",
         "expected conformant · in-time · margin 46"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_words(
    own: Path, file: str, old: str, new: str, told: str
) -> None:
    change(own, file, old, new)
    assert told in "\n".join(check_rules(own)[RULE])


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("card.yaml", "unit: tumour\n", "", r"card\.yaml: unit is missing"),
        ("card.yaml", "number: X01", "number: R10", "is taken"),
        ("card.yaml", "number: X01", "number: OURS", "number it such as X01"),
        ("card.yaml", "attrition:", "attrition", r"card\.yaml: while scanning"),
        ("vignettes.md", "2020-01-06 + 76", "2020-13-06 + 76", "month must be in"),
        ("rule.sql", "from judged\n", "from judged; drop table patients\n", "is not one select"),
        ("rule.sql", "from judged\n", "from judged where (\n", "correct the SQL"),
        ("vignettes.md", "| patient |", "| patient | x |", "cells under"),
    ],
)
def test_what_cannot_be_read_is_refused(
    own: Path, file: str, old: str, new: str, told: str
) -> None:
    change(own, file, old, new)
    with pytest.raises(UsageError, match=told):
        check_rules(own)


def test_what_a_clinician_could_trip_over_is_named(own: Path) -> None:
    """Each of these would leave a patient uncredited, or give other answers on Spark."""
    faults = (
        ("card.yaml", "patient-refusal, preg", "patient-refusl, preg", "'patient-refusl' is not"),
        ("card.yaml", "her2-antibody, tr", "her2-antibdy, tr", "'her2-antibdy' is no drug"),
        ("card.yaml", "needs_drugs: [her2]", "needs_drugs: [HER2]", "'HER2' is no drug"),
        ("card.yaml", "interrupted_by: []", "interrupted_by: [dead]", "'dead' is not known"),
        ("card.yaml", "setting: early-any", "setting: early", "setting 'early' is not known"),
        ("card.yaml", "value: 75", "value: -75", "window_days is -75 days: no patient can meet"),
        ("rule.sql", "['start'] as lacking", "['begin'] as lacking", "lacking names 'begin'"),
        ("rule.sql", "'tumours.diagnosis_date'", "'tumours.day'", "missing names 'tumours.day'"),
        ("rule.sql", "diagnosis_date as clock_start", "date '2020-01-31' as clock_start",
         "2020-01-31 belongs on the card"),
        ("rule.sql", "where setting", "where epoch_ns(first_dose_date) > 0 and setting",
         "epoch_ns is not known to Spark"),
        ("rule.sql", "diagnosis_date as observed_from",
         "case when first_her2_date - diagnosis_date > 0 then diagnosis_date end as observed_from",
         "Spark gives no number for first_her2_date - diagnosis_date"),
    )  # fmt: skip
    for file, old, new, _ in faults:
        change(own, file, old, new)
    found = "\n".join(check_rules(own)[RULE])
    assert [said for *_, said in faults if said not in found] == []
    assert "no patient comes out conformant" in found


def test_the_records_values_stay_out_of_what_is_told(own: Path) -> None:
    change(own, "rule.sql", "'late' as failed", "cast(tumour_id as date) as failed")
    (said,) = check_rules(own)[RULE]
    assert said.endswith("write try_cast(… as …) where a text is turned into a number or a date")
    assert "-v0" not in said


def test_an_empty_folder_holds_no_rule(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no rule in"):
        check_rules(tmp_path)


def test_an_own_rule_is_judged_beside_the_shipped_ones_and_reads_no_file(
    own: Path, tmp_path: Path
) -> None:
    synthesise(60, 3, tmp_path / "extract")
    settings = Settings(
        extract=tmp_path / "extract",
        cutoff=date(2025, 12, 31),
        rules=("X01", "R17"),
        rules_from=own,
    )
    found = evaluate_extract(settings).findings
    assert set(found["rule_id"]) == {RULE, "early-her2-one-year"}
    assert {"conformant", "non_conformant"} <= set(found["verdict"])
    change(own, "rule.sql", "where t.is_index", f"where t.is_index and exists (from '{own}/x.csv')")
    with pytest.raises(UserError, match="reads a file or an address, which no rule may"):
        evaluate_extract(settings)


def test_without_a_folder_there_are_the_shipped_rules_alone() -> None:
    assert RULE not in Catalogue.read().rules
    assert RULE in Catalogue.read(own_texts(SHIPPED)).rules


def test_the_command_judges_them_and_the_audit_outlives_their_folder(
    own: Path, tmp_path: Path
) -> None:
    """Explained and compared by the card that judged, whatever became of it since."""
    synthesise(60, 3, tmp_path / "extract")
    config = tmp_path / "audit.toml"
    config.write_text(
        'extract = "extract"\nout = "out"\ncutoff = 2025-12-31\nrules = ["X01"]\n'
        'rules_from = "my_rules"\n'
    )
    told("run", "--config", config)
    change(own, "card.yaml", "{value: 75,", "{value: 60,")
    told("run", tmp_path / "extract", "--config", config, "--rules-from", own)
    shutil.rmtree(own)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert set(manifest["rules_from"]["sha256"]) == {f"{RULE}/card.yaml", f"{RULE}/rule.sql"}
    page = (tmp_path / "out" / "report" / "rules" / f"{RULE}.html").read_text()
    assert ">always<" in page and "0001-01-01" not in page
    findings = pl.read_parquet(tmp_path / "out" / "findings.parquet")
    between = findings.filter(pl.col("margin_days").is_between(-15, -1))["tumour_id"][0]
    said = told("explain", tmp_path / "out", between, "--rule", "X01")
    assert "For review (non_conformant): The first dose came later" in said
    assert "in force from" not in said
    told("diff", tmp_path / "out", "--json", tmp_path / "diff.json")
    compared = json.loads((tmp_path / "diff.json").read_text())
    assert compared["differs"] == ["rule"]
    (moved,) = [one for one in compared["findings"] if one["subject_id"] == between]
    assert (moved["before"]["verdict"], moved["after"]["verdict"]) == (
        "conformant",
        "non_conformant",
    )
    assert moved["causes"] == {"rule": [f"numbers of {RULE}", f"own/{RULE}/card.yaml"]}
