"""Where checks/, sql/ and reports/ are: inside an installed wheel, or beside the package."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

Read = TypeVar("Read")

_instead: dict[str, Path] = {}
_forget: list[Callable[[], None]] = []


def root(folder: str) -> Path:
    """The folder `checks`, `sql` or `reports`.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    return _instead.get(folder) or _installed(folder)


@contextmanager
def standing_at(folders: Mapping[str, Path]) -> Iterator[None]:
    """Everything reads these folders meanwhile instead of the installed ones of the same names."""
    before = dict(_instead)
    _instead.update(folders)
    for forget in _forget:
        forget()
    try:
        yield
    finally:
        _instead.clear()
        _instead.update(before)
        for forget in _forget:
            forget()


def read_once(reader: Callable[[], Read]) -> Callable[[], Read]:
    """Keeps what a function read from one of the folders until others stand in their place."""
    kept = cache(reader)
    _forget.append(kept.cache_clear)
    return kept


@cache
def _installed(folder: str) -> Path:
    """A wheel carries the folders inside the package; a checkout has them beside it."""
    package = Path(str(files("audit")))
    for candidate in (package / folder, package.parent / folder):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"{folder}/ is missing from the installation at {package}")
