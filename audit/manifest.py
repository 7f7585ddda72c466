"""What `manifest.json` says: which run this is, on which inputs, by which rules and numbers."""

import hashlib
import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from audit.extract import Extract
from audit.guideline import Catalogue
from audit.settings import Settings
from audit.warehouse import Connection


def full_manifest(
    con: Connection,
    catalogue: Catalogue,
    settings: Settings,
    extract: Extract,
    run_id: str,
    *,
    conjugates_told_apart: bool,
) -> dict[str, Any]:
    """The manifest of an audit, without the times of its stages.

    Args:
        con: a database with the audit's findings.
        catalogue: the rules and shared definitions.
        settings: what was audited and by which rules.
        extract: what was read and what became of its rows.
        run_id: the run's name.
        conjugates_told_apart: False when the source stores conjugates under trastuzumab.
    """
    rules = catalogue.select(settings.rules)
    verdicts: dict[str, dict[str, int]] = {rule.id: {} for rule in rules}
    counted = con.sql("select rule_id, verdict, count(*) from findings group by all order by all")
    for rule_id, verdict, count in counted.fetchall():
        verdicts[rule_id][verdict] = count
    return {
        **identity(settings, run_id),
        "catalogue": {
            "hash": catalogue.hash,
            "rules": {rule.id: rule.card.version for rule in rules},
        },
        "jurisdiction": settings.jurisdiction,
        "period": settings.period,
        "mapping": settings.mapping,
        "rules_from": settings.rules_from
        and {
            "folder": str(settings.rules_from.resolve()),
            "sha256": {
                path: hashlib.sha256(text.encode()).hexdigest()
                for path, text in catalogue.own.items()
            },
        },
        "conjugates_told_apart": conjugates_told_apart,
        "parameters": {
            rule.id: {name: _plain(p.value) for name, p in rule.card.parameters.items()}
            for rule in rules
        },
        "definitions": {name: _plain(p.value) for name, p in catalogue.definitions.items()},
        "editions": {
            rule.id: {n: d.isoformat() for n, d in rule.in_force(settings.jurisdiction).items()}
            for rule in rules
        },
        "variants": {rule.id: rule.variants(settings.variants) for rule in rules},
        "inputs": extract.inputs.to_dicts(),
        "tables": {
            name: {
                "linked": table.linked,
                "rows_read": table.rows_read,
                "rows_loaded": table.rows_loaded,
                "duplicates_collapsed": table.duplicates_collapsed,
                "rows_quarantined": table.rows_quarantined,
            }
            for name, table in extract.tables.items()
        },
        "verdicts": verdicts,
    }


def identity(settings: Settings, run_id: str) -> dict[str, Any]:
    """Which run of which program this is, as seen from which day."""
    return {
        "run_id": run_id,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "product": {
            "name": "guideline-audit",
            "version": version("guideline-audit"),
            "python": platform.python_version(),
            "code": code_hash(),
        },
        "cutoff": settings.cutoff.isoformat(),
    }


@cache
def code_hash() -> str:
    """SHA-256 of the program itself: the Python files of this package."""
    digest = hashlib.sha256()
    package = Path(str(files("audit")))
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _plain(value: object) -> object:
    return value if isinstance(value, (int, float, str)) else str(value)
