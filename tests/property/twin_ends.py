"""The twin: what ends a course before its time, and what shows that something did."""

from datetime import date

import twin_facts as facts
from twin_case import PALLIATIVE, TRACE, is_systemic
from twin_facts import LATE
from twin_record import after, stopped_for


def interruptions(context, episode, anchor, due, before=LATE):
    """Death, recurrence or progression from the anchor to before the due date, earliest first."""
    death = context.patient.row.get("death_date")
    happened = [(death, 0, "death-before-due")] if death else []
    back = [*episode.days_of(*facts.RECURRENCES), *episode.metastases]
    happened += [(day, 1, "recurrence-before-due") for day in back]
    happened += [(day, 2, "progression") for day in episode.days_of("progression")]
    # Palliative treatment without a recorded recurrence is no exception, only a doubt: see verdict.
    happened += [(day, 3, PALLIATIVE) for day in unexplained_palliative_days(context, episode)]
    happened += [(day, 4, TRACE) for day in stops_for_spread(context, episode)]
    traces = traces_of_recurrence(episode)
    happened = [one for one in happened if anchor <= one[0]] + [(day, 4, TRACE) for day in traces]
    return [r for day, _, r in sorted(happened) if day < min(due, before)]


def unexplained_palliative_days(context, episode):
    """The days on which palliative systemic treatment began before any recorded spread."""
    return [
        row["start_date"]
        for row in episode.rows
        if row.get("start_date")
        and row.get("intent") == "palliative"
        and is_systemic(row, context)
        and row["start_date"] < episode.metastatic_date
    ]


def other_ends(context, episode, anchor, due, *, second=True):
    """A pregnancy, or by default a second primary, from the anchor to before the due date."""
    kinds = [(days_of_pregnancy(context), "pregnancy")]
    seconds = episode.days_of("second_primary") + later_primaries(context, episode)
    kinds += [(seconds, "second-primary")] if second else []
    return [reason for days, reason in kinds if any(anchor <= day < due for day in days)]


def traces_of_recurrence(episode):
    """The days before any recorded spread on which a record shows one, or a death."""
    shown = [
        row.get("specimen_date") or row.get("report_date")
        for rows in episode.tests.values()
        for row in rows
        if row.get("specimen_site") == "metastasis"
    ]
    shown += [
        row["surgery_date"]
        for rows in episode.surgeries.values()
        for row in rows
        if row.get("procedure") == "metastasectomy"
    ]
    first = after(episode.first_diagnosis, -30) if episode.first_diagnosis else date.min
    return [day for day in shown if day and first <= day < episode.metastatic_date]


def later_primaries(context, episode):
    """The days on which invasive tumours of other episodes were diagnosed after this one."""
    first = episode.first_diagnosis or LATE
    return [
        tumour["diagnosis_date"]
        for other in facts.episodes(context.patient, context.drugs)
        for tumour in other.tumours
        if tumour["tumour_id"] not in episode.ids and facts.is_invasive(other, tumour)
        if tumour.get("diagnosis_date") and tumour["diagnosis_date"] > first
    ]


def stops_for_spread(context, episode):
    """The last days of drugs stopped for progression or death before any recorded spread."""
    last = [
        row.get("end_date") or row["start_date"]
        for row in episode.rows
        if row.get("start_date")
        and stopped_for(row) in ("progression", "death")
        and is_systemic(row, context)
    ]
    return [day for day in last if day < episode.metastatic_date]


def stopping_events(context, first, last, last_dose=date.min):
    """What the patient suffered from first to last that stopped treatment, as reasons.

    Lung disease and anaphylaxis do so unsaid where the drug was not given after them.
    """
    found = []
    for event in context.patient.events:  # whichever tumour it names
        kind, day = event["event"], event.get("event_date")
        if (
            kind in ("heart_failure", "ild", "anaphylaxis", "infusion_reaction")
            and day
            and first <= day <= last
            and (
                "stopped" in (event.get("action") or "").split(";")
                or (kind in ("ild", "anaphylaxis") and last_dose <= day)
            )
        ):
            found.append("contraindication-cardiac" if kind == "heart_failure" else "toxicity")
    return found


def days_of_pregnancy(context):
    """The days of the patient's pregnancies, whichever tumour the events name."""
    events = context.patient.events
    return [e["event_date"] for e in events if e["event"] == "pregnancy" and e.get("event_date")]
