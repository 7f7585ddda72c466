"""The twin: R24 and R25: the heart measured before and during HER2-targeted treatment."""

from dataclasses import dataclass
from datetime import date

from twin_case import ANTIBODY, Case, documented, not_invasive, rule
from twin_doubts import doubts
from twin_record import FAMILIES, RULES, after, between, is_course, read_topic

EVERYWHERE = dict.fromkeys(("US", "EU", "ENGLAND"), date(2006, 11, 1))
METASTATIC = {"US": date(1998, 9, 25), "EU": date(2000, 1, 1), "ENGLAND": date(2002, 1, 1)}
CONJUGATE = "her2-conjugate"
LOOK_BACK = 120


@dataclass(frozen=True)
class Assessment:
    """One dated measurement of the heart."""

    date: date
    method: str | None
    lvef: float | None
    result: str | None


@dataclass(frozen=True)
class Her2Day:
    """A day with an antibody or conjugate: its drugs, its setting, and how it is recorded."""

    date: date
    drugs: frozenset
    metastatic: bool
    derived: bool  # stands in the dates of a course alone
    open: bool  # of a course without an end
    named: bool  # by a regimen's name
    in_sequence: bool  # by nothing but one that does not begin with them
    pertuzumab_in_sequence: bool


def assessments(context):
    """The dated assessments of the patient, in order of their days."""
    rows = [
        Assessment(r["assessment_date"], r.get("method"), r.get("lvef_percent"), r.get("result"))
        for r in context.patient.cardiac_assessments
        if r.get("assessment_date")
    ]
    return sorted(rows, key=lambda a: a.date)


def her2_days(episode, given=None):
    """The days with an antibody or conjugate, in order, of the episode's doses or those given."""
    found = {}
    for dose in episode.doses if given is None else given:
        if dose.has(ANTIBODY, CONJUGATE):
            found.setdefault(dose.date, []).append(dose)
    days = []
    for day, doses in sorted(found.items()):
        fixed = [d for d in doses if is_fixed(d)]
        drugs = {i for d in doses for i in d.drug.ingredients if d.has(ANTIBODY, CONJUGATE)}
        if fixed:  # the fixed-dose combination has pertuzumab's limits alone
            others = {i for d in doses if d not in fixed for i in d.drug.ingredients}
            drugs = others | {"pertuzumab"}
        metastatic = any(episode.is_metastatic(dose) for dose in doses)
        derived, is_open = all(is_course(d) for d in doses), any(d.open for d in doses)
        named = any(d.drug.regimen for d in doses)
        sequence = [
            all(d.in_sequence for d in doses if d.has(name)) for name in ("her2", "pertuzumab")
        ]
        known = (derived or sequence[0], is_open, named, *sequence)
        days.append(Her2Day(day, frozenset(drugs), metastatic, *known))
    return days


def is_fixed(dose):
    pair = dose.drug.ingredients == {"trastuzumab", "pertuzumab"}
    return pair and (dose.drug.fixed or dose.row.get("route") == "sc")


def imprecise(context):
    """Whether the day of one of the patient's assessments is not exact."""
    return any(row.get("placed") for row in context.patient.cardiac_assessments)


def unlinked(context, number, subject, key):
    """A case that can't be evaluated for want of a stream, or None."""
    needed = ["treatments", "cardiac_assessments", *(["events"] if number == "R27" else [])]
    if all(context.linked(table) for table in needed):
        return None
    case = Case(number, subject, key)
    case.missing.append("stream-not-linked")
    return case


@rule("R24", since=EVERYWHERE, accepts={"patient-refusal", "mdt-documented-deviation"}, gate=0.8)
def r24(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    if case := unlinked(context, "R24", f"{key}/her2-early", key):
        case.excluded += ["in-situ"] if not_invasive(episode, tumour) else []
        return [case]
    if not_invasive(episode, tumour):
        return []
    cases = []
    for metastatic in (False, True):
        days = [day for day in her2_days(episode) if day.metastatic == metastatic]
        if days:
            cases.append(r24_setting(context, episode, days, metastatic))
    return cases


def r24_setting(context, episode, days, metastatic):
    tumour, key = episode.index, episode.index["tumour_id"]
    case = Case("R24", f"{key}/her2-{'metastatic' if metastatic else 'early'}", key)
    first = case.decision = days[0].date
    since = (METASTATIC if metastatic else EVERYWHERE)[context.jurisdiction]
    heart = assessments(context)
    case.site, case.seen, case.expected = tumour.get("site_id"), bool(heart), first >= since
    if first < since:
        case.excluded.append("not-in-force")
    in_time = [a for a in heart if after(first, -LOOK_BACK) <= a.date <= first]
    late = any(first < a.date <= after(first, 30) for a in heart)
    pertuzumab = next((day.date for day in days if "pertuzumab" in day.drugs), None)
    anthracyclines = [d.date for d in episode.doses if d.has("anthracycline") and d.date < first]
    if not in_time:
        case.failure = "late-baseline" if late else "no-baseline"
    elif (
        anthracyclines
        and pertuzumab
        and not any(max(anthracyclines) <= a.date <= pertuzumab for a in heart)
    ):
        case.failure = "before-anthracycline"
    else:
        judge_value(
            case,
            context,
            episode,
            in_time,
            early_pertuzumab=pertuzumab and not (metastatic or anthracyclines),
        )
    if case.failure:
        r24_start(case, days, heart, anthracyclines)
        if any(row.get("year_only") for row in context.patient.cardiac_assessments):
            case.missing.append("imprecise-date")  # it may have been the one needed
    if case.failure and (metastatic or late) and case.failure != "low-without-decision":
        case.exceptions += documented(context, episode, "R24", {"lvef"})
    case.doubts = doubts(
        context, episode, "R24", [ANTIBODY, CONJUGATE], (date.min, first), after(first, -LOOK_BACK)
    )
    return case


def r24_start(case, days, heart, anthracyclines):
    """A regimen's name that begins with an anthracycline leaves open when the others began."""
    first = days[0].date
    sure = next((d.date for d in days if not d.in_sequence), None)
    since = after(first, -LOOK_BACK)
    if sure is None or (sure > first and any(since <= a.date <= sure for a in heart)):
        case.missing.append("days-not-recorded")
    if case.failure != "before-anthracycline":
        return
    given = [d for d in days if "pertuzumab" in d.drugs]
    sure = next((d.date for d in given if not d.pertuzumab_in_sequence), None)
    last = max(anthracyclines)
    if sure is None or (sure > given[0].date and any(last <= a.date <= sure for a in heart)):
        case.missing.append("days-not-recorded")


def judge_value(case, context, episode, in_time, *, early_pertuzumab):
    """What the newest assessment that says anything says."""
    for day in sorted({a.date for a in in_time}, reverse=True):
        same = [a for a in in_time if a.date == day]
        numbers = [a.lvef for a in same if a.lvef is not None]
        words = {a.result for a in same} - {None}
        if numbers:
            value = max(numbers)
            case.met = value >= 50 or decided(context, episode)
            case.met_reason = "low-with-decision" if value < 50 else "measured"
            if 50 <= value < 55 and early_pertuzumab:
                case.met_reason = "low-for-pertuzumab"
            case.failure = None if case.met else "low-without-decision"
            return
        if words:
            case.met, case.met_reason = "normal" in words, "measured"
            break
    if not case.met and decided(context, episode):
        case.met, case.met_reason = True, "low-with-decision"
    if not case.met:
        case.missing.append("lvef-not-recorded")


def decided(context, episode):
    """Whether a decision to treat in spite of a low LVEF is documented."""
    reasons = {"mdt-documented-deviation", "contraindication-cardiac"}
    topics = {"lvef", "her2", RULES["R24"], ANTIBODY, CONJUGATE}
    topics |= FAMILIES[ANTIBODY] | FAMILIES[CONJUGATE]
    return any(
        row.get("reason") in reasons
        and read_topic(row.get("topic"), context.drugs) & topics
        and (not row.get("tumour_id") or row["tumour_id"] in episode.ids)
        for row in context.patient.exceptions
    )


@rule("R25", since=EVERYWHERE, accepts={"patient-refusal", "mdt-documented-deviation"}, gate=0.8)
def r25(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    if case := unlinked(context, "R25", f"{key}/her2-course-1", key):
        case.excluded += ["in-situ"] if not_invasive(episode, tumour) else []
        return [case]
    if not_invasive(episode, tumour):
        return []
    courses = [
        course
        for metastatic in (False, True)
        for course in r25_courses(
            her2_days(episode, [d for d in episode.doses if episode.is_metastatic(d) == metastatic])
        )
    ]
    courses.sort(key=lambda days: (days[0].date, days[0].metastatic))
    return [
        r25_course(context, episode, days, number) for number, days in enumerate(courses, start=1)
    ]


def r25_courses(days):
    """The days of one setting in courses: a gap of more than 90 days begins a new one."""
    courses = []
    for day in days:
        if courses and between(courses[-1][-1].date, day.date) <= 90:
            courses[-1].append(day)
        else:
            courses.append([day])
    return courses


def r25_course(context, episode, days, number):
    tumour, key = episode.index, episode.index["tumour_id"]
    case = Case("R25", f"{key}/her2-course-{number}", key)
    first, last = days[0].date, days[-1].date
    long_enough = between(first, last) + 21 >= 90
    case.decision = first
    if not context.in_force("R25", first):
        case.excluded.append("not-in-force")
    is_open = (
        any(day.open for day in days)
        or [day.named for day in days].count(True) * days[-1].named == 1
    )
    if not long_enough:
        unknown = case.missing if is_open else case.excluded
        unknown.append("no-end-date" if is_open else "short-course")
    heart = [a.date for a in assessments(context)]
    case.site, case.seen = tumour.get("site_id"), bool(heart)
    case.expected = not case.excluded and long_enough
    reading = context.variant("R25", "interval", "120-days")
    limit = 98 if reading == "98-days" else 120
    counted = [day for day in heart if day >= after(first, -LOOK_BACK)]
    too_long, opened, certain = False, first, False
    sure = next((d.date for d in days if not d.in_sequence), None)
    perhaps = perhaps_begun(context, first)
    for day in days[1:]:
        if day.metastatic and day.date > after(first, 730):
            continue
        too_late = day.metastatic and perhaps and day.date > after(perhaps, 730)
        clock = max((seen for seen in counted if seen < day.date), default=first)
        if between(clock, day.date) > limit and sure and not (day.in_sequence or too_late):
            seen = [one for one in counted if one < day.date]
            certain |= sure == first or bool(seen and clock >= after(sure, -LOOK_BACK))
        if between(clock, day.date) > limit and not too_long:
            too_long, opened = True, clock
            case.due, case.open = after(clock, limit), first > context.observable
    in_the_year = sum(seen <= after(first, 365) for seen in counted)
    if reading == "any-regular" and in_the_year >= 2 and long_enough:
        case.met, case.met_reason = True, "regular"
    elif not too_long:
        dead = context.patient.row.get("death_date") is not None
        case.open = not dead and between(last, context.observable) <= 42
        case.met, case.met_reason = not case.open, "in-time"
        if case.open:
            near = [seen for seen in counted if seen <= after(last, 42)]
            case.due = after(max(near, default=first), limit)
        if is_open:
            case.missing.append("no-end-date")
    elif imprecise(context):
        case.missing.append("imprecise-date")
    elif not certain:
        case.missing.append("days-not-recorded")
    case.closed = not case.open
    case.failure = "interval-too-long"
    case.exceptions += documented(context, episode, "R25", {"lvef"}) if too_long else []
    seen_from = min(opened, perhaps or opened) if opened <= first else opened
    case.doubts = doubts(context, episode, "R25", [], None, seen_from)
    if perhaps and not context.in_force("R25", perhaps):
        case.doubts.append("undated-row")
    return case


def perhaps_begun(context, first):
    """The earliest day on which a course can have begun with a dose that nobody dated, or None."""
    watched = FAMILIES[ANTIBODY] | FAMILIES[CONJUGATE]
    undated = [
        row
        for row in context.patient.treatments
        if row.get("start_date") is None
        and (drug := context.drugs.get(row.get("drug")))
        and drug.ingredients & watched
    ]
    if any(row.get("record_kind") == "course" for row in undated):
        return date.min
    return after(first, -90 * len(undated)) if undated else None
