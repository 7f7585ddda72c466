"""What only analysts need stands in an extra; without it the message says how to get it."""

from importlib import import_module
from types import ModuleType

from audit.errors import UsageError


def needed(module: str) -> ModuleType:
    """A module of the extra `notebook`.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"this needs {module.partition('.')[0]}, which is not installed",
            "install it with: pip install 'guideline-audit[notebook]'",
        ) from error
