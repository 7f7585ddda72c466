"""A small made-up audit: findings drawn by a fixed seed, and the tables counted from them."""

import json
import random
from datetime import date, timedelta

import duckdb
import polars as pl
from report_gaps import completeness, gaps, quality, quarantine, repairs
from report_registry import CUTOFF, GATED, RULES, SITES

from audit.evaluate import VARIANT_RATES
from audit.periods import period_of
from audit.verdicts import IN_POPULATION, VERDICTS

REASONS = {
    "not_applicable": ["her2-negative", "not-in-force"],
    "not_evaluable": ["unrecognised-drug", "imprecise-date"],
    "conformant": ["on-time", "late"],
    "excepted": ["patient-refusal", "contraindication-cardiac", "trial", "toxicity"],
    "pending": ["not-yet-due", "lost-to-follow-up"],
    "non_conformant": ["conjugate-not-recorded", "conjugate-too-late"],
}
MISSING = [["surgeries.yp_t"], ["tumours.clinical_n"], ["tumours.clinical_n", "tumours.clinical_t"]]
WEIGHTS = [60, 10, 60, 8, 5, 18]


def findings(size=1200, seed=7):
    """Findings under the columns of the contract. The last rule is in force for nobody."""
    draw = random.Random(seed)
    rows = []
    for rule_id in RULES:
        for at in range(size if rule_id != "adj-dual-blockade" else size // 12):
            verdict = draw.choices(VERDICTS, WEIGHTS)[0]
            reason = draw.choice(REASONS[verdict])
            if rule_id == "early-her2-one-year":
                verdict, reason = "not_applicable", "not-in-force"
            decided = date(2018, 1, 1) + timedelta(days=draw.randrange(2400))
            rows.append(
                {
                    "rule_id": rule_id,
                    "subject_id": f"tumour-{at}",
                    "patient_id": f"patient-{at}",
                    "tumour_id": f"tumour-{at}",
                    "site_id": draw.choices(list(SITES), [10, 6, 3, 1])[0],
                    "decision_date": decided,
                    "due_date": decided + timedelta(days=180),
                    "verdict": verdict,
                    "reason": reason,
                    "missing": draw.choice(MISSING) if verdict == "not_evaluable" else [],
                    "margin_days": draw.randrange(-90, 90),
                    "evidence": json.dumps(
                        {"first_dose": str(decided), "drugs": ["=trastuzumab", "<b>x</b>"]}
                    ),
                }
            )
    return pl.DataFrame(rows, schema_overrides={"missing": pl.List(pl.String)})


def reviewed(found, of=3):
    """The findings, where a reviewer has accepted every third or other of the cases excepted."""
    number = pl.col("subject_id").str.extract(r"(\d+)").cast(pl.Int64)
    accepted = (pl.col("verdict") == "excepted") & (number % of == 0)
    return found.with_columns(
        reason=pl.when(accepted).then(pl.lit("adjudicated")).otherwise("reason")
    )


def count(found, level, key):
    grouped = found.with_columns(key.cast(pl.String).alias("group_id"))
    counted = grouped.group_by("rule_id", "group_id").agg(
        *(
            (pl.col("verdict") == verdict).sum().cast(pl.Int64).alias(verdict)
            for verdict in VERDICTS
        ),
        ((pl.col("verdict") == "pending") & (pl.col("reason") == "lost-to-follow-up"))
        .sum()
        .cast(pl.Int64)
        .alias("lost"),
        (pl.col("reason") == "adjudicated").sum().cast(pl.Int64).alias("adjudicated"),
    )
    return counted.with_columns(
        pl.lit(level).alias("level"),
        pl.col("group_id").replace(SITES).alias("group_name"),
    ).sort("rule_id", "group_id")


def period_name(period):
    return pl.col("decision_date").map_elements(
        lambda day: period_of(day, period), return_dtype=pl.String
    )


def strata(found):
    """Groups that follow from the patient's number."""
    concerned = found.filter(pl.col("verdict") != "not_applicable")
    number = pl.col("patient_id").str.extract(r"(\d+)").cast(pl.Int64) % 5
    ages = ["younger", "middle", "middle", "older", "older"]
    by = {
        "age": number.replace_strict(dict(enumerate(ages)), return_dtype=pl.String),
        "receptors": pl.when(number < 4).then(pl.lit("positive")).otherwise(pl.lit("negative")),
        "stage": number.replace_strict(
            dict(enumerate(["I", "I", "II", "III", "unknown"])), return_dtype=pl.String
        ),
        "adjacent_dcis": pl.when(number < 1).then(pl.lit("present")).otherwise(pl.lit("unknown")),
        "anthracycline": pl.when(number < 3).then(pl.lit("none")).otherwise(pl.lit("given")),
        "era": pl.when(number < 2).then(pl.lit("pertuzumab")).otherwise(pl.lit("deruxtecan")),
    }
    return pl.concat(
        concerned.with_columns(level=pl.lit(level), group_id=group_id)
        .group_by("rule_id", "level", "group_id")
        .agg(
            (pl.col("verdict") == verdict).sum().cast(pl.Int64).alias(verdict)
            for verdict in IN_POPULATION
        )
        for level, group_id in by.items()
    )


def margins(found):
    """Margins as drawn; failures at a multiple of seven days outside had nothing recorded."""
    judged = found.filter(pl.col("verdict").is_in(["conformant", "non_conformant"]))
    waiting = (
        (pl.col("verdict") == "non_conformant")
        & (pl.col("margin_days") < 0)
        & (pl.col("margin_days") % 7 == 0)
    )
    return (
        judged.with_columns(waiting=waiting)
        .group_by("rule_id", "verdict", "margin_days", "waiting")
        .agg(n=pl.len().cast(pl.Int64))
    )


def tables(found=None, patients=15_000, period="year"):
    """The result tables that belong to the findings."""
    found = findings() if found is None else found
    reasons = found.group_by("rule_id", "verdict", "reason").agg(pl.len().cast(pl.Int64).alias("n"))
    return {
        "rates": pl.concat(
            [
                count(found, "registry", pl.lit("")),
                count(found, "site", pl.col("site_id")),
                count(found, period, period_name(period)),
            ]
        ),
        "attrition": pl.DataFrame(
            [row for rule_id in RULES for row in attrition(found, rule_id, patients)],
            orient="row",
            schema=["rule_id", "step", "code", "says", "removed", "remaining"],
        ),
        "strata": strata(found),
        "margins": margins(found),
        "gated_sites": pl.DataFrame(
            [(GATED, "S3", "receptor_tests", 40, 20, 0.5, True)],
            orient="row",
            schema=["rule_id", "site_id", "stream", "expected", "seen", "share", "gated"],
        ),
        "variant_rates": pl.DataFrame([], VARIANT_RATES),
        "responses": pl.DataFrame(
            [("all", "all", 90, 80, 3), ("receptors", "positive", 30, 60, 3),
             ("receptors", "negative", 60, 20, 0), ("adjacent_dcis", "unknown", 90, 80, 3)],
            orient="row", schema=["level", "group_id", "pcr", "residual", "unknown"],
        ),
        "window_lines": pl.DataFrame(
            [
                (True, 42, 90, 412, 338, 235, 4),
                (False, 28, 90, 412, 345, 235, 0),
                (False, 56, 90, 412, 320, 200, 0),
            ],
            orient="row",
            schema=[
                "is_default", "join_days", "gap_days",
                "first_lines", "second_lines", "third_lines", "later_lines",
            ],
        ),
        "exception_reasons": reasons.filter(pl.col("verdict") == "excepted").drop("verdict"),
        "repairs": repairs(found),
        "completeness": completeness(),
        "missing_fields": found.explode("missing")
        .drop_nulls("missing")
        .group_by("rule_id", pl.col("missing").alias("field"))
        .agg(pl.len().cast(pl.Int64).alias("n")),
        "verdict_reasons": reasons,
        "unrecognised_drugs": pl.DataFrame(
            {"drug": ["study <drug>", "XYZ-1"], "rows": [40, 3], "patients": [12, 2]}
        ),
        **quality(),
        "unreadable_stages": pl.DataFrame(
            {
                "column_name": ["clinical_m", "yp_t", "yp_t"],
                "text": ["<M?>", "15 mm", "T2/T3"],
                "rows": [2, 30, 12],
            }
        ),
        "registry_facts": pl.DataFrame(
            [
                (0, "HER2 status of patients", "positive", 2100),
                (1, "HER2 status of patients", "of these discordant", 3),
                (1, "HER2 status of patients", "positive without those", 2097),
                (2, "HER2 status of patients", "negative", 11_800),
                (3, "HER2 status of patients", "equivocal", 4),
                (4, "HER2 status of patients", "unknown", 1096),
                (5, "Anti-HER2 treatment", "rows", 21_000),
                (6, "Anti-HER2 treatment", "patients", 1850),
            ],
            orient="row",
            schema=["position", "topic", "label", "n"],
        ),
        "load_counts": pl.DataFrame(
            [
                ("patients", True, "patients.csv", patients, patients, 0, 0),
                ("tumours", True, "tumours.csv", patients + 220, patients + 200, 8, 12),
                ("receptor_tests", True, "receptor_tests.csv", 18_000, 17_990, 10, 0),
                ("treatments", True, "treatments.csv", 90_003, 90_000, 0, 3),
                ("exceptions", False, None, 0, 0, 0, 0),
            ],
            orient="row",
            schema=[
                "table_name", "linked", "file", "rows_read", "rows_loaded",
                "duplicates_collapsed", "rows_quarantined",
            ],
        ),
        "quarantine": quarantine().group_by("table_name", "reason").len("n"),
    }  # fmt: skip


def database(found):
    """What the writers of patient-level files ask an audit's database for."""
    con = duckdb.connect()
    sites = pl.DataFrame({"site_id": list(SITES), "name": list(SITES.values())})
    for name, frame in (
        ("findings", found),
        ("sites", sites),
        ("quarantine", quarantine()),
        ("gaps", gaps(found)),
        ("case_hashes", hashes(found)),
        ("load_counts", tables(found)["load_counts"]),
    ):
        con.register("incoming", frame.to_arrow())
        con.execute(f"create table {name} as select * from incoming")
    return con


def hashes(found):
    return found.select("rule_id", "subject_id", evidence_hash=pl.col("subject_id") + "-hash")


def timeline(_con, patient_ids, cutoff):
    """Three facts of each patient, one of them inexact, one without an end."""
    day = date(2019, 3, 1)
    rows = [
        (patient, None, kind, lane, label, day, end, earliest, latest, doses)
        for patient in sorted(patient_ids)
        for kind, lane, label, end, earliest, latest, doses in (
            ("diagnosis", "Diagnosis", "diagnosis, cT2", day, day, day, []),
            ("surgery", "Surgery", "mastectomy", day, date(2019, 2, 1), date(2019, 4, 1), []),
            ("drug", "<b>wonder</b>", "course, end not recorded", None, day, None, [day]),
            ("cut-off", "Follow-up", "data cut-off", cutoff, day, cutoff, []),
        )
    ]
    text = dict.fromkeys(("patient_id", "tumour_id", "kind", "lane", "label"), pl.String)
    days = dict.fromkeys(("start_date", "end_date", "earliest_date", "latest_date"), pl.Date)
    schema = {**text, **days, "dose_dates": pl.List(pl.Date)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def attrition(found, rule_id, patients):
    of_rule = found.filter(pl.col("rule_id") == rule_id)
    population = of_rule.filter(pl.col("verdict") != "not_applicable").height
    excluded = of_rule.filter(pl.col("verdict") == "not_applicable")["reason"].value_counts()
    removed = dict(excluded.iter_rows())
    early, tumours = removed.get("not-in-force", 0), patients + 200
    before = population + early
    considered = before + 1900
    return [
        (rule_id, 0, "patients", "Patients loaded", 0, patients),
        (rule_id, 1, "tumours", "Tumours loaded", 0, tumours),
        (rule_id, 2, "subjects", "Considered by this rule", 0, considered),
        (rule_id, 3, "her2-negative", "HER2-negative", 1900, before),
        (rule_id, 4, "not-in-force", "Decided before the rule was in force", early, population),
    ]


def manifest():
    return {
        "run_id": "a1b2c3d4e5f6",
        "created_at": "2026-11-21T02:00:00+00:00",
        "product": {"name": "guideline-audit", "version": "0.1.0"},
        "catalogue": {"hash": "9f" * 32, "rules": dict.fromkeys(RULES, "1.0.0")},
        "cutoff": str(CUTOFF),
        "jurisdiction": "US",
        "period": "year",
        "mapping": None,
        "parameters": {rule_id: {"due_days": 84} for rule_id in RULES},
        "variants": {"neoadj-dual-blockade": {"population": "all-early"}},
        "inputs": [
            {"file": "patients.csv", "sha256": "ab" * 32, "bytes": 123_456},
            {"file": "treatments.csv", "sha256": "cd" * 32, "bytes": 9_123_456},
        ],
        "tables": {},
        "verdicts": {rule_id: {} for rule_id in RULES},
    }
