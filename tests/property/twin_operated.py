"""The twin: how the rules on a tumour operated on after treatment begin (R09 and R13)."""

import twin_facts as facts
from twin_case import Case, not_invasive, status_reasons
from twin_facts import LATE


def opening(context, episode, number, tumour):
    """A case of one tumour: (case, first definitive surgery, the last day that it can have been).

    Both days are None where the tumour is outside the rule or a stream is not linked. Where no
    operation is known to be the definitive one, the first is None and the second the latest that
    may be it, LATE where that has no date.
    """
    case = Case(number, tumour["tumour_id"], tumour["tumour_id"])
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if not (context.linked("treatments") and context.linked("surgeries")):
        case.missing.append("stream-not-linked")
        return case, None, None
    surgery = facts.first_surgery(episode, tumour)
    unclear = [] if surgery else facts.unclear_surgeries(context.patient, episode, tumour)
    if facts.pathway(episode, tumour) != "neoadjuvant" or not (surgery or unclear):
        case.excluded.append("no-surgery")
        return case, None, None
    return case, surgery, surgery or max(row.get("surgery_date") or LATE for row in unclear)


def leave_unclear(context, case, number, end):
    """Closes the case of a tumour of which no operation is known to be the definitive one."""
    case.decision = None if end == LATE else end
    if not context.in_force(number, case.decision):
        case.excluded.append("not-in-force")
    case.missing.append("surgery-unclear")
    return case
