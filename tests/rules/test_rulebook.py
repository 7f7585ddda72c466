"""The rulebook under docs/ is what the cards, editions and vignettes say today."""

import pytest

from audit import rulebook
from audit.attrition import UNITS
from audit.guideline import Catalogue


def test_rulebook_is_up_to_date() -> None:
    assert rulebook.main(["--check"]) == 0, "run python -m audit.rulebook"


def test_a_stale_rulebook_is_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = rulebook.render(Catalogue.read())
    monkeypatch.setattr(rulebook, "render", lambda _: pages | {"index.md": "changed"})
    assert rulebook.main(["--check"]) == 1
    assert "index.md" in capsys.readouterr().err


def test_every_vignette_stands_in_the_rulebook_with_its_verdict() -> None:
    text = """# Rule
## Unless said otherwise
Words.
## One tumour
Words.

**Verdict:** conformant · on-time
## Two tumours
Words.

| subject | verdict |
|---|---|
| left | excepted · trial |
| right | pending |
"""
    assert rulebook.verdicts(text) == [
        ("One tumour", "conformant · on-time"),
        ("Two tumours", "left: excepted · trial; right: pending"),
    ]


def test_steps_are_numbered_as_in_the_report():
    rule = Catalogue.read().rules["early-her2-one-year"]
    page = rulebook.render_rule(rule)
    steps = enumerate(rule.card.attrition, start=len(UNITS) + 1)
    for number, step in steps:
        assert f"\n{number}. {step.says} (`{step.code}`)" in page
