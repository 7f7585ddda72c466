"""Gates: what is one, what it is compared with, and what a breach is."""

from functools import cache

import duckdb
import polars as pl
import pytest
import report_fixtures

from audit.errors import ExitCode, UsageError
from audit.gates import parse_gates, weigh_gates
from audit.guideline import Catalogue

CATALOGUE = Catalogue.read()


@cache
def results() -> dict[str, pl.DataFrame]:
    return report_fixtures.tables()


def weigh(*texts: str, runs: int = 2):
    con = duckdb.connect()
    con.sql("create table finding_changes (rule_id text, verdict_before text, verdict text)")
    con.sql(
        "insert into finding_changes values "
        "('lvef-quarterly', 'pending', 'non_conformant'),"  # monitoring
        "('no-concurrent-anthracycline', null, 'non_conformant'),"  # safety-critical
        "('no-concurrent-anthracycline', 'non_conformant', 'non_conformant'),"
        "('no-concurrent-anthracycline', 'non_conformant', 'excepted'),"
        "('adj-stage1-deescalated', null, 'non_conformant')"  # optional
    )
    con.from_arrow(pl.DataFrame({"run_number": range(runs)}).to_arrow()).create("runs")
    found = weigh_gates(con, parse_gates(texts, CATALOGUE, ()), results())
    return [(one.status, one.value) for one in found]


def counts(rule_id: str) -> dict[str, int]:
    own = results()["rates"].filter(rule_id=rule_id, level="registry")
    return own.to_dicts()[0]


def test_a_rate_and_its_counts_are_those_of_the_report() -> None:
    own = counts("neoadj-cycles-3-to-6")
    share = own["conformant"] / (own["conformant"] + own["non_conformant"])
    low = f"{share - 0.001:.4f}"
    assert weigh(f"R07.rate >= {low}", f"neoadj-cycles-3-to-6.rate < {low}") == [
        ("met", pytest.approx(share)),
        ("breached", pytest.approx(share)),
    ]
    assert weigh(f"r07.non_conformant=={own['non_conformant']}") == [("met", own["non_conformant"])]
    ((_, low_end), (_, high_end)) = weigh("R07.bound_low > 0", "R07.bound_high < 100%")
    assert low_end < share < high_end


def test_a_limit_may_be_a_percentage() -> None:
    share = weigh("R07.rate >= 0")[0][1]
    assert weigh(f"R07.rate >= {100 * share - 0.1:.2f} %")[0][0] == "met"
    assert weigh(f"R07.rate >= {100 * share + 0.1:.2f}%")[0][0] == "breached"


def test_quarantine_is_of_all_rows_or_of_one_table() -> None:
    rows = results()["load_counts"]
    held, read = rows["rows_quarantined"].sum(), rows["rows_read"].sum()
    assert weigh("quarantine.rows > 0", "quarantine.share > 0") == [
        ("met", held),
        ("met", pytest.approx(held / read)),
    ]
    own = rows.filter(table_name="treatments").to_dicts()[0]
    assert weigh("quarantine.treatments.rows >= 0") == [("met", own["rows_quarantined"])]


def test_new_and_resolved_look_at_what_changed() -> None:
    assert weigh(
        "new.non_conformant == 0",
        "new.non_conformant.safety-critical == 0",
        "new.non_conformant.R25 <= 1",
        "resolved.non_conformant.safety-critical >= 1",
        "new.conformant.dosing == 0",
    ) == [("breached", 2), ("breached", 1), ("met", 1), ("met", 1), ("met", 0)]


def test_what_has_no_value_is_no_breach_and_says_so() -> None:
    # The rule is in force for nobody; and a first audit has nothing to compare with.
    assert weigh("early-her2-one-year.rate >= 0.85") == [("no-value", None)]
    assert weigh("new.non_conformant == 0", runs=1) == [("no-value", None)]


@pytest.mark.parametrize(
    ("text", "column", "todo"),
    [
        ("R07.rate => 0.85", 10, "R07.rate >= 0.85"),
        ("R07.rate >=", 12, "docs/gates.md"),
        ("R07.rate >= 85", 13, "0.85 or 85%"),
        ("quarantine.share <= -0.1", 21, "0.85 or 85%"),
        ("R07.population >= 50%", 21, "leave this out: what is compared is a count"),
        ("R07 >= 1", 5, "docs/gates.md"),
        ("R07.rate >= 0.85 or 1", 18, "docs/gates.md"),
        ("R99.rate >= 0.85", 1, "id or number"),
        ("R07.rat >= 0.85", 5, "interval_low"),
        ("R07.rate.S1 >= 0.85", 10, "leave this out"),
        ("new.failed == 0", 5, "non_conformant"),
        ("new.non_conformant.grave == 0", 20, "safety-critical"),
        ("quarantine.surgery.share <= 1%", 12, "surgeries"),
        ("quarantine.percent <= 1", 12, "share"),
        ("R16.rate >= 0.5", 1, "informational or optional"),
        ("__import__('os').system('x') == 0", 1, "docs/gates.md"),
    ],
)
def test_what_is_no_gate_is_told_with_its_column(text: str, column: int, todo: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_gates([text], CATALOGUE, ())
    assert f"column {column}:" in caught.value.found
    assert caught.value.found.splitlines()[-1].index("^") == column + 1
    assert todo in caught.value.todo
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_gate_on_a_rule_that_the_run_leaves_out_is_refused() -> None:
    with pytest.raises(UsageError, match="this run judges"):
        parse_gates(["R07.rate >= 0.5"], CATALOGUE, ["R05"])
