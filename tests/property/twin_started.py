"""The twin: R03: treatment of early disease begun."""

from datetime import date

import twin_facts as facts
from twin_case import (
    ADJUVANT_TRASTUZUMAB,
    ANTIBODY,
    CHEMOTHERAPY_TOPICS,
    CYTOTOXIC,
    SHARED_REASONS,
    TRASTUZUMAB_TOPICS,
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
from twin_holds import weak_heart
from twin_record import after, between


@rule(
    "R03",
    since=ADJUVANT_TRASTUZUMAB,
    accepts=SHARED_REASONS | {"frailty-documented", "pregnancy"},
)
def r03(context, episode):
    tumour, patient = episode.index, context.patient.row
    diagnosis = tumour.get("diagnosis_date")
    surgery = facts.first_surgery(episode, tumour)
    systemic = [dose.date for dose in episode.systemic]
    decision = min([*systemic[:1], *([surgery] if surgery else [])], default=diagnosis)
    if diagnosis and decision > after(diagnosis, 365):
        decision = diagnosis
    case = Case("R03", tumour["tumour_id"], tumour["tumour_id"], decision=decision)
    t, n = facts.stage_by_pathway(tumour, facts.pathway(episode, tumour))
    large, small = facts.at_least(t, "T1c"), t is not None and not facts.at_least(t, "T1")

    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    for reason in status_reasons(episode, tumour):
        known = reason in ("metastatic", "her2-negative")
        (case.excluded if known else case.missing).append(reason)
    if small and n is not None and not facts.node_positive(n):
        case.excluded.append("small-tumour")
    if diagnosis and patient.get("birth_date") and age(patient["birth_date"], diagnosis) < 18:
        case.excluded.append("under-18")
    if context.variant("R03", "people", "adults") == "women-18-to-70":
        born = diagnosis and patient.get("birth_date")
        if patient.get("sex") in ("male", "other") or (born and age(born, diagnosis) > 70):
            case.excluded.append("outside-published-measure")
    pregnancies = days_of_pregnancy(context)
    if diagnosis and any(-280 <= between(diagnosis, day) <= 42 for day in pregnancies):
        case.excluded.append("pregnancy-at-diagnosis")
    if systemic_intents(context, episode) == {"palliative"}:
        case.excluded.append("palliative-intent")
    moved = patient.get("transfer_in_date")
    if moved and systemic and moved > systemic[0]:
        case.excluded.append("transferred-in-treated")
    if not context.in_force("R03", decision):
        case.excluded.append("not-in-force")
    if not (large or facts.node_positive(n)):
        case.missing.append("stage-unknown")
    if not context.linked("treatments"):
        case.missing.append("stream-not-linked")
    if diagnosis is None:
        case.missing.append("diagnosis-date-missing")
        return [case]

    antibody = first_day(episode.curative(ANTIBODY))
    chemotherapy = first_day(episode.curative(CYTOTOXIC, "her2-conjugate"))
    lacking = set()
    if not antibody or antibody > after(diagnosis, 365):
        lacking |= TRASTUZUMAB_TOPICS
    case.due = after(diagnosis, 365)
    if not chemotherapy or chemotherapy > after(diagnosis, 183):
        lacking |= CHEMOTHERAPY_TOPICS
        case.due = after(diagnosis, 183)
    case.met = not lacking
    # an operation that is not linked may have come before the rule
    early = not context.in_force("R03", diagnosis)
    if lacking and early and not context.linked("surgeries"):
        case.missing.append("stream-not-linked")
    case.exceptions += documented(context, episode, "R03", lacking)
    whole = documented(context, episode, "R03", {"her2"})
    case.exceptions += [one for one in whole if one in ("frailty-documented", "trial")]
    if in_trial(episode, date.min, case.due):
        case.exceptions.append("trial")
    case.exceptions += interruptions(context, episode, diagnosis, case.due)
    if lacking & TRASTUZUMAB_TOPICS:
        case.exceptions += weak_heart(context, episode, case.due)
    case.doubts = doubts(
        context,
        episode,
        "R03",
        [ANTIBODY, "her2-conjugate", CYTOTOXIC],
        (date.min, case.due),
        diagnosis,
    )
    return [case]


def age(birth, day):
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
