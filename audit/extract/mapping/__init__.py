"""Source mappings: how a source that is not in the contract's shape is read."""

from audit.extract.mapping.model import SourceMapping

__all__ = ["SourceMapping"]
