"""The twin: R38 and R39: how long chemotherapy lasts, and what goes on after it."""

from datetime import date

import twin_facts as facts
import twin_lines as lines
from twin_case import Case, documented, rule
from twin_doubts import doubts
from twin_ends import stopping_events
from twin_metastatic import TRASTUZUMAB, add_status, sites_of_metastases
from twin_record import FAMILIES, after, between, is_course

EVERYWHERE = ("US", "EU", "ENGLAND")
REASONS = {
    *(
        "contraindication-medical",
        "contraindication-cardiac",
        "patient-refusal",
        "trial",
        "toxicity",
        "frailty-documented",
        "progression",
        "death-before-due",
    ),
    *("pregnancy", "drug-unavailable", "funding-restriction", "mdt-documented-deviation"),
    "transfer-out",
}
NEVER_WEEKLY = {"docetaxel", "capecitabine"}
FORBIDS = {
    "heart_failure": "contraindication-cardiac",
    "pregnancy": "pregnancy",
    "ild": "toxicity",
    "anaphylaxis": "toxicity",
}


def cycle_of(days, number):
    """Days of the cycle that a drug's dose begins: by the distance to the dose after or before."""
    until = between(days[number], days[number + 1]) if number + 1 < len(days) else None
    since = between(days[number - 1], days[number]) if number else None
    if until is not None and until <= 10:
        return 7
    weekly_before = since is not None and since <= 10
    if until is not None and until < 17:
        return 7 if weekly_before else 14
    if until is not None and until <= 28:
        return 21
    if weekly_before:
        return 7
    return 14 if since is not None and since < 17 else 21


def cycles_by_day(episode, line):
    """Day to (weekly, days of the cycle) for the days with a cytotoxic drug in the line."""
    found = {}
    for drug in line.drugs & FAMILIES["chemotherapy"]:
        own = [d for d in episode.doses if drug in d.drug.ingredients]
        groups = [
            sorted({d.date for d in own if episode.is_metastatic(d) is m}) for m in (True, False)
        ]
        for days in groups:
            for number, day in enumerate(days):
                cycle = 21 if drug == "capecitabine" else cycle_of(days, number)
                if any(one.day == day and one.drug == drug for one in line.given):
                    weekly, longest = found.get(day, (False, 0))
                    found[day] = (weekly or cycle == 7, max(longest, cycle))
    return found


@rule("R38", since=dict.fromkeys(EVERYWHERE, date(2014, 5, 5)), accepts=REASONS)
def r38(context, episode):
    found = lines.lines(context, episode)
    if not found:
        return []
    line, tumour_id = found[0], episode.index["tumour_id"]
    case = Case("R38", f"{tumour_id}/line-1", tumour_id, decision=line.start)
    add_status(case, episode, line)
    both = line.has("chemotherapy") and line.has("her2-antibody")
    if not both:
        case.excluded.append("no-chemotherapy-with-antibody")
    cycles = cycles_by_day(episode, line)
    if not cycles:
        return [case]
    days = sorted(cycles)
    first = case.decision = days[0]
    case.due = after(first, 112)
    death = context.patient.row.get("death_date")
    if line.progression and line.progression < case.due:
        case.excluded.append("early-progression")
    if death and death < case.due:
        case.excluded.append("early-death")
    if not context.in_force("R38", first):
        case.excluded.append("not-in-force")

    counted = [first]
    for day in days[1:]:
        if between(counted[-1], day) > 42 and day > case.due:
            break
        counted.append(day)
    last = counted[-1]
    span = between(first, last) + cycles[last][1]
    worth = sum(0.5 if cycles[day][0] else 1 for day in counted)
    case.margin = span - 112
    case.met = span >= 112 or worth >= 6
    settled_on = max(case.due, after(last, 42))
    case.open = settled_on > context.observable
    cytotoxic = [o for o in line.given if o.drug in FAMILIES["chemotherapy"] and o.day in counted]
    named = any(o.dose.drug.regimen for o in cytotoxic) and len(counted) == 1
    if not case.met:
        if named or any(o.dose.open for o in cytotoxic):
            case.missing.append("no-end-date")
        untold = [o for o in cytotoxic if is_course(o.dose) and o.drug not in NEVER_WEEKLY]
        if untold and between(first, last) >= 77 and not case.open:
            case.missing.append("schedule-not-told")
        own = line.drugs & FAMILIES["chemotherapy"]
        before = [d.date for d in episode.doses if d.drug.ingredients & own and d.date < first]
        if before and between(before[-1], first) <= 42 and not case.open:
            case.missing.append("begun-before-metastasis")
        if line.low and not case.open:
            case.missing.append("line-uncertain")
        recurred = [day for day in episode.days_of(*facts.RECURRENCES) if day > line.start]
        if not case.open and any(abs(between(last, day)) <= 42 for day in recurred):
            case.missing.append("perhaps-progressed")
    reasons = [(o.day, o.dose.row.get("stop_reason")) for o in cytotoxic]
    stops = [one for one in reasons if one[1] in ("toxicity", "patient-refusal", "death")]
    said = {reason for day, reason in stops if day == max(stops)[0]}
    case.exceptions = ["death-before-due" if one == "death" else one for one in sorted(said)]
    if line.in_trial:
        case.exceptions.append("trial")
    case.exceptions += stopping_events(context, first, after(last, 42))
    if line.progression and line.progression <= after(last, 42):
        case.exceptions.append("progression")
    if death and death <= after(last, 42):
        case.exceptions.append("death-before-due")
    topics = {"chemotherapy", "taxane", *FAMILIES["chemotherapy"]}
    since = min(line.start, known_from(episode))
    case.exceptions += documented(context, episode, "R38", topics)
    case.doubts = doubts(
        context, episode, "R38", ["chemotherapy"], (since, settled_on), known_from(episode)
    )
    case.failure = "stopped-early"
    return [case]


def known_from(episode):
    """The day from which care for metastatic disease would be on record."""
    return episode.metastatic_date


@rule("R39", since=TRASTUZUMAB, accepts=REASONS, gate=0.2)
def r39(context, episode):
    return [maintained(context, episode, line) for line in lines.lines(context, episode)]


def maintained(context, episode, line):
    tumour_id, observable = episode.index["tumour_id"], context.observable
    death = context.patient.row.get("death_date")
    case = Case("R39", f"{tumour_id}/line-{line.number}", tumour_id)
    case.site, case.expected = episode.index.get("site_id"), True
    case.seen = bool(line.progression or death)
    case.decision = line.start
    add_status(case, episode, line)
    if not (line.has("chemotherapy") and line.has("her2-antibody")):
        case.excluded.append("no-chemotherapy-with-antibody")
    cytotoxic = [one.day for one in line.given if one.drug in FAMILIES["chemotherapy"]]
    her2 = [one for one in line.given if one.drug in FAMILIES["her2"]]
    if not cytotoxic or not her2:
        return case
    last_cytotoxic = case.decision = max(cytotoxic)
    if line.next_start is None and after(last_cytotoxic, 42) > observable:
        case.excluded.append("chemotherapy-running")
    if line.progression and line.progression <= last_cytotoxic:
        case.excluded.append("progressed-on-chemotherapy")
    if not context.in_force("R39", last_cytotoxic):
        case.excluded.append("not-in-force")

    days = sorted({one.day for one in her2})
    stop = max((day for day in days if day <= last_cytotoxic), default=days[0])
    for day in days:
        if stop < day <= after(stop, 63):
            stop = day
    case.due = after(stop, 63)
    ends = [line.progression, line.next_start, death, observable]
    case.met = any(day and day <= case.due for day in ends)
    following = [day for day in days if day > stop][:1]
    at_stop = [dose for dose in episode.doses if dose.date == stop and dose.has("her2")]
    died = any(dose.row.get("stop_reason") == "death" for dose in at_stop)
    case.met = case.met or (died and not following)
    case.margin = between(min(day for day in ends + following if day), case.due)
    named = any(dose.drug.regimen for dose in at_stop) and len(days) == 1
    if not case.met:
        if named or any(dose.open for dose in at_stop):
            case.missing.append("no-end-date")
        if line.low:
            case.missing.append("line-uncertain")
        seen = [day for day in episode.days_of(*facts.RECURRENCES) if day > line.start]
        found = any(after(stop, -63) <= day <= case.due for day in seen)
        if found or irradiated(context, after(stop, -63), case.due):
            case.missing.append("perhaps-progressed")
        if stop_unexplained(context, episode, line, case.due):
            case.missing.append("local-treatment-unknown")
    said = {dose.row.get("stop_reason") for dose in at_stop}
    case.exceptions = sorted(said & {"toxicity", "patient-refusal"})
    if line.in_trial:
        case.exceptions.append("trial")
    case.exceptions += stopping_events(context, line.start, case.due)
    case.exceptions += [
        FORBIDS[event["event"]]
        for event in context.patient.events
        if event["event"] in FORBIDS
        and event.get("event_date")
        and after(stop, -63) <= event["event_date"] <= case.due
    ]
    if operated(context, line.start, case.due):
        case.exceptions.append("metastasectomy")
    if low_lvef(context, after(stop, -63), case.due):
        case.exceptions.append("contraindication-cardiac")
    topics = {"her2-antibody", "trastuzumab", "pertuzumab", "her2"}
    case.exceptions += documented(context, episode, "R39", topics)
    if not context.linked("events"):
        case.doubts.append("stream-not-linked")
    case.doubts += doubts(
        context, episode, "R39", ["her2"], (line.start, case.due), known_from(episode)
    )
    case.failure = "stopped-without-progression"
    return case


def stop_unexplained(context, episode, line, last):
    """Whether a table that is not linked may hold the local treatment that answers for a stop."""
    if operated(context, line.start, last):
        return False
    sites = sites_of_metastases(episode, last)
    if not context.linked("radiotherapy") and sites & {"brain", "bone"}:
        return True
    return not context.linked("surgeries") and sites == {"brain"}


def operated(context, first, last):
    """Whether a metastasis was taken out from first to last."""
    return any(
        row.get("procedure") == "metastasectomy"
        and row.get("surgery_date")
        and first <= row["surgery_date"] <= last
        for row in context.patient.surgeries
    )


def irradiated(context, first, last):
    """Whether radiotherapy of a metastasis began from first to last."""
    return any(
        row.get("target") in ("brain", "bone", "other")
        and row.get("start_date")
        and first <= row["start_date"] <= last
        for row in context.patient.radiotherapy
    )


def low_lvef(context, first, last):
    """Whether an LVEF below 50 is on record from first to last."""
    return any(
        row.get("lvef_percent") is not None
        and row["lvef_percent"] < 50
        and row.get("assessment_date")
        and first <= row["assessment_date"] <= last
        for row in context.patient.tables.get("cardiac_assessments", [])
    )
