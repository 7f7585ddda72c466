"""The twin: R26 and R27: significant falls of the LVEF, heart failure, and the doses after them."""

from dataclasses import dataclass
from datetime import date

import twin_facts as facts
from twin_cardiac import EVERYWHERE, assessments, doubts, her2_days, imprecise, unlinked
from twin_case import Case, documented, not_invasive, rule
from twin_record import after, between

TDM1, TDXD = "trastuzumab-emtansine", "trastuzumab-deruxtecan"
TOPICS = {"lvef", "her2", "her2-antibody", "her2-conjugate", "trastuzumab", "pertuzumab"}
TOPICS |= {TDM1, TDXD}
OLDER_UNTIL = date(2017, 12, 19)
ACTION, REPEAT, CONFIRM, PERSISTENT = 7, 28, 21, 56
COURSE_GAP = 90
KNOWN, UNKNOWN, OTHER = "known", "unknown", "other"


@dataclass(frozen=True)
class Number:
    """The highest LVEF of one day by one method."""

    date: date
    method: str | None
    value: float


@dataclass
class Fall:
    """A significant fall: its first reading, the drugs it concerns, and the day of recovery."""

    first: Number
    metastatic: bool
    drugs: set
    recovered: date | None
    basis: str  # of the baseline: known, unknown or other method, or none recorded
    lasting: date | None = None  # the first low number after more than 56 days


def numbers(context):
    """The LVEF numbers on record, one a day and method, in order."""
    best = {}
    for a in assessments(context):
        if a.lvef is not None:
            key = (a.date, a.method)
            best[key] = max(best.get(key, a.lvef), a.lvef)
    found = [Number(day, method, value) for (day, method), value in best.items()]
    return sorted(found, key=lambda n: (n.date, n.value, n.method or ""))


def baseline(found, first, method):
    """The LVEF before treatment that a reading by this method is compared with, and its basis."""
    before = [n for n in found if after(first, -120) <= n.date <= first]
    if not before:
        return None, KNOWN
    same = [n for n in before if method and n.method == method]
    unclear = [n for n in before if method is None or n.method is None]
    for numbers_of, basis in ((same, KNOWN), (unclear, UNKNOWN), (before, OTHER)):
        if numbers_of:
            newest = max(n.date for n in numbers_of)
            return min(n.value for n in numbers_of if n.date == newest), basis
    return None, KNOWN


def meets_hold(drug, value, fall, *, metastatic, jurisdiction, text, day):
    """Whether a value and its fall (None without a baseline) ask for a hold of the drug."""

    def down(points):
        return fall is not None and fall >= points

    if text == "hera":
        return value < 50 and down(10)
    if drug == "trastuzumab":
        if jurisdiction == "US" and down(16):
            return True
        return value < 50 and down(10)
    if drug == TDXD:
        return value < 40 or (value <= 45 and down(10)) or (fall is not None and fall > 20)
    if drug == TDM1:
        low, middle = (40, 45) if metastatic else (45, 49.999)
        return value < low or (value <= middle and down(10))
    if drug == "pertuzumab":
        if not metastatic:
            return value < 50 and down(10)
        low, middle = (45, 49.999) if text == "older-label" and day <= OLDER_UNTIL else (40, 45)
        return value < low or (value <= middle and down(10))
    return False


def meets_resume(drug, value, fall, *, metastatic, jurisdiction, text, day):
    """Whether a value and its fall allow the drug to be resumed (EU trastuzumab: see improved)."""
    if text == "hera":
        return value >= 50 or fall < 10
    if drug == "trastuzumab":
        return value >= 50 and fall <= 15
    if drug == TDXD or (drug == TDM1 and metastatic):
        return fall <= 10
    if drug == "pertuzumab" and metastatic:
        if text == "older-label" and day <= OLDER_UNTIL:
            return value >= 50 or (value >= 45 and fall < 10)
        return value > 45 or (value >= 40 and fall < 10)
    if drug == TDM1:
        return value >= 50 or (value >= 45 and fall < 10)
    return value >= 50 or fall < 10


def falls_of(context, episode, text):
    """Every significant fall of the episode, in order of its first day."""
    found = []
    for metastatic in (False, True):
        days = [day for day in her2_days(episode) if day.metastatic == metastatic]
        if days:
            found += falls_in_setting(context, days, text, metastatic)
    return sorted(found, key=lambda fall: fall.first.date)


def falls_in_setting(context, days, text, metastatic):
    recorded = numbers(context)
    first = days[0].date
    readings = [n for n in recorded if n.date > first]
    drugs = {drug for day in days for drug in day.drugs}
    single = []
    for drug in drugs:
        single += falls_of_drug(context, days, recorded, readings, drug, text, metastatic)
    merged = []
    for fall in sorted(single, key=lambda f: (f.first.date, f.first.value)):
        last = merged[-1] if merged else None
        if last and (last.recovered is None or fall.first.date < last.recovered):
            last.drugs |= fall.drugs
            ends = (last.recovered, fall.recovered)
            last.recovered = None if None in ends else max(ends)
            last.lasting = min(filter(None, (last.lasting, fall.lasting)), default=None)
            if fall.first.date == last.first.date and fall.basis == KNOWN:
                last.basis = KNOWN
        else:
            merged.append(fall)
    return merged


def falls_of_drug(context, days, recorded, readings, drug, text, metastatic):
    """The falls by one drug's own limits."""
    where = {"metastatic": metastatic, "jurisdiction": context.jurisdiction, "text": text}
    improving = drug == "trastuzumab" and context.jurisdiction != "US" and text != "hera"
    found, current, before, before_low = [], None, None, False
    for n in readings:
        value, basis = baseline(recorded, days[0].date, n.method)
        fall = None if value is None else value - n.value
        low = meets_hold(drug, n.value, fall, day=n.date, **where)
        # EU: a number that is higher than a low one just before it has improved, and is no new fall
        improved = improving and before_low and n.value > before
        if current is None:
            if low and not improved and basis != OTHER and drug in drugs_at(days, n.date):
                current = Fall(n, metastatic, {drug}, None, basis)
        else:
            base, _ = baseline(recorded, days[0].date, current.first.method)
            points = None if base is None else base - n.value
            if points is None:
                well = not meets_hold(drug, n.value, None, day=n.date, **where)
            elif improving:
                well = improved or not low
            else:
                well = not low and meets_resume(drug, n.value, points, day=n.date, **where)
            if well:
                current.recovered = n.date
                found.append(current)
                current = None
            elif low and not improved and basis == KNOWN and current.lasting is None:
                current.lasting = n.date if n.date > after(current.first.date, PERSISTENT) else None
        before, before_low = n.value, low
    return [*found, current] if current else found


def drugs_at(days, day):
    """The drugs of the last dose day up to 90 days before, and of the seven days before it.

    None where no dose follows on the day or later.
    """
    before = [d for d in days if d.date <= day]
    if not before or between(before[-1].date, day) > 90 or days[-1].date < day:
        return set()
    last = before[-1].date
    return {drug for d in before if d.date >= after(last, -7) for drug in d.drugs}


def m_unknown(episode):
    return facts.m_status(episode, episode.index) is None


@rule("R26", since=EVERYWHERE, accepts={"mdt-documented-deviation", "trial"})
def r26(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    if case := unlinked(context, "R26", f"{key}/lvef-fall-1", key):
        case.excluded += ["in-situ"] if not_invasive(episode, tumour) else []
        return [case]
    if not_invasive(episode, tumour):
        return []
    text = context.variant("R26", "limits", "label")
    return [
        r26_fall(context, episode, fall, number)
        for number, fall in enumerate(falls_of(context, episode, text), start=1)
    ]


def r26_fall(context, episode, fall, number):
    key = episode.index["tumour_id"]
    case = Case("R26", f"{key}/lvef-fall-{number}", key)
    start = case.decision = fall.first.date
    if not context.in_force("R26", start):
        case.excluded.append("not-in-force")
    if m_unknown(episode) and not fall.metastatic:
        case.excluded.append("m-unknown")
    # In the other setting it is going on only where no long pause lies between.
    days = [
        day
        for day in her2_days(episode)
        if day.metastatic == fall.metastatic or 0 <= between(start, day.date) <= COURSE_GAP
    ]
    later = [day for day in days if day.date > after(start, ACTION)]
    early = [day for day in later if fall.recovered is None or day.date < fall.recovered]
    heart = [a for a in assessments(context) if a.date > start]
    repeats = [a.date for a in heart] + ([fall.recovered] if fall.recovered else [])
    repeated = any(day <= after(start, REPEAT) for day in repeats)
    settled = context.observable >= after(start, ACTION + REPEAT)
    if early:
        case.failure = "given-before-recovery"
        settled |= context.observable >= after(start, CONFIRM)
        if any(a.lvef is None and a.date <= early[0].date for a in heart):
            case.missing.append("lvef-not-recorded")
        if all(day.derived for day in early):
            case.missing.append("doses-not-dated")
        if not_confirmed(context, episode, fall):
            case.exceptions.append("not-confirmed")
    elif later and not repeated:
        case.failure = "repeat-late"
        settled |= context.observable >= max(after(start, REPEAT), later[0].date)
    else:
        death = context.patient.row.get("death_date")
        settled |= bool(later) or bool(death and death <= context.observable)
        case.met = settled
    own = [day for day in her2_days(episode) if day.metastatic == fall.metastatic]
    once = own[-1].named and [day.named for day in own].count(True) == 1
    opened = any(day.open for day in days if day.date <= after(start, ACTION))
    if (opened or once) and not early:
        case.missing.append("doses-not-dated")
    if case.failure and imprecise(context):
        case.missing.append("imprecise-date")
    if fall.basis == UNKNOWN and case.failure:
        case.missing.append("method-not-recorded")
    room = fall.recovered is None or fall.recovered > after(start, ACTION + 1)
    if later and later[0].derived and not early and (room or not repeated):
        case.missing.append("doses-not-dated")
    case.open, case.closed = not settled, settled
    case.due = after(start, ACTION + REPEAT)
    if case.failure:
        case.exceptions += documented(context, episode, "R26", TOPICS)
        given = [d for d in episode.doses if d.has("her2-antibody", "her2-conjugate")]
        treated = {day.date for day in days if day.metastatic == fall.metastatic}
        if any(d.row.get("trial") is True and d.date in treated for d in given):
            case.exceptions.append("trial")
    case.doubts = doubts(context, episode, "R26", [], None, start)
    return case


def not_confirmed(context, episode, fall):
    """Whether a repeat soon after the fall meets no limit of its drugs."""
    text = context.variant("R26", "limits", "label")
    recorded = numbers(context)
    days = [day for day in her2_days(episode) if day.metastatic == fall.metastatic]
    base, _ = baseline(recorded, days[0].date, fall.first.method)
    where = {"metastatic": fall.metastatic, "jurisdiction": context.jurisdiction, "text": text}
    return any(
        fall.first.date < n.date <= after(fall.first.date, CONFIRM)
        and not any(
            meets_hold(d, n.value, None if base is None else base - n.value, day=n.date, **where)
            for d in fall.drugs
        )
        for n in recorded
    )


@rule("R27", since=EVERYWHERE, accepts={"mdt-documented-deviation"})
def r27(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    if case := unlinked(context, "R27", f"{key}/her2-stop", key):
        case.excluded += ["in-situ"] if not_invasive(episode, tumour) else []
        return [case]
    days = her2_days(episode)
    if not_invasive(episode, tumour) or not days:
        return []
    known = [f for f in falls_of(context, episode, "label") if f.basis == KNOWN]
    happened = [*failures(context, episode, days, known), *lasting(known)]
    happened += repeated_falls(known, days)
    if not happened:
        return []
    day, _, failure, certain, metastatic = min(happened, key=lambda e: (not e[3], e[0], e[1]))
    case = Case("R27", f"{key}/her2-stop", key, decision=day, failure=failure)
    if not context.in_force("R27", day):
        case.excluded.append("not-in-force")
    if m_unknown(episode) and not metastatic:
        case.excluded.append("m-unknown")
    # In the other setting it is going on only where no long pause lies between.
    later = [
        d
        for d in days
        if d.date > after(day, ACTION)
        and (d.metastatic == metastatic or between(day, d.date) <= COURSE_GAP)
    ]
    case.due = after(day, ACTION)
    case.open = context.observable < case.due
    if (later and all(d.derived for d in later)) or (not later and any(d.open for d in days)):
        case.missing.append("doses-not-dated")
    said = documented(context, episode, "R27", TOPICS)
    decided = bool(any(d.metastatic for d in later) and said)
    if later and not (certain or decided):
        case.missing.insert(0, "grade-not-recorded")
    exactly = any(not d.derived for d in later)
    if exactly and not decided and failure != "given-after-heart-failure" and imprecise(context):
        case.missing.append("imprecise-date")
    case.met = (not later and not case.open) or decided
    if failure == "given-after-heart-failure" and normal_beside(context, day):
        case.exceptions += said
    case.doubts += doubts(context, episode, "R27", [], None, day)
    return [case]


def failures(context, episode, days, falls):
    """Heart failure on treatment: day, rank, what a dose after it is, whether it is certain."""
    found = []
    for event in context.patient.events:  # whatever tumour it names
        if event["event"] != "heart_failure" or not event.get("event_date"):
            continue
        day, grade = event["event_date"], event.get("grade")
        treated = [d for d in days if 0 <= between(d.date, day) <= 42]
        if not treated:
            continue
        acted = set((event.get("action") or "none").split(";")) - {"none", ""}
        beside = any(
            abs(between(f.first.date, day)) <= 28 or f.first.date <= day < (f.recovered or date.max)
            for f in falls
        )
        certain = (grade or 0) >= 3 or (grade is None and bool(acted)) or beside
        if certain or grade is None:
            early = any(not d.metastatic for d in treated)
            found.append((day, 0, "given-after-heart-failure", certain, not early))
    return found


def lasting(falls):
    """Falls that a number still shows more than 56 days later."""
    return [
        (fall.lasting, 1, "given-after-lasting-fall", True, fall.metastatic)
        for fall in falls
        if fall.lasting
    ]


def repeated_falls(falls, days):
    """A further fall after three for which treatment was held."""
    held = 0
    for fall in falls:
        if held >= 3:
            return [(fall.first.date, 2, "given-after-repeated-falls", True, fall.metastatic)]
        start = after(fall.first.date, ACTION)
        end = fall.recovered
        held += not any(start < d.date and (end is None or d.date < end) for d in days)
    return []


def normal_beside(context, day):
    """Whether an LVEF beside heart failure is normal."""
    near = [a for a in assessments(context) if abs(between(a.date, day)) <= 28]
    return any(a.lvef is not None and a.lvef >= 50 for a in near) or (
        all(a.lvef is None for a in near) and any(a.result == "normal" for a in near)
    )
