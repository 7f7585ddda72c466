"""The twin: treatment before surgery and surgery after it (R04, R08)."""

from datetime import date

import twin_facts as facts
from twin_case import (
    CYTOTOXIC,
    NEOADJUVANT_PERTUZUMAB,
    SHARED_REASONS,
    Case,
    documented,
    first_day,
    in_trial,
    not_invasive,
    rule,
    status_reasons,
    systemic_intents,
)
from twin_doubts import doubts
from twin_ends import days_of_pregnancy, interruptions
from twin_facts import LATE, POSITIVE
from twin_holds import weak_heart
from twin_record import after, days_in_sequence

NEOADJUVANT_TOPICS = {"surgery", "chemotherapy", "taxane", "trastuzumab", "her2-antibody", "her2"}


@rule(
    "R04",
    since=NEOADJUVANT_PERTUZUMAB,
    accepts=SHARED_REASONS - {"toxicity"}
    | {"pregnancy", "frailty-documented", "mdt-documented-deviation"},
)
def r04(context, episode):
    return [r04_tumour(context, episode, tumour) for tumour in episode.tumours]


def r04_tumour(context, episode, tumour):
    case = Case("R04", tumour["tumour_id"], tumour["tumour_id"])
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if not (context.linked("treatments") and context.linked("surgeries")):
        case.missing.append("stream-not-linked")
        return case
    diagnosis, surgery = tumour.get("diagnosis_date"), facts.first_surgery(episode, tumour)
    treated = [dose.date for dose in episode.systemic if not episode.is_metastatic(dose)]
    her2 = first_day(episode.curative("her2"))
    case.decision = surgery or (treated[0] if treated else diagnosis)
    if not context.in_force("R04", case.decision):
        case.excluded.append("not-in-force")
    r04_stage(context, episode, case, tumour)
    intents = systemic_intents(context, episode)
    if not surgery and intents == {"palliative"}:
        case.excluded.append("palliative-intent")

    window_end = after(diagnosis or date.min, 180)
    case.due = surgery
    undated = facts.pathway(episode, tumour) == "surgery-first-undated"
    if not surgery and (undated or shown(context, episode, tumour)):
        case.missing.append("surgery-unclear")
    if not surgery and treated:
        case.due = max(after(treated[-1], 90), window_end)
    if not surgery and not treated:
        case.due = window_end
        gone = context.patient.row.get("death_date")
        unclear = "surgery-unclear" in case.missing
        if not unclear and (window_end <= context.observable or gone):
            case.excluded.append("not-treated")
    if her2 and her2 < (surgery or LATE):
        case.met = True
        case.met_reason = (
            "her2-therapy-before-surgery" if surgery else "her2-therapy-no-surgery-yet"
        )
    elif (
        surgery
        and not any(day < surgery for day in treated)
        and context.variant("R04", "route", "neoadjuvant-first") == "surgery-first-accepted"
    ):
        case.met, case.met_reason = True, "surgery-first-accepted"
    case.exceptions += documented(context, episode, "R04", NEOADJUVANT_TOPICS)
    if in_trial(episode, date.min, after(case.due or LATE, -1)):
        case.exceptions.append("trial")
    known = diagnosis or min([*treated, *([surgery] if surgery else [])], default=None)
    pregnancies = [day for day in days_of_pregnancy(context) if day < (case.due or LATE)]
    if any(known and day >= after(known, -280) for day in pregnancies):
        case.exceptions.append("pregnancy")
    if not (surgery or treated):
        case.exceptions = []
    elif case.due:
        case.exceptions += interruptions(context, episode, diagnosis or date.min, case.due)
    if case.due and (surgery or treated):
        case.exceptions += weak_heart(context, episode, case.due)
    if surgery and not case.met and her2_told_later(episode, tumour, surgery):
        case.missing.append("her2-known-later")
    if pregnancies and not (diagnosis or "pregnancy" in case.exceptions or case.met) and known:
        case.missing.append("diagnosis-date-missing")
    # a drug that can't be told may also have come before the first positive report
    positive = sorted(
        facts.result_date(row)
        for rows in facts.specimens(episode.tests.get(tumour["tumour_id"], []))
        for row in rows
        if facts.result_date(row)
        and (facts.ihc_of([row]) == 3 or facts.ish_class(row, facts.ihc_of(rows)) == POSITIVE)
    )
    window = (date.min, max([case.due or LATE, *positive[:1]]))
    case.doubts = doubts(context, episode, "R04", ["her2"], window, diagnosis or date.min)
    return case


def her2_told_later(episode, tumour, surgery):
    """Whether there are positive samples and none of them is known to be from before surgery."""
    tests = [
        test
        for test in episode.tests.get(tumour["tumour_id"], [])
        if test.get("specimen_site") != "metastasis" and test.get("invasive") is not False
    ]
    days = [
        facts.specimen_day(rows[0]) or LATE
        for rows in facts.specimens(tests)
        if facts.specimen_result(rows) == POSITIVE
    ]
    return bool(days) and min(days) >= surgery


def r04_stage(context, episode, case, tumour):
    """Whether the clinical stage is in the population."""
    t, n = facts.clinical_t(tumour), facts.read_n(tumour.get("clinical_n"))
    exact = facts.exactly_20_mm(tumour)
    if facts.above_20_mm(tumour) or facts.node_positive(n) or node_sampled(episode, tumour):
        return
    size = context.variant("R04", "size", "over-20-mm")
    if size == "20-mm-or-more" and exact:
        return
    if t is None and n is None:
        case.missing.append("stage-unknown")
    else:
        case.excluded.append("stage-i")


def node_sampled(episode, tumour):
    """Whether a HER2-tested invasive node sample was taken before operation and treatment."""
    operations = [
        row["surgery_date"]
        for row in episode.surgeries.get(tumour["tumour_id"], [])
        if row.get("surgery_date")
    ]
    first_operation = min(operations, default=LATE)
    first_dose = min((dose.date for dose in episode.systemic), default=LATE)
    return any(
        rows[0].get("specimen_site") == "node"
        and facts.specimen_result(rows)
        and facts.specimen_day(rows[0])
        and facts.specimen_day(rows[0]) < first_operation
        and facts.specimen_day(rows[0]) <= first_dose
        for rows in facts.specimens(
            [
                test
                for test in episode.tests.get(tumour["tumour_id"], [])
                if test.get("invasive") is not False
            ]
        )
    )


# --- R08 -------------------------------------------------------------------------------------


@rule(
    "R08",
    since=NEOADJUVANT_PERTUZUMAB,
    accepts=SHARED_REASONS - {"drug-unavailable", "funding-restriction"}
    | {"pregnancy", "frailty-documented", "mdt-documented-deviation"},
)
def r08(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    case = Case("R08", f"{key}/neoadjuvant", key)
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if not (context.linked("treatments") and context.linked("surgeries")):
        case.missing.append("stream-not-linked")
        return [case]
    if facts.pathway(episode, tumour) != "neoadjuvant":
        case.excluded.append("not-neoadjuvant")
        return [case]
    surgery = facts.first_surgery(episode, tumour)
    # doses from a recurrence on treat that
    last = after(surgery or facts.recurrence_date(episode, tumour), -1)
    her2 = [dose for dose in episode.curative("her2") if dose.date <= last]
    cytotoxic = [dose for dose in episode.doses if dose.has(CYTOTOXIC) and dose.date <= last]
    if not her2:
        case.excluded.append("no-neoadjuvant-her2")
        return [case]
    course = cytotoxic or her2
    case.decision = course[-1].date
    case.due = after(case.decision, 84)
    if not context.in_force("R08", case.decision):
        case.excluded.append("not-in-force")
    if not surgery and any(day <= case.due for day in episode.days_of("distant_metastasis")):
        case.excluded.append("metastasis-before-surgery")
    if surgery and surgery <= case.due:
        case.met = True
        case.met_reason = "on-time" if surgery <= after(case.decision, 56) else "late"
    if not case.met and chemotherapy_open(course):
        case.missing.append("no-end-date")
    adjuvant = any(dose.row.get("intent") == "adjuvant" for dose in episode.systemic)
    if not surgery and (adjuvant or shown(context, episode, tumour)):
        case.missing.append("surgery-unclear")
    if not case.met and operated_beside(episode, her2[0].date, case.due):
        case.missing.append("surgery-unclear")
    case.exceptions += documented(context, episode, "R08", {"surgery"})
    end = min(after(case.due, 1), surgery or facts.recurrence_date(episode, tumour))
    case.exceptions += complications(context, her2[0].date, end)
    if in_trial(episode, date.min, last):
        case.exceptions.append("trial")
    case.exceptions += interruptions(context, episode, her2[0].date, case.due)
    window = (case.decision, surgery or LATE)
    opened = tumour.get("diagnosis_date") or date.min
    case.doubts = doubts(context, episode, "R08", [CYTOTOXIC, "her2"], window, opened)
    return [case]


def operated_beside(episode, first, due):
    """Whether another tumour's operation, after the first dose and in time, may be the one asked
    for: of the same breast, or of an invasive tumour whose HER2 status is not known."""
    side = episode.index.get("laterality")
    for other in episode.tumours:
        surgery = facts.first_surgery(episode, other)
        if other is episode.index or not surgery or not first < surgery <= due:
            continue
        sides = {side, other.get("laterality")}
        undecided = episode.status[other["tumour_id"]] not in (facts.POSITIVE, facts.NEGATIVE)
        if sides != {"left", "right"} or (undecided and facts.is_invasive(episode, other)):
            return True
    return False


def complications(context, first, end):
    """Heart failure or lung disease from the first day to before the end, as reasons."""
    reasons = {"heart_failure": "contraindication-cardiac", "ild": "toxicity"}
    return [
        reasons[event["event"]]
        for event in context.patient.events
        if event["event"] in reasons
        and event.get("event_date")
        and first <= event["event_date"] < end
    ]


def chemotherapy_open(course):
    """Whether an open course, or the name of a regimen on one day, hides the last dose."""
    named = {dose.date for dose in course if dose.drug.regimen}
    last = max((dose.date for dose in course), default=None)
    unended = any(dose.open for dose in course) or last in days_in_sequence(course)
    return unended or len(named) == 1


def shown(context, episode, tumour):
    """Whether pathologic stage shows an operation, or a row may be one."""
    stage = facts.read_t(tumour.get("pathological_t")) or facts.pathological_n(tumour)
    return stage or facts.unclear_surgeries(context.patient, episode, tumour)
