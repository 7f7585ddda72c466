"""The twin: the rules of treatment after surgery."""

from datetime import date

import twin_facts as facts
from twin_case import (
    CYTOTOXIC,
    PERTUZUMAB_TOPICS,
    SHARED_REASONS,
    Case,
    documented,
    first_day,
    in_trial,
    may_be_together,
    named_once,
    not_invasive,
    rule,
    status_reasons,
    stops,
    together,
)
from twin_doubts import doubts
from twin_ends import interruptions, other_ends
from twin_facts import LATE
from twin_holds import pertuzumab_stops, weak_heart
from twin_record import after, days_in_sequence


@rule(
    "R14",
    since={"US": date(2017, 12, 20), "EU": date(2018, 5, 1), "ENGLAND": date(2019, 3, 1)},
    accepts=SHARED_REASONS | {"pregnancy"},
)
def r14(context, episode):
    tumour = episode.index
    case = Case("R14", tumour["tumour_id"], tumour["tumour_id"])
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    r14_nodes(context, case, tumour)
    unlinked = [t for t in ("treatments", "surgeries") if not context.linked(t)]
    if "treatments" in unlinked:
        case.missing.append("stream-not-linked")
        return [case]
    surgery = facts.first_surgery(episode, tumour)
    if unlinked:
        case.missing.append("stream-not-linked")
        if not episode.curative("trastuzumab"):
            case.excluded.append("no-adjuvant-trastuzumab")
        if not episode.curative(CYTOTOXIC):
            case.excluded.append("no-chemotherapy")
        return [case]
    way = facts.pathway(episode, tumour)
    if not way.startswith("surgery-first"):
        case.excluded.append("neoadjuvant")
        return [case]
    if not surgery:
        case.missing.append("surgery-undated")
        surgery = date.min
    case.decision = first_day(episode.curative("trastuzumab"), surgery)
    if not case.decision:
        case.excluded.append("no-adjuvant-trastuzumab")
        return [case]
    recurrence = facts.recurrence_date(episode, tumour)
    end = after(recurrence, -1) if recurrence < LATE else LATE
    if not first_day(episode.curative(CYTOTOXIC), surgery, end):
        case.excluded.append("no-chemotherapy")
    if not context.in_force("R14", case.decision):
        case.excluded.append("not-in-force")

    pertuzumab = [dose for dose in episode.curative("pertuzumab") if dose.date >= surgery]
    first = first_day(pertuzumab)
    in_time = first is not None and first <= after(case.decision, 42)
    partners = [dose for dose in episode.curative("trastuzumab") if dose.date >= surgery]
    sequence = days_in_sequence(partners)
    known = [dose.date for dose in partners if dose.date not in sequence]
    begun = min(known, default=after(case.decision, 400 - 42))
    case.due = after(case.decision, 400) if in_time else after(begun, 42)
    if not in_time and first and first <= case.due:
        case.missing.append("days-not-recorded")
    counted = together(context, episode, surgery, after(case.decision, 400))
    case.met = in_time and len(counted) >= 15
    case.exceptions += documented(context, episode, "R14", PERTUZUMAB_TOPICS)
    case.exceptions += stops(pertuzumab)
    days = [dose.date for dose in pertuzumab]
    case.exceptions += pertuzumab_stops(context, episode, days)
    if not days:
        case.exceptions += weak_heart(context, episode, after(case.decision, 42))
    if in_trial(episode, date.min, LATE):
        case.exceptions.append("trial")
    case.exceptions += interruptions(context, episode, case.decision, case.due)
    case.exceptions += other_ends(context, episode, case.decision, case.due)
    partner_open = any(d.open for d in partners) or sequence
    partner_open = partner_open and len({d.date for d in pertuzumab}) >= 15
    unknown = any(d.open for d in pertuzumab) or named_once(episode, pertuzumab)
    unknown |= bool(days_in_sequence(pertuzumab))
    if in_time and not case.met and (unknown or partner_open):
        case.missing.append("no-end-date")
    possible = may_be_together(episode, after(case.decision, 400), after(case.decision, 407))
    if in_time and not case.met and possible >= 15:
        case.missing.append("doses-not-dated")
    needs, window = ["trastuzumab", "pertuzumab"], (date.min, case.due)
    opened = episode.index.get("diagnosis_date") or date.min
    case.doubts += doubts(context, episode, "R14", needs, window, opened)
    return [case]


def r14_nodes(context, case, tumour):
    """Whether the nodes (or, by variant, the stage) are in the population."""
    population = context.variant("R14", "population", "node-positive")
    n, t = facts.pathological_n(tumour), facts.pathological_t(tumour)
    if facts.node_positive(n):
        return
    england = context.jurisdiction == "ENGLAND"  # funded for node-positive disease only
    if population == "all" and not england:
        return
    large = {"stage-ii-iii": "T2", "high-risk": "T3"}.get(population)
    if large and not england:
        if facts.at_least(t, large):
            return
        if t is None and n is not None:
            case.missing.append("stage-unknown")
            return
    if n is None:
        case.missing.append("stage-unknown")
    else:
        case.excluded.append("node-negative")
