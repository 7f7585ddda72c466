"""The twin: the rules that follow the response to treatment before surgery."""

from datetime import date

import twin_facts as facts
from twin_case import (
    DXD_AFTER_RESIDUAL,
    SHARED_REASONS,
    TDM1,
    TDXD,
    Case,
    documented,
    first_day,
    not_invasive,
    rule,
    status_reasons,
)
from twin_doubts import doubts
from twin_ends import interruptions, other_ends
from twin_facts import LATE, NEGATIVE
from twin_holds import weak_heart
from twin_record import after


@rule(
    "R10",
    since={"US": date(2019, 5, 3), "EU": date(2019, 12, 18), "ENGLAND": date(2020, 6, 1)},
    accepts=SHARED_REASONS | {"mdt-documented-deviation", "pregnancy"},
)
def r10(context, episode):
    return [
        r10_tumour(context, episode, tumour)
        for tumour in episode.tumours
        if episode.status[tumour["tumour_id"]] != NEGATIVE
    ]


def r10_tumour(context, episode, tumour):
    case = Case("R10", tumour["tumour_id"], tumour["tumour_id"])
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    unlinked = [t for t in ("treatments", "surgeries") if not context.linked(t)]
    surgery = facts.first_surgery(episode, tumour)
    unclear = [] if surgery else facts.unclear_surgeries(context.patient, episode, tumour)
    maybe = max([row.get("surgery_date") or LATE for row in unclear], default=LATE)
    last = after(surgery or maybe, -1)
    if "treatments" not in unlinked:
        for drug, reason in (("trastuzumab", "her2"), ("taxane", "taxane")):
            if not first_day(episode.curative(drug), end=last):
                case.excluded.append(f"no-neoadjuvant-{reason}")
    if "surgeries" in unlinked:
        case.missing.append("stream-not-linked")
        return case
    if not surgery:
        case.decision = None if maybe == LATE else maybe
        if facts.pathway(episode, tumour) != "neoadjuvant":
            case.excluded.append("not-neoadjuvant")
        if not unclear:
            case.excluded.append("no-surgery")
        elif not context.in_force("R10", case.decision):
            case.excluded.append("not-in-force")
        case.missing.append("surgery-unclear")
        return case

    answer = facts.response(episode, tumour)
    if answer == "pcr":
        case.excluded.append("pcr")
    started = conjugate_start(context, episode, surgery)
    case.decision = facts.last_surgery(episode, tumour)
    if not context.in_force("R10", case.decision):
        case.excluded.append("not-in-force")
    if unlinked:
        case.missing.append("stream-not-linked")
    if answer is None:
        case.missing.append("response-unknown")
    case.due = after(case.decision, 180)
    relapses = [d for d in episode.days_of(*facts.RECURRENCES) if d >= case.decision]
    if started and started <= case.due and not any(day <= started for day in relapses):
        case.met = True
        case.met_reason = "on-time" if started <= after(case.decision, 84) else "late"
    topics, end = {TDM1, "her2-conjugate", "her2"}, facts.recurrence_date(episode, tumour)
    for reason in documented(context, episode, "R10", topics):
        if reason in ("drug-unavailable", "funding-restriction"):
            fallback = first_day(
                [dose for dose in episode.doses if dose.has("trastuzumab") and dose.date < end],
                after(surgery, 1),
                after(case.decision, 63),
            )
            case.exceptions.append(
                "drug-unavailable-fallback-met" if fallback else "drug-unavailable"
            )
        else:
            case.exceptions.append(reason)
    later = [dose for dose in episode.doses if surgery < dose.date <= case.due and dose.date < end]
    if any(dose.row.get("trial") is True for dose in later):
        case.exceptions.append("trial")
    case.exceptions += interruptions(
        context, episode, case.decision, case.due, before=after(started, 1) if started else LATE
    )
    case.exceptions += other_ends(context, episode, case.decision, case.due, second=False)
    case.exceptions += weak_heart(context, episode, case.due)
    last = max((dose.date for dose in episode.curative("her2")), default=LATE)
    first = first_day(episode.curative("trastuzumab")) or LATE
    for event in context.patient.events:
        day, kind = event.get("event_date"), event["event"]
        grave = kind == "ild" or (kind == "anaphylaxis" and day and last <= day)
        if grave and day and first <= day <= case.due:
            case.exceptions.append("toxicity")
    window = (case.decision, case.due)
    case.doubts = doubts(context, episode, "R10", [TDM1, TDXD], window, case.decision)
    return case


def conjugate_start(context, episode, surgery):
    """The first T-DM1 dose after surgery (or T-DXd, where and when that is accepted)."""
    accepted = DXD_AFTER_RESIDUAL.get(context.jurisdiction, LATE)
    doses = [d for d in episode.doses if d.has(TDM1) or (d.has(TDXD) and d.date >= accepted)]
    return first_day(doses, start=after(surgery, 1))
