"""The twin: cardiac reasons to pause HER2-targeted treatment, which excuse gaps and early stops."""

from dataclasses import dataclass
from datetime import date

from twin_cardiac import assessments, her2_days
from twin_ends import stopping_events
from twin_lvef import baseline, meets_hold, numbers
from twin_record import after, between

LOW, ACTION, LOOK_AHEAD, COURSE_GAP = 50, 7, 63, 90


@dataclass(frozen=True)
class Hold:
    """A day that asks for a pause, the last dose up to a week after it and the first one later."""

    start: date
    last: date | None
    resumed: date | None


def holds(context, episode, *, metastatic=False):
    """The holds of one setting of an episode, in order."""
    days = [day for day in her2_days(episode) if day.metastatic == metastatic]
    if not days:
        return []
    asked = sorted({*failing(context), *weak(context, days, metastatic)})
    return [hold(day, days) for day in asked if running(days, day)]


def hold(start, days):
    known = after(start, ACTION)
    last = max((d.date for d in days if d.date <= known), default=None)
    return Hold(start, last, min((d.date for d in days if d.date > known), default=None))


def running(days, day):
    """Whether a dose was given on the day or no more than a course's gap before."""
    return any(0 <= between(d.date, day) <= COURSE_GAP for d in days)


def failing(context):
    """The days of heart failure, whatever tumour it names."""
    events = context.patient.events
    return [e["event_date"] for e in events if e["event"] == "heart_failure" and e["event_date"]]


def weak(context, days, metastatic):
    """The days after the first dose on which the heart was too weak, as far as the record goes."""
    recorded = numbers(context)
    counted = {(n.date, n.method) for n in recorded}
    first = days[0].date
    for n in recorded:
        if n.date <= first or not running(days, n.date):
            continue
        value, _ = baseline(recorded, first, n.method)
        fall = None if value is None else round(value - n.value, 6)
        where = {"metastatic": metastatic, "jurisdiction": context.jurisdiction, "text": "label"}
        given = last_drugs(days, n.date)
        unknown = value is None and n.value < LOW
        if unknown or any(meets_hold(d, n.value, fall, day=n.date, **where) for d in given):
            yield n.date
    for a in assessments(context):
        if a.date > first and a.result == "abnormal" and (a.date, a.method) not in counted:
            yield a.date


def last_drugs(days, day):
    """The drugs of the last dose day up to a day, and of the seven days before it."""
    before = [d for d in days if d.date <= day]
    last = before[-1].date
    return {drug for d in before if d.date >= after(last, -7) for drug in d.drugs}


def cardiac_stops(context, episode, first, last, last_dose=date.min):
    """The reason for a stop, where a hold lies from first to last and no dose came long after it.

    Args:
        context: the patient.
        episode: the episode judged, in curative setting.
        first: first day of the window, inclusive.
        last: last day of the window, inclusive.
        last_dose: of the drug that was stopped; a hold that it was given on after is no reason.
    """
    found = holds(context, episode)
    explains = any(
        first <= one.start <= last and last_dose <= after(one.start, ACTION) for one in found
    )
    return ["contraindication-cardiac"] if explains else []


def weak_heart(context, episode, through):
    """The reason for no HER2-targeted drug: a weak heart from 120 days before diagnosis on."""
    diagnosis = episode.first_diagnosis
    first = after(diagnosis, -120) if diagnosis else date.min
    days = failing(context) + [
        a.date
        for a in assessments(context)
        if (a.lvef is None and a.result == "abnormal") or (a.lvef is not None and a.lvef < LOW)
    ]
    return ["contraindication-cardiac"] if any(first <= d <= through for d in days) else []


def pertuzumab_stops(context, episode, days):
    """Why pertuzumab, given on these days, was stopped, as events and the heart say."""
    if not days:
        return []
    first, last = min(days), after(max(days), LOOK_AHEAD)
    found = stopping_events(context, first, last) + cardiac_stops(context, episode, first, last)
    return found + weak_heart(context, episode, last)


def paused_days(context, episode, first, end):
    """Days without cover in the pauses for holds between the first dose and the end of the span."""
    pauses = {
        (one.last, one.resumed)
        for one in holds(context, episode)
        if one.resumed and one.last and one.last >= first and one.resumed <= end
    }
    return sum(max(0, between(last, resumed) - 21) for last, resumed in pauses)
