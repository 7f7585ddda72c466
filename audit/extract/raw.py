"""A table as the source has it, its columns matched to the contract's."""

from dataclasses import dataclass, field

import polars as pl

from audit.errors import ExtractRefused
from audit.extract.cells import readable
from audit.extract.contract import Table
from audit.extract.files import Staged

# A warehouse table has this column already, so an extra column of that name is renamed; so is one
# that begins as the loader's own columns do.
ROW_NUMBER = "row_number"
_OWN = "§"


@dataclass(frozen=True)
class Raw:
    """A source table before any cell is read.

    Attributes:
        frame: the rows, with `files.ROW` (unique) and `files.NUMBER` (the source's row).
        columns: contract column to the frame's column; absent where the source has none.
        extras: name of an extra column to the frame's column.
        record: the source's headers, as written, to the frame's column: the row kept whole.
        files: (rows before it, name) of each file, in the order they were read.
        indexed: date columns that are offsets from the patient's index date, as intervals.
        refused: columns whose value a mapping says it can't translate, to the flag's column.
    """

    frame: pl.LazyFrame
    columns: dict[str, str]
    extras: dict[str, str]
    record: dict[str, str]
    files: tuple[tuple[int, str], ...]
    indexed: frozenset[str] = frozenset()
    refused: dict[str, str] = field(default_factory=dict)

    def file_of(self, number: pl.Expr) -> pl.Expr:
        """The file that a row number stands in."""
        name = pl.lit(None, pl.String)
        for before, file in self.files:
            name = pl.when(number > before).then(pl.lit(file)).otherwise(name)
        return name


def matched(table: Table, staged: Staged) -> Raw:
    """The staged file with its columns matched by name, in any order and case.

    Raises:
        ExtractRefused: a required column is missing, or a column's type can't mean the contract's.
    """
    folded = staged.folded
    columns = {name: folded[name] for name in table.columns if name in folded}
    missing = [
        name for name, says in table.columns.items() if says.required and name not in columns
    ]
    if missing:
        raise ExtractRefused(
            f"{staged.file}: no column {', '.join(missing)}; its columns are "
            f"{', '.join(staged.headers)}",
            f"add the column (empty where nothing is known) or rename the one that holds it: "
            f"`{table.name}` needs {', '.join(n for n, c in table.columns.items() if c.required)}",
        )
    schema = staged.frame.collect_schema()
    for name, source in columns.items():
        kind = table.columns[name].type
        if not readable(table.columns[name], schema[source]):
            raise ExtractRefused(
                f"{staged.file}: column {name} is of type {schema[source]}, which can't hold a "
                f"{kind}",
                f"write {name} as {kind}" + ("" if kind == "text" else ", or as text"),
            )
    extras = {
        f"source_{header}"
        if header.casefold() == ROW_NUMBER or header.startswith(_OWN)
        else header: source
        for header, source in staged.headers.items()
        if header.casefold() not in table.columns
    }
    return Raw(staged.frame, columns, extras, staged.headers, ((0, staged.file),))
