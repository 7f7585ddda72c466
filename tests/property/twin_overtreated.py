"""The twin: no chemotherapy after a complete response (R13)."""

from datetime import date

import twin_facts as facts
from twin_case import (
    CYTOTOXIC,
    NEOADJUVANT_PERTUZUMAB,
    TRACE,
    documented,
    in_trial,
    not_invasive,
    rule,
)
from twin_chemotherapy import weights
from twin_doubts import doubts
from twin_ends import traces_of_recurrence
from twin_facts import LATE
from twin_operated import leave_unclear, opening
from twin_record import FAMILIES, after

TOPICS = FAMILIES["chemotherapy"] | {"chemotherapy", "taxane", "anthracycline", "platinum"}


@rule("R13", since=NEOADJUVANT_PERTUZUMAB, accepts={"trial", "mdt-documented-deviation"})
def r13(context, episode):
    return [r13_tumour(context, episode, tumour) for tumour in episode.tumours]


def r13_tumour(context, episode, tumour):
    case, surgery, end = opening(context, episode, "R13", tumour)
    if not end:
        return case
    every = episode.curative(CYTOTOXIC)
    before = [d for d in every if d.date < end]
    if not before:
        case.excluded.append("no-neoadjuvant-chemotherapy")
    if any(
        dose.has("taxane")
        and dose.row.get("stop_reason") in ("toxicity", "patient-refusal", "progression", "other")
        for dose in before
    ):
        case.excluded.append("taxane-stopped-early")
    told = [d for d in every if not d.in_sequence]  # else one of the two was given on a day
    enough = equivalents_before(end, every, "taxane", "anthracycline") >= 6 or (
        equivalents_before(end, told, "anthracycline") >= 3
        and equivalents_before(end, told, "taxane") >= 3.3
    )
    if not enough and unknown_count(before):
        case.missing.append("no-end-date")
    elif not enough:
        case.excluded.append("incomplete-programme")
    if not surgery:
        return leave_unclear(context, case, "R13", end)
    answer = facts.response(episode, tumour)
    if answer == "residual":
        case.excluded.append("residual-disease")
    if answer is None:
        case.missing.append("response-unknown")
    r13_window(context, episode, tumour, case, surgery)
    return case


def equivalents_before(end, doses, *names):
    """Three-weekly equivalents before a day; what follows tells the schedule of the last dose."""
    return round(sum(n for day, n in weights(doses, *names).items() if day < end), 6)


def unknown_count(doses):
    """Whether an open course, or a regimen on one day or in sequence, leaves the cycles unknown."""
    for drug in FAMILIES["taxane"] | FAMILIES["anthracycline"]:
        own = [dose for dose in doses if dose.has(drug)]
        named = any(dose.drug.regimen for dose in own) and len({dose.date for dose in own}) == 1
        if named or any(dose.open or dose.in_sequence for dose in own):
            return True
    return False


def r13_window(context, episode, tumour, case, surgery):
    """What was given after the last definitive operation."""
    case.decision = facts.last_surgery(episode, tumour)
    case.due = after(case.decision, 180)
    if not context.in_force("R13", case.decision):
        case.excluded.append("not-in-force")
    relapse = facts.recurrence_date(episode, tumour)
    death = context.patient.row.get("death_date") or LATE
    given = sorted(
        {
            dose.date
            for dose in episode.curative(CYTOTOXIC)
            if case.decision < dose.date <= case.due
            and dose.date < relapse
            and dose.drug.ingredients & FAMILIES["chemotherapy"] != {"methotrexate"}
        }
    )
    conjugates = [
        dose.date
        for dose in episode.curative("her2-conjugate")
        if case.decision < dose.date <= case.due and dose.date < relapse
    ]
    moved = context.patient.row.get("transfer_in_date")
    if not given:
        case.met = min(case.due, relapse, death) <= context.observable
        case.met_reason = "flag-conjugate-after-pcr" if conjugates else "no-chemotherapy"
        if moved and moved > case.decision:
            case.missing.append("transferred-in")
    else:
        case.closed, case.failure = given[0] <= context.observable, "chemotherapy-after-pcr"
        others = [
            one for one in episode.tumours if one is not tumour and not not_invasive(episode, one)
        ]
        if any(facts.first_surgery(episode, t) is None or not complete(episode, t) for t in others):
            case.exceptions.append("other-tumour")
        if found_meanwhile(context, episode, tumour, case.due):
            case.exceptions.append("other-tumour")
        if any(day <= case.due for day in episode.days_of("second_primary")):
            case.exceptions.append("other-tumour")
        case.exceptions += documented(context, episode, "R13", TOPICS)
        if in_trial(episode, after(case.decision, 1), case.due):
            case.exceptions.append("trial")
    case.doubts = doubts(context, episode, "R13", ["taxane"], None, None)  # what is there is there
    if any(day <= given[0] for day in traces_of_recurrence(episode) if given):
        case.doubts.append(TRACE)


def found_meanwhile(context, episode, tumour, through):
    """Whether an invasive tumour without complete response was diagnosed from this one's diagnosis
    to `through`, in another episode."""
    start = tumour.get("diagnosis_date") or date.max
    return any(
        start <= (one.get("diagnosis_date") or date.min) <= through
        and not not_invasive(other, one)
        and not (facts.first_surgery(other, one) and complete(other, one))
        for other in facts.episodes(context.patient, context.drugs)
        for one in other.tumours
        if one["tumour_id"] not in episode.ids
    )


def complete(episode, tumour):
    return facts.response(episode, tumour) == "pcr"
