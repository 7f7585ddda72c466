"""The twin: the response after treatment before surgery is recorded (R09)."""

from datetime import date

import twin_facts as facts
from twin_case import ANTIBODY, documented, rule
from twin_doubts import doubts
from twin_ends import interruptions
from twin_operated import leave_unclear, opening
from twin_record import after


@rule(
    "R09",
    since={"US": date(2019, 5, 3), "EU": date(2019, 12, 18), "ENGLAND": date(2020, 6, 1)},
    accepts={
        *("contraindication-medical", "patient-refusal", "trial", "frailty-documented"),
        "mdt-documented-deviation",
    },
)
def r09(context, episode):
    return [r09_tumour(context, episode, tumour) for tumour in episode.tumours]


def r09_tumour(context, episode, tumour):
    case, first, end = opening(context, episode, "R09", tumour)
    if not end:
        return case
    if not any(dose.date < end for dose in episode.curative(ANTIBODY)):
        case.excluded.append("no-neoadjuvant-antibody")
    if not first:
        return leave_unclear(context, case, "R09", end)
    rows = [
        row
        for row in facts.counted_surgeries(episode, tumour)
        if episode.curative(ANTIBODY)
        and episode.curative(ANTIBODY)[0].date <= row["surgery_date"] <= after(first, 180)
    ]
    case.decision = facts.last_surgery(episode, tumour)
    case.due = after(case.decision, 42)
    if not context.in_force("R09", case.decision):
        case.excluded.append("not-in-force")
    moved = context.patient.row.get("transfer_in_date")
    if moved and moved > case.decision:
        case.excluded.append("operated-elsewhere")
    t, n, whole = (recorded(rows, kind) for kind in (has_t, has_n, has_statement))
    known = [day for day in (max(t, n) if t and n else None, whole) if day]
    case.met = bool(known) and min(known) <= case.due
    if t and not n:
        case.exceptions += documented(context, episode, "R09", {"surgery"})
    happened = interruptions(context, episode, case.decision, case.due)
    case.exceptions += [reason for reason in happened if reason == "death-before-due"]
    case.doubts = doubts(context, episode, "R09", [], None, first)
    return case


def recorded(rows, has):
    """The first day on which something the rows hold was reported, or None."""
    days = [row.get("report_date") or row["surgery_date"] for row in rows if has(row)]
    return min(days, default=None)


def has_t(row):
    return facts.read_t(row.get("yp_t"))


def has_n(row):
    return facts.read_n(row.get("yp_n"))


def has_statement(row):
    return row.get("rcb_class") or row.get("residual_invasive") is not None
