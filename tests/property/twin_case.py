"""What the twin's rules share: a case, how it becomes a verdict, and what every rule asks."""

from dataclasses import dataclass, field
from datetime import date

import twin_facts as facts
from twin_facts import LATE, NEGATIVE
from twin_record import FAMILIES, RULES, SYSTEMIC, after, between, is_course, read_topic

ADJUVANT_TRASTUZUMAB = {
    "US": date(2006, 11, 16),
    "EU": date(2006, 5, 1),
    "ENGLAND": date(2006, 8, 1),
}
NEOADJUVANT_PERTUZUMAB = {
    "US": date(2013, 9, 30),
    "EU": date(2015, 7, 1),
    "ENGLAND": date(2016, 12, 1),
}
DXD_AFTER_RESIDUAL = {"US": date(2026, 5, 15)}

SHARED_REASONS = {
    "contraindication-medical",
    "contraindication-cardiac",
    "patient-refusal",
    "trial",
    "drug-unavailable",
    "funding-restriction",
    "death-before-due",
    "recurrence-before-due",
    "progression",
    "toxicity",
    "transfer-out",
}
PERTUZUMAB_TOPICS = {"pertuzumab", "her2-antibody", "her2"}
TRASTUZUMAB_TOPICS = {"trastuzumab", "her2-antibody", "her2"}
COURSE_TOPICS = PERTUZUMAB_TOPICS | TRASTUZUMAB_TOPICS | {"chemotherapy", "taxane", "surgery"}
CHEMOTHERAPY_TOPICS = FAMILIES["chemotherapy"] | {
    "chemotherapy",
    "taxane",
    "anthracycline",
    "platinum",
}
HER2_TOPICS = {"her2", "her2-antibody", "her2-conjugate", "her2-tki"}
ANTIBODY = "her2-antibody"
CYTOTOXIC = "chemotherapy"
TDM1 = "trastuzumab-emtansine"
TDXD = "trastuzumab-deruxtecan"
PALLIATIVE = "palliative-treatment"
TRACE = "unrecorded-recurrence"

# Rules on whether HER2-targeted treatment was given, and those on how long.
ASKS_FOR_HER2 = {
    *("R03", "R04", "R05", "R07", "R10", "R11", "R12", "R14", "R17", "R31"),
    *("R36", "R37", "R39", "R40", "R41", "R44"),
}

IN_FORCE = {}  # rule -> jurisdiction -> the first day it is in force
ACCEPTED = {}  # rule -> the documented reasons it accepts
GATES = {}  # rule -> the least share of cases in which its stream is seen where expected
JUDGES = []


def rule(number, *, since, accepts, gate=None):
    """Registers a function of (context, episode) that gives the cases of a rule."""

    def register(judge):
        IN_FORCE[number], ACCEPTED[number] = since, accepts
        if gate is not None:
            GATES[number] = gate
        JUDGES.append(judge)
        return judge

    return register


@dataclass
class Context:
    """One patient's view for all rules."""

    patient: object
    drugs: dict
    cutoff: date
    jurisdiction: str
    variants: dict
    closed: set = frozenset()  # (rule, site) where the rule's stream is not linked

    @property
    def observable(self):
        """The last day on which an event would have shown."""
        row = self.patient.row
        bounds = (self.cutoff, row.get("last_contact_date"), row.get("transfer_out_date"))
        return min(day for day in bounds if day)

    def in_force(self, rule, day):
        return day is None or day >= IN_FORCE[rule].get(self.jurisdiction, LATE)

    def variant(self, rule, name, default):
        return self.variants.get(RULES[rule], {}).get(name, default)

    def linked(self, table):
        return table in self.patient.linked


@dataclass
class Case:
    """What a rule found for one subject; the lists are in order of precedence."""

    rule: str
    subject: str
    tumour_id: str
    excluded: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    met: bool = False
    met_reason: str | None = None
    exceptions: list = field(default_factory=list)
    doubts: list = field(default_factory=list)  # turn a would-be failure into not_evaluable
    open: bool = False  # could still be met although due
    closed: bool = False  # can't be met any more although not yet due
    failure: str | None = None
    decision: date | None = None
    due: date | None = None
    margin: int | None = None
    site: str | None = None
    expected: bool = False  # the stream of the rule's gate, for this subject
    seen: bool = False


def verdict(case, context):
    """The verdict of a case and its reason."""
    observable = context.observable
    if case.excluded:
        return "not_applicable", case.excluded[0]
    if case.missing:
        return "not_evaluable", case.missing[0]
    if case.met:
        return "conformant", case.met_reason
    exceptions = [reason for reason in case.exceptions if reason not in (PALLIATIVE, TRACE)]
    if exceptions:
        return "excepted", exceptions[0]
    if case.open or (case.due and case.due > observable and not case.closed):
        return "pending", pending_reason(case, context)
    if (case.rule, case.site) in context.closed:
        return "not_evaluable", "stream-not-linked"
    doubts = sorted([*case.doubts, *({PALLIATIVE, TRACE} & set(case.exceptions))])
    if doubts:
        return "not_evaluable", doubts[0]
    return "non_conformant", case.failure


def pending_reason(case, context):
    row, observable = context.patient.row, context.observable
    last = row.get("last_contact_date")
    if last and after(last, 90) < context.cutoff and case.due and after(last, 90) < case.due:
        return "lost-to-follow-up"
    moved = row.get("transfer_out_date") == observable and observable < context.cutoff
    return "transferred-out" if moved else "not-yet-due"


# --- what every rule asks --------------------------------------------------------------------


def documented(context, episode, rule, topics):
    """The accepted reasons documented for the rule itself or one of the topics.

    A cardiac contraindication recorded for the LVEF forbids HER2-targeted drugs.
    """
    found = []
    for row in context.patient.exceptions:
        if row.get("tumour_id") and row["tumour_id"] not in episode.ids:
            continue
        named = read_topic(row.get("topic"), context.drugs)
        heart = row.get("reason") == "contraindication-cardiac" and rule in ASKS_FOR_HER2
        if heart and "lvef" in named and "her2" in topics:
            named.add("her2")
        if named & (topics | {RULES[rule]}) and row.get("reason") in ACCEPTED[rule]:
            found.append(row["reason"])
    return sorted(found)


def in_trial(episode, first, last, *names):
    """Whether a curative dose of the drugs or families named was given in a trial.

    Its row starts from first to last, both inclusive. Without names any row counts that reaches
    into these days, whatever its drug, known or not.
    """
    if not names:
        return any(
            row.get("trial") is True
            and row["start_date"] <= last
            and (row.get("end_date") or row["start_date"]) >= first
            for row in episode.rows
            if row.get("start_date")
            and row.get("intent") != "palliative"
            and row["start_date"] < episode.metastatic_date
        )
    return any(
        dose.row.get("trial") is True and first <= dose.row["start_date"] <= last
        for dose in episode.doses
        if dose.has(*names) and not episode.is_metastatic(dose)
    )


def status_reasons(episode, tumour, *, negative=True):
    """Why HER2 or M keeps the tumour out of a rule."""
    status, m = episode.status[tumour["tumour_id"]], facts.m_status(episode, tumour)
    found = []
    if m == "M1":
        found.append("metastatic")
    if status == NEGATIVE and negative:
        found.append("her2-negative")
    if status == "unknown":
        found.append("her2-unknown")
    if m is None:
        found.append("m-unknown")
    return found


def not_invasive(episode, tumour):
    return not facts.is_invasive(episode, tumour)


def first_day(doses, start=date.min, end=LATE):
    return min((d.date for d in doses if start <= d.date <= end), default=None)


def together(context, episode, first, last):
    """The distinct pertuzumab days from first to last with trastuzumab within 7 days."""
    partner = {dose.date for dose in episode.curative("trastuzumab")}
    days = {dose.date for dose in episode.curative("pertuzumab") if first <= dose.date <= last}
    return sorted(day for day in days if any(abs(between(day, p)) <= 7 for p in partner))


def may_be_together(episode, last, partners_through):
    """The most pertuzumab days with trastuzumab, wherever the doses of a course were given.

    Args:
        episode: the episode judged.
        last: the last day on which pertuzumab counts.
        partners_through: the last day of a trastuzumab dose that it may have been given beside.
    """
    pertuzumab = [dose for dose in episode.curative("pertuzumab") if dose.date <= last]
    trastuzumab = episode.curative("trastuzumab")
    dated = {dose.date for dose in pertuzumab if not is_course(dose)}
    beside = {
        day
        for day in dated
        if any(abs(between(day, dose.date)) <= 7 or inside(day, dose) for dose in trastuzumab)
    }
    movable = {dose.date for dose in pertuzumab} - dated
    partners = {
        dose.date
        for dose in trastuzumab
        if dose.date <= partners_through
        and any(inside(dose.date, p) for p in episode.curative("pertuzumab"))
    }
    return len(beside) + min(len(movable), len(partners))


def inside(day, dose):
    """Whether the day lies in the course that the dose stands for, or within a week of it."""
    row = dose.row
    if not is_course(dose) or row.get("end_date") is None:
        return False
    return after(row["start_date"], -7) <= day <= after(row["end_date"], 7)


def stops(doses):
    """Why the drug was stopped, as its own rows say."""
    said = {dose.row.get("stop_reason") for dose in doses}
    return sorted(said & {"toxicity", "patient-refusal", "progression"})


def named_once(episode, doses):
    """Whether the name of a regimen with an antibody stands on just one day of the doses."""
    named = {
        dose.date for dose in episode.curative("trastuzumab", "pertuzumab") if dose.drug.regimen
    }
    return len(named & {dose.date for dose in doses}) == 1


def undated(context, *names):
    """Whether a row of one of the drugs or families has no day."""
    wanted = set().union(*(FAMILIES.get(name, {name}) for name in names))
    rows = [row for row in context.patient.treatments if row.get("start_date") is None]
    drugs = [context.drugs.get(row.get("drug")) for row in rows]
    return any(drug and drug.ingredients & wanted for drug in drugs)


def is_systemic(row, context):
    """Whether a treatment row, dated or not, is a systemic drug."""
    drug = context.drugs.get(row.get("drug"))
    return bool(drug and drug.ingredients & SYSTEMIC)


def systemic_intents(context, episode):
    """The intents of the episode's systemic rows; an undated one may be of any episode."""
    undated = [r for r in context.patient.treatments if not (r["start_date"] or r.get("tumour_id"))]
    return {row.get("intent") for row in episode.given_rows + undated if is_systemic(row, context)}
