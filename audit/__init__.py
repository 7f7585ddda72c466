"""Audits the treatment of HER2-positive breast cancer against encoded guideline rules.

`audit.run(extract, cutoff=…)` audits, `audit.open(folder)` opens a finished audit, and
`audit.rules` is the catalogue. What they need is imported when they are first asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audit.library import open, run
    from audit.result import Result
    from audit.views import Rules

    rules: Rules

__all__ = ["Result", "open", "rules", "run"]


def __getattr__(name: str) -> object:
    """Imports a public name at its first use: `import audit` alone is quick."""
    if name not in __all__:
        raise AttributeError(f"module 'audit' has no attribute {name!r}")
    if name == "rules":
        from audit.views import Rules

        value: object = Rules()
    else:
        from audit import library

        value = getattr(library, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for completion in a notebook: they are not there before their first use."""
    return __all__
