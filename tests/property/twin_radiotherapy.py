"""The twin: R30 and R31, radiotherapy after chemotherapy and beside HER2 therapy."""

from datetime import date
from fractions import Fraction
from itertools import pairwise

import twin_facts as facts
from twin_aftercare import (
    first_course_chemotherapy,
    first_course_end,
    first_course_recurrence,
    indicated,
    known_start,
    local_radiotherapy,
    same_side,
)
from twin_case import (
    ANTIBODY,
    TRACE,
    Case,
    documented,
    in_trial,
    not_invasive,
    rule,
    status_reasons,
    stops,
)
from twin_doubts import doubts
from twin_ends import interruptions, other_ends, traces_of_recurrence
from twin_facts import LATE
from twin_holds import holds
from twin_record import FAMILIES, after, between, days_in_sequence

SINCE = dict.fromkeys(("US", "EU", "ENGLAND"), date(2006, 11, 1))
GATE = Fraction(4, 5)
ANTIBODIES = {"trastuzumab", "pertuzumab", "margetuximab", "her2-antibody", "her2"}
CONJUGATES = {"trastuzumab-emtansine", "trastuzumab-deruxtecan", "her2-conjugate", "her2"}
LONGEST = 63  # days that a course of radiotherapy without an end may have lasted


def opening(context, episode, number, tumour, subject, streams):
    """A case with what keeps the tumour out of every rule here."""
    case = Case(number, subject, tumour["tumour_id"], site=tumour.get("site_id"))
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if not all(context.linked(stream) for stream in streams):
        case.missing.append("stream-not-linked")
        if not context.in_force(number, tumour.get("diagnosis_date")):
            case.excluded.append("not-in-force")
    case.seen = bool(context.patient.radiotherapy)
    return case


def sides_told(context, episode, streams):
    """The tumours that have sides: without the streams nobody knows of more than the index one."""
    linked = all(context.linked(stream) for stream in streams)
    return episode.tumours if linked else [episode.index]


# --- R30 -------------------------------------------------------------------------------------


@rule(
    "R30",
    since=SINCE,
    accepts={"trial", "patient-refusal", "mdt-documented-deviation"},
    gate=GATE,
)
def r30(context, episode):
    tumour = episode.index
    streams = ("treatments", "radiotherapy")
    case = opening(context, episode, "R30", tumour, tumour["tumour_id"], streams)
    if case.missing:
        return [case]
    every = first_course_chemotherapy(episode)
    doses = every
    if context.variant("R30", "cmf", "exempt") == "exempt":
        doses = without_cmf(every)
    if not doses:
        case.excluded.append("cmf" if every else "no-chemotherapy")
        return [case]
    last = doses[-1].date
    end = first_course_end(episode)
    limit = first_course_recurrence(episode)
    rows = [r for r in local_radiotherapy(context, episode, tumour) if r["start_date"] < limit]
    known = tumour.get("diagnosis_date") or known_start(episode) or date.min
    rows = [row for row in rows if row["start_date"] >= known]
    rows = [row for row in rows if row.get("target")] or rows  # a known target decides
    start = rows[0]["start_date"] if rows else None
    case.decision = start or last
    if not context.in_force("R30", case.decision):
        case.excluded.append("not-in-force")
    case.expected = not case.excluded and indicated(episode, tumour)
    if any(dose.row.get("trial") is True for dose in doses):
        case.exceptions.append("trial")
    if not rows:
        case.due = after(last, 183)
        death = context.patient.row.get("death_date") or LATE
        awaited = indicated(episode, tumour) and end == death == LATE
        if not awaited or case.due <= context.observable:
            case.excluded.append("no-radiotherapy")
        case.exceptions += documented(context, episode, "R30", {"chemotherapy", "radiotherapy"})
        return [case]
    r30_sequence(case, doses, rows)
    topics = {"chemotherapy", "radiotherapy"}
    if case.failure and all(d.has("capecitabine") for d in doses if d.date > start):
        topics |= {"capecitabine"}
    case.exceptions += documented(context, episode, "R30", topics)
    case.doubts = doubts(context, episode, "R30", ["chemotherapy"], None, doses[0].date)
    if any(day <= last for day in traces_of_recurrence(episode)):
        case.doubts.append(TRACE)
    return [case]


def without_cmf(doses):
    """The doses but methotrexate, and cyclophosphamide or fluorouracil within 14 days of it."""
    days = {dose.date for dose in doses if dose.has("methotrexate")}

    def is_cmf(dose):
        cytotoxic = dose.drug.ingredients & FAMILIES["chemotherapy"]
        near = any(abs(between(day, dose.date)) <= 14 for day in days)
        return near and cytotoxic <= {"methotrexate", "cyclophosphamide", "fluorouracil"}

    return [dose for dose in doses if not is_cmf(dose)]


def r30_sequence(case, doses, rows):
    """What the order of chemotherapy and radiotherapy amounts to."""
    start = rows[0]["start_date"]
    during = [dose for dose in doses if dose.date > start]
    if not during:
        if any(dose.open for dose in doses if dose.date <= start):
            case.missing.append("no-end-date")
        case.met = True
        long = between(doses[-1].date, start) > 183
        case.met_reason = "long-gap" if long else "chemotherapy-first"
        return
    ends = [
        row.get("end_date") or after(row["start_date"], LONGEST)
        for row in rows
        if row["start_date"] < during[-1].date
    ]
    if all(dose.has("capecitabine") for dose in during):
        if all(dose.date > max(ends) for dose in during):
            case.met, case.met_reason = True, "capecitabine-after-radiotherapy"
            return
        if any(row.get("end_date") is None for row in rows):
            case.missing.append("radiotherapy-end-not-recorded")
            return
    if rows[0].get("target") is None:
        case.missing.append("target-not-recorded")
        return
    whole = [row for row in rows if not maybe_partial(row, doses[0].date)]
    if not whole or whole[0]["start_date"] >= during[-1].date:
        case.missing.append("partial-breast-not-told")
        return
    wholly = all(dose.date > start for dose in doses)
    if not wholly and all(dose.in_sequence for dose in during):
        case.missing.append("days-not-recorded")
        return
    case.failure = f"chemotherapy-{'after' if wholly else 'during'}-radiotherapy"


def maybe_partial(row, first):
    """Whether a row may be of a part of the breast, over before the first chemotherapy."""
    end = row.get("end_date") or row["start_date"]
    short = end <= after(row["start_date"], 14) and end < first
    return row.get("target") == "breast" and short


# --- R31 -------------------------------------------------------------------------------------


@rule(
    "R31",
    since=SINCE,
    accepts={
        *("toxicity", "contraindication-cardiac", "contraindication-medical", "patient-refusal"),
        *("trial", "death-before-due", "recurrence-before-due", "progression", "pregnancy"),
    },
    gate=GATE,
)
def r31(context, episode):
    cases = []
    streams = ("treatments", "radiotherapy")
    for tumour in one_a_side(episode):
        if tumour not in sides_told(context, episode, streams):
            continue
        key = tumour["tumour_id"]
        courses = r31_courses(context, episode, tumour)
        for number, course in enumerate(courses or [None], start=1):
            subject = f"{key}/radiotherapy-{number}"
            case = opening(context, episode, "R31", tumour, subject, streams)
            cases.append(case)
            if not case.missing:
                r31_course(context, episode, tumour, case, course)
    return cases


def one_a_side(episode):
    """The tumours in order of risk, without those of a side that a riskier one stands for."""
    kept = []

    def rank(tumour):
        outside = bool(status_reasons(episode, tumour)) or not_invasive(episode, tumour)
        return outside, facts.risk_key(episode, tumour)

    for tumour in sorted(episode.tumours, key=rank):
        if not any(same_side(tumour, other) for other in kept):
            kept.append(tumour)
    return kept


def r31_courses(context, episode, tumour):
    """Courses of radiotherapy before a recurrence: rows of a side no more than 30 days apart."""
    end = first_course_recurrence(episode)
    courses = []
    for row in local_radiotherapy(context, episode, tumour, before=30):
        if row["start_date"] >= end:
            continue
        if courses:
            reached = max(one.get("end_date") or one["start_date"] for one in courses[-1])
            if between(reached, row["start_date"]) <= 30:
                courses[-1].append(row)
                continue
        courses.append([row])
    return courses


def r31_course(context, episode, tumour, case, course):
    doses = episode.curative("her2")
    stop = first_course_recurrence(episode)
    starters = [d.date for d in episode.curative(ANTIBODY, "her2-conjugate") if d.date < stop]
    first = min(starters, default=LATE)
    case.expected = not case.excluded and bool(starters) and indicated(episode, tumour)
    if course is None:
        case.excluded.append("no-radiotherapy")
        return
    start = case.decision = course[0]["start_date"]
    if not context.in_force("R31", start):
        case.excluded.append("not-in-force")
    if first >= start:
        case.excluded.append("no-her2-treatment-before")
        return
    if between(first, start) >= 350:
        case.excluded.append("year-complete-before")
    days = sorted({dose.date for dose in doses if dose.date < stop})
    last = max(day for day in days if day <= start)
    known = max(row.get("end_date") or row["start_date"] for row in course)
    end = max(row.get("end_date") or after(row["start_date"], LONGEST) for row in course)
    named = {d.date for d in doses if d.drug.regimen and d.date < stop}
    unended = any(d.date < end and (d.open or {d.date} == named) for d in doses)
    possible = [after(known, n) for n in range(between(known, end) + 1)]
    outcomes = [r31_outcome(days, start, one) for one in possible]
    failures = [one for one in outcomes if one[0] in ("paused", "stopped")]
    sequence = days_in_sequence([dose for dose in doses if dose.date < stop])
    unended |= any(day in sequence for _, day in failures)
    if between(last, start) > 42 and days[-1] <= start and not unended:
        case.excluded.append("stopped-before")

    case.open = end > context.observable
    if failures:
        case.failure, gap_start = min(failures, key=lambda one: one[1])
        case.due = after(gap_start, 42)
    else:
        # Which of the two it was is open where the last day may have been one or the other.
        said = {outcome for outcome, _ in outcomes}
        case.met, case.met_reason = not case.open, said.pop() if len(said) == 1 else None
        case.due = end
    r31_exceptions(context, episode, case, last, end, start)
    if failures and unended:
        case.missing.append("no-end-date")
    if len(failures) == len(outcomes):
        if all(row.get("target") is None for row in course):
            case.missing.append("target-not-recorded")
    elif failures and not case.open:
        case.missing.append("radiotherapy-end-not-recorded")
    if not context.linked("surgeries"):  # it may have been given during an operation
        case.doubts = ["stream-not-linked"]
        return
    window = (last, after(end, 42))
    case.doubts = doubts(context, episode, "R31", ["her2"], window, last)


def r31_outcome(days, start, end):
    """(what becomes of treatment in radiotherapy from start to end, where the deciding gap begins).

    A gap of more than 42 days counts where it reaches from before or on the first day to after
    the last, or begins during radiotherapy and the next dose fell due before its last day.
    """
    whole = between(days[0], days[-1]) + 21 >= 350
    for day, following in pairwise([*days, None]):
        spans = day <= start and (following is None or following > end)
        within = start < day <= end and after(day, 21) < end
        if not (spans or within):
            continue
        if following is None:
            return "year-complete" if whole else "stopped", day
        if between(day, following) > 42:
            return "paused", day
    return "year-complete" if whole and days[-1] < end else "continued", start


def r31_topics(doses, start):
    """What a documented reason may name: the drugs given last before radiotherapy and next."""
    days = [
        [dose for dose in doses if dose.date == day]
        for day in (
            max((d.date for d in doses if d.date <= start), default=None),
            min((d.date for d in doses if d.date > start), default=None),
        )
    ]
    last, following = (any(dose.has("her2-conjugate") for dose in one) for one in days)
    return CONJUGATES if last else ANTIBODIES | CONJUGATES if following else ANTIBODIES


def r31_exceptions(context, episode, case, last, end, start):
    """Documented reasons, and what was recorded from three weeks before the last dose on."""
    since, through = after(last, -21), after(end, 63)
    limit = first_course_recurrence(episode)
    doses = [dose for dose in episode.curative("her2") if dose.date < limit]
    case.exceptions += documented(context, episode, "R31", r31_topics(doses, start))
    if case.failure:
        said = [dose for dose in doses if last <= dose.date <= end]
        case.exceptions += stops(said)
        if any(dose.row.get("stop_reason") == "death" for dose in said):
            case.exceptions.append("death-before-due")
    for event in context.patient.events:
        kind, day = event["event"], event.get("event_date")
        actions = set((event.get("action") or "").split(";"))
        hurt = kind in ("heart_failure", "ild", "anaphylaxis", "infusion_reaction")
        grave = kind in ("ild", "anaphylaxis") or actions & {"stopped", "interrupted"}
        if hurt and day and since <= day <= through and grave:
            heart = kind == "heart_failure"
            case.exceptions.append("contraindication-cardiac" if heart else "toxicity")
    held = holds(context, episode) + holds(context, episode, metastatic=True)
    if any(since <= one.start <= through for one in held):
        case.exceptions.append("contraindication-cardiac")
    for row in context.patient.cardiac_assessments:
        day, lvef = row.get("assessment_date"), row.get("lvef_percent")
        low = lvef < 50 if lvef is not None else row.get("result") == "abnormal"
        if day and since <= day <= through and low:
            case.exceptions.append("contraindication-cardiac")
    if in_trial(episode, date.min, after(limit, -1), "her2"):
        case.exceptions.append("trial")
    if case.due:
        case.exceptions += interruptions(context, episode, last, case.due)
        case.exceptions += other_ends(context, episode, last, case.due)
