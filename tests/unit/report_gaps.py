"""What the made-up audit of the reports says of its records: quality, gaps and quarantine."""

import polars as pl
from report_registry import CATALOGUE, RULES, SITES


def quality():
    """A block, a warning on people, on rows and on hospitals, a note, and one that holds."""
    checks = [
        ("none-left", "patients", "block", "One is left.", "Look.", [RULES[0]], False, 900, 900),
        ("aged", "tumours", "warn", "Ages <are> possible.", "Ask.", [], False, 900, 7),
        ("dosed", "treatments", "warn", "Doses are possible.", "Ask.", RULES[:2], False, 40000, 3),
        ("placed", "sites", "warn", "Regions are named.", "Ask.", [], False, 6, 2),
        ("ended", "treatments", "info", "Courses end.", "Ask.", [], False, 40000, 400),
        ("named", "treatments", "warn", "Drugs are named.", "Ask.", [], True, 40000, 0),
    ]
    columns = "check_id table_name severity says what_to_do endangers success rows_checked"
    judged = pl.DataFrame(
        checks,
        orient="row",
        schema=[*columns.split(), "rows_unexpected"],
        schema_overrides={"endangers": pl.List(pl.String)},
    )
    runs = [
        (f"run-{run}", f"2024-{run:02}-01T00:00:00", check, 40 - 5 * run, 40000)
        for run in range(1, 4)
        for check in ("aged", "dosed", "ended")
    ]
    return {
        "quality_checks": judged.with_columns(
            share=pl.col("rows_unexpected") / pl.col("rows_checked")
        ),
        "quality_examples": pl.DataFrame(
            {
                "check_id": ["none-left", "aged", "dosed", "placed", "ended"],
                "examples": [[1, 2], [77777], [3, 1004], [6], [5]],
            }
        ),
        "quality_history": pl.DataFrame(
            runs,
            orient="row",
            schema=["run_id", "created_at", "check_id", "rows_unexpected", "rows_checked"],
        ),
    }


def gaps(found):
    return found.filter(pl.col("verdict") == "not_evaluable").select(
        "rule_id",
        "subject_id",
        "site_id",
        gap=pl.when(pl.col("reason") == "imprecise-date")
        .then(pl.lit("exact dates"))
        .otherwise(pl.col("missing").list.sort().list.join(" + ")),
    )


def repairs(found):
    lacking = gaps(found).rename({"gap": "field"})
    whole = lacking.with_columns(site_id=pl.lit(None, pl.String))
    return (
        pl.concat([whole, lacking])
        .group_by("rule_id", "site_id", "field")
        .agg(verdicts_settled=pl.len().cast(pl.Int64))
    )


# Field, and how many of the tumours of each site and year lack it, one after the other.
LACKING = {
    "tumours.diagnosis_date": ([0, 0, 0, 0], [0, 0, 0]),
    "receptor_tests.her2_ihc": ([40, 25, 3, 12], [30, 45, 5]),
    "tumours.clinical_n": ([300, 200, 100, 0], [400, 150, 50]),
    "surgeries.yp_t": ([492, 21, 0, 40], [20, 500, 33]),
}
SIZES = [500, 300, 150, 50]


def completeness():
    """Completeness of four fields at four sites and in three years."""
    rows = []
    for field, (by_site, by_year) in LACKING.items():
        cells = [(None, None, 1000, sum(by_site))]
        cells += zip(SITES, [None] * 4, SIZES, by_site, strict=True)
        cells += zip([None] * 3, ["2019", "2020", "2021"], [400, 500, 100], by_year, strict=True)
        among = CATALOGUE.fields[field].among
        rows += [
            (field, among, site, year, size, size - lacks, RULES[:2])
            for site, year, size, lacks in cells
        ]
    return pl.DataFrame(
        rows,
        orient="row",
        schema={
            "field": pl.String,
            "expected_among": pl.String,
            "site_id": pl.String,
            "year": pl.String,
            "expected": pl.Int64,
            "present": pl.Int64,
            "rules": pl.List(pl.String),
        },
    )


def quarantine():
    return pl.DataFrame(
        [
            ("treatments", "treatments.csv", 17, "start_date", "=2019-99-01", "not-a-date", "P3",
             '{"drug": "trastuzumab"}'),
            ("treatments", "treatments.csv", 18, "dose", "-5", "out-of-range", "P4", "{}"),
            ("treatments", "treatments.csv", 19, "dose", "-6", "out-of-range", None, "{}"),
            ("tumours", "tumours.csv", 2, "site_id", "@S9", "unknown-site", "P9", "{}"),
        ],
        orient="row",
        schema=[
            "table_name", "file", "row_number", "column_name", "value", "reason", "patient_id",
            "record",
        ],
    )  # fmt: skip
