"""A year of weekly audits and diffs, unattended, checked against what the registry changed.

By hand: PYTHONPATH=.:tests/simulation python tests/simulation/weekly_year.py --weeks 52
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import yaml
from growing import WEEK, Growing, changed

from audit import pipeline
from audit.diff import Diff, compare
from audit.resources import root, standing_at
from audit.settings import Settings

START = date(2024, 6, 2)
LAG = timedelta(days=10)
EDITION = ("postneo-residual-tdm1", "default", date(2022, 1, 1))
VARIANT = ("early-her2-one-year", "target", "18-cycles")
RULES = ("R03", "R05", "R07", "R10", "R17", "R20", "R24", "R33", "R39")


@dataclass(frozen=True)
class Week:
    """What a week changed: the registry's own record."""

    number: int
    data: dict[str, set[str]]
    clock: bool
    rules: frozenset[str]

    @property
    def factors(self) -> set[str]:
        """The factors that differ from the week before."""
        told = {"data": bool(self.data), "clock": self.clock, "rule": bool(self.rules)}
        return {name for name, differs in told.items() if differs}


def simulate(folder: Path, weeks: int, patients: int, seed: int) -> Iterator[tuple[Week, Diff]]:
    """Audits each week into one folder and compares with the week before.

    Odd weeks bring rows, corrections and a later cut-off, every fourth one rows alone, the weeks
    between a later cut-off alone. A variant is switched and an edition moved, once beside the
    rest, once with nothing else.
    """
    registry = Growing(patients, seed, folder)
    edited = _edited_checks(folder / "edited")
    day, cutoff = START, START - LAG
    before = registry.visible(day)
    variant_from, edition_from = max(3, weeks // 3), max(2, weeks // 2)
    for number in range(weeks + 1):
        only_rule = number == variant_from
        clock = number > 0 and number % 4 != 2 and not only_rule
        if (number % 2 == 1 or number % 4 == 2) and not only_rule:
            day += WEEK
            registry.correct(day, 1)
        if clock:
            cutoff = day if number % 4 == 0 else day - LAG
        rules = {VARIANT[0]} if number == variant_from else set()
        rules |= {EDITION[0]} if number == edition_from else set()
        seen = registry.visible(day)
        week = Week(number, changed(before, seen), clock, frozenset(rules))
        before = seen
        chosen = {VARIANT[0]: {VARIANT[1]: VARIANT[2]}} if number >= variant_from else {}
        extract = registry.write(day, folder / "extract")
        settings = Settings(extract=extract, cutoff=cutoff, variants=chosen, rules=RULES)
        checks = {"checks": edited} if number >= edition_from else {}
        with standing_at(checks) if checks else nullcontext():
            pipeline.run(settings, folder / "audit")
        if number:
            yield week, compare(folder / "audit", None)


def mistakes(week: Week, found: Diff) -> list[str]:
    """Where a diff puts a change down to what the registry did not do; empty when all is right."""
    wrong = []
    if set(found.differs) != week.factors:
        wrong.append(f"differs in {found.differs}, but {sorted(week.factors)} changed")
    for change in found.changes:
        about = f"{change.kind} {change.rule_id} {change.subject_id} by {change.causes}"
        if not change.causes or not set(change.causes) <= week.factors:
            wrong.append(f"{about}: not what changed")
        own = week.data.get(change.patient_id, set())
        gated = "stream-not-linked" in {
            one["reason"] for one in (change.before, change.after) if one
        }
        if "data" in change.causes:
            behind = found.rows_behind(change)
            rows = {row.table for row in behind if row.change != "moved"}
            # Rows go to quarantine, or leave it, with another row of the patient or the cut-off.
            if own or week.clock:
                rows -= {row.table for row in behind if "quarantined" in row.change}
            moved = {row.table for row in behind if row.change == "moved"}
            if not gated and not behind:
                wrong.append(f"{about}: no row is named")
            if not rows <= own:
                wrong.append(f"{about}: rows of {rows - own} did not change")
            if not moved <= set().union(*week.data.values()):
                wrong.append(f"{about}: no row of {moved} can have moved")
        if "rule" in change.causes and change.rule_id not in week.rules:
            wrong.append(f"{about}: this rule did not change")
    return wrong


def _edited_checks(folder: Path) -> Path:
    shutil.copytree(root("checks"), folder)
    rule, name, since = EDITION
    editions = yaml.safe_load((folder / "editions.yaml").read_text(encoding="utf-8"))
    editions[rule][name]["US"]["from"] = since
    (folder / "editions.yaml").write_text(yaml.safe_dump(editions), encoding="utf-8")
    return folder


def main() -> None:
    """Prints a line a week, and ends with 1 when a change was put down to the wrong thing."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--weeks", type=int, default=52)
    asked.add_argument("--patients", type=int, default=80)
    asked.add_argument("--seed", type=int, default=7)
    given = asked.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        begun = time.monotonic()
        for week, found in simulate(Path(place), given.weeks, given.patients, given.seed):
            causes = Counter(" and ".join(change.causes) for change in found.changes)
            errors = mistakes(week, found)
            wrong += len(errors)
            told = ", ".join(f"{count} by {cause}" for cause, count in sorted(causes.items()))
            print(
                f"week {week.number}: {sorted(week.factors)} changed, {len(found.changes)} findings"
                f" ({told}), {found.evaluations} judged again, {len(errors)} wrong,"
                f" {time.monotonic() - begun:.0f} s",
                flush=True,
            )
            for error in errors[:5]:
                print(f"  {error}", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
