"""The notebooks run from end to end, hold no outputs that drift, and tell the audit's numbers."""

import re
from pathlib import Path

import nbclient
import nbformat
import polars as pl
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where a notebook's own temporary folders go."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def executed(path, before_last=None):
    """A notebook's cells of code with what they show; the last one closes the audit."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert code[-1].source == "result.close()"
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        resources={"metadata": {"path": str(EXAMPLES)}},
    )
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            if cell is code[-1] and before_last:
                before_last()
            client.execute_cell(cell, index)
    shown = [output for cell in code for output in cell.outputs]
    assert not [output for output in shown if output.get("name") == "stderr"]
    assert len([cell for cell in code if cell.outputs]) >= len(code) - 3
    return code


def table(code, source):
    """The table that the cell of this source shows, as it is printed: a dict a row."""
    (cell,) = [cell for cell in code if cell.source == source]
    (html,) = [output.data["text/html"] for output in cell.outputs]
    names = re.findall(r"<th>(.*?)</th>", html)
    cells = re.findall(r"<td>(.*?)</td>", html)[len(names) :]
    values = [value.removeprefix("&quot;").removesuffix("&quot;") for value in cells]
    return [
        dict(zip(names, values[at : at + len(names)], strict=True))
        for at in range(0, len(values), len(names))
    ]


def test_the_four_notebooks_are_there() -> None:
    assert [path.stem[0] for path in NOTEBOOKS] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("path", NOTEBOOKS[1:], ids=lambda path: path.stem)
@pytest.mark.usefixtures("place")
def test_it_runs_and_shows_something(path: Path) -> None:
    executed(path)


def test_the_first_audit_runs_and_tells_the_numbers_that_an_audit_writes(place) -> None:
    files = {}

    def read() -> None:
        (audit,) = place.glob("*/audit")
        files["summary"] = pl.read_csv(audit / "summary.csv", infer_schema=False)
        files["findings"] = pl.read_parquet(audit / "findings.parquet")

    code = executed(NOTEBOOKS[0], read)
    registry = {
        row["rule_id"]: row
        for row in files["summary"].filter(pl.col("level") == "registry").to_dicts()
    }
    rates = table(code, "result.rates()")
    assert {row["rule_id"] for row in rates} == set(files["findings"]["rule_id"])
    for row in rates:
        judged = files["findings"].filter(pl.col("rule_id") == row["rule_id"])["verdict"]
        for verdict in ("conformant", "non_conformant", "not_evaluable", "excepted", "pending"):
            assert int(row[verdict]) == (judged == verdict).sum()
    one_year = registry["early-her2-one-year"]
    (told,) = [row for row in rates if row["rule_id"] == "early-her2-one-year"]
    for shown, written in (("rate", "rate"), ("low", "wilson_low"), ("high", "wilson_high")):
        assert float(told[shown]) == pytest.approx(float(one_year[written]), abs=1e-6)
    assert table(code, 'result.attrition("R17")')[-1]["remaining"] == one_year["population"]
