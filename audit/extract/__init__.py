"""From an extract's files to typed tables and a quarantine: `load_extract`.

`stored_tables` and `load_tables` do the same with what an audit's database holds.
"""

from audit.extract.load import Extract, LoadedTable, load_extract, load_tables
from audit.extract.mapping import SourceMapping
from audit.extract.stored import stored_tables

__all__ = [
    "Extract",
    "LoadedTable",
    "SourceMapping",
    "load_extract",
    "load_tables",
    "stored_tables",
]
