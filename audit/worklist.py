"""Patient-level worklists, a page and a complete CSV a site, for the treating teams alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from audit import adjudicate, resources
from audit.file_names import file_names
from audit.guideline import Card, Catalogue
from audit.outputs import private_file, write_csv
from audit.own_trend import OwnTrend, own_trends
from audit.report import render
from audit.settings import Settings
from audit.swimlanes import Fact, Plot, plot, told
from audit.timeline import timeline
from audit.warehouse import Connection
from audit.wording import field_words, sentence, words

CASES_ON_PAGE = 500
"""Cases on a site's page, the gravest first, and with a timeline; its CSV holds all of them."""
ANSWERS = ("answer", "reason", "reviewer", "reviewed_on", "evidence")
"""Columns of a CSV that the reviewer fills in."""


@dataclass(frozen=True)
class Site:
    """A site with its files and the numbers of its cases."""

    id: str
    name: str
    file: str
    for_review: int
    not_evaluable: int


@dataclass(frozen=True)
class Question:
    """The cases of one rule and verdict; `accepted` are the reasons for another course."""

    card: Card
    verdict: str
    accepted: list[str]
    cases: list[dict[str, Any]]


def write_worklists(
    con: Connection,
    catalogue: Catalogue,
    folder: Path,
    settings: Settings,
) -> None:
    """Writes `worklist/` under `folder`: private files that nothing in the report points at.

    A page and a CSV a site, and `repairs.csv` with what keeps cases of all sites from being judged.
    A timeline takes more room than all else that is said of a case: those on the page have one.

    Args:
        con: the audit's database, with `findings` and `sites`.
        catalogue: the cards; their severity orders the cases.
        folder: an existing folder without a `worklist/`.
        settings: the cut-off, the reporting periods, and a user's folder of templates.
    """
    target = folder / "worklist"
    target.mkdir(mode=0o700)
    statement = (resources.root("sql") / "results" / "worklist.sql").read_text(encoding="utf-8")
    linked = _reasons_linked(con)
    cases = worded(con.sql(statement).pl(), catalogue, linked)
    on_page = pl.int_range(pl.len()).over("site_id", "site") < CASES_ON_PAGE
    drawn = cases.filter(on_page, pl.col("verdict") == "non_conformant")
    facts = told(timeline(con, drawn["patient_id"].unique(), settings.cutoff))
    rows = _listed(cases, on_page, facts).partition_by(
        "site_id", "site", as_dict=True, include_key=False
    )
    files = file_names(cases["site_id"].unique().to_list())
    trends = own_trends(con, catalogue, settings.period)
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
        write_csv(rows[site_id, name], target / f"{site.file}.csv")
        shown = own.head(CASES_ON_PAGE).to_dicts()
        context = {
            "site": site,
            "shown": len(shown),
            "left_out": own.height - len(shown),
            "questions": _questions(shown, catalogue, facts),
            "facts": facts,
            "reasons_linked": linked,
            "answers": adjudicate.ANSWERS,
            "period": settings.period,
            "trend": trends.get(site_id, OwnTrend([], [])),
        }
        _write_page(target / f"{site.file}.html", "worklist.html", context, settings.templates)
    _write_page(target / "index.html", "worklists.html", {"sites": sites}, settings.templates)
    write_csv(_repair_list(cases), target / "repairs.csv")


def _reasons_linked(con: Connection) -> bool:
    """Whether documented reasons could be seen at all."""
    loads = con.sql("from load_counts where table_name = 'exceptions' and linked").fetchall()
    return bool(loads)


def _questions(
    cases: Sequence[dict[str, Any]],
    catalogue: Catalogue,
    facts: Mapping[str, Sequence[Fact]],
) -> list[Question]:
    """The cases of a page by rule, each for review with its swimmer plot."""
    questions = []
    for (verdict, rule_id), own in groupby(cases, key=lambda c: (c["verdict"], c["rule_id"])):
        card = catalogue.rules[rule_id].card
        accepted = [words()["reasons"][reason] for reason in card.exceptions.reasons]
        drawn = [{**case, "plot": _plot(case, facts)} for case in own]
        questions.append(Question(card, verdict, accepted, drawn))
    return questions


def _plot(case: Mapping[str, Any], facts: Mapping[str, Sequence[Fact]]) -> Plot | None:
    known = facts.get(case["patient_id"])
    if known is None or case["verdict"] != "non_conformant":
        return None
    return plot(known, {"decided on": case["decision_date"], "due by": case["due_date"]})


def _listed(
    cases: pl.DataFrame, on_page: pl.Expr, facts: Mapping[str, Iterable[Fact]]
) -> pl.DataFrame:
    """The rows of the sites' CSVs, beside their site; a timeline stands where the page has one."""
    texts = {
        patient: "; ".join(f"{fact.when} {fact.what}" for fact in own)
        for patient, own in facts.items()
    }
    known = pl.col("patient_id").replace_strict(texts, default="", return_dtype=pl.String)
    timeline = pl.when(on_page).then(known).otherwise(pl.lit(""))
    return cases.select("site_id", "site", **_columns(timeline))


def worded(cases: pl.DataFrame, catalogue: Catalogue, reasons_linked: bool) -> pl.DataFrame:
    """The cases with everything in words, by site; within it the gravest rule first.

    Cases for review come before those that could not be judged. `not_shown` says what the record
    lacks: the recommended care and an accepted reason, or what it would take to judge.

    Args:
        cases: rows of `sql/results/worklist.sql`.
        catalogue: the cards.
        reasons_linked: whether documented reasons could be seen at all.
    """
    no_reason = (
        "no accepted reason for another course"
        if reasons_linked
        else "whether there was an accepted reason (reasons are not linked)"
    )
    lacking = pl.col("missing").list.eval(
        pl.element().replace_strict(
            field_words(catalogue), default=pl.element(), return_dtype=pl.String
        )
    )
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
            "met_when": card.numerator,
        }
        for row in seen
        for card in [catalogue.rules[row["rule_id"]].card]
    ]
    schema = {
        **dict.fromkeys(
            (
                "rule_id",
                "verdict",
                "reason",
                "number",
                "title",
                "severity",
                "answer",
                "because",
                "met_when",
            ),
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
        .with_columns(
            _margin_in_words(),
            not_shown=pl.when(pl.col("verdict") == "non_conformant")
            .then(pl.concat_list("met_when", pl.lit(no_reason)))
            .otherwise(lacking),
        )
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


def _columns(timeline: pl.Expr) -> dict[str, pl.Expr]:
    """The columns of a site's CSV, in order; the last five are for the reviewer to fill in."""
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
        "why_listed": pl.col("because"),
        "decision_date": pl.col("decision_date"),
        "due_date": pl.col("due_date"),
        "margin": pl.col("margin"),
        "record_shows": pl.col("shows").list.join("; ", ignore_nulls=True),
        "record_does_not_show": pl.col("not_shown").list.join("; ", ignore_nulls=True),
        "timeline": timeline,
        "missing": pl.col("missing").list.join("; ", ignore_nulls=True),
        "evidence_hash": pl.col("evidence_hash"),
        **dict.fromkeys(ANSWERS, pl.lit("")),
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


def _write_page(
    path: Path, template: str, context: Mapping[str, object], templates: Path | None
) -> None:
    with private_file(path) as file:
        file.write(render(template, context, templates).encode())
