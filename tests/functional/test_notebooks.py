"""The notebooks run from end to end, hold no outputs that drift, and tell the command's numbers."""

import ast
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import nbclient
import nbformat
import polars as pl
import pytest
from the_command import told

import audit

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
VERDICTS = ("conformant", "non_conformant", "not_evaluable", "excepted", "pending")


@dataclass
class Shown:
    """A notebook's cells of code with what they show, and the command's audit of its extract."""

    cells: list
    folder: Path

    @property
    def findings(self):
        return pl.read_parquet(self.folder / "findings.parquet")

    def registry(self, rule_id):
        """The row of the command's summary for the whole registry."""
        rows = pl.read_csv(self.folder / "summary.csv", infer_schema=False)
        return rows.row(
            by_predicate=(pl.col("rule_id") == rule_id) & (pl.col("level") == "registry"),
            named=True,
        )

    def table(self, source):
        """The table of the one cell whose last statement begins so, as printed: a dict a row."""
        (cell,) = [cell for cell in self.cells if _last(cell.source).startswith(source)]
        html = cell.outputs[-1].data["text/html"]
        names = re.findall(r"<th>(.*?)</th>", html)
        cells = re.findall(r"<td>(.*?)</td>", html)[len(names) :]
        values = [value.removeprefix("&quot;").removesuffix("&quot;") for value in cells]
        return [
            dict(zip(names, values[at : at + len(names)], strict=True))
            for at in range(0, len(values), len(names))
        ]


def _last(source):
    return ast.unparse(ast.parse(source).body[-1]).replace("'", '"')


@pytest.fixture
def both(tmp_path, monkeypatch):
    """Executes a notebook, and has the command audit the same extract by the same rules."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def shown(number, rules, *more):
        cells = executed(NOTEBOOKS[number - 1])
        (extract,) = tmp_path.glob("*/extract")
        folder = tmp_path / "commanded"
        told("run", extract, "--cutoff", "2025-12-31", "--out", folder, "--rules", rules, *more)
        return Shown(cells, folder)

    return shown


def executed(path):
    """A notebook's cells of code with what they show; the last one closes the audit."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert code[-1].source == "result.close()"
    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(EXAMPLES)}}
    ).execute()
    shown = [output for cell in code for output in cell.outputs]
    assert not [output for output in shown if output.get("name") == "stderr"]
    assert len([cell for cell in code if cell.outputs]) >= len(code) - 3
    return code


def as_found(rows, findings, *keys):
    """Whether rows that a notebook shows count the verdicts that the command's findings have."""
    assert rows
    for row in rows:
        own = findings.filter(*(pl.col(key) == row[key] for key in keys))
        for verdict in (name for name in VERDICTS if name in row):
            assert int(row[verdict]) == (own["verdict"] == verdict).sum()
    return True


def same_rate(row, registry):
    return float(row["rate"]) == pytest.approx(float(registry["rate"]), abs=1e-6)


def test_the_four_notebooks_are_there() -> None:
    assert [path.stem[0] for path in NOTEBOOKS] == ["1", "2", "3", "4"]


def test_a_first_audit(both) -> None:
    shown = both(1, "R05,R10,R17")
    rates = shown.table("result.rates()")
    assert {row["rule_id"] for row in rates} == set(shown.findings["rule_id"])
    assert as_found(rates, shown.findings, "rule_id")
    one_year = shown.registry("early-her2-one-year")
    (told,) = [row for row in rates if row["rule_id"] == "early-her2-one-year"]
    assert same_rate(told, one_year)
    for limit in ("low", "high"):
        assert float(told[limit]) == pytest.approx(float(one_year[f"wilson_{limit}"]), abs=1e-6)
    assert shown.table('result.attrition("R17")')[-1]["remaining"] == one_year["population"]


def test_a_site(both) -> None:
    shown = both(2, "R03,R17")
    findings = shown.findings.filter(pl.col("rule_id") == "early-her2-one-year")
    sites = shown.table('result.rates(by=["site_id"]')
    assert {row["site_id"] for row in sites} == set(findings["site_id"])
    assert as_found(sites, findings, "site_id")
    lowest = shown.table('result.shrunken("R17").sort("shrunken")')[0]["site_id"]
    review = findings.filter(site_id=lowest, verdict="non_conformant")
    reasons = {row["reason"]: int(row["len"]) for row in shown.table("cases.group_by(")}
    assert reasons == Counter(review["reason"].to_list())


def test_tolerance_and_persistence(both) -> None:
    shown = both(3, "R10,R17")
    findings = shown.findings.filter(pl.col("rule_id") == "early-her2-one-year")
    for source in ("tolerance.select(", "result.variants("):
        own = [row for row in shown.table(source) if row["in_force"] == "true"]
        assert as_found(own, findings)
        assert same_rate(own[0], shown.registry("early-her2-one-year"))
    assert as_found(shown.table("result.bounds()"), shown.findings, "rule_id")
    with audit.open(shown.folder) as result:
        ended = Counter(result.persistence_cases["ended_by"].to_list())
        to_tdm1 = result.time_to_tdm1().filter(event="begun").filter(pl.col("days") <= 84)
    counted = {row.pop("ended_by"): row for row in shown.table("ended.pivot(")}
    assert {end: sum(map(int, row.values())) for end, row in counted.items()} == {
        end or "null": count for end, count in ended.items()
    }
    # Whatever else ends treatment, only a stop short of the year is ever put up for review.
    reviewed = {end: row["non_conformant"] for end, row in counted.items()}
    assert int(reviewed.pop("stopped")) == findings.filter(verdict="non_conformant").height > 0
    assert set(reviewed.values()) == {"0"}
    (begun,) = shown.table("to_tdm1.filter(")
    assert float(begun["incidence"]) == pytest.approx(to_tdm1["incidence"][-1], abs=1e-6)


def test_a_rule_of_ones_own(both) -> None:
    shown = both(4, "X01,R03", "--rules-from", EXAMPLES / "my_rules")
    rates = shown.table("result.rates()")
    assert len(rates) == len(shown.findings["rule_id"].unique())
    assert as_found(rates, shown.findings, "rule_id")
    (own,) = [row for row in shown.table("result.sensitivity(") if row["in_force"] == "true"]
    assert same_rate(own, shown.registry("her2-first-dose-in-time"))
