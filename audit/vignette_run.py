"""Runs vignettes: writes their patients as an extract, and compares findings with the verdicts."""

import csv
from collections.abc import Sequence
from pathlib import Path

import yaml

from audit.settings import Settings
from audit.vignettes import Expected, Row, Vignette, contract


def write(vignettes: Sequence[Vignette], folder: Path) -> Settings:
    """Writes the patients of `vignettes` as one CSV extract.

    Args:
        vignettes: under one and the same circumstances; each rule may have variants of its own.
        folder: an empty folder; tables not linked get no file in it.

    Returns:
        The settings under which their rules are judged on it.
    """
    rules, circumstances = sorted({v.rule for v in vignettes}), vignettes[0].circumstances
    linked = [name for name in contract() if name not in circumstances.not_linked]
    rows: dict[str, list[Row]] = {table: [] for table in linked}
    for vignette in vignettes:
        for table, table_rows in vignette.tables.items():
            if table in rows:
                rows[table] += [_at_own_hospital(row, vignette.rule) for row in table_rows]
    hospitals = {tumour["site_id"] for tumour in rows["tumours"]} - {""}
    rows["sites"] = [{"site_id": hospital} for hospital in sorted(hospitals)]
    for table, table_rows in rows.items():
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, contract()[table], restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(table_rows)
    mapping = folder / "mapping.yaml"
    if not circumstances.conjugates_told_apart:
        mapping.write_text(_conjugates_under_trastuzumab(linked))
    return Settings(
        extract=folder,
        mapping=str(mapping) if mapping.exists() else None,
        cutoff=circumstances.cutoff,
        jurisdiction=circumstances.jurisdiction,
        rules=tuple(rules),
        variants={v.rule: dict(v.circumstances.variants) for v in vignettes},
    )


def _at_own_hospital(row: Row, rule: str) -> Row:
    """Hospitals are a rule's own: what one links is counted over the vignettes of one rule."""
    hospital = row.get("site_id")
    return {**row, "site_id": f"{rule}/{hospital}"} if hospital else row


def _conjugates_under_trastuzumab(linked: Sequence[str]) -> str:
    """A source mapping that reads each table as it is, and says that conjugates hide in it."""
    columns = contract()
    return yaml.safe_dump(
        {
            "says": "an extract whose source stores conjugates under trastuzumab",
            "conjugates_told_apart": False,
            "not_linked": [name for name in columns if name not in linked],
            "tables": {
                name: [{"file": f"{name}.csv", "columns": {c: c for c in columns[name]}}]
                for name in linked
            },
        }
    )


def disagreements(vignette: Vignette, rows: list[dict[str, object]]) -> list[str]:
    """What the findings of a vignette's patient say against it; empty where they agree."""
    found = {str(row["subject_id"]).removeprefix(f"{vignette.prefix}-"): row for row in rows}
    concerned = sorted(s for s, row in found.items() if row["verdict"] != "not_applicable")
    # A patient with one verdict: the finding in the population, or else one of those outside it.
    only = next(iter(concerned or sorted(found)), "the tumour")
    expected = {subject or only: verdict for subject, verdict in vignette.expected.items()}
    wrong = [
        f"{subject}: expected {verdict}, got {_told(found.get(subject))}"
        for subject, verdict in expected.items()
        if not _agrees(found.get(subject), verdict)
    ]
    wrong += [
        f"{subject}: expected no finding, got {_told(found[subject])}"
        for subject in concerned
        if subject not in expected
    ]
    return wrong


def _agrees(row: dict[str, object] | None, expected: Expected) -> bool:
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
        and expected.lacks in (None, row["missing"])
    )


def _told(row: dict[str, object] | None) -> str:
    if row is None:
        return "no finding"
    return (
        f"{row['verdict']} · {row['reason']} · margin {row['margin_days']} · due {row['due_date']}"
        f" · missing {row['missing']}\n  {row['evidence']}"
    )
