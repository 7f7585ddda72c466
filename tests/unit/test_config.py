"""What a run is told, and by whom. Owns: audit.toml, the environment, and rules for the cut-off."""

import stat
from datetime import date
from pathlib import Path

import pytest

from audit.config import CUTOFF_RULES, read_config, write_example
from audit.errors import UsageError
from audit.settings import Settings

TODAY = date(2026, 5, 13)
MINIMUM = 'extract = "in"\nout = "out"\ncutoff = 2025-12-31\n'


def read(tmp_path: Path, text: str, given=None, environment=None) -> tuple[Settings, Path]:
    file = tmp_path / "audit.toml"
    file.write_text(text)
    return read_config(file, given or {}, environment or {}, TODAY)


def refused(tmp_path: Path, text: str, **more) -> str:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text, **more)
    return str(caught.value)


def test_the_commented_example_is_complete_and_private(tmp_path: Path) -> None:
    path = tmp_path / "audit.toml"
    write_example(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    settings, out = read_config(path, {}, {}, TODAY)
    assert settings == Settings(extract=tmp_path / "extract", cutoff=date(2026, 3, 31))
    assert out == tmp_path / "audit"
    with pytest.raises(UsageError, match="is there already"):
        write_example(path)


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    environment = {
        "GUIDELINE_AUDIT_JURISDICTION": "EU",
        "GUIDELINE_AUDIT_RULES": "R05, R07",
        "GUIDELINE_AUDIT_GATES": "R05.rate >= 0.5; R07.rate >= 0.5",
        "GUIDELINE_AUDIT_COMPARE_VARIANTS": "true",
        "GUIDELINE_AUDIT_SMALL_NUMBER": "7",
        "GUIDELINE_AUDIT_PERIOD": "quarter",
        "HOME": "/nowhere",
    }
    given = {"rules": ("R10",), "cutoff": "2024-01-31", "jurisdiction": None}
    settings, out = read(tmp_path, MINIMUM + 'jurisdiction = "ENGLAND"', given, environment)
    assert settings.extract == tmp_path / "in"
    assert out == tmp_path / "out"
    assert settings.cutoff == date(2024, 1, 31)
    assert settings.jurisdiction == "EU"
    assert settings.rules == ("R10",)
    assert settings.gates == ("R05.rate >= 0.5", "R07.rate >= 0.5")
    assert settings.compare_variants
    assert settings.small_number == 7
    assert settings.period == "quarter"


def test_variants_are_a_table_in_the_file_and_words_elsewhere(tmp_path: Path) -> None:
    text = MINIMUM + '[variants]\n"R05.population" = "all-early"'
    chosen = {"neoadj-dual-blockade": {"population": "all-early"}}
    assert read(tmp_path, text)[0].variants == chosen
    environment = {"GUIDELINE_AUDIT_VARIANTS": "neoadj-dual-blockade.population=all-early"}
    assert read(tmp_path, MINIMUM, environment=environment)[0].variants == chosen


def test_a_mapping_beside_the_file_is_found_and_a_shipped_one_stays_a_name(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("")
    ours, _ = read(tmp_path, MINIMUM + 'mapping = "ours.yaml"')
    assert ours.mapping == str(tmp_path / "ours.yaml")
    shipped, _ = read(tmp_path, MINIMUM + 'mapping = "tcga-brca"')
    assert shipped.mapping == "tcga-brca"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINIMUM + 'cutof = "x"', ("audit.toml: key cutof", "is not known", "cutoff")),
        (MINIMUM + "keep = -1", ("audit.toml: key keep", "-1", "greater than or equal to 0")),
        (MINIMUM + 'jurisdiction = "MARS"', ("key jurisdiction", "'MARS'", "US, EU, ENGLAND")),
        (MINIMUM + 'period = "week"', ("key period", "'week'", "year, half-year, quarter")),
        (MINIMUM + 'gates = "R05.rate >= 1"', ("key gates", "write a list")),
        ('extract = "x"\nout = "o"\ncutoff = 20251231', ("key cutoff", "such as 2025-12-31")),
        ('extract = "in"\nout = "out"', ("no cutoff is given", "--cutoff")),
        ('cutoff = "today"\nout = "out"', ("no extract is given", "GUIDELINE_AUDIT_EXTRACT")),
        (
            'extract = "in"\nout = "out"\ncutoff = "end of time"',
            ("key cutoff", "'end of time'", "end of last quarter"),
        ),
        ('extract = "in\n', ("audit.toml is not TOML", "line 1")),
        (MINIMUM + '[variants]\n"R05" = "x"', ("'R05=x' is not a variant",)),
        (
            MINIMUM + '[variants]\n"R05.population" = "a"\n"neoadj-dual-blockade.population" = "b"',
            ("neoadj-dual-blockade.population is chosen twice", "'a' and as 'b'"),
        ),
    ],
)
def test_an_error_names_file_key_value_and_what_to_do(
    tmp_path: Path, text: str, said: tuple[str, ...]
) -> None:
    message = refused(tmp_path, text)
    for part in said:
        assert part in message, message


def test_an_error_in_the_environment_or_on_the_command_line_is_told_as_such(tmp_path: Path) -> None:
    assert "environment variable GUIDELINE_AUDIT_KEEP can't be 'many'" in refused(
        tmp_path, MINIMUM, environment={"GUIDELINE_AUDIT_KEEP": "many"}
    )
    assert "environment variable GUIDELINE_AUDIT_CUTOF is not known" in refused(
        tmp_path, MINIMUM, environment={"GUIDELINE_AUDIT_CUTOF": "today"}
    )
    assert "--cutoff '31.12.2024' is not a date" in refused(
        tmp_path, MINIMUM, given={"cutoff": "31.12.2024"}
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no configuration file"):
        read_config(tmp_path / "audit.toml", {}, {}, TODAY)


@pytest.mark.parametrize(
    ("rule", "seen_from", "expected"),
    [
        ("today", TODAY, TODAY),
        ("yesterday", date(2026, 1, 1), date(2025, 12, 31)),
        ("end of last week", date(2026, 5, 13), date(2026, 5, 10)),
        ("end of last week", date(2026, 5, 17), date(2026, 5, 10)),
        ("end of last week", date(2026, 5, 18), date(2026, 5, 17)),
        ("end of last month", date(2024, 3, 31), date(2024, 2, 29)),
        ("end of last month", date(2026, 1, 1), date(2025, 12, 31)),
        ("end of last quarter", date(2026, 6, 30), date(2026, 3, 31)),
        ("end of last quarter", date(2026, 7, 1), date(2026, 6, 30)),
        ("end of last quarter", date(2026, 2, 14), date(2025, 12, 31)),
        ("end of last half-year", date(2026, 7, 1), date(2026, 6, 30)),
        ("end of last half-year", date(2026, 6, 30), date(2025, 12, 31)),
        ("end of last year", date(2026, 12, 31), date(2025, 12, 31)),
    ],
)
def test_a_rule_for_the_cutoff(rule: str, seen_from: date, expected: date) -> None:
    assert CUTOFF_RULES[rule](seen_from) == expected
