"""The twin: R20 and R21: amounts, intervals and infusion times of trastuzumab and pertuzumab."""

from datetime import date

from twin_amounts import close, courses, days_of, measure, plausible
from twin_case import Case, documented, not_invasive, rule
from twin_doubts import doubts
from twin_record import RULES, amount, read_topic

WEEKLY = {"US": date(1998, 9, 25), "EU": date(2000, 1, 1), "ENGLAND": date(2002, 1, 1)}
THREE_WEEKLY = {"US": date(2006, 11, 16), "EU": date(2006, 5, 1), "ENGLAND": date(2006, 8, 1)}
PERTUZUMAB = {"US": date(2012, 6, 8), "EU": date(2013, 3, 1), "ENGLAND": date(2018, 3, 1)}
RIGHT, WRONG = "right", "wrong"


def course_cases(context, episode, number, name):
    """A case for each course of the drug that belongs to the episode, with its days."""
    tumour, key = episode.index, episode.index["tumour_id"]
    if not context.linked("treatments"):
        case = Case(number, f"{key}/early", key)
        case.excluded += ["in-situ"] if not_invasive(episode, tumour) else []
        case.missing.append("stream-not-linked")
        return [(case, [])]
    if not_invasive(episode, tumour):
        return []
    cases, count = [], {False: 0, True: 0}
    for days in courses(days_of(context, name)):
        if days[0].episode.index["tumour_id"] != key:
            continue
        metastatic = days[0].metastatic
        count[metastatic] += 1
        part = f"{'metastatic' if metastatic else 'early'}-{count[metastatic]}"
        case = Case(number, f"{key}/{part}", key, decision=days[0].date)
        topics = {RULES[number], name, "her2-antibody", "her2"}
        if in_trial(context, episode, days, topics):
            case.excluded.append("trial")
        cases.append((case, days))
    return cases


def in_trial(context, episode, days, topics):
    rows = [dose.row for day in days for dose in day.doses]
    said = any(
        x.get("reason") == "trial"
        and read_topic(x.get("topic"), context.drugs) & topics
        and (not x.get("tumour_id") or x["tumour_id"] in episode.ids)
        for x in context.patient.exceptions
    )
    return said or any(row.get("trial") is True for row in rows)


def settle(case, verdicts, failure):
    """Met where something was judged and nothing wrong; what was not judged gives the reasons."""
    if WRONG in verdicts:
        case.failure = failure
    elif RIGHT in verdicts:
        whole = set(verdicts) == {RIGHT}
        case.met, case.met_reason = True, "doses-in-range" if whole else "judged-doses-in-range"
    else:
        case.missing += sorted(set(verdicts))


@rule(
    "R20",
    since=WEEKLY,
    accepts={
        *("contraindication-medical", "toxicity"),
        *("frailty-documented", "mdt-documented-deviation"),
    },
)
def r20(context, episode):
    cases = course_cases(context, episode, "R20", "trastuzumab")
    pertuzumab = days_of(context, "pertuzumab") if cases else []
    summed = any(is_sum(day) for day in days_of(context, "trastuzumab") + pertuzumab)
    for case, days in cases:
        if not days:
            continue
        weekly = any(day.before and day.since <= 10 for day in days[1:])
        since = (WEEKLY if weekly else THREE_WEEKLY)[context.jurisdiction]
        if days[0].date < since:
            case.excluded.append("not-in-force")
        verdicts = [near_another(context, day, pertuzumab) for day in days]
        if summed:
            told = zip(days, verdicts, strict=True)
            verdicts = [
                "dose-unclear" if v == WRONG and day.form == "fixed" else v for day, v in told
            ]
        settle(case, verdicts, "dose-out-of-range")
        topics = {"trastuzumab", "her2-antibody", "her2"}
        case.exceptions += documented(context, episode, "R20", topics) if case.failure else []
        window = (date.min, days[-1].date)
        # what pertuzumab was given before tells the amount of the combination alone
        alone = any(
            v == WRONG and day.form != "fixed" for v, day in zip(verdicts, days, strict=True)
        )
        needs = ["trastuzumab"] if alone else ["trastuzumab", "pertuzumab"]
        case.doubts = doubts(context, episode, "R20", needs, window, days[0].date)
    return [case for case, _ in cases]


def near_another(context, day, pertuzumab):
    """What the day says, save that a dose with another within three days is never wrong."""
    found = trastuzumab_day(context, day, pertuzumab)
    near = any(gap is not None and gap <= 3 for gap in (day.since, day.until))
    told = found == "weight-missing" and measure(context, "weight", day.date)[0] is not None
    unclear = near and not day.beside_course and (found == WRONG or told)
    return "dose-unclear" if unclear else found


def is_sum(day):
    """Whether the combination's amounts of the day are both parts' loading doses together."""
    given = [amount(dose) for dose in day.doses] if day.form == "fixed" else []
    return close(sum(value for value, unit in filter(None, given) if unit == "mg"), 1800)


def trastuzumab_day(context, day, pertuzumab):
    """right, wrong, or why the day's dose can't be judged."""
    given = [amount(dose) for dose in day.doses]
    form = day.form
    if len(given) > 1:
        return several(context, day, given, pertuzumab)
    if given[0] is None or given[0][1] is None:
        return "dose-missing"
    return trastuzumab_amount(context, day, form, *given[0], pertuzumab)


def several(context, day, given, pertuzumab):
    telling = [one for one in given if one and one[1]]
    units = {one[1] for one in telling}
    if not telling:
        return "dose-missing"
    if len(units) != 1 or day.form == "mixed":
        return "dose-unclear"
    total = sum(one[0] for one in telling)
    found = trastuzumab_amount(context, day, day.form, total, units.pop(), pertuzumab)
    unweighed = found == "weight-missing" and measure(context, "weight", day.date)[0] is None
    return found if found == RIGHT or unweighed else "dose-unclear"


def trastuzumab_amount(context, day, form, value, unit, pertuzumab):
    moved = context.patient.row.get("transfer_in_date") is not None
    if form == "fixed":
        if unit != "mg":
            return "dose-missing"
        if any(one.date == day.date and one.form != "fixed" for one in pertuzumab):
            return "dose-unclear"  # pertuzumab was given beside it too
        if not plausible("trastuzumab", "fixed", "mg", value):
            return "dose-implausible"
        return RIGHT if any(close(value, e) for e in fixed_doses(day, pertuzumab, moved)) else WRONG
    if form == "sc":
        if unit != "mg":
            return "dose-missing"
        if not plausible("trastuzumab", "sc", "mg", value):
            return "dose-implausible"
        return RIGHT if close(value, 600) else WRONG
    if form == "unknown" and unit == "mg" and close(value, 600):
        return RIGHT
    recent = True
    if unit == "mg/kg":
        share = value
    elif unit == "mg":
        if not plausible("trastuzumab", "iv", "mg", value):
            return "dose-implausible"
        weight, recent = measure(context, "weight", day.date)
        if weight is None:
            return "weight-missing"
        share = round(value / weight, 4)
    else:
        return "dose-missing"
    if not plausible("trastuzumab", "iv", "mg/kg", share):
        return "dose-implausible"
    if any(close(share, expected) for expected in vein_doses(day, moved)):
        return RIGHT
    return WRONG if recent else "weight-missing"


def fixed_doses(day, pertuzumab, moved):
    own = next(one for one in pertuzumab if one.date == day.date)
    if own.beside_course:
        return {1200, 600}
    if own.before is None:
        return {1200, 600} if moved else {1200}
    gap = own.since
    if gap > 90:
        return {1200, 600}
    return {1200} if gap >= 42 else {600}


def vein_doses(day, moved):
    """The mg/kg that are right on this day."""
    if day.beside_course:
        return {2, 4, 6, 8}
    gaps = [gap for gap in (day.since, day.until) if gap is not None]
    weekly = any(gap <= 10 for gap in gaps)
    three_weekly = any(17 <= gap <= 28 for gap in gaps)
    if not weekly and not three_weekly:
        weekly = three_weekly = True
    if day.until is None or day.until > 28:
        three_weekly = True
    after_weekly = day.before is not None and day.before.since is not None
    after_weekly = after_weekly and day.before.since <= 10
    reload = day.since is not None and (day.since > 28 or (after_weekly and day.since > 14))
    if after_weekly and day.since > 14:
        weekly = True
    loading = day.before is None or reload
    maintenance = day.before is not None or moved
    expected = set()
    for possible, first, later in ((weekly, 4, 2), (three_weekly, 8, 6)):
        if possible:
            expected |= ({first} if loading else set()) | ({later} if maintenance else set())
    return expected


@rule(
    "R21",
    since=PERTUZUMAB,
    accepts={"contraindication-medical", "toxicity", "mdt-documented-deviation"},
)
def r21(context, episode):
    cases = course_cases(context, episode, "R21", "pertuzumab")
    kept = []
    for case, days in cases:
        if not days:
            kept.append(case)
            continue
        if not context.in_force("R21", days[0].date):
            case.excluded.append("not-in-force")
        judged = [day for day in days if day.form not in ("fixed", "sc")]
        if not judged:
            case.excluded.append("no-pertuzumab")
        found = [pertuzumab_day(context, day) for day in judged]
        faults = {fault for _, wrong in found for fault in wrong}
        reacted = [excused(context, day) for day, (_, w) in zip(judged, found, strict=True) if w]
        verdicts = [WRONG if wrong else verdict for verdict, wrong in found]
        order = ["dose-out-of-range", "interval-too-short", "infusion-time"]
        settle(case, verdicts, next((fault for fault in order if fault in faults), None))
        if faults == {"infusion-time"}:
            if all(reacted):
                case.exceptions.append("infusion-reaction")
            topics = {"pertuzumab", "her2-antibody", "her2"}
            case.exceptions += documented(context, episode, "R21", topics)
        window = (date.min, days[-1].date)
        case.doubts = doubts(context, episode, "R21", ["pertuzumab"], window, days[0].date)
        kept.append(case)
    return kept


def pertuzumab_day(context, day):
    """(right or why it can't be judged, what is wrong)."""
    given = [amount(dose) for dose in day.doses]
    moved = context.patient.row.get("transfer_in_date") is not None
    expected = {840} if day.before is None or day.since >= 42 else {420}
    if day.beside_course or (day.before is None and moved):
        expected = {840, 420}
    if len(given) > 1:
        telling = [one for one in given if one and one[1] == "mg"]
        if not telling:
            return "dose-missing", set()
        if day.form == "mixed":
            return "dose-unclear", set()
        total = sum(one[0] for one in telling)
        right = any(close(total, e, 0.05) for e in expected)
        if not right or not plausible("pertuzumab", "iv", "mg", total):
            return "dose-unclear", set()
    elif given[0] is None or given[0][1] != "mg":
        return "dose-missing", set()
    wrong = set()
    if len(given) == 1:
        value = given[0][0]
        if day.form == "unknown" and any(close(value, e) for e in (600, 1200)):
            return "dose-unclear", set()
        if not plausible("pertuzumab", "iv", "mg", value):
            return "dose-implausible", set()
        if not any(close(value, e, 0.05) for e in expected):
            wrong.add("dose-out-of-range")
    if day.since is not None and day.since < 14 and not day.beside_course:
        wrong.add("interval-too-short")
    minutes = [d.row["infusion_minutes"] for d in day.doses if d.row.get("infusion_minutes")]
    if minutes and not day.beside_course:
        longest = max(minutes)
        if day.before is None:
            if longest < 55 and not moved:
                wrong.add("infusion-time")
        elif not 25 <= longest <= 75:
            wrong.add("infusion-time")
    return RIGHT, wrong


def excused(context, day):
    """Whether a reaction is recorded on or before the day."""
    return any(
        e["event"] in ("infusion_reaction", "anaphylaxis")
        and e.get("event_date")
        and e["event_date"] <= day.date
        for e in context.patient.events
    )
