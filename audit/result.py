"""A finished audit, to be asked.

Every frame is a Polars frame (`.to_pandas()` gives the pandas one). Findings, facts and whatever
names a patient are patient level: not for sharing.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from audit import statistics
from audit.casemix import CaseMix, adjusted, funnel, shrunken
from audit.errors import UsageError
from audit.explain import Explanation, explain
from audit.finished import Finished
from audit.guideline import Scalar
from audit.incidence import cumulative_incidence
from audit.patient import PatientFacts, patient_timeline
from audit.periods import period_parts
from audit.resources import root
from audit.sensitivity import by_parameter, by_variant, ranking_stability
from audit.timeline import swimmer
from audit.views import result_html
from audit.warehouse import Connection, lay_beside

if TYPE_CHECKING:
    import altair as alt

IN_RATE = ("conformant", "non_conformant", "not_evaluable", "excepted", "pending")
"""The verdicts of a population, as columns of `rates`."""


_TDM1 = "postneo-residual-tdm1"
_YEAR = "early-her2-one-year"
_OF_THE_YEAR = ("min_covered_days", "min_three_weekly_doses", "max_span_days")
"""The rule, and its numbers, that say when HER2 antibody treatment is complete."""


class Result:
    """A finished audit. It can be asked anything and changes nothing.

    Attributes:
        finished: the audit's folder, manifest, rules and settings.
    """

    def __init__(
        self, finished: Finished, home: "tempfile.TemporaryDirectory[str] | None" = None
    ) -> None:
        """Takes the audit, and the temporary folder that goes with this result.

        Raises:
            UsageError: another run has replaced the audit since its manifest was read.
        """
        self.finished = finished
        self._home = home
        self._con = self._connected()

    def _connected(self) -> Connection:
        """Connected at once: what it reads stays, whatever replaces the audit's folder."""
        con = self.finished.open()
        con.execute("use published")
        lay_beside(con, "period_parts", period_parts(self.finished.settings.period))
        con.execute("set enable_external_access = false")
        con.execute("set lock_configuration = true")
        return con

    def close(self) -> None:
        """Closes the database, and removes the folder of an audit that was run without `out`."""
        self._con.close()
        if self._home is not None:
            self._home.cleanup()

    def __enter__(self) -> "Result":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The provenance: inputs with SHA-256, rules, versions, numbers, cut-off."""
        return self.finished.manifest

    @property
    def findings(self) -> pl.DataFrame:
        """One row a subject of a rule, as contract/results.md describes it."""
        return self.sql("from findings order by rule_id, subject_id")

    @property
    def lines(self) -> pl.DataFrame:
        """One row a line of treatment of metastatic disease; days inclusive."""
        return self.sql("from lines order by patient_id, line_number")

    @property
    def courses(self) -> pl.DataFrame:
        """One row a course of one HER2 drug; `covered_days` of trastuzumab alone."""
        return self.facts("fct_courses")

    @property
    def quarantine(self) -> pl.DataFrame:
        """The rows left out of the audit, whole, with the reason."""
        return self.sql("from quarantine order by table_name, row_number")

    @property
    def quality(self) -> pl.DataFrame:
        """What was expected of the data, and in how many rows it is not so."""
        return self.sql("from quality_checks order by check_id")

    def sql(self, query: str) -> pl.DataFrame:
        """Asks the audit's whole database; nothing can be written, and no file can be read.

        Raises:
            UsageError: the statement does not run, or is no query.
        """
        try:
            # A temporary view would be taken for the audit's table of its name from then on.
            kinds = [statement.type for statement in self._con.extract_statements(query)]
            if kinds not in ([duckdb.StatementType.SELECT], [duckdb.StatementType.EXPLAIN]):
                raise UsageError("this is not one query", "write a single select")
            frame: pl.DataFrame = self._con.sql(query).pl()
        except duckdb.Error as error:
            raise UsageError(
                f"the query does not run: {str(error).splitlines()[0]}",
                "`.sql('show tables')` lists the tables; the database can't be written to",
            ) from error
        return frame

    def facts(self, name: str) -> pl.DataFrame:
        """One of the facts that rules read, such as `fct_tumours` or `stg_surgeries`.

        Imprecise dates stand on their middle day. `patient_id` is added where the fact has a key.
        An audit of some rules alone has the facts that these rest on, and those of every audit.

        Raises:
            UsageError: no fact of that name.
        """
        known = self.sql(
            "select table_name from information_schema.tables"
            " where regexp_matches(table_name, '^(fct|stg)_') order by all"
        ).to_series()
        if name not in known:
            raise UsageError(
                f"this audit has no fact {name!r}",
                f"name one of: {', '.join(known)}; what none of its rules rests on is not built",
            )
        table = self._con.table(name)
        if "patient_key" not in table.columns:
            whole: pl.DataFrame = table.pl()
            return whole
        cases = self._con.sql(
            "select patient_key, patient_id from cases where placement = 'middle'"
        )
        columns = [f"f.{c}" for c in table.columns if c not in ("patient_key", "patient_id")]
        joined = table.set_alias("f").join(cases.set_alias("c"), "f.patient_key = c.patient_key")
        frame: pl.DataFrame = joined.project(", ".join(["c.patient_id", *columns])).pl()
        return frame.sort("patient_id", *(c for c in ("start_date", "dose_date") if c in frame))

    @cached_property
    def cases(self) -> pl.DataFrame:
        """The findings in each rule's population, with what one may group or adjust them by."""
        return self.sql((root("sql") / "results" / "judged_cases.sql").read_text(encoding="utf-8"))

    def rates(self, by: str | Iterable[str] = (), rule: str | None = None) -> pl.DataFrame:
        """Rates by rule and whatever else is asked for; nothing is suppressed.

        Args:
            by: a column of `cases` or several, such as `site_id`, `region`, `period`, `pathway`,
                or a stratum of the report: `age_group`, `hr_status`, `stage`, `adjacent_dcis`,
                `anthracycline`, `era`.
            rule: one rule's id or number; all where none is given.

        Returns:
            The verdict counts; `rate` (conformant of judged, 0 to 1, null where none is), its 95 %
            Wilson interval `low` to `high`; `worst` and `best`, the rate if every case that could
            not be judged had failed, or met it.

        Raises:
            UsageError: a column that `cases` does not have.
        """
        groups = list(dict.fromkeys(["rule_id", *([by] if isinstance(by, str) else by)]))
        rows = self.cases
        if unknown := [name for name in groups if name not in rows.columns]:
            raise UsageError(
                f"can't group by {', '.join(unknown)}", f"choose from: {', '.join(rows.columns)}"
            )
        if rule is not None:
            rows = rows.filter(pl.col("rule_id") == self.finished.rule(rule).id)
        counted = rows.group_by(groups).agg(
            (pl.col("verdict") == verdict).sum().cast(pl.Int64).alias(verdict)
            for verdict in IN_RATE
        )
        return with_rates(counted.sort(groups, nulls_last=True))

    def attrition(self, rule: str) -> pl.DataFrame:
        """How one gets from every patient loaded to a rule's population, step by step."""
        steps = self.sql("from attrition order by rule_id, step")
        return steps.filter(pl.col("rule_id") == self.finished.rule(rule).id).drop("rule_id")

    def explain(self, tumour_id: str, rule: str) -> "Explanations":
        """Why one rule says what it says of a tumour; shows itself in a notebook.

        Raises:
            UsageError: the audit knows no such tumour, or did not judge the rule.
        """
        chosen = self.finished.rule(rule)
        with PatientFacts(self.finished, tumour_id) as facts:
            return Explanations(explain(self.finished, facts, chosen))

    def timeline(self, tumour_id: str) -> pl.DataFrame:
        """The dated facts of the tumour's patient, as `audit.timeline.timeline` gives them."""
        with PatientFacts(self.finished, tumour_id) as facts:
            return patient_timeline(self.finished, facts)

    def plot_timeline(self, tumour_id: str) -> "alt.LayerChart":
        """The swimmer plot of the tumour's patient."""
        return swimmer(self.timeline(tumour_id))

    def bounds(self, rule: str | None = None) -> pl.DataFrame:
        """Each rule's rate with its worst and best case, the widest bounds first."""
        columns = ("rule_id", "conformant", "non_conformant", "not_evaluable", "worst", "rate")
        rows = self.rates(rule=rule).select(*columns, "best")
        return rows.with_columns(width=pl.col("best") - pl.col("worst")).sort(
            "width", descending=True, nulls_last=True
        )

    def missing(self, rule: str | None = None) -> pl.DataFrame:
        """Which missing fields matter most: the verdicts that repairing them would settle.

        `narrowing`: by how much the bounds of the rule's rate would come closer, as a share.
        """
        rows = self.sql("select * exclude (site_id) from repairs where site_id is null")
        if rule is not None:
            rows = rows.filter(pl.col("rule_id") == self.finished.rule(rule).id)
        return rows.sort("verdicts_settled", "rule_id", "field", descending=[True, False, False])

    def sensitivity(self, rule: str, parameter: str, values: Sequence[Scalar]) -> pl.DataFrame:
        """One rule's rate under other values of one of its numbers; the facts stay as they are.

        Args:
            rule: its id or number.
            parameter: the name on the card.
            values: in the card's unit; the value in force may be among them.

        Returns:
            One row a value: counts, rate, interval and bounds as in `rates`, whether it is
            `in_force`, and `kendall_tau`, how alike the ranking of sites is to that in force
            (1: the same), over `sites_ranked` sites with 10 judged cases or more.

        Raises:
            UsageError: no such rule or parameter, values that are no list, or the extra `notebook`
                is missing.
        """
        if isinstance(values, Scalar):
            raise UsageError(f"{values!r} is one value", f"write a list: [{values!r}]")
        chosen = self.finished.rule(rule)
        known = chosen.card.parameters.get(parameter)
        own = known.value if known is not None else None
        asked = pl.Series(values, strict=False).to_list()
        tried = pl.Series([*asked, *([] if own is None else [own])], strict=False)
        # Asked for twice, a value is judged once: two rows of the same cases would be summed.
        once = tried.unique(maintain_order=True).to_list()
        counts = by_parameter(self.finished, rule, parameter, once)
        summed = counts.group_by("value", maintain_order=True).agg(pl.col(*IN_RATE).sum())
        stable = ranking_stability(counts, "value", own)
        return (
            with_rates(summed)
            .join(stable, on="value", maintain_order="left")
            .with_columns(in_force=pl.col("value") == own)
            .filter(pl.col("value").is_in(asked))
        )

    def variants(self, rule: str) -> pl.DataFrame:
        """One rule's rate under each reading that its card offers, side by side.

        Raises:
            UsageError: no such rule, or its card offers one reading alone.
        """
        counts = by_variant(self.finished, rule)
        keys = ("variant", "choice", "in_force")
        return with_rates(counts.group_by(keys, maintain_order=True).agg(pl.col(*IN_RATE).sum()))

    @cached_property
    def persistence_cases(self) -> pl.DataFrame:
        """How long HER2 antibody treatment of early disease lasted, a row a tumour.

        `days` from the first dose; `ended_by`: `completed` (the year that R17 asks for), `switched`
        (to a conjugate), `recurrence`, `death`, `cardiac`, `stopped` (short of the year, with a
        documented reason or without), or null where its end was not seen or the record can't tell
        it. sql/results/persistence.sql says what counts as each, in which order.
        """
        card = self.finished.catalogue.rules[_YEAR].card
        values = {name: card.parameters[name].value for name in _OF_THE_YEAR}
        told_apart = self.manifest["conjugates_told_apart"]
        return self._curve_cases("persistence", values | {"conjugates_told_apart": told_apart})

    @cached_property
    def tdm1_cases(self) -> pl.DataFrame:
        """How long after surgery for residual disease T-DM1 began, a row a tumour.

        Those to which R10 recommends it: after neoadjuvant trastuzumab and a taxane, operated on
        since the recommendation is in force in the audit's jurisdiction. `days` from the last
        operation; `ended_by`: `begun`, `recurrence`, `death`, or null.
        """
        rule = self.finished.catalogue.rules[_TDM1]
        since = rule.in_force(self.finished.settings.jurisdiction)["default"]
        return self._curve_cases("time_to_tdm1", {"in_force_from": since})

    def persistence(self, by: str | None = None) -> pl.DataFrame:
        """Aalen-Johansen curves of the time to the end of HER2 antibody treatment.

        Takes a column of `persistence_cases` to draw a curve each for; gives what
        `audit.incidence.cumulative_incidence` gives, which `audit.incidence.plot_incidence` draws.
        """
        return cumulative_incidence(self.persistence_cases, by)

    def time_to_tdm1(self, by: str | None = None) -> pl.DataFrame:
        """The same of the time from surgery to T-DM1, over `tdm1_cases`."""
        return cumulative_incidence(self.tdm1_cases, by)

    def funnel(self, rule: str) -> pl.DataFrame:
        """Sites between the limits of chance, as `audit.casemix.funnel` gives them."""
        return funnel(self.rates(by=["site_id"], rule=rule))

    def shrunken(self, rule: str) -> pl.DataFrame:
        """Empirical-Bayes rates of sites, as `audit.casemix.shrunken` gives them."""
        return shrunken(self.rates(by=["site_id"], rule=rule))

    def adjusted(self, rule: str, covariates: str | Sequence[str]) -> CaseMix:
        """Rates of sites adjusted for their case mix, as `audit.casemix.adjusted` gives them."""
        own = pl.col("rule_id") == self.finished.rule(rule).id
        return adjusted(self.cases.filter(own), covariates)

    def _curve_cases(self, name: str, known: Mapping[str, Scalar]) -> pl.DataFrame:
        query = (root("sql") / "results" / f"{name}.sql").read_text(encoding="utf-8")
        frame: pl.DataFrame = self._con.sql(query, params=dict(known)).pl()
        return frame

    def _repr_html_(self) -> str:
        return result_html(
            self.finished, self.rates().select(pl.col(*IN_RATE).sum()).row(0, named=True)
        )

    def __repr__(self) -> str:
        verdicts = self.manifest["verdicts"]
        return f"<audit of {len(verdicts)} rules, cut-off {self.manifest['cutoff']}>"


class Explanations(list[Explanation]):
    """Why a rule says what it says of each of a tumour's subjects."""

    def _repr_html_(self) -> str:
        return (
            "".join(one._repr_html_() for one in self)
            or "<p>The rule has nothing to judge here.</p>"
        )


def with_rates(counted: pl.DataFrame) -> pl.DataFrame:
    """Adds rate, interval and bounds to rows with verdict counts."""
    added: dict[str, list[float | None]] = {
        name: [] for name in ("rate", "low", "high", "worst", "best")
    }
    for met, failed, open_ in counted.select(IN_RATE[:3]).iter_rows():
        interval = statistics.wilson(met, failed)
        limits = statistics.bounds(met, failed, open_)
        added["rate"].append(statistics.rate(met, failed))
        added["low"].append(interval.low if interval else None)
        added["high"].append(interval.high if interval else None)
        added["worst"].append(limits.low if limits else None)
        added["best"].append(limits.high if limits else None)
    return counted.with_columns(
        pl.Series(name, values, dtype=pl.Float64) for name, values in added.items()
    )
