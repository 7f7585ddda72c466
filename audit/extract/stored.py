"""An audit's own tables as raw ones again, so that they can be typed as seen from another day."""

from pathlib import Path

import duckdb
import polars as pl

from audit.extract.contract import Table, tables
from audit.extract.files import NUMBER, ROW
from audit.extract.raw import ROW_NUMBER, Raw

_EXTRA = "§extra."
_REFUSED = "§refused."
_UNTRANSLATED = "not-in-mapping"


def stored_tables(con: duckdb.DuckDBPyConnection, scratch: Path) -> dict[str, Raw]:
    """Every linked table of the extract that an audit was made of, quarantined rows included.

    Exact duplicates were collapsed already; extra columns of quarantined rows are empty.

    Args:
        con: the audit's database; it may write files.
        scratch: an existing folder, private to the user.
    """
    linked = con.sql("select table_name, file from load_counts where linked").fetchall()
    return {name: _stored(con, tables()[name], file, scratch) for name, file in linked}


def _stored(con: duckdb.DuckDBPyConnection, table: Table, file: str, scratch: Path) -> Raw:
    unsure = con.table("imprecise_dates").pl().filter(table_name=table.name)
    held = con.table("held_rows").pl().filter(table_name=table.name)
    indexed = frozenset(unsure.filter(pl.col("unit").is_not_null())["column_name"])
    refused = held.filter(reason=_UNTRANSLATED)["column_name"].unique().to_list()
    con.table(table.name).write_parquet(str(scratch / f"{table.name}.loaded.parquet"))
    loaded = pl.scan_parquet(scratch / f"{table.name}.loaded.parquet")
    extras = [name for name in loaded.collect_schema() if name not in table.schema]
    for name in unsure["column_name"].unique():
        loaded = loaded.join(_written(unsure, name, name in indexed), on=ROW_NUMBER, how="left")
    as_text = loaded.select(
        pl.col(ROW_NUMBER).alias(NUMBER),
        *(_text(table, name, name in indexed, unsure) for name in table.columns),
        *(pl.col(name).alias(_EXTRA + name) for name in extras),
    )
    again = held.lazy().select(
        pl.col("row_number").alias(NUMBER),
        *(
            pl.col("cells").str.json_path_match(f"$['{name}']").alias(name)
            for name in table.columns
        ),
        *(
            ((pl.col("column_name") == name) & (pl.col("reason") == _UNTRANSLATED)).alias(
                _REFUSED + name
            )
            for name in refused
        ),
    )
    whole = scratch / f"{table.name}.stored.parquet"
    pl.concat([as_text, again], how="diagonal").sink_parquet(whole)
    return Raw(
        pl.scan_parquet(whole, row_index_name=ROW),
        {name: name for name in table.columns},
        {name: _EXTRA + name for name in extras},
        {name: name for name in table.columns},
        ((0, file),),
        indexed,
        {name: _REFUSED + name for name in refused},
    )


def _text(table: Table, name: str, indexed: bool, unsure: pl.DataFrame) -> pl.Expr:
    """A loaded column as the cell rules read it: an offset's day is written `first/last`."""
    text = pl.col(name).cast(pl.String)
    exact = text + "/" + text if indexed else text
    if name not in unsure["column_name"]:
        return exact.alias(name)
    return pl.coalesce(_EXTRA + name, exact).alias(name)


def _written(unsure: pl.DataFrame, name: str, indexed: bool) -> pl.LazyFrame:
    """The imprecise dates of a column as their source wrote them: a month, a year, or offsets."""
    first, last = pl.col("first_day"), pl.col("last_day")
    of_one_month = (first.dt.year() == last.dt.year()) & (first.dt.month() == last.dt.month())
    as_month = pl.when(of_one_month).then(first.dt.to_string("%Y-%m"))
    written = (
        first.cast(pl.String) + "/" + last.cast(pl.String)
        if indexed
        else as_month.otherwise(first.dt.to_string("%Y"))
    )
    own = unsure.lazy().filter(column_name=name)
    return own.select(ROW_NUMBER, written.alias(_EXTRA + name))
