"""The twin: R33, R34 and R35, endocrine therapy."""

from datetime import date
from fractions import Fraction

import twin_facts as facts
from twin_aftercare import (
    endocrine_rows,
    first_course_chemotherapy,
    first_course_recurrence,
    hormone_receptors,
    hr_reasons,
    is_open,
)
from twin_case import (
    SHARED_REASONS,
    TRACE,
    Case,
    documented,
    in_trial,
    is_systemic,
    not_invasive,
    rule,
    status_reasons,
)
from twin_chemotherapy import exposure
from twin_doubts import doubts
from twin_ends import interruptions, other_ends
from twin_record import FAMILIES, RULES, after, between, read_topic

SINCE = dict.fromkeys(("US", "EU", "ENGLAND"), date(2006, 11, 1))
GATE = Fraction(4, 5)
TOPICS = FAMILIES["endocrine"] | {"endocrine"}


def opening(context, episode, number, part=""):
    """A case of the index tumour with what keeps it out of every rule here."""
    tumour = episode.index
    case = Case(number, tumour["tumour_id"] + part, tumour["tumour_id"], site=tumour.get("site_id"))
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    hr_reasons(case, episode, tumour)
    if not context.linked("treatments"):
        case.missing.append("stream-not-linked")
    return case


# --- R33 -------------------------------------------------------------------------------------


@rule("R33", since=SINCE, accepts=SHARED_REASONS | {"pregnancy"}, gate=GATE)
def r33(context, episode):
    tumour = episode.index
    case = opening(context, episode, "R33")
    diagnosis, surgery = tumour.get("diagnosis_date"), facts.first_surgery(episode, tumour)
    treated = [*[dose.date for dose in episode.systemic[:1]], *([surgery] if surgery else [])]
    way = facts.pathway(episode, tumour)
    window = 365 + (120 if way == "neoadjuvant" else 0)
    case.decision = min(treated, default=diagnosis)
    if diagnosis and case.decision > after(diagnosis, window):
        case.decision = diagnosis
    t, n = facts.stage_by_pathway(tumour, way)
    if not (facts.at_least(t, "T1c") or facts.node_positive(n)):
        if t is None or n is None or facts.at_least(t, "T1"):
            case.missing.append("stage-unknown")
        else:
            case.excluded.append("small-tumour")
    earlier = [
        one
        for one in context.patient.tumours
        if one["tumour_id"] not in episode.ids
        and one.get("diagnosis_date")
        and diagnosis
        and one["diagnosis_date"] < diagnosis
    ]
    if earlier:
        case.excluded.append("not-first-primary")
    if not context.in_force("R33", case.decision):
        case.excluded.append("not-in-force")
    if diagnosis is None:
        case.missing.append("diagnosis-date-missing")
    rows = endocrine_rows(context, episode, palliative=True)
    positive = hormone_receptors(episode, tumour) == "positive"
    recurrence = first_course_recurrence(episode)
    systemic = any(is_systemic(row, context) for row in episode.given_rows)
    case.expected = not case.excluded and positive and systemic
    case.seen = any(start < recurrence for start, _, _, _ in rows)
    if diagnosis is None or not context.linked("treatments"):
        return [case]
    case.due = after(diagnosis, window)
    begun = [
        start
        for start, last, _, ended in rows
        if start <= recurrence  # for the one or the other, on the day itself
        and (diagnosis <= start <= case.due or (start < diagnosis and last >= diagnosis))
    ]
    said = documented(context, episode, "R33", TOPICS)
    chemotherapy = [d.date for d in episode.curative("chemotherapy")]
    if begun:
        case.met = True
        before = [day for day in chemotherapy if day <= begun[0]]
        long = before and between(before[-1], begun[0]) > 180
        case.met_reason = "long-after-chemotherapy" if long else "initiated"
    elif (
        context.variant("R33", "numerator", "given") == "recommended-or-given"
        and "patient-refusal" in said
    ):
        case.met, case.met_reason = True, "recommended"
    case.exceptions += said
    if in_trial(episode, date.min, case.due):
        case.exceptions.append("trial")
    case.exceptions += interruptions(context, episode, diagnosis, case.due)
    case.exceptions += other_ends(context, episode, diagnosis, case.due, second=False)
    case.failure = "not-recorded-in-time"
    window = (date.min, case.due)
    case.doubts = doubts(context, episode, "R33", ["endocrine"], window, diagnosis)
    return [case]


# --- R34 -------------------------------------------------------------------------------------


@rule("R34", since=SINCE, accepts={"trial", "mdt-documented-deviation"})
def r34(context, episode):
    tumour = episode.index
    case = opening(context, episode, "R34")
    if not context.linked("treatments"):
        return [case]
    end = first_course_recurrence(episode)
    doses = first_course_chemotherapy(episode)
    since = tumour.get("diagnosis_date") or date.min
    rows = [one for one in endocrine_rows(context, episode) if one[0] < end and one[1] >= since]
    if not doses:
        case.excluded.append("no-chemotherapy")
    if not rows:
        case.excluded.append("no-endocrine")
    if case.excluded:
        return [case]
    case.decision = rows[0][0]
    if not context.in_force("R34", case.decision):
        case.excluded.append("not-in-force")
    under = days_in(exposure(doses))
    first = doses[0].date
    ending = max(last for _, last in exposure(doses))
    most = under & days_in(
        (start, max(last, ending) if is_open(row) else last) for start, last, row, _ in rows
    )
    least = under & days_in(
        (start, last if ended else start if is_open(row) else last)
        for start, last, row, ended in rows
        if ended or start >= first
    )
    once = len({d.date for d in doses}) == 1 and any(d.drug.regimen for d in doses)
    goes_on = any(is_open(row) or last >= doses[-1].date for _, last, row, _ in rows)
    unended = len(least) <= 14 and any(d.open for d in doses)
    if goes_on and (once or unended):
        case.missing.append("no-end-date")
    elif len(most) <= 14:
        case.met, case.met_reason = True, "within-tolerance" if most else "apart"
    elif len(least) <= 14:
        case.missing.append("no-end-date")
    case.failure = "endocrine-during-chemotherapy"
    case.exceptions += documented(context, episode, "R34", TOPICS | {"chemotherapy"})
    if any(row.get("trial") is True for row in [d.row for d in doses] + [one[2] for one in rows]):
        case.exceptions.append("trial")
    needs = ["endocrine", "chemotherapy"]
    case.doubts = doubts(context, episode, "R34", needs, None, first)
    return [case]


def days_in(spans):
    """Every day of the spans, both ends included."""
    return {after(first, n) for first, last in spans for n in range(between(first, last) + 1)}


# --- R35 -------------------------------------------------------------------------------------


@rule(
    "R35",
    since=SINCE,
    accepts={
        *("toxicity", "patient-refusal", "contraindication-medical", "trial", "death-before-due"),
        *("recurrence-before-due", "progression", "pregnancy"),
    },
    gate=GATE,
)
def r35(context, episode):
    tumour = episode.index
    case = opening(context, episode, "R35", "/endocrine-years")
    if not context.linked("treatments"):
        return [case]
    diagnosis = tumour.get("diagnosis_date")
    since = after(diagnosis, -30) if diagnosis else date.min  # dates of biopsy and report differ
    end = first_course_recurrence(episode)
    rows = [one for one in endocrine_rows(context, episode) if since <= one[0] < end]
    rows = without_bridging(rows, first_course_chemotherapy(episode))
    if not rows:
        case.excluded.append("no-endocrine")
        return [case]
    first = case.decision = rows[0][0]
    due = case.due = after(first, 1826)
    if not context.in_force("R35", first):
        case.excluded.append("not-in-force")
    ended = r35_interruptions(context, episode, first, due)
    known = [reason for reason in ended if reason != TRACE]
    case.expected = not case.excluded and not known and due <= context.observable
    case.seen = len(rows) > 1 or rows[0][3]
    target = context.variant("R35", "target", "54-months")
    spans = [(start, min(last, due)) for start, last, _, _ in rows if start <= due]
    if target == "possession":
        case.met = len(days_in(spans)) >= Fraction(4, 5) * 1826
    else:
        length = max(between(*span) + 1 for span in merged(spans))
        case.met = length >= (1826 if target == "60-months" else 1643)
    case.met_reason = "five-years"
    case.exceptions += r35_documented(context, episode, due) + r35_stops(rows, due) + ended
    if any(row.get("stop_reason") == "progression" for day, _, row, _ in rows if day < due):
        case.exceptions.append("progression")
    if not case.met and not known and due <= context.observable:
        if any(is_open(row) for _, _, row, _ in rows):
            case.missing.append("no-end-date")
        elif len(rows) == 1 and not rows[0][3]:
            case.missing.append("no-refills")
    case.failure = "stopped-before-target"
    window = (date.min, due)
    case.doubts = doubts(context, episode, "R35", ["endocrine"], window, diagnosis or date.min)
    return [case]


def without_bridging(rows, chemotherapy):
    """The rows but those of spans that ended before chemotherapy, where a later span follows."""
    spans = merged([(start, last) for start, last, _, _ in rows])
    end = max((dose.date for dose in chemotherapy), default=date.min)
    kept = [span for span in spans if span == spans[-1] or span[1] >= end]
    return [row for row in rows if any(a <= row[0] <= b for a, b in kept)]


def merged(spans):
    """Spans no further apart than 180 days as one."""
    found = []
    for start, last in sorted(spans):
        if found and between(found[-1][1], start) <= 180:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((start, last))
    return found


def r35_stops(rows, due):
    """What the rows themselves say of why treatment ended."""
    through = max(last for _, last, _, _ in rows)
    said = {row.get("stop_reason") for _, last, row, _ in rows if last == through}
    found = sorted(said & {"toxicity", "patient-refusal"})
    found += ["death-before-due"] if "death" in said else []
    tried = any(row.get("trial") is True and start <= due for start, _, row, _ in rows)
    return found + (["trial"] if tried else [])


def r35_documented(context, episode, due):
    """The documented reasons, at a great age a decision too."""
    found = documented(context, episode, "R35", TOPICS)
    birth = context.patient.row.get("birth_date")
    if birth and (due.year - birth.year - ((due.month, due.day) < (birth.month, birth.day))) > 80:
        for row in context.patient.exceptions:
            named = read_topic(row.get("topic"), context.drugs) & (TOPICS | {RULES["R35"]})
            own = not row.get("tumour_id") or row["tumour_id"] in episode.ids
            if (
                named
                and own
                and row.get("reason") in ("mdt-documented-deviation", "frailty-documented")
            ):
                found.append("documented-decision-over-80")
    return found


def r35_interruptions(context, episode, first, due):
    """What ends the need for endocrine therapy before its five years are over."""
    found = interruptions(context, episode, first, due)
    return found + other_ends(context, episode, first, due)
