"""The numbers that the finished pages print, read off the pages themselves.

Each stands in a `<data>` element with its id and with what is printed as a machine reads it. So the
summary can't lack a number that a page has, and holds no more digits than the page does.
"""

import re
from collections.abc import Iterable
from html import unescape
from pathlib import Path
from urllib.parse import quote

from audit.errors import UsageError

_DATUM = re.compile(r'<data data-id="([^"]*)" value="([^"]*)">')


def number_id(*parts: object) -> str:
    """The id under which a number stands in a page and in the summary.

    Its parts in order (rule, level, group, measure), joined by slashes; empty ones are left out.
    """
    return "/".join(quote(str(part), safe="") for part in parts if str(part))


def published(pages: Iterable[Path]) -> dict[str, str]:
    """Every number of the pages by its id: `412`, `0.851`, `<10` or `suppressed`.

    Args:
        pages: finished pages of one audit.

    Raises:
        UsageError: two numbers under one id, which only a template can have done.
    """
    found: dict[str, str] = {}
    for path in pages:
        for id_, value in _DATUM.findall(path.read_text(encoding="utf-8")):
            number = unescape(value)
            if found.setdefault(unescape(id_), number) != number:
                raise UsageError(
                    f"{path.name} prints {number!r} under {unescape(id_)!r}, and another page or "
                    f"place {found[unescape(id_)]!r}",
                    "give every number in the templates an id of its own",
                )
    return found
