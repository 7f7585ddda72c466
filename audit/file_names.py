"""Names of files that stand for sites: safe as a path, and each site has its own."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection

# Names that a file system or a folder's own index already takes.
_TAKEN = frozenset({"index", "repairs", "con", "prn", "aux", "nul"})


def file_names(site_ids: Collection[str]) -> dict[str, str]:
    """A name for each site's files that is safe as a path and that no other site has.

    A plain id stands for itself. Any other, and ids that differ in case alone, keep what is plain
    in them and get a hash after a dot, which no plain id has.
    """
    folded = Counter(site_id.casefold() for site_id in site_ids)
    return {
        site_id: site_id
        if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", site_id)
        and site_id.casefold() not in _TAKEN
        and folded[site_id.casefold()] == 1
        else _hashed(site_id)
        for site_id in site_ids
    }


def _hashed(site_id: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", site_id).strip("-")[:40]
    return f"{plain or 'site'}.{hashlib.sha256(site_id.encode()).hexdigest()[:12]}"
