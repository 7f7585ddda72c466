"""Great Expectations on the loaded tables; the only module that imports it.

Great Expectations counts and judges, on the pipeline's own connection. The rows that break an
expectation are listed by our own SQL, all of them, and the two counts have to agree.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import duckdb
import polars as pl

from audit.errors import ExitCode, ExtractRefused, UsageError, UserError
from audit.quality_suites import SQL_TYPE, Check, read_suites
from audit.resources import root
from audit.settings import Settings
from audit.warehouse import Connection, build, run_sql, store

CHECKS: dict[str, type[pl.DataType] | pl.DataType] = {
    "check_id": pl.String,
    "table_name": pl.String,
    "severity": pl.String,
    "says": pl.String,
    "what_to_do": pl.String,
    "endangers": pl.List(pl.String),
    "success": pl.Boolean,
    "rows_checked": pl.Int64,
    "rows_unexpected": pl.Int64,
    "share": pl.Float64,
}

_SAFE_ERRORS = ("Binder Error", "Catalog Error", "Parser Error")
"""DuckDB errors that speak of the query alone; any other may quote a record's value."""


class CheckCrashed(UserError):
    """An expectation could not be computed: an error of the run, neither a fail nor a pass."""

    exit_code = ExitCode.INTERNAL


@dataclass(frozen=True)
class _Outcome:
    success: bool
    unexpected: int


def check_quality(
    con: Connection,
    *,
    linked: Mapping[str, bool],
    numbers: Mapping[str, str],
    values: Mapping[str, object],
    log: Callable[[str], None],
) -> pl.DataFrame:
    """Judges every expectation of every linked table.

    Args:
        con: a database with the loaded tables, staging and facts. It gets `quality_checks`, a row
            an expectation, `quality_rows`, a row for each row that breaks one (patient level), and
            `quality_examples`, the numbers of some of them.
        linked: the tables of the extract in order, and whether each was there.
        numbers: the id of each rule by its number.
        values: the shared definitions, bound into sql/quality by `$name`.
        log: takes a line when done.

    Returns:
        `quality_checks`: rows_checked are the rows loaded of its table; for an expectation on
        quarantined rows, those read. share is rows_unexpected among them.

    Raises:
        UsageError: a suite is not as it has to be.
        CheckCrashed: an expectation could not be computed.
    """
    found = read_suites(root("checks") / "quality", list(linked), numbers)
    checks = [c for c in found if all(linked.get(t, False) for t in (c.table, *c.about.needs))]
    build(con, "quality", values)
    _refuse_unknown_columns(con, checks)
    places = _keep_faulty_rows(con, checks)
    outcomes = _judge(con, checks, places)
    _store_rows(con, checks, places, outcomes)
    read = dict(con.sql("select table_name, rows_read from load_counts").fetchall())
    loaded = dict(con.sql("select table_name, rows_loaded from load_counts").fetchall())
    rows = []
    for check in checks:
        about, outcome = check.about, outcomes[check.about.id]
        checked = (read if check.relation == "quarantine" else loaded)[check.table]
        rows.append(
            (
                about.id,
                check.table,
                about.severity,
                about.says,
                about.do,
                list(about.endangers),
                outcome.success,
                checked,
                outcome.unexpected,
                outcome.unexpected / checked if checked else None,
            )
        )
    result = pl.DataFrame(rows, schema=CHECKS, orient="row")
    store(con, "quality_checks", result)
    failed = result.filter(~pl.col("success")).height
    log(f"{result.height} expectations judged, {failed} failed")
    return result


def _refuse_unknown_columns(con: Connection, checks: Sequence[Check]) -> None:
    for check in checks:
        named, columns = check.kwargs.get("column"), con.table(check.relation).columns
        if named is not None and named not in columns:
            raise UsageError(
                f"{check.table}.json, {check.about.id}: {check.relation} has no column {named!r}",
                f"name one of: {', '.join(columns)}",
            )


def refusal(
    checks: pl.DataFrame, load_counts: pl.DataFrame, settings: Settings
) -> ExtractRefused | None:
    """Why the data can't bear an audit under these settings, or None where they can.

    Args:
        checks: `quality_checks`.
        load_counts: a row a table, with rows_read and rows_quarantined.
        settings: whether block-level failures end the run, and the limit of the quarantined share.

    Returns:
        The exception to raise.
    """
    found, todo = [], []
    if settings.block_on_quality:
        for one in checks.filter((pl.col("severity") == "block") & ~pl.col("success")).to_dicts():
            found.append(
                f"{one['table_name']}: expected, and not so in {one['rows_unexpected']:,} rows: "
                f"{one['says']} ({one['check_id']})"
            )
            todo += [one["what_to_do"], "Or audit all the same with --quality-warn-only."]
    limit = settings.quarantine_limit
    over = load_counts.filter(pl.col("rows_quarantined") > limit * pl.col("rows_read"))
    for one in over.sort("table_name").to_dicts():
        found.append(
            f"{one['table_name']}: {one['rows_quarantined']:,} of {one['rows_read']:,} rows are in "
            f"quarantine, more than the limit of {100 * limit:g}%"
        )
        todo.append("Correct the rows at their source, or raise --quarantine-limit.")
    if not found:
        return None
    return ExtractRefused(
        "the data can't bear an audit\n  " + "\n  ".join(found), " ".join(dict.fromkeys(todo))
    )


def _keep_faulty_rows(con: Connection, checks: Sequence[Check]) -> dict[str, str]:
    """Keeps, of each relation, the rows that break one of its queries: read once for all of them.

    Returns:
        By check id where its expectation is judged: a query on the rows kept, which are the same
        to it; an expectation on a column, which may tolerate a share of all rows, on its relation.
    """
    places = {check.about.id: check.relation for check in checks}
    asked = [check for check in checks if check.condition]
    for relation, group in groupby(sorted(asked, key=_relation), key=_relation):
        queries = list(group)
        kept = f"faulty_{relation}"
        broken = " or ".join(f"({check.condition})" for check in queries)
        try:
            con.execute(f"create or replace temp table {kept} as from {relation} where {broken}")
        except duckdb.Error:
            # Asked one by one, Great Expectations says which of them can't be computed.
            continue
        places |= dict.fromkeys((check.about.id for check in queries), kept)
    return places


def _relation(check: Check) -> str:
    return check.relation


def _judge(
    con: Connection, checks: Sequence[Check], places: Mapping[str, str]
) -> dict[str, _Outcome]:
    """What Great Expectations finds at these places, by check id."""
    with warnings.catch_warnings():
        # Its own imports are its makers' to modernise.
        warnings.simplefilter("ignore", DeprecationWarning)
        # It takes seconds.
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        from audit.quality_engine import shown

    silent = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    context = gx.get_context(mode="ephemeral", project_config=silent)
    outcomes: dict[str, _Outcome] = {}
    in_order = sorted(checks, key=lambda check: places[check.about.id])
    tables = [
        {"name": name, "type": "table", "table_name": name}
        for name in dict.fromkeys(places[check.about.id] for check in in_order)
    ]
    counts_alone = {"result_format": "BASIC", "partial_unexpected_count": 0}
    with shown(con) as url:
        options: dict[str, Any] = {"connection_string": url, "assets": tables}
        source = context.data_sources.add_sql("audit", **options)
        for place, group in groupby(in_order, key=lambda check: places[check.about.id]):
            table = source.get_asset(place)
            batch = table.get_batch(table.build_batch_request())
            suite = gx.ExpectationSuite(place, expectations=[c.configuration for c in group])
            for result in batch.validate(suite, result_format=counts_alone).results:
                told = result.to_json_dict()
                outcomes[told["expectation_config"]["meta"]["id"]] = _outcome(told)
    return outcomes


def _outcome(told: Mapping[str, Any]) -> _Outcome:
    config, result = told["expectation_config"], told["result"]
    _refuse_crash(config["meta"]["id"], told["exception_info"])
    key = "observed_value" if config["type"] == SQL_TYPE else "unexpected_count"
    # Great Expectations counts no unexpected value as None where there is no value at all.
    return _Outcome(told["success"], result[key] or 0)


def _refuse_crash(check_id: str, info: Mapping[str, Any]) -> None:
    """A crashed expectation reports plain failure; only its exception_info tells."""
    # One exception, or one for each metric behind the expectation.
    infos = [info] if "raised_exception" in info else list(info.values())
    for one in infos:
        if one["raised_exception"]:
            lines = str(one["exception_message"]).splitlines()
            safe = [line for line in lines if any(kind in line for kind in _SAFE_ERRORS)]
            why = f" ({safe[0]})" if safe else ""
            raise CheckCrashed(
                f"the data quality check {check_id} could not be computed{why}",
                "correct its expectation in checks/quality",
            )


def _store_rows(
    con: Connection,
    checks: Sequence[Check],
    places: Mapping[str, str],
    outcomes: Mapping[str, _Outcome],
) -> None:
    results = root("sql") / "results"
    run_sql(con, (results / "quality_rows.sql").read_text(encoding="utf-8"), {})
    for check in checks:
        outcome = outcomes[check.about.id]
        if outcome.success:
            continue
        before = len(con.table("quality_rows"))
        try:
            listed = con.sql(check.rows_query(places[check.about.id]))
            _locators(con, check, listed).insert_into("quality_rows")
        except duckdb.Error as error:
            _refuse_crash(
                check.about.id, {"raised_exception": True, "exception_message": str(error)}
            )
        stored = len(con.table("quality_rows")) - before
        if stored != outcome.unexpected:
            raise CheckCrashed(
                f"the data quality check {check.about.id} counts {outcome.unexpected} rows and "
                f"lists {stored}",
                "make its query give the same rows each time",
            )
    run_sql(con, (results / "quality_examples.sql").read_text(encoding="utf-8"), {})


def _locators(
    con: Connection, check: Check, rows: duckdb.DuckDBPyRelation
) -> duckdb.DuckDBPyRelation:
    """Where the rows stand, under the columns of `quality_rows`; what they lack is null.

    Rows that have nothing but their number are named by the table they come from.
    """
    own = con.table(check.table)
    if "row_number" in rows.columns and "patient_id" not in rows.columns:
        named = [name for name in ("patient_id", "tumour_id") if name in own.columns]
        rows = rows.join(own.select("row_number", *named), "row_number")
    stated: dict[str, str | None] = {
        "check_id": check.about.id,
        "table_name": check.table,
        "row_number": None,
        "patient_id": None,
        "tumour_id": None,
        "column_name": check.column,
    }
    return rows.select(
        *(
            duckdb.ColumnExpression(name)
            if name in rows.columns and name != "table_name"
            else duckdb.ConstantExpression(value).alias(name)
            for name, value in stated.items()
        )
    )
