"""What of a rule's SQL would not run on Spark as it runs here: national registries have one."""

from collections.abc import Iterator

import sqlglot
from sqlglot import exp

_UNITS = {"MONTH", "MONTHS", "YEAR", "YEARS", "QUARTER", "QUARTERS"}


def not_carried(sql: str) -> Iterator[str]:
    """What SQLGlot does not carry from DuckDB to Spark, or carries to other answers, in words."""
    select = sqlglot.parse_one(sql, read="duckdb")
    try:
        (spark,) = sqlglot.transpile(
            sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE
        )
    except sqlglot.errors.UnsupportedError as error:
        yield f"Spark lacks something of this: {error}"
        return
    for function in sqlglot.parse_one(spark, read="spark").find_all(exp.Anonymous):
        yield f"{function.name.lower()} is not known to Spark; write it with another function"
    if any(join.method.upper() == "ASOF" for join in select.find_all(exp.Join)):
        yield "Spark has no asof join; join on the date and take the latest row before it"
    if select.find(exp.Qualify):
        yield "Spark has no qualify; number the rows in a CTE and filter them in the next one"
    if select.find(exp.JSONObject):
        yield "json_object is written otherwise in Spark; write to_json(struct_pack(…))"
    if any(isinstance(made.this, exp.Order) for made in select.find_all(exp.ArrayAgg)):
        yield "Spark's lists have no order by; write list_sort(list(…))"
    for between in select.find_all(exp.DateDiff):
        if between.text("unit").upper() in _UNITS:
            yield "Spark counts months and years between dates otherwise; count days"
    for minus in select.find_all(exp.Sub):
        if all(isinstance(x, exp.Column) and x.name.endswith("date") for x in minus.flatten()):
            told = minus.sql("duckdb")
            yield f"Spark gives no number for {told}; write date_diff('day', earlier, later)"
