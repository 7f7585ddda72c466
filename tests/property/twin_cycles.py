"""The twin: cycles of pertuzumab before surgery (R07)."""

from datetime import date

import twin_facts as facts
from twin_case import (
    ANTIBODY,
    COURSE_TOPICS,
    NEOADJUVANT_PERTUZUMAB,
    TRACE,
    Case,
    documented,
    in_trial,
    named_once,
    not_invasive,
    rule,
    status_reasons,
    stops,
)
from twin_doubts import doubts
from twin_ends import interruptions, stopping_events, traces_of_recurrence
from twin_facts import LATE
from twin_holds import cardiac_stops
from twin_record import after, between, days_in_sequence, is_course

MERGE = 14


@rule(
    "R07",
    since=NEOADJUVANT_PERTUZUMAB,
    accepts={
        *("contraindication-medical", "contraindication-cardiac", "patient-refusal", "trial"),
        *("progression", "toxicity", "frailty-documented", "mdt-documented-deviation"),
    },
)
def r07(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    case = Case("R07", f"{key}/neoadjuvant", key)
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if not (context.linked("treatments") and context.linked("surgeries")):
        case.missing.append("stream-not-linked")
        return [case]
    surgery = facts.first_surgery(episode, tumour)
    unclear = [] if surgery else facts.unclear_surgeries(context.patient, episode, tumour)
    if facts.pathway(episode, tumour) != "neoadjuvant" or not (surgery or unclear):
        case.excluded.append("no-surgery")
        return [case]
    end = surgery or max([row.get("surgery_date") or LATE for row in unclear])
    pertuzumab = [d for d in episode.curative("pertuzumab") if d.date < end]
    if not any(d.date < end for d in episode.curative("trastuzumab")):
        case.excluded.append("no-trastuzumab")
    if not pertuzumab:
        case.excluded.append("no-pertuzumab")
        return [case]
    case.decision, case.due = pertuzumab[0].date, surgery
    if not context.in_force("R07", case.decision):
        case.excluded.append("not-in-force")
    if not surgery:
        case.missing.append("surgery-unclear")
        return [case]
    unknown = any(dose.open for dose in pertuzumab) or days_in_sequence(pertuzumab)
    if unknown or named_once(episode, pertuzumab):
        case.missing.append("no-end-date")
    count = cycles(pertuzumab)
    if count > 6 and recorded_twice(pertuzumab):
        case.missing.append("recorded-twice")
    case.met = 3 <= count <= 6
    if not case.met and not case.missing and perhaps_right(pertuzumab, surgery):
        case.missing.append("doses-not-dated")
    if count < 3:
        case.failure = "too-few-cycles"
        case.exceptions += documented(context, episode, "R07", COURSE_TOPICS)
        antibodies = episode.curative(ANTIBODY)
        case.exceptions += stops([dose for dose in antibodies if dose.date < surgery])
        course = [d for d in episode.doses if d.date < surgery and not episode.is_metastatic(d)]
        if any(dose.row.get("stop_reason") == "progression" for dose in course):
            case.exceptions.append("progression")
        case.exceptions += stopping_events(context, case.decision, after(surgery, -1))
        case.exceptions += cardiac_stops(context, episode, case.decision, after(surgery, -1))
    else:
        case.failure = "too-many-cycles"
        if count <= 8:
            case.exceptions += documented(context, episode, "R07", {"surgery"})
    if in_trial(episode, date.min, after(surgery, -1)):
        case.exceptions.append("trial")
    if count < 3:
        case.exceptions += interruptions(context, episode, case.decision, surgery)
    opened = tumour.get("diagnosis_date") or date.min
    window = (date.min, surgery) if count < 3 else None  # one more drug makes no fewer cycles
    needs = ["trastuzumab", "pertuzumab"]
    case.doubts = doubts(context, episode, "R07", needs, window, opened)
    if any(day < surgery for day in traces_of_recurrence(episode)):
        case.doubts.append(TRACE)
    return [case]


def recorded_twice(doses):
    """Whether single doses lie within the days that courses stand for."""
    derived = [dose.date for dose in doses if is_course(dose)]
    single = [dose.date for dose in doses if not is_course(dose)]
    return bool(derived) and any(min(derived) <= day <= max(derived) for day in single)


def perhaps_right(doses, surgery):
    """Whether three to six cycles may be before surgery, a course running on after it.

    Of such a course the first day alone is sure; any further dose before surgery is a guess.
    """
    runs_on = [d for d in doses if is_course(d) and (d.row.get("end_date") or LATE) >= surgery]
    sure = [d for d in doses if d not in runs_on or d.date == d.row["start_date"]]
    begun = {id(dose.row): dose.row["start_date"] for dose in runs_on}
    further = sum(between(day, after(surgery, -1)) // MERGE for day in begun.values())
    count = cycles(sure, [dose for dose in doses if is_course(dose) and dose not in runs_on])
    return bool(begun) and count <= 6 and count + further >= 3


def cycles(doses, of_courses=None):
    """Three-weekly cycles: close dates are one, every dose of a course with two dates is one."""
    if of_courses is None:
        of_courses = [dose for dose in doses if dose.row.get("end_date")]
    derived = {dose.date for dose in of_courses}
    runs = []
    for day in sorted({dose.date for dose in doses}):
        if runs and day not in derived and between(runs[-1][-1], day) < MERGE:
            runs[-1].append(day)
        else:
            runs.append([day])
    return sum(1 + between(run[0], run[-1]) // MERGE for run in runs)
