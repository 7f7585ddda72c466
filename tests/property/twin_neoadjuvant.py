"""The twin: the rules of treatment before surgery."""

from datetime import date

import twin_facts as facts
from twin_case import (
    COURSE_TOPICS,
    NEOADJUVANT_PERTUZUMAB,
    PERTUZUMAB_TOPICS,
    SHARED_REASONS,
    Case,
    documented,
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
from twin_ends import interruptions
from twin_facts import LATE
from twin_holds import pertuzumab_stops, weak_heart
from twin_record import after, days_in_sequence


@rule(
    "R05",
    since=NEOADJUVANT_PERTUZUMAB,
    accepts=SHARED_REASONS,
)
def r05(context, episode):
    tumour = episode.index
    key = tumour["tumour_id"]
    case = Case("R05", f"{key}/neoadjuvant", key)
    way = facts.pathway(episode, tumour)
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    r05_stage(context, case, tumour)
    unlinked = [t for t in ("treatments", "surgeries") if not context.linked(t)]
    if "treatments" in unlinked:
        case.missing.append("stream-not-linked")
        return [case]
    trastuzumab = episode.curative("trastuzumab")
    surgery = facts.first_surgery(episode, tumour)
    last = after(surgery, -1) if surgery else LATE
    given = sorted({dose.date for dose in trastuzumab if dose.date <= last})
    if not given:
        case.excluded.append("no-trastuzumab")
        return [case]
    case.decision = given[0]
    if not context.in_force("R05", case.decision):
        case.excluded.append("not-in-force")
    if unlinked:
        case.missing.append("stream-not-linked")
        return [case]
    if way != "neoadjuvant":
        case.excluded.append("not-neoadjuvant")
        return [case]

    course = [d for d in episode.systemic if not episode.is_metastatic(d) and d.date <= last]
    case.due = surgery or after(course[-1].date, 90)
    stopped = any(dose.row.get("stop_reason") == "progression" for dose in course)
    progressed = any(given[0] <= day <= (surgery or LATE) for day in episode.days_of("progression"))
    if len(given) < 2 and (stopped or progressed):
        case.excluded.append("stopped-for-progression")

    pertuzumab = [dose for dose in episode.curative("pertuzumab") if dose.date <= last]
    partners = [dose for dose in trastuzumab if dose.date <= last]
    lone = named_once(episode, pertuzumab)
    counted = together(context, episode, date.min, last)
    if len(counted) >= 3:
        case.met = True
    elif lone and len({dose.date for dose in pertuzumab}) == 1:
        case.met, case.met_reason = True, "regimen-name"
    whole = len(counted) >= len(given)  # then all treatment ended early, not pertuzumab alone
    topics = COURSE_TOPICS if whole else PERTUZUMAB_TOPICS
    case.exceptions += documented(context, episode, "R05", topics)
    case.exceptions += stops(pertuzumab)
    days = [dose.date for dose in pertuzumab]
    case.exceptions += pertuzumab_stops(context, episode, days)
    if not days:
        case.exceptions += weak_heart(context, episode, case.due)
    if in_trial(episode, date.min, last):
        case.exceptions.append("trial")
    case.exceptions += interruptions(context, episode, given[0], case.due)
    partner_open = any(dose.open for dose in partners) or days_in_sequence(partners)
    partner_open = partner_open and len({dose.date for dose in pertuzumab}) >= 3
    unknown = any(dose.open for dose in pertuzumab) or days_in_sequence(pertuzumab)
    if (lone or unknown or partner_open) and not case.met:
        case.missing.append("no-end-date")
    if not case.met and may_be_together(episode, last, last) >= 3:
        case.missing.append("doses-not-dated")
    opened = tumour.get("diagnosis_date") or date.min
    needs = ["trastuzumab", "pertuzumab"]
    case.doubts += doubts(context, episode, "R05", needs, (date.min, case.due), opened)
    return [case]


def r05_stage(context, case, tumour):
    """Whether the stage is in the population, by the variant chosen."""
    population = context.variant("R05", "population", "stage-ii-iii")
    t, n = facts.clinical_t(tumour), facts.read_n(tumour.get("clinical_n"))
    if population == "all-early" or facts.node_positive(n):
        return
    if population == "high-risk":
        large = facts.at_least(t, "T3")
    else:
        takes_20 = context.variant("R05", "size", "over-20-mm") == "20-mm-or-more"
        large = facts.above_20_mm(tumour) or (takes_20 and facts.exactly_20_mm(tumour))
    if large:
        return
    if t is None or n is None:
        case.missing.append("stage-unknown")
    else:
        case.excluded.append("stage-i")
