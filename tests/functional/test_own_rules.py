"""Rules of a user's own: tested by the command, audited beside the shipped ones, and locked in."""

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from audit.errors import UsageError, UserError
from audit.guideline import Catalogue
from audit.own_rules import check_rules
from audit.pipeline import evaluate_extract
from audit.settings import Settings
from audit.synthesise import synthesise

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
    code = "from audit.cli import main; main()"
    call = [sys.executable, "-c", code, "rules", "test", str(own)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{RULE}: as it should be\n")
    change(own, "rule.sql", "<= $window_days then", "< $window_days then")
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "First dose on the last day" in done.stdout
    assert "expected conformant · in-time · margin 0, got non_conformant" in done.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("rule.sql", "t.is_index", "t.is_indexx", "is_indexx"),
        ("rule.sql", "<= $window_days then", "<= 75 then", "the number 75 belongs on the card"),
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
        ("card.yaml", "unit: tumour\n", "", r"card\.yaml: unit: Field required"),
        ("card.yaml", "number: X01", "number: R10", "is taken"),
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
    with pytest.raises(UserError, match="does not run: Permission Error"):
        evaluate_extract(settings)


def test_without_a_folder_there_are_the_shipped_rules_alone() -> None:
    assert RULE not in Catalogue.read().rules
    assert RULE in Catalogue.read(SHIPPED).rules
