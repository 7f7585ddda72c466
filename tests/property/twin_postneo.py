"""The twin: R11 and R12, how treatment goes on after residual disease and after a response."""

from datetime import date

import twin_facts as facts
from twin_case import (
    ANTIBODY,
    DXD_AFTER_RESIDUAL,
    PERTUZUMAB_TOPICS,
    SHARED_REASONS,
    TDM1,
    TDXD,
    TRASTUZUMAB_TOPICS,
    Case,
    documented,
    first_day,
    in_trial,
    named_once,
    not_invasive,
    rule,
    status_reasons,
    stops,
)
from twin_doubts import doubts
from twin_ends import interruptions, other_ends, stopping_events
from twin_facts import LATE
from twin_holds import cardiac_stops
from twin_record import after, between
from twin_year import covered_days

CONJUGATE_TOPICS = {TDM1, TDXD, "her2-conjugate", "her2"}


def opening(context, episode, number, subject):
    """A case of the index tumour: (case, first definitive surgery, whether it is only a guess).

    Where no operation is known to be definitive, the latest that may be is the guess (LATE where
    it has no date). Without any, or without linked streams, there is none.
    """
    tumour = episode.index
    case = Case(number, subject, tumour["tumour_id"], site=tumour.get("site_id"))
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if not all(context.linked(table) for table in ("treatments", "surgeries")):
        case.missing.append("stream-not-linked")
        return case, None, False
    surgery = facts.first_surgery(episode, tumour)
    unclear = [] if surgery else facts.unclear_surgeries(context.patient, episode, tumour)
    if facts.pathway(episode, tumour) != "neoadjuvant":
        case.excluded.append("not-neoadjuvant")
    elif not surgery and not unclear:
        case.excluded.append("no-surgery")
    if unclear:
        case.missing.append("surgery-unclear")
        surgery = max(row.get("surgery_date") or LATE for row in unclear)
    return case, surgery, bool(unclear)


TOXIC = {"toxicity", "contraindication-medical", "contraindication-cardiac"}


# --- R11 -------------------------------------------------------------------------------------


@rule(
    "R11",
    since={"US": date(2019, 5, 3), "EU": date(2019, 12, 18), "ENGLAND": date(2020, 6, 1)},
    accepts=SHARED_REASONS - {"drug-unavailable", "funding-restriction"} | {"pregnancy"},
)
def r11(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    case, surgery, guess = opening(context, episode, "R11", f"{key}/conjugate-course")
    if not surgery:
        return [case]
    if not guess and facts.response(episode, tumour) == "pcr":
        case.excluded.append("pcr")
    accepted = DXD_AFTER_RESIDUAL.get(context.jurisdiction, LATE)
    end = facts.recurrence_date(episode, tumour)
    doses = sorted(
        (
            dose
            for dose in episode.curative(TDM1, TDXD)
            if (guess or surgery < dose.date) and dose.date < end
            if dose.has(TDM1) or dose.date >= accepted
        ),
        key=lambda dose: dose.date,
    )
    if not doses:
        case.excluded.append("no-conjugate")
        return [case]
    first, last = doses[0].date, doses[-1].date
    case.decision, case.due = first, after(first, 400)
    if not context.in_force("R11", first):
        case.excluded.append("not-in-force")
    if guess:
        return [case]

    count = len({dose.date for dose in doses})
    said = documented(context, episode, "R11", CONJUGATE_TOPICS) + stops(doses)
    said += stopping_events(context, first, after(last, 63), last)
    said += cardiac_stops(context, episode, first, after(last, 63), last)
    if any(dose.row.get("stop_reason") == "death" for dose in doses):
        said.append("death-before-due")
    substitutes = [d for d in episode.curative("trastuzumab") if last < d.date < end]
    _, three_weekly, weekly = covered_days(substitutes, LATE)
    if count >= 13:
        case.met, case.met_reason = True, "fourteen-cycles" if count >= 14 else "near-complete"
    elif TOXIC & set(said) and 3 * (count + three_weekly) + weekly >= 3 * 13:
        case.met, case.met_reason = True, "completed-with-trastuzumab"
    elif case.due <= context.observable and between(last, context.observable) > 90:
        if any(dose.open for dose in doses):
            case.missing.append("no-end-date")
        elif facts.response(episode, tumour) is None and not any(
            facts.response(episode, one) == "residual"
            for one in episode.tumours
            if facts.first_surgery(episode, one)
        ):
            case.missing.append("response-unknown")
    moved = context.patient.row.get("transfer_in_date")
    if moved and moved > first and not case.met:
        case.excluded.append("transferred-in-treated")
    case.open = between(last, context.observable) <= 90
    case.exceptions += said
    if in_trial(episode, first, LATE, TDM1, TDXD):
        case.exceptions.append("trial")
    case.exceptions += interruptions(context, episode, first, case.due)
    case.exceptions += other_ends(context, episode, first, case.due)
    case.failure = "too-few-cycles"
    window, opened = (first, LATE), facts.last_surgery(episode, tumour)
    case.doubts = doubts(context, episode, "R11", [TDM1, TDXD], window, opened)
    return [case]


# --- R12 -------------------------------------------------------------------------------------


@rule(
    "R12",
    since={"US": date(2017, 12, 20), "EU": date(2018, 5, 1), "ENGLAND": date(2019, 3, 1)},
    accepts=SHARED_REASONS | {"pregnancy"},
)
def r12(context, episode):
    tumour = episode.index
    case, surgery, guess = opening(context, episode, "R12", tumour["tumour_id"])
    if not surgery:
        return [case]
    before, recurrence = after(surgery, -1), facts.recurrence_date(episode, tumour)
    for drug in ("trastuzumab", "pertuzumab"):
        if not first_day(episode.curative(drug), end=min(before, after(recurrence, -1))):
            case.excluded.append(f"no-neoadjuvant-{drug}")
    if case.excluded:
        return [case]
    answers = [
        facts.response(episode, one) for one in episode.tumours if facts.first_surgery(episode, one)
    ]
    if "residual" in answers:
        case.excluded.append("residual-disease")
    elif not guess and facts.response(episode, tumour) is None:
        case.missing.append("response-unknown")
    cleared = [
        row["surgery_date"]
        for row in facts.counted_surgeries(episode, tumour)
        if facts.is_definitive(row)
        and row["surgery_date"] <= (LATE if guess else after(surgery, 180))
    ]
    case.decision = max(cleared, default=None if surgery == LATE else surgery)
    if not context.in_force("R12", case.decision):
        case.excluded.append("not-in-force")
    restricted, uncertain = r12_nodes(context, episode, case, tumour)
    if guess:
        return [case]

    case.due = after(first_day(episode.curative("trastuzumab")), 540)
    conjugates = [d.date for d in episode.curative("her2-conjugate") if d.date <= case.due]
    if any(surgery < day < recurrence for day in conjugates):
        case.excluded.append("switched-to-conjugate")
    restart = first_day(episode.curative(ANTIBODY), after(surgery, 1))
    if recurrence < case.due and (restart is None or recurrence <= restart):
        case.excluded.append("recurrence-before-restart")

    def counted(name):
        days = {d.date for d in episode.curative(name) if surgery < d.date < recurrence}
        return sorted(day for day in days if day <= case.due)

    pertuzumab, trastuzumab = counted("pertuzumab"), counted("trastuzumab")
    last_gap = between(pertuzumab[-1], trastuzumab[-1]) if pertuzumab and trastuzumab else 0
    case.met = len(pertuzumab) >= 8 and last_gap <= 63
    if case.met:
        late = restart and between(max(cleared), restart) > 63
        case.met_reason = "dual-continued-late-restart" if late else "dual-continued"
    elif uncertain:
        case.missing.append("stage-unknown")
    elif any(d.open and d.date < recurrence for d in episode.curative("pertuzumab")) or named_once(
        episode, [d for d in episode.curative("pertuzumab") if d.date in pertuzumab]
    ):
        case.missing.append("no-end-date")
    lacking = max(0, 8 - len(pertuzumab))
    left = between(context.observable, case.due)
    case.closed = lacking > 0 and 21 * (lacking - 1) > left

    topics = PERTUZUMAB_TOPICS | TRASTUZUMAB_TOPICS
    case.exceptions += documented(context, episode, "R12", topics)
    drugs = [d for d in episode.curative("pertuzumab", "trastuzumab") if d.date <= case.due]
    case.exceptions += stops(drugs) + stopping_events(context, drugs[0].date, case.due)
    if in_trial(episode, date.min, case.due):
        case.exceptions.append("trial")
    case.exceptions += interruptions(context, episode, surgery, case.due)
    case.exceptions += other_ends(context, episode, surgery, case.due)
    if restricted:
        case.exceptions.append("funding-restriction")
    case.failure = (
        "pertuzumab-not-recorded"
        if not pertuzumab
        else "too-few-pertuzumab-doses"
        if lacking
        else "pertuzumab-stopped-early"
    )
    needs, window = ["trastuzumab", "pertuzumab", TDM1, TDXD], (surgery, case.due)
    case.exceptions += cardiac_stops(
        context, episode, first_day(episode.curative("trastuzumab")), case.due
    )
    case.doubts = doubts(context, episode, "R12", needs, window, surgery)
    return [case]


def r12_nodes(context, episode, case, tumour):
    """Whether England doesn't fund the tumour, in only by the variant, and whether it may not."""
    n = facts.read_n(tumour.get("clinical_n"))
    treated = min((dose.date for dose in episode.systemic), default=LATE)
    sampled = any(
        test.get("specimen_site") == "node"
        and test.get("invasive") is not False
        and facts.specimen_result([test])
        and facts.specimen_day(test)
        and facts.specimen_day(test) <= treated
        for test in episode.tests.get(tumour["tumour_id"], [])
    )
    if facts.node_positive(n) or sampled:
        return False, False
    if context.variant("R12", "population", "node-positive") == "all":
        england = context.jurisdiction == "ENGLAND"
        return england and n is not None, england and n is None
    if n is None:
        case.missing.append("stage-unknown")
    else:
        case.excluded.append("node-negative")
    return False, False
