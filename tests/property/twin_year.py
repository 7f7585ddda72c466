"""The twin: R17: a year of antibodies."""

from datetime import date

import twin_facts as facts
from twin_case import (
    ADJUVANT_TRASTUZUMAB,
    SHARED_REASONS,
    TDM1,
    TDXD,
    TRASTUZUMAB_TOPICS,
    Case,
    documented,
    in_trial,
    not_invasive,
    rule,
    status_reasons,
)
from twin_doubts import doubts
from twin_ends import interruptions, other_ends, stopping_events
from twin_facts import LATE
from twin_holds import cardiac_stops, paused_days
from twin_record import FAMILIES, RULES, after, between, days_in_sequence, is_course, read_topic


@rule(
    "R17",
    since=ADJUVANT_TRASTUZUMAB,
    accepts=SHARED_REASONS - {"drug-unavailable", "funding-restriction", "trial"} | {"pregnancy"},
)
def r17(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    case = Case("R17", f"{key}/antibody-year", key)
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if not context.linked("treatments"):
        case.missing.append("stream-not-linked")
        return [case]
    trastuzumab = episode.curative("trastuzumab")
    if not trastuzumab:
        case.excluded.append("no-trastuzumab")
        return [case]
    first = case.decision = trastuzumab[0].date
    end = case.due = after(first, 540)
    surgery = facts.first_surgery(episode, tumour)
    neoadjuvant = facts.pathway(episode, tumour) == "neoadjuvant" and first < (surgery or LATE)
    if not context.in_force("R05" if neoadjuvant else "R17", first):
        case.excluded.append("not-in-force")
    if any(
        dose.date <= end and dose.date < facts.recurrence_date(episode, tumour)
        for dose in episode.doses
        if dose.drug.ingredients & FAMILIES["her2-conjugate"]
    ):
        case.excluded.append("switched-to-conjugate")

    doses = [dose for dose in trastuzumab if dose.date <= end]
    covered, three_weekly, _ = covered_days(doses, end)
    cycles = context.variant("R17", "target", "350-days") == "18-cycles"
    target, enough = (378, 18) if cycles else (350, 17)
    case.met = covered >= target or three_weekly >= enough
    case.margin = covered - target
    named = {dose.date for dose in doses if dose.drug.regimen}
    unended = any(dose.open for dose in doses) or days_in_sequence(doses)
    if (unended or len(named) == 1) and not case.met:
        case.missing.append("no-end-date")
    elif len({dose.date for dose in doses}) < 2:
        case.missing.append("single-dose")

    last = doses[-1].date
    remaining = max(0, between(context.observable, end))
    reachable = covered + remaining >= target or three_weekly + remaining // 21 + 1 >= enough
    running = between(last, context.observable) <= 42
    case.closed = not reachable and not running

    trial = in_trial(episode, date.min, LATE, "trastuzumab", "pertuzumab")
    said = trial_documented(context, episode)
    if not case.met and (trial or said):
        case.excluded.append("trial")
    case.exceptions += r17_exceptions(context, episode, first, last, end)
    needs = ["trastuzumab", TDM1, TDXD]
    if case.closed and covered + paused_days(context, episode, first, end) >= target:
        case.exceptions.append("contraindication-cardiac")
    diagnosis = episode.index.get("diagnosis_date") or date.min
    lacking_fits = covered + between(diagnosis, first) >= target
    seen_from = diagnosis if lacking_fits else first
    case.doubts = doubts(context, episode, "R17", needs, (date.min, end), seen_from)
    return [case]


def trial_documented(context, episode):
    topics = TRASTUZUMAB_TOPICS | {RULES["R17"]}
    return any(
        row.get("reason") == "trial"
        and read_topic(row.get("topic"), context.drugs) & topics
        and (not row.get("tumour_id") or row["tumour_id"] in episode.ids)
        for row in context.patient.exceptions
    )


def r17_exceptions(context, episode, first, last, end):
    found = documented(context, episode, "R17", TRASTUZUMAB_TOPICS)
    stops = {
        "toxicity": "toxicity",
        "patient-refusal": "patient-refusal",
        "progression": "progression",
        "death": "death-before-due",
    }
    for drugs in (("trastuzumab",), ("trastuzumab", "pertuzumab")):
        doses = [dose for dose in episode.curative(*drugs) if dose.date <= end]
        for dose in doses:
            if dose.date == doses[-1].date and dose.row.get("stop_reason") in stops:
                found.append(stops[dose.row["stop_reason"]])
    found += stopping_events(context, first, after(last, 63), last)
    found += cardiac_stops(context, episode, first, after(last, 63), last)
    found += interruptions(context, episode, first, end)
    return found + other_ends(context, episode, first, end)


def covered_days(doses, end):
    """(covered days, three-weekly doses, weekly doses) of trastuzumab up to the end day.

    Only single doses tell a weekly schedule; a course's day close to one of them is that dose.
    """
    days = sorted({dose.date for dose in doses})
    singles = sorted({dose.date for dose in doses if not is_course(dose)})
    never_weekly = {d.date for d in doses if d.row.get("route") == "sc" or d.drug.fixed}
    covered = three_weekly = weekly = 0
    for position, day in enumerate(days):
        following = days[position + 1] if position + 1 < len(days) else None
        gap = between(day, following) if following else None
        is_weekly = day in singles and day not in never_weekly and given_weekly(singles, day)
        length = 7 if is_weekly else 21
        covered += min(length, gap if gap is not None else length, between(day, end))
        told_twice = day not in singles and any(abs(between(day, one)) <= 10 for one in singles)
        weekly, three_weekly = weekly + is_weekly, three_weekly + (not is_weekly and not told_twice)
    return covered, three_weekly, weekly


def given_weekly(singles, day):
    """Whether the single doses around one say so, or before it and none three weeks after it."""
    position = singles.index(day)
    ahead = between(day, singles[position + 1]) if position + 1 < len(singles) else None
    behind = between(singles[position - 1], day) if position else None
    if ahead is not None and ahead <= 10:
        return True
    return behind is not None and behind <= 10 and (ahead is None or not 17 <= ahead <= 28)
