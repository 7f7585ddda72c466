"""The twin: R19, neratinib after the year of antibodies."""

from datetime import date

import twin_facts as facts
from twin_case import ANTIBODY, Case, documented, not_invasive, rule, status_reasons
from twin_doubts import doubts
from twin_record import RULES, after, between, read_topic

TOPICS = {"neratinib", "her2"}
CAPECITABINE_DAYS = 14  # of exposure from a dispensing


@rule(
    "R19",
    since={"US": date(2017, 7, 17), "EU": date(2018, 8, 1), "ENGLAND": date(2019, 11, 1)},
    accepts={
        *("contraindication-medical", "contraindication-cardiac", "patient-refusal", "toxicity"),
        *("drug-unavailable", "funding-restriction", "pregnancy", "frailty-documented"),
        *("transfer-out", "mdt-documented-deviation"),
    },
)
def r19(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    case = Case("R19", f"{key}/neratinib", key, site=tumour.get("site_id"))
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if not context.linked("treatments"):
        case.missing.append("stream-not-linked")
        if not context.in_force("R19", tumour.get("diagnosis_date")):
            case.excluded.append("not-in-force")
        return [case]
    recurrence = facts.recurrence_date(episode, tumour)
    every = episode.curative("neratinib")
    doses = [dose for dose in every if dose.date < recurrence]
    if not doses:
        case.excluded.append("after-recurrence" if every else "no-neratinib")
        return [case]
    first = case.decision = doses[0].date
    if not context.in_force("R19", first):
        case.excluded.append("not-in-force")
    spans = neratinib_spans(every)  # what goes on after a recurrence ran on its day too
    if any(
        dose.date <= doses[-1].date and after(dose.date, CAPECITABINE_DAYS - 1) >= first
        for dose in episode.curative("capecitabine")
    ):
        case.excluded.append("with-capecitabine")
    said = [
        row
        for row in context.patient.exceptions
        if row.get("reason") == "trial"
        and read_topic(row.get("topic"), context.drugs) & (TOPICS | {RULES["R19"]})
        and (not row.get("tumour_id") or row["tumour_id"] in episode.ids)
    ]
    if said or any(dose.row.get("trial") is True for dose in doses):
        case.excluded.append("trial")

    before = [d for d in episode.curative(ANTIBODY, "her2-conjugate") if d.date < first]
    others = [d for d in episode.curative("her2") if d.drug.ingredients - {"neratinib"}]
    beside = [
        d.date
        for d in others
        if d.date < recurrence and any(start <= d.date <= end for start, end in spans)
    ]
    case.open, case.closed = min(beside, default=first) > context.observable, True
    limit = 730 if context.jurisdiction == "US" else 365
    case.due = after(before[-1].date, limit) if before else None
    if beside:
        case.failure = "her2-drug-in-parallel"
    elif not before:
        case.missing.append("antibody-end-missing")
    else:
        in_time = between(before[-1].date, first) <= limit
        ended = not any(d.open and (d.date == before[-1].date or not in_time) for d in before)
        undecided = not ended or (any(d.open for d in doses) and later(others, doses))
        if undecided:
            case.missing.append("no-end-date")
        case.met = in_time
        case.failure = "started-late"
    if not beside:
        case.exceptions += documented(context, episode, "R19", TOPICS)
    needs = [ANTIBODY, "her2-conjugate", "neratinib"]
    window = (before[-1].date, first) if before and not beside else None
    case.doubts = doubts(context, episode, "R19", needs, window, window and window[0])
    return [case]


def later(others, doses):
    """Whether another HER2 drug follows the last neratinib day."""
    return any(dose.date > doses[-1].date for dose in others)


def neratinib_spans(doses):
    """The days of neratinib: doses no further than 90 days apart are one span."""
    spans = []
    for dose in doses:
        if spans and between(spans[-1][1], dose.date) <= 90:
            spans[-1] = (spans[-1][0], dose.date)
        else:
            spans.append((dose.date, dose.date))
    return spans
