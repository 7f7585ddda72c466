"""A finished audit's folder, without its pages: what `explain` and the library read."""

import json

from audit.pipeline import Stages, judge_extract
from audit.warehouse import open_database


def write_audit(settings, folder):
    """Judges an extract into `folder`/audit.duckdb with its manifest, and gives the folder."""
    folder.mkdir(parents=True)
    (folder / "scratch").mkdir()
    con = open_database(folder / "audit.duckdb", folder / "scratch")
    try:
        manifest = judge_extract(con, settings, folder / "scratch", Stages())
    finally:
        con.close()
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder
