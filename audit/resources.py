"""Where checks/, sql/ and reports/ are: inside an installed wheel, or beside the package."""

from functools import cache
from importlib.resources import files
from pathlib import Path


@cache
def root(folder: str) -> Path:
    """The folder `checks`, `sql` or `reports`.

    A wheel carries the three inside the package; a checkout has them beside it.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    package = Path(str(files("audit")))
    for candidate in (package / folder, package.parent / folder):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"{folder}/ is missing from the installation at {package}")
