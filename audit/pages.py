"""What the report's pages beside the quality page show: the overview, a page a rule and a hospital.

Nothing here counts anew: every page says again, in another order, what `figures` lets be shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from audit import charts
from audit.comparison import Comparison, Place, Position, compare
from audit.completeness import FieldRow, Recorded
from audit.disclosure import Cell
from audit.figures import NOT_RECORDED, Group
from audit.file_names import file_names
from audit.guideline import Edition
from audit.periods import Period, period_of
from audit.present import Page
from audit.rule_page import RulePage
from audit.wording import percent, words

LEAST_PERIODS = 2
"""Reporting periods with a rate below which no trend is drawn."""
MANY_PENDING = 0.1
"""Pending cases for each judged one from which on a period's rate is said to be unsettled."""
POOR = 4
"""From this shade on less than three quarters of a field are recorded."""
HIDDEN = "·"
"""Stands in the heat map for what is not shown; the table says why."""
PLANNED = 3
"""Rules with most cases for review that a hospital's action plan begins with."""


@dataclass(frozen=True)
class Change:
    """An edition of a rule that came into force within the time audited."""

    part: str
    edition: Edition


@dataclass(frozen=True)
class RuleView:
    """A rule with its comparison, its charts (empty where there is nothing to draw) and changes."""

    rule: RulePage
    comparison: Comparison | None
    changes: list[Change]
    funnel: str
    trend: str
    histogram: str

    @property
    def periods(self) -> list[Group]:
        """The reporting periods in order, those without a rate too."""
        return _in_order(self.rule)

    @property
    def unsettled(self) -> list[Group]:
        """The periods in which many cases are not due yet, as far as their number is shown.

        What was settled early there need not stand for the rest.
        """
        return [period for period in self.periods if _is_unsettled(period)]


@dataclass(frozen=True)
class SiteRow:
    """A hospital's figures under one rule, and its place in the funnel where it has one."""

    rule: RulePage
    group: Group
    position: Position | None


@dataclass(frozen=True)
class SiteView:
    """A hospital's page."""

    id: str
    name: str
    file: str
    rows: list[SiteRow]
    standing: str
    repairs: list[tuple[tuple[str, ...], list[str]]]
    fields: list[tuple[FieldRow, Recorded]]
    plan: list[SiteRow]

    def count(self, *places: str) -> int:
        """Under how many rules the hospital lies in one of the places."""
        return sum(row.position is not None and row.position.place in places for row in self.rows)


@dataclass(frozen=True)
class Alarms:
    """How many rates of hospitals are compared, and how many lie beyond the limits by chance."""

    compared: int
    beyond_2sd: int
    beyond_3sd: int
    by_chance_2sd: float
    by_chance_3sd: float


@dataclass(frozen=True)
class Reason:
    """A documented reason, with the rules under which it excused and how many cases."""

    says: str
    rules: list[tuple[RulePage, str, Cell]]


def rule_views(page: Page) -> list[RuleView]:
    """A view a rule, in the order of the page."""
    return [
        rule_view(rule, page.manifest["jurisdiction"], page.manifest["period"])
        for rule in page.rules
    ]


def site_views(page: Page, views: Sequence[RuleView]) -> list[SiteView]:
    """A view a hospital that a rule concerns, by name."""
    named = sorted({(group.name, group.id) for rule in page.rules for group in rule.figures.sites})
    files = file_names([id_ for _, id_ in named])
    return [_site_view(page, views, id_, name, files[id_]) for name, id_ in named]


def alarms(views: Sequence[RuleView]) -> Alarms:
    """What chance alone would do among all the rates that are compared."""
    compared = [view.comparison for view in views if view.comparison]
    beyond_3sd = sum(c.count(Place.BELOW_3SD, Place.ABOVE_3SD) for c in compared)
    return Alarms(
        compared=sum(len(c.positions) for c in compared),
        beyond_2sd=beyond_3sd + sum(c.count(Place.BELOW_2SD, Place.ABOVE_2SD) for c in compared),
        beyond_3sd=beyond_3sd,
        by_chance_2sd=sum(c.false_alarms_2sd for c in compared),
        by_chance_3sd=sum(c.false_alarms_3sd for c in compared),
    )


def exceptions(page: Page) -> list[Reason]:
    """Documented reasons with the rules they excused under; those of most rules come first."""
    found: dict[str, list[tuple[RulePage, str, Cell]]] = {}
    for rule in page.rules:
        for one in rule.reasons.get("excepted", []):
            found.setdefault(one.says, []).append((rule, one.code, one.cell))
    return [
        Reason(says, rules)
        for says, rules in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def completeness_map(page: Page) -> str:
    """The heat map of fields at hospitals; empty where there are none."""
    complete = page.completeness
    rows = [
        {
            "field": row.field.says,
            "site": name,
            "shade": cell.shade,
            "text": _in_cell(cell),
        }
        for row in complete.fields
        for name, cell in zip(complete.sites, row.sites, strict=True)
    ]
    if not rows:
        return ""
    poor = sum(cell.shade >= POOR for row in complete.fields for cell in row.sites)
    return charts.heat_map(
        rows,
        [row.field.says for row in complete.fields],
        "completeness",
        "Completeness of fields by hospital, in per cent",
        f"{len(complete.fields)} fields at {len(complete.sites)} hospitals; in {poor} of "
        f"{len(rows)} cells less than three quarters are recorded. The table below holds the "
        "same numbers.",
    )


def _in_cell(cell: Recorded) -> str:
    if cell.percent is not None:
        return str(cell.percent)
    return "" if cell.why == "nobody" else HIDDEN


def _in_order(rule: RulePage) -> list[Group]:
    return [period for period in rule.figures.periods if period.cells["population"].value != 0]


def _is_unsettled(period: Group) -> bool:
    pending = period.cells["pending"].value
    judged = sum(period.cells[name].value or 0 for name in ("conformant", "non_conformant"))
    return bool(pending) and (pending or 0) >= MANY_PENDING * judged


def rule_view(rule: RulePage, jurisdiction: str, kind: Period) -> RuleView:
    """The view of one rule, by its editions in a jurisdiction and by its periods of a kind."""
    comparison = compare(rule.figures)
    periods = _in_order(rule)
    changes = _changes(rule, jurisdiction, periods, kind)
    return RuleView(
        rule=rule,
        comparison=comparison,
        changes=changes,
        funnel=_funnel(rule, comparison) if comparison else "",
        trend=_trend(rule, periods, changes, kind),
        histogram=_histogram(rule),
    )


def _changes(
    rule: RulePage, jurisdiction: str, periods: Sequence[Group], kind: Period
) -> list[Change]:
    """Editions from the first period with a case of the rule on to the last, both included."""
    named = [period.id for period in periods if period.id != NOT_RECORDED]
    if not named:
        return []
    return sorted(
        (
            Change(part, places[jurisdiction])
            for part, places in rule.editions.items()
            if jurisdiction in places
            and min(named) <= period_of(places[jurisdiction].since, kind) <= max(named)
        ),
        key=lambda change: (change.edition.since, change.part),
    )


def _funnel(rule: RulePage, comparison: Comparison) -> str:
    beyond = [p for p in comparison.positions if p.place is not Place.INSIDE]
    said = "; ".join(f"{p.group.name}: {words()['places'][p.place].lower()}" for p in beyond)
    return charts.funnel(
        comparison,
        "funnel",
        f"{rule.card.title}: hospitals beside each other",
        f"{len(comparison.positions)} hospitals around the registry's rate of "
        f"{percent(comparison.target)}. {said or 'All of them lie within the limits'}.",
    )


def _trend(
    rule: RulePage, periods: Sequence[Group], changes: Sequence[Change], kind: Period
) -> str:
    rated = [period for period in periods if period.rate.share is not None]
    target = rule.registry.rate.share
    if target is None or len(rated) < LEAST_PERIODS:
        return ""
    first, last = rated[0], rated[-1]
    return charts.trend(
        periods,
        target,
        sorted({period_of(change.edition.since, kind) for change in changes}),
        f"{kind.capitalize()} of decision",
        "trend",
        f"{rule.card.title}: by {kind} of decision",
        f"From {percent(first.rate.share or 0)} in {first.name} to "
        f"{percent(last.rate.share or 0)} in {last.name}; {len(periods) - len(rated)} {kind}s "
        "without a rate that may be shown.",
    )


def _histogram(rule: RulePage) -> str:
    margins = rule.figures.margins
    if margins is None:
        return ""
    hidden = sum(cell.value is None for cells in margins.cells.values() for cell in cells.values())
    return charts.margin_histogram(
        margins,
        words()["margins"],
        "margin",
        f"{rule.card.title}: days inside and outside the limit",
        f"Cases by band of days, met and for review; {hidden} counts are hidden and have no bar. "
        "The table below holds the same numbers.",
    )


def _site_view(page: Page, views: Sequence[RuleView], id_: str, name: str, file: str) -> SiteView:
    rows = []
    for view in views:
        own = [g for g in view.rule.figures.sites if g.id == id_]
        positions = view.comparison.positions if view.comparison else []
        at = next((p for p in positions if p.group.id == id_), None)
        rows += [SiteRow(view.rule, g, at) for g in own if g.cells["population"].value != 0]
    complete = page.completeness
    column = complete.site_ids.index(id_) if id_ in complete.site_ids else None
    return SiteView(
        id=id_,
        name=name,
        file=file,
        rows=rows,
        standing=_standing(name, rows),
        repairs=next((one.first for one in page.repairs_by_site if one.id == id_), []),
        fields=[] if column is None else [(row, row.sites[column]) for row in complete.fields],
        plan=_plan(rows),
    )


def _standing(name: str, rows: Sequence[SiteRow]) -> str:
    drawn = [
        {
            "rule": row.rule.card.number,
            "share": row.group.rate.share,
            **row.group.rate.interval._asdict(),
            "registry": row.rule.registry.rate.share,
        }
        for row in rows
        if row.group.rate.interval is not None and row.rule.registry.rate.share is not None
    ]
    if not drawn:
        return ""
    lower = sum(row["share"] < row["registry"] for row in drawn)
    return charts.standing(
        drawn,
        "standing",
        f"{name}: own rates beside those of the registry",
        f"{len(drawn)} rules; under {lower} of them the own rate is lower than the registry's. "
        "The tables below hold the same numbers.",
    )


def _plan(rows: Sequence[SiteRow]) -> list[SiteRow]:
    """The rules to begin with: most cases for review first, among counts that are shown."""
    shown = [row for row in rows if row.group.cells["non_conformant"].value]
    return sorted(shown, key=lambda row: -(row.group.cells["non_conformant"].value or 0))[:PLANNED]
