"""The facts of one patient, copied out of a finished audit: few enough to ask anything at once."""

from collections.abc import Collection
from types import TracebackType
from typing import Any

import polars as pl

from audit.errors import UsageError
from audit.finished import Finished
from audit.resources import root
from audit.timeline import timeline
from audit.warehouse import lock_down, run_sql, tables_asked

_EACH = ("patient_key", "episode_key", "patient_id", "tumour_id")
"""The columns that tell whose row it is, the surest first; a table without any is copied whole."""


class PatientFacts:
    """A database with the rows of one patient alone, under the names that the audit gives them.

    Attributes:
        con: its connection; what is copied here can be changed without touching the audit.
        patient_id, tumour_id: whose facts.
        middle_key: the patient's key under the middle placing of imprecise dates.
        placements: how each key places them.
        copied: the names of the tables that are here.

    Raises:
        UsageError: the audit does not know the tumour.
    """

    def __init__(self, finished: Finished, tumour_id: str) -> None:
        self.con = finished.open()
        lock_down(self.con)
        self.tumour_id = tumour_id
        asked = "select patient_id from published.tumours where tumour_id = $id"
        found = self.con.execute(asked, {"id": tumour_id}).fetchone()
        if found is None:
            own = "select tumour_id from published.tumours where patient_id = $id order by all"
            tumours = self.con.execute(own, {"id": tumour_id}).fetchall()
            self.con.close()
            raise UsageError(
                f"the audit in {finished.folder} knows no tumour {tumour_id!r}",
                f"it is a patient; name a tumour: {', '.join(name for (name,) in tumours)}"
                if tumours
                else "take a tumour_id from findings.parquet or a worklist",
            )
        self.patient_id: str = found[0]
        asked = "select patient_key, placement from published.cases where patient_id = $id"
        self.placements: dict[int, str] = dict(
            self.con.execute(asked, {"id": self.patient_id}).fetchall()
        )
        self.middle_key = next(k for k, how in self.placements.items() if how == "middle")
        self._columns: dict[str, list[str]] = dict(
            self.con.sql(
                "select t.table_name, list(c.column_name) from duckdb_tables() as t"
                " inner join duckdb_columns() as c on t.table_oid = c.table_oid"
                " and t.database_name = c.database_name where t.database_name = 'published'"
                " group by t.table_name"
            ).fetchall()
        )
        self.copied: set[str] = set()
        keys = ", ".join(map(str, sorted(self.placements)))
        self._whose = {"patient_key": f"patient_key in ({keys})"}
        self._whose |= {
            "patient_id": f"patient_id = {_quoted(self.patient_id)}",
            "tumour_id": f"tumour_id = {_quoted(tumour_id)}",
        }
        self.copy(["fct_episodes"])
        episodes = self.con.sql("select distinct episode_key from fct_episodes").fetchall()
        listed = ", ".join(str(key) for (key,) in episodes)
        self._whose["episode_key"] = f"episode_key in ({listed})"

    def __enter__(self) -> "PatientFacts":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.con.close()

    def copy(self, names: Collection[str], rules: Collection[str] = ()) -> None:
        """Copies the patient's rows of those tables that the audit has and this database has not.

        Args:
            names: of tables; names that the audit does not have are passed over.
            rules: where a table has a `rule_id`, only the rows of these rules.
        """
        for name in sorted(set(names) & self._columns.keys() - self.copied):
            columns = self._columns[name]
            rows = self.con.table(f"published.{name}")
            for column in _EACH:
                if column in columns:
                    rows = rows.filter(self._whose[column])
                    break
            if rules and "rule_id" in columns:
                rows = rows.filter(f"rule_id in ({', '.join(map(_quoted, rules))})")
            rows.create(name)
            self.copied.add(name)


def published_verdicts(facts: PatientFacts, rule_id: str) -> dict[str, dict[str, Any]]:
    """What the audit published of one rule and tumour, by subject; not applicable ones too.

    The verdicts are the audit's own; `answer`, `reviewer` and `reviewed_on` are a reviewer's answer
    that stands above them, where there is one.
    """
    if "judgements" not in facts.copied:
        facts.copy(["placed_judgements", "placed_exclusions", "cases", "imprecise_dates"])
        facts.copy(["stg_patients", "applied_answers"])
        settling = root("sql") / "results/findings/00_judgements.sql"
        run_sql(facts.con, settling.read_text(encoding="utf-8"), {})
        facts.copied.add("judgements")
    asked = (
        "select j.*, a.answer, a.reviewer, a.reviewed_on from judgements as j"
        " left join applied_answers as a"
        " on j.rule_id = a.rule_id and j.subject_id = a.subject_id"
        " where j.rule_id = $rule and j.tumour_id = $tumour"
    )
    answer = facts.con.execute(asked, {"rule": rule_id, "tumour": facts.tumour_id})
    names = [column[0] for column in answer.description]
    rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    return {row["subject_id"]: row for row in rows}


def patient_timeline(finished: Finished, facts: PatientFacts) -> pl.DataFrame:
    """The patient's dated facts, as `audit.timeline.timeline` gives them."""
    facts.copy(tables_asked((root("sql") / "results" / "timeline.sql").read_text("utf-8")))
    return timeline(facts.con, [facts.patient_id], finished.settings.cutoff)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
