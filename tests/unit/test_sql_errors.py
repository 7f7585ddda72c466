"""What keeps a rule from running: only what its author can mend is called a fault of the rule."""

from datetime import date

import duckdb
import pytest

from audit import evaluate
from audit.evaluate import RuleFailed
from audit.pipeline import evaluate_extract
from audit.settings import Settings
from audit.synthesise import synthesise


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        (duckdb.BinderException('Referenced column "dose_dat" not found'), RuleFailed),
        (duckdb.ConversionException("Could not convert string 'x' to INT32"), RuleFailed),
        (duckdb.InternalException("Attempted to access index 2"), duckdb.InternalException),
        (duckdb.OutOfMemoryException("failed to allocate"), duckdb.OutOfMemoryException),
    ],
    ids=["a column that is not there", "a text that is no number", "DuckDB's own", "memory"],
)
def test_only_a_mistake_of_the_rule_is_blamed_on_it(said, raised, tmp_path, monkeypatch):
    synthesise(5, 1, tmp_path / "extract")
    asked = evaluate.run_sql

    def run(con, sql, values):
        if sql.startswith("insert into verdict_inputs"):
            raise said
        asked(con, sql, values)

    monkeypatch.setattr(evaluate, "run_sql", run)
    settings = Settings(
        extract=tmp_path / "extract", cutoff=date(2025, 12, 31), rules=("lvef-baseline",)
    )
    with pytest.raises(raised):
        evaluate_extract(settings)
