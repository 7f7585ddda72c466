"""The pages and files as text: what they hold, what they hide, and that they hold nothing else."""

import csv
import re
import stat
from itertools import pairwise

import polars as pl
import pytest
import report_fixtures as fixtures
from report_registry import CATALOGUE, SETTINGS

from audit import worklist
from audit.figures import all_figures
from audit.file_names import file_names
from audit.outputs import formula_safe, summary, write_findings, write_outputs
from audit.present import present
from audit.report import render_report

CASES_ON_PAGE = 100


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    """A folder with every file that the report side writes."""
    folder = tmp_path_factory.mktemp("audit")
    found, tables = fixtures.findings(), fixtures.tables()
    con = fixtures.database(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worklist, "CASES_ON_PAGE", CASES_ON_PAGE)
        patch.setattr(worklist, "timeline", fixtures.timeline)
        worklist.write_worklists(con, CATALOGUE, folder, SETTINGS)
    page = present(tables, fixtures.manifest(), CATALOGUE)
    render_report(page, folder)
    write_outputs(con, [rule.figures for rule in page.rules], folder, 10)
    write_findings(con, folder / "findings.parquet")
    con.close()
    return folder


@pytest.fixture(scope="module")
def page(audit):
    return (audit / "report" / "index.html").read_text(encoding="utf-8")


PAGES = [
    "index.html",
    "quality.html",
    "rules/neoadj-dual-blockade.html",
    "rules/early-her2-one-year.html",
    "sites/S2.html",
]


@pytest.fixture(scope="module", params=PAGES)
def any_path(audit, request):
    return audit / "report" / request.param


@pytest.fixture(scope="module")
def any_page(any_path):
    return any_path.read_text(encoding="utf-8")


def test_a_page_is_self_contained(any_page, any_path):
    assert "<script" not in any_page
    assert not re.search(r"url\((?!#)|@import| src=", any_page)
    assert "default-src 'none'" in any_page
    for link in re.findall(r"href=\"([^\"#]+)", any_page):
        assert link.startswith("data:") or (any_path.parent / link).is_file(), link


def test_a_page_stands_for_every_rule_and_hospital(audit):
    names = {path.relative_to(audit / "report").as_posix() for path in audit.rglob("report/*/*")}
    rules = {f"rules/{rule_id}.html" for rule_id in fixtures.RULES}
    assert names == rules | {f"sites/{site_id}.html" for site_id in fixtures.SITES}


def test_the_same_tables_give_the_same_bytes(audit, tmp_path):
    render_report(present(fixtures.tables(), fixtures.manifest(), CATALOGUE), tmp_path)
    first, again = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("report/**/*.html")}
        for folder in (audit, tmp_path)
    )
    assert first == again


def test_what_comes_from_the_source_is_escaped(page, audit):
    assert "study &lt;drug&gt;" in page and "study <drug>" not in page
    assert "Cedar &lt;County&gt; &amp; District Hospital" in page
    worklists = [path.read_text("utf-8") for path in (audit / "worklist").glob("*.html")]
    assert any("&lt;b&gt;x&lt;/b&gt;" in text for text in worklists)
    assert not any("<b>x</b>" in text for text in worklists)


@pytest.mark.parametrize("kept", [["study <drug>", "XYZ-1"], ["XYZ-1"]])
def test_a_drug_text_of_few_patients_stands_in_nothing_to_share(tmp_path, kept):
    tables = fixtures.tables()
    drugs = tables["unrecognised_drugs"].filter(pl.col("drug").is_in(kept))
    page = present({**tables, "unrecognised_drugs": drugs}, fixtures.manifest(), CATALOGUE)
    render_report(page, tmp_path)
    shared = [path.read_text("utf-8") for path in (tmp_path / "report").rglob("*.*")]
    assert not any("XYZ-1" in text for text in shared)
    index = (tmp_path / "report/index.html").read_text("utf-8")
    assert 'data-id="registry/drugs_left_out" value="1"' in index
    assert "Every drug name was recognised" not in index


def test_the_page_never_says_that_care_was_not_given(page, any_page):
    assert "not given" not in any_page
    assert "It does not mean that care fell short" in page


def test_the_page_knows_no_patient(any_page):
    assert "worklist" not in any_page
    assert not re.search(r"(patient|tumour)-\d", any_page)


def test_headings_do_not_skip_a_level(any_page):
    levels = [int(level) for level in re.findall(r"<h([1-6])", any_page)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_and_scopes(any_page):
    assert any_page.count("<table") == any_page.count("<caption")
    assert not re.search(r"<th(?![^>]*scope=)[ >]", any_page)


def test_every_chart_has_a_text(any_page, any_path):
    charts = re.findall(r"<svg[^>]*>", any_page)
    assert charts or any_path.stem == "early-her2-one-year"
    assert all('role="img"' in chart and "aria-label" in chart for chart in charts)
    plots = [chart for chart in charts if 'class="plot"' in chart]
    assert any_page.count("<title id=") == any_page.count("<desc id=") == len(plots)


def test_ids_are_unique_and_every_link_arrives(any_page):
    ids = re.findall(r"\sid=\"([^\"]+)\"", any_page)
    assert len(ids) == len(set(ids))
    named = set(re.findall(r"href=\"#([^\"]+)\"|url\(#([^)]+)\)", any_page))
    named |= {
        (id_,) for ids_ in re.findall(r"labelledby=\"([^\"]+)", any_page) for id_ in ids_.split()
    }
    assert {id_ for one in named for id_ in one if id_} <= set(ids)


def test_a_rule_without_a_case_says_so_and_shows_no_rate(audit, page):
    own = (audit / "report/rules/early-her2-one-year.html").read_text("utf-8")
    for text in (own, page):
        assert "No case falls under this rule" in text
        assert "Decided before the rule was in force (1,200)" in text
    assert "0.0%" not in own


def test_summary_gives_a_row_a_rule_level_and_group(audit):
    with (audit / "summary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["rule_id"], row["level"], row["group_id"]) for row in rows}) == len(rows)
    row = next(
        row
        for row in rows
        if row["rule_id"] == "neoadj-dual-blockade" and row["level"] == "registry"
    )
    met, unmet = int(row["conformant"]), int(row["non_conformant"])
    assert float(row["rate"]) == pytest.approx(met / (met + unmet), abs=1e-6)
    unknown = int(row["not_evaluable"])
    assert float(row["bound_low"]) == pytest.approx(met / (met + unmet + unknown), abs=1e-6)


def test_no_file_of_aggregates_holds_a_small_count(audit):
    counts = (
        "population", "not_applicable", "not_evaluable", "conformant", "excepted", "pending",
        "non_conformant",
    )  # fmt: skip
    with (audit / "summary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shown = [row[name] for row in rows for name in counts if row["level"] != "number"]
    # Hospitals, texts and rows set aside may be few: they are not people.
    others = (
        "(^|/)(funnel|sites|alarms|loads|quarantine|repairs|expectations|block|warn|info"
        "|placed/(rows|checked)|quarantined|drugs_left_out)(/|$)"
    )
    of_people = [row for row in rows if not re.search(others, row["id"])]
    few = {row["id"]: row["value"] for row in of_people if re.fullmatch("[1-9]", row["value"])}
    assert few == {}
    assert {value for value in shown if not value.isdigit()} == {"<10", "suppressed"}
    assert not [value for value in shown if value.isdigit() and 0 < int(value) < 10]


def test_a_threshold_of_one_hides_nothing():
    shown = summary(all_figures(fixtures.tables(), fixtures.RULES, 1).values(), 1, {})
    assert (
        not shown.select(pl.all().is_in(["<1", "suppressed"]))
        .select(pl.exclude("rate", "wilson_low", "wilson_high", "bound_low", "bound_high"))
        .to_series(0)
        .any()
    )


def test_findings_leave_out_who_is_not_concerned_and_come_in_order(audit):
    written = pl.read_parquet(audit / "findings.parquet")
    concerned = fixtures.findings().filter(pl.col("verdict") != "not_applicable")
    assert written.select("rule_id", "subject_id", "verdict").equals(
        concerned.sort("rule_id", "subject_id").select("rule_id", "subject_id", "verdict")
    )
    assert stat.S_IMODE((audit / "findings.parquet").stat().st_mode) == 0o600


def test_findings_have_the_columns_and_types_of_the_contract(audit):
    schema = pl.read_parquet_schema(audit / "findings.parquet")
    text, day = pl.String, pl.Date
    assert dict(schema) == {
        "rule_id": text, "subject_id": text, "patient_id": text, "tumour_id": text,
        "site_id": text, "decision_date": day, "due_date": day, "verdict": text, "reason": text,
        "missing": pl.List(text), "margin_days": schema["margin_days"], "evidence": text,
    }  # fmt: skip
    assert schema["margin_days"].is_integer()


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"), ("+49", "'+49"), ("-5", "'-5"), ("@x", "'@x"), ("\tx", "'\tx"),
        ("\rx", "'\rx"), (" =1", "' =1"), ("\uff1d1", "'\uff1d1"), ("a=b", "a=b"), ("", ""),
        (None, None),
    ],
)  # fmt: skip
def test_no_text_begins_a_formula(text, safe):
    frame = pl.DataFrame({"cell": [text], "n": [-5]}, schema={"cell": pl.String, "n": pl.Int64})
    assert formula_safe(frame).row(0) == (safe, -5)


def test_no_cell_of_any_csv_begins_a_formula(audit):
    files = [*audit.glob("*.csv"), *audit.glob("worklist/*.csv")]
    assert len(files) > 2
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell]


def test_patient_level_files_are_private(audit):
    private = [audit / "findings.parquet", audit / "quarantine.csv", *audit.glob("worklist/*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert stat.S_IMODE((audit / "worklist").stat().st_mode) == 0o700


def test_worklists_hold_every_case_and_the_page_the_gravest(audit):
    found = fixtures.findings().filter(
        pl.col("verdict").is_in(["non_conformant", "not_evaluable"]), pl.col("site_id") == "S1"
    )
    name = "S1"
    listed = pl.read_csv(audit / "worklist" / f"{name}.csv", infer_schema=False)
    assert listed.height == found.height > CASES_ON_PAGE
    assert listed["verdict"].to_list() == sorted(listed["verdict"].to_list(), reverse=True)
    html = (audit / "worklist" / f"{name}.html").read_text("utf-8")
    assert html.count("<article") == CASES_ON_PAGE
    assert f"{found.height - CASES_ON_PAGE:,} more are in {name}.csv" in html


def test_file_names_are_safe_and_apart():
    ids = [
        "a",
        "A",
        "../a",
        "a/b",
        "a-b",
        "",
        "index",
        "con",
        "Spital Zürich",
        "x" * 300,
        ".",
        "a b",
    ]
    names = file_names(ids)
    assert list(names) == ids
    assert len({name.casefold() for name in names.values()}) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+(\.[0-9a-f]{12})?", name) for name in names.values())
    assert names["a-b"] == "a-b"


def test_the_repair_list_holds_every_case_not_judged_with_its_patient(audit):
    listed = pl.read_csv(audit / "worklist" / "repairs.csv", infer_schema=False)
    unjudged = fixtures.findings().filter(pl.col("verdict") == "not_evaluable")
    key = ("rule_id", "subject_id", "patient_id", "site_id")
    assert sorted(listed.select(key).rows()) == sorted(unjudged.select(key).rows())
    first = listed.filter(pl.col("site") == listed["site"][0])
    gaps = first["verdicts_with_the_same_gap"].cast(pl.Int64)
    assert gaps.is_sorted(descending=True)
    assert gaps[0] == (first["gap"] == first["gap"][0]).sum()
