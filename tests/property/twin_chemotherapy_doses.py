"""The twin: R22: first doses and counts of docetaxel, paclitaxel and AC beside HER2 treatment."""

from datetime import date

import twin_facts as facts
from twin_amounts import days_of, measure, plausible
from twin_antibody_doses import in_trial
from twin_case import Case, documented, not_invasive, rule, stops
from twin_doubts import doubts
from twin_ends import interruptions
from twin_maintained import low_lvef
from twin_record import FAMILIES, RULES, after, amount, between, is_course

FROM = dict.fromkeys(("US", "EU", "ENGLAND"), date(2006, 11, 16))
OUTSIDE = {"inetetamab", "pyrotinib"}  # HER2 drugs that the guideline does not name
RIGHT, WRONG, OTHER, CAPPED = "right", "wrong", "other-accepted", "capped"
BESIDE, SURFACE_CAP = 90, 2.0


@rule(
    "R22",
    since=FROM,
    accepts={
        *("contraindication-medical", "contraindication-cardiac", "toxicity", "frailty-documented"),
        *("mdt-documented-deviation", "patient-refusal", "progression"),
    },
)
def r22(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    if not context.linked("treatments"):
        case = Case("R22", f"{key}/early-1", key)
        case.excluded += ["in-situ"] if not_invasive(episode, tumour) else []
        case.missing.append("stream-not-linked")
        return [case]
    if not_invasive(episode, tumour):
        return []
    drugs = {
        name: [
            day
            for day in days_of(context, name)
            if any(dose in episode.doses for dose in day.doses)
        ]
        for name in ("docetaxel", "paclitaxel", "doxorubicin", "cyclophosphamide", "fluorouracil")
    }
    ac = ac_days(drugs)
    base = [*drugs["docetaxel"], *drugs["paclitaxel"], *ac]
    settings = [[day for day in base if day.metastatic == setting] for setting in (False, True)]
    cases, count = [], {False: 0, True: 0}
    for course in [course for days in settings for course in in_courses(days)]:
        metastatic = course[0].metastatic
        first, last = course[0].date, course[-1].date
        count[metastatic] += 1
        if not her2_beside(episode, first, last):
            continue
        part = f"{'metastatic' if metastatic else 'early'}-{count[metastatic]}"
        case = Case("R22", f"{key}/{part}", key, decision=first, due=after(last, BESIDE))
        own = {
            name: [d for d in days if d in course or (name == "cyclophosphamide" and d in days)]
            for name, days in drugs.items()
        }
        own["doxorubicin"] = [day for day in ac if day in course]
        judge(context, episode, case, course, own, drugs, metastatic=metastatic)
        cases.append(case)
    return cases


def near(days, day):
    return [one for one in days if abs(between(one.date, day.date)) <= 3]


def ac_days(drugs):
    """Days of doxorubicin with cyclophosphamide, and without docetaxel or fluorouracil."""
    return [
        day
        for day in drugs["doxorubicin"]
        if near(drugs["cyclophosphamide"], day)
        and not near(drugs["docetaxel"], day)
        and not near(drugs["fluorouracil"], day)
    ]


def in_courses(base):
    found = []
    for day in sorted(base, key=lambda d: d.date):
        last = found[-1][-1] if found else None
        if last and last.metastatic == day.metastatic and between(last.date, day.date) <= BESIDE:
            found[-1].append(day)
        else:
            found.append([day])
    return found


def her2_beside(episode, first, last):
    for metastatic in (False, True):
        for name in FAMILIES["her2"] - OUTSIDE:
            days = [
                d.date
                for d in episode.doses
                if name in d.drug.ingredients and episode.is_metastatic(d) == metastatic
            ]
            if days and min(days) <= after(last, BESIDE) and max(days) >= after(first, -BESIDE):
                return True
    return False


def per_square_metre(context, name, day):
    """(mg/m2, recent, surface, mg) of a day's dose, or why it can't be told."""
    given = [amount(dose) for dose in day.doses]
    telling = [one for one in given if one and one[1] in ("mg", "mg/m2")]
    if not telling:
        return "dose-missing"
    unit = "mg/m2" if any(one[1] == "mg/m2" for one in telling) else "mg"
    value = sum(one[0] for one in telling if one[1] == unit)
    if len(given) > 1 and not plausible(name, "iv", unit, value):
        return "dose-unclear"
    if unit == "mg/m2":
        known = plausible(name, "iv", "mg/m2", value)
        return (value, True, None, None) if known else "dose-implausible"
    if unit != "mg":
        return "dose-missing"
    if not plausible(name, "iv", "mg", value):
        return "dose-implausible"
    surface, recent = measure(context, "surface", day.date)
    if surface is None:
        return "surface-missing"
    share = round(value / surface, 4)
    known = plausible(name, "iv", "mg/m2", share)
    return (share, recent, surface, value) if known else "dose-implausible"


def weigh(context, name, day, *ranges, soon):
    """right, capped, wrong, or why a first dose can't be judged; ranges are lowest and highest.

    One that is followed soon may be half of a dose, or be told twice.
    """
    found = per_square_metre(context, name, day)
    if isinstance(found, str):
        return found
    share, recent, surface, mg = found

    def within(value):
        return any(low * 0.9 - 1e-9 <= value <= high * 1.1 + 1e-9 for low, high in ranges)

    if within(share):
        return RIGHT
    if len(day.doses) > 1 or soon:
        return "dose-unclear"
    if not recent:
        return "surface-missing"
    if surface and surface > SURFACE_CAP and within(mg / SURFACE_CAP):
        return CAPPED
    return WRONG


def first_doses(context, own):
    """The verdict on the first dose of each drug of the course."""
    found = {}
    if own["docetaxel"]:
        found["docetaxel"] = docetaxel(context, own["docetaxel"])
    if own["paclitaxel"]:
        day = own["paclitaxel"][0]
        if day.until is not None and day.until <= 10:
            found["paclitaxel"] = weigh(context, "paclitaxel", day, (80, 80), soon=is_soon(day))
        else:
            how = weigh(context, "paclitaxel", day, (175, 175), soon=False)
            found["paclitaxel"] = OTHER if how == RIGHT else unjudged(how)
    if own["doxorubicin"]:
        day = own["doxorubicin"][0]
        soon, partner = is_soon(day), near(own["cyclophosphamide"], day)[0]
        found["doxorubicin"] = weigh(context, "doxorubicin", day, (60, 60), soon=soon)
        found["cyclophosphamide"] = weigh(
            context, "cyclophosphamide", partner, (600, 600), soon=soon
        )
    return found


def docetaxel(context, days):
    day = days[0]
    how = weigh(context, "docetaxel", day, (75, 100), soon=is_soon(day))
    if day.until is not None and 17 <= day.until <= 28:
        return how
    if day.until is None or day.until > 28:
        return how if how == RIGHT else unjudged(how)
    return unjudged(how)


def is_soon(day):
    return day.until is not None and day.until <= 3


def unjudged(how):
    return how if how.startswith(("dose-m", "dose-i", "surface")) else "dose-unclear"


def judge(context, episode, case, course, own, drugs, *, metastatic):
    first = course[0].date
    if not context.in_force("R22", first):
        case.excluded.append("not-in-force")
    topics = {RULES["R22"], "chemotherapy", "taxane", "anthracycline"}
    topics |= {"docetaxel", "paclitaxel", "doxorubicin", "cyclophosphamide"}
    if in_trial(context, episode, course, topics):
        case.excluded.append("trial")
    found = first_doses(context, own)
    few = too_few(episode, own, metastatic=metastatic)
    many = not metastatic and dated(own["doxorubicin"]) and fewest(own["doxorubicin"]) > 4
    died = context.patient.row.get("death_date")
    over = case.due <= context.observable or died is not None
    wrong = {name for name, how in found.items() if how == WRONG}
    capped = any(how == CAPPED for how in found.values())
    lacking = set(few) | wrong | ({"doxorubicin"} if many else set())
    verdicts = list(found.values())
    if wrong:
        case.failure, case.closed = "dose-out-of-range", True
    elif many:
        case.failure, case.closed = "too-many-cycles", True
    elif few:
        case.failure = "too-few-doses"
    if not any(how in (RIGHT, OTHER, WRONG, CAPPED) for how in verdicts):
        case.missing += sorted({*verdicts, "dose-unclear", "dose-implausible"})
    elif not metastatic and (few or many) and not wrong and not known_m(episode):
        case.missing.append("m-unknown")
    elif not lacking and not capped and over:
        case.met = True
        if OTHER in verdicts and set(verdicts) <= {RIGHT, OTHER}:
            case.met_reason = "other-accepted"
        elif set(verdicts) == {RIGHT}:
            case.met_reason = "doses-in-range"
        else:
            case.met_reason = "judged-doses-in-range"
    case.open = first > context.observable if case.closed else not over
    if lacking or capped:
        excuse(context, episode, case, course, own, lacking, capped=capped, over=over)
    if not case.met and not case.closed:
        case.exceptions += interruptions(context, episode, first, case.due)
    window = (date.min, case.due)
    needs = ["docetaxel", "paclitaxel", "doxorubicin", "cyclophosphamide", "her2"]
    # Before a move the course may have begun elsewhere; more of it makes no fewer cycles.
    opened = first if many else after(first, -BESIDE)
    case.doubts = doubts(context, episode, "R22", needs, window, opened)


def known_m(episode):
    """Whether it is known that the disease was metastatic at diagnosis, or that it was not."""
    return facts.m_status(episode, episode.index) is not None


def excuse(context, episode, case, course, own, lacking, *, capped, over):
    if not over and not case.closed:
        return
    if capped and not lacking:
        case.exceptions.append("capped-surface")
        return
    topics, ac = {"chemotherapy"}, {"doxorubicin", "cyclophosphamide"}
    # A reason for one drug alone is none for several.
    if len(lacking - ac) + bool(lacking & ac) == 1:
        topics |= (lacking - ac) | ({"taxane"} if lacking - ac else ac | {"anthracycline"})
    case.exceptions += documented(context, episode, "R22", topics)
    if not case.closed:
        for days in (own["docetaxel"], own["paclitaxel"], own["doxorubicin"]):
            case.exceptions += stops([dose for day in days[-1:] for dose in day.doses])
        case.exceptions += harms(context, [day.date for day in own["paclitaxel"]])
        ac_dates = [day.date for day in own["doxorubicin"]]
        case.exceptions += harms(context, ac_dates)
        if ac_dates and low_lvef(context, after(max(ac_dates), -7), after(max(ac_dates), 63)):
            case.exceptions.append("contraindication-cardiac")


def harms(context, dates):
    """What the record shows around the last of the days that stops a drug."""
    if not dates:
        return []
    found, first, last = [], after(max(dates), -7), after(max(dates), 63)
    for event in context.patient.events:
        day = event.get("event_date")
        if not (day and first <= day <= last):
            continue
        if event["event"] == "heart_failure":
            found.append("contraindication-cardiac")
        elif event["event"] in ("ild", "anaphylaxis", "infusion_reaction"):
            stopped = "stopped" in (event.get("action") or "").split(";")
            found += ["toxicity"] if stopped else []
    return found


def dated(days):
    """Whether a drug's days are on record: no course, and no name that holds it in sequence."""
    sequence = any(all(dose.in_sequence for dose in day.doses) for day in days)
    return not sequence and not any(is_course(dose) for day in days for dose in day.doses)


def named(days):
    """The days on which a regimen's name stands."""
    return {day.date for day in days if any(dose.drug.regimen for dose in day.doses)}


def counted(days):
    """Whether the days of a drug can be counted: no regimen's name on a single day."""
    return dated(days) and len(named(days)) != 1


def fewest(days):
    """How many cycles there were at least, if days close by, or a name on one day, are none."""
    dates, once = sorted(day.date for day in days), named(days) if len(named(days)) == 1 else set()
    return sum(
        (i == 0 or between(dates[i - 1], one) > 3) and one not in once
        for i, one in enumerate(dates)
    )


def too_few(episode, own, *, metastatic):
    """The drugs with fewer doses than their regimen has."""
    found = []
    weekly, ac = own["paclitaxel"], own["doxorubicin"]
    if weekly and not metastatic and counted(weekly):
        first, last = weekly[0].date, weekly[-1].date
        other = any(
            dose.has("taxane")
            and "paclitaxel" not in dose.drug.ingredients
            and after(first, -BESIDE) <= dose.date <= after(last, BESIDE)
            and not episode.is_metastatic(dose)
            for dose in episode.doses
        )
        is_weekly = weekly[0].until is not None and weekly[0].until <= 10
        if is_weekly and len(weekly) < 10 and not other:
            found.append("paclitaxel")
    if ac and not metastatic and counted(ac) and len(ac) < 3:
        found.append("doxorubicin")
    return found
