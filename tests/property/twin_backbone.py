"""The twin: the chemotherapy that goes with antibodies before surgery (R06)."""

from datetime import date

import twin_facts as facts
from twin_case import (
    ANTIBODY,
    CYTOTOXIC,
    NEOADJUVANT_PERTUZUMAB,
    SHARED_REASONS,
    TDXD,
    Case,
    documented,
    first_day,
    in_trial,
    not_invasive,
    rule,
    status_reasons,
)
from twin_doubts import doubts
from twin_ends import interruptions
from twin_facts import LATE
from twin_record import FAMILIES, after, between

TAXANE_TOPICS = FAMILIES["taxane"] | {"chemotherapy", "taxane"}
CHEMOTHERAPY_FREE_FROM = date(2018, 1, 1)
DXD_BEFORE_TAXANE = {"US": date(2026, 5, 15)}
SAME_CYCLE = 3


@rule("R06", since=NEOADJUVANT_PERTUZUMAB, accepts=SHARED_REASONS)
def r06(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    case = Case("R06", f"{key}/neoadjuvant", key)
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    r06_stage(context, case, tumour)
    if not (context.linked("treatments") and context.linked("surgeries")):
        case.missing.append("stream-not-linked")
        return [case]
    if facts.pathway(episode, tumour) != "neoadjuvant":
        case.excluded.append("not-neoadjuvant")
        return [case]
    surgery = facts.first_surgery(episode, tumour)
    last = after(surgery, -1) if surgery else LATE
    course = [d for d in episode.systemic if not episode.is_metastatic(d) and d.date <= last]
    relapse = facts.recurrence_date(episode, tumour)  # doses from then on treat that
    given = [dose for dose in course if dose.has(CYTOTOXIC) and dose.date < relapse]
    taxane = [dose for dose in given if dose.has("taxane")]
    antibodies = [dose for dose in course if dose.has(ANTIBODY) and dose.date < relapse]
    if not antibodies:
        case.excluded.append("no-antibody")
        return [case]
    case.decision = next(dose.date for dose in course if dose.has("her2", CYTOTOXIC))
    case.due = surgery or after(course[-1].date, 90)
    if not context.in_force("R06", case.decision) or (
        not given and case.decision < CHEMOTHERAPY_FREE_FROM
    ):
        case.excluded.append("not-in-force")
    case.met = bool(taxane)
    if case.met:
        listed = recommended(context, episode, given, surgery, case.decision)
        case.met_reason = "recommended" if listed else "taxane-based-other"
    if antibody_days(antibodies) < 2:
        if not count_unknown(antibodies):
            case.excluded.append("short-course")
        elif not case.met:
            case.missing.append("no-end-date")
    case.failure = "no-taxane" if given else "chemotherapy-free"
    case.exceptions += documented(context, episode, "R06", TAXANE_TOPICS)
    # A trial of the HER2-targeted treatment assigns what goes with it.
    case.exceptions += {"trial"} & set(documented(context, episode, "R06", {"her2"}))
    if in_trial(episode, date.min, last):
        case.exceptions.append("trial")
    case.exceptions += interruptions(context, episode, case.decision, case.due)
    opened = tumour.get("diagnosis_date") or date.min
    case.doubts = doubts(context, episode, "R06", ["taxane"], (date.min, case.due), opened)
    return [case]


def r06_stage(context, case, tumour):
    """Whether the clinical stage is in the population."""
    t, n = facts.clinical_t(tumour), facts.read_n(tumour.get("clinical_n"))
    if facts.above_20_mm(tumour) or facts.node_positive(n):
        return
    takes_20 = context.variant("R06", "size", "over-20-mm") == "20-mm-or-more"
    if takes_20 and facts.exactly_20_mm(tumour):
        return
    if t is None or n is None:
        case.missing.append("stage-unknown")
    else:
        case.excluded.append("stage-i")


def antibody_days(doses):
    """The days of the one HER2 antibody that was given on most days."""
    return max(len({d.date for d in doses if d.has(drug)}) for drug in FAMILIES[ANTIBODY])


def count_unknown(doses):
    """Whether an open course, or the name of a regimen on one day, hides further doses."""
    return any(dose.open or dose.drug.regimen for dose in doses)


def recommended(context, episode, given, surgery, begun):
    """Whether the cytotoxic doses before surgery are one of the listed backbones."""
    days = {name: {d.date for d in given if d.has(name)} for name in ("taxane", "anthracycline")}
    carboplatin = {dose.date for dose in given if dose.has("carboplatin")}
    if paired(days["taxane"], carboplatin):
        return True
    cyclophosphamide = {dose.date for dose in given if dose.has("cyclophosphamide")}
    begun_with = [min(one, default=LATE) for one in (days["anthracycline"], cyclophosphamide)]
    if max(begun_with) < min(days["taxane"]) or any(is_sequence(dose) for dose in given):
        return True
    if surgery and not days["anthracycline"] and anthracycline_after(episode, surgery):
        return True
    accepted = DXD_BEFORE_TAXANE.get(context.jurisdiction, LATE)
    conjugate = first_day(episode.curative(TDXD))
    return bool(conjugate and begun >= accepted and conjugate < min(days["taxane"]))


def is_sequence(dose):
    """Whether a regimen's name holds an anthracycline, a taxane and an antibody."""
    return dose.drug.regimen and all(
        dose.has(kind) for kind in ("anthracycline", "taxane", ANTIBODY)
    )


def paired(days, others):
    """The days that have one of the others in the same cycle."""
    return {day for day in days if any(abs(between(day, o)) <= SAME_CYCLE for o in others)}


def anthracycline_after(episode, surgery):
    """Whether an anthracycline follows surgery, before any recurrence."""
    end = facts.recurrence_date(episode, episode.index)
    return any(surgery < dose.date < end for dose in episode.curative("anthracycline"))
