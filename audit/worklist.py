"""Patient-level worklists, a page and a complete CSV a site, for the treating teams alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from audit import resources
from audit.file_names import file_names
from audit.guideline import Catalogue
from audit.outputs import private_file, write_csv
from audit.present import sentence, words
from audit.report import render
from audit.warehouse import Connection

CASES_ON_PAGE = 500
"""Cases on a site's page, the gravest first; its CSV holds all of them."""


@dataclass(frozen=True)
class Site:
    """A site with its files and the numbers of its cases."""

    id: str
    name: str
    file: str
    for_review: int
    not_evaluable: int


def write_worklists(con: Connection, catalogue: Catalogue, folder: Path) -> None:
    """Writes `worklist/` under `folder`: private files that nothing in the report points at.

    A page and a CSV a site, and `repairs.csv` with what keeps cases of all sites from being judged.

    Args:
        con: the audit's database, with `findings` and `sites`.
        catalogue: the cards; their severity orders the cases.
        folder: an existing folder without a `worklist/`.
    """
    target = folder / "worklist"
    target.mkdir(mode=0o700)
    statement = (resources.root("sql") / "results" / "worklist.sql").read_text(encoding="utf-8")
    cases = worded(con.sql(statement).pl(), catalogue)
    files = file_names(cases["site_id"].unique().to_list())
    sites = []
    for (site_id, name), own in cases.partition_by(
        "site_id", "site", as_dict=True, maintain_order=True
    ).items():
        verdicts = dict(own["verdict"].value_counts().iter_rows())
        site = Site(
            site_id,
            name,
            files[site_id],
            verdicts.get("non_conformant", 0),
            verdicts.get("not_evaluable", 0),
        )
        sites.append(site)
        write_csv(own.select(**_columns()), target / f"{site.file}.csv")
        shown = own.head(CASES_ON_PAGE).to_dicts()
        context = {"site": site, "cases": shown, "left_out": own.height - len(shown)}
        _write_page(target / f"{site.file}.html", "worklist.html", context)
    _write_page(target / "index.html", "worklists.html", {"sites": sites})
    write_csv(_repair_list(cases), target / "repairs.csv")


def worded(cases: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
    """The cases with everything in words, by site; within it the gravest rule first.

    Cases for review come before those that could not be judged.
    """
    severities = list(words()["severity"])
    verdicts = words()["verdicts"]
    seen = cases.select("rule_id", "verdict", "reason").unique().to_dicts()
    labels = [
        {
            **row,
            "number": card.number,
            "title": card.title,
            "severity": words()["severity"][card.severity]["label"],
            "gravity": severities.index(card.severity),
            "answer": verdicts[row["verdict"]]["label"],
            "because": sentence(row["reason"] or "", card),
        }
        for row in seen
        for card in [catalogue.rules[row["rule_id"]].card]
    ]
    schema = {
        **dict.fromkeys(
            ("rule_id", "verdict", "reason", "number", "title", "severity", "answer", "because"),
            pl.String,
        ),
        "gravity": pl.Int64,
    }
    return (
        cases.join(
            pl.DataFrame(labels, schema=schema),
            on=["rule_id", "verdict", "reason"],
            nulls_equal=True,
        )
        .with_columns(_margin_in_words())
        .sort(
            "site",
            "site_id",
            pl.col("verdict") != "non_conformant",
            "gravity",
            "number",
            "patient_id",
            "subject_id",
        )
    )


def _margin_in_words() -> pl.Expr:
    """Words, as a bare negative number would be a formula's beginning in a spreadsheet."""
    days = pl.col("margin_days")
    return (
        pl.when(days.is_null())
        .then(pl.lit(""))
        .when(days < 0)
        .then(pl.format("{} days outside", days.abs()))
        .otherwise(pl.format("{} days inside", days))
        .alias("margin")
    )


def _columns() -> dict[str, pl.Expr]:
    """The columns of a site's CSV, in order; the last two are for the reviewer to fill in."""
    return {
        "rule": pl.col("number"),
        "rule_id": pl.col("rule_id"),
        "title": pl.col("title"),
        "severity": pl.col("severity"),
        "patient_id": pl.col("patient_id"),
        "tumour_id": pl.col("tumour_id"),
        "subject_id": pl.col("subject_id"),
        "verdict": pl.col("answer"),
        "reason_code": pl.col("reason"),
        "reason": pl.col("because"),
        "decision_date": pl.col("decision_date"),
        "due_date": pl.col("due_date"),
        "margin": pl.col("margin"),
        "record_shows": pl.col("shows").list.join("; ", ignore_nulls=True),
        "missing": pl.col("missing").list.join("; ", ignore_nulls=True),
        "reviewer_answer": pl.lit(""),
        "reviewer_note": pl.lit(""),
    }


def _repair_list(cases: pl.DataFrame) -> pl.DataFrame:
    """The cases that could not be judged; of a site's those with the commonest gap come first."""
    lacking = cases.filter(pl.col("verdict") == "not_evaluable")
    settles = lacking.with_columns(settles=pl.len().over("site_id", "gap"))
    return settles.sort(
        "site",
        "site_id",
        -pl.col("settles").cast(pl.Int64),
        "gap",
        "number",
        "subject_id",
    ).select(
        "site_id",
        "site",
        "gap",
        pl.col("missing").list.join("; "),
        pl.col("settles").alias("verdicts_with_the_same_gap"),
        pl.col("number").alias("rule"),
        "rule_id",
        "patient_id",
        "tumour_id",
        "subject_id",
        pl.col("reason").alias("reason_code"),
        pl.col("because").alias("reason"),
    )


def _write_page(path: Path, template: str, context: Mapping[str, object]) -> None:
    with private_file(path) as file:
        file.write(render(template, context).encode())
