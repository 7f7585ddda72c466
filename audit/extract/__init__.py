"""From an extract's files to typed tables and a quarantine: `load_extract`."""

from audit.extract.load import Extract, LoadedTable, load_extract
from audit.extract.mapping import SourceMapping

__all__ = ["Extract", "LoadedTable", "SourceMapping", "load_extract"]
