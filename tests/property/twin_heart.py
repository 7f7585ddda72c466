"""The twin: R23, no anthracycline while on trastuzumab or pertuzumab."""

from datetime import date

import twin_facts as facts
from twin_case import ANTIBODY, Case, documented, not_invasive, rule
from twin_doubts import doubts
from twin_record import FAMILIES, after, between

HEART_ANTIBODIES = {"trastuzumab", "pertuzumab"}
ANTHRACYCLINES = FAMILIES["anthracycline"]
TAXANES = FAMILIES["taxane"]
METASTATIC = {"US": date(1998, 9, 25), "EU": date(2000, 1, 1), "ENGLAND": date(2002, 1, 1)}
EARLY = {"US": date(2006, 11, 16), "EU": date(2006, 5, 1), "ENGLAND": date(2006, 8, 1)}
NEVER = date.max
TOPICS = HEART_ANTIBODIES | {ANTIBODY, "her2", "anthracycline", "chemotherapy"} | ANTHRACYCLINES


@rule("R23", since=METASTATIC, accepts={"trial"})
def r23(context, episode):
    index = episode.index["tumour_id"]
    case = Case("R23", index, index)
    if not context.linked("treatments"):
        case.missing.append("stream-not-linked")
        if not_invasive(episode, episode.index):
            case.excluded.append("in-situ")
        return [case]
    everyone = facts.episodes(context.patient, context.drugs)
    anthracyclines = rows_of(everyone, context, ANTHRACYCLINES)
    antibodies = rows_of([episode], context, HEART_ANTIBODIES)
    undated = [
        row
        for row in context.patient.treatments
        if row.get("start_date") is None and row.get("drug") in context.drugs
    ]
    if not antibodies and not any(
        of(row, context, HEART_ANTIBODIES) and row.get("tumour_id") in {None, "", *episode.ids}
        for row in undated
    ):
        case.excluded.append("no-antibody")
    elif not anthracyclines and not any(of(row, context, ANTHRACYCLINES) for row in undated):
        case.excluded.append("no-anthracycline")
    elif not anthracyclines or not antibodies:
        case.missing.append("undated")
        days = [row["start_date"] for row in antibodies or anthracyclines]
        case.decision = min(days, default=None)
        settings = {episode.is_metastatic(d) for d in episode.doses if d.has(*HEART_ANTIBODIES)}
        in_force(case, context, early=not settings or False in settings)
    else:
        both_given(case, context, episode, anthracyclines, antibodies)
    return [case]


def of(row, context, names):
    return bool(context.drugs[row["drug"]].ingredients & names)


def rows_of(episodes, context, names):
    """The dated rows of the episodes with one of the drugs."""
    return [
        row
        for episode in episodes
        for row in episode.given_rows
        if row.get("start_date") and row.get("drug") in context.drugs and of(row, context, names)
    ]


def in_force(case, context, *, early):
    since = (EARLY if early else METASTATIC)[context.jurisdiction]
    if case.decision and case.decision < since:
        case.excluded.append("not-in-force")


def is_course(row):
    end = row.get("end_date")
    return row.get("record_kind") == "course" or bool(
        row.get("record_kind") is None and end and end > row["start_date"]
    )


def both_given(case, context, episode, anthracyclines, antibodies):
    doses = [dose for dose in episode.doses if dose.has(*HEART_ANTIBODIES)]
    exposed = exposures(context, episode, doses, anthracyclines)
    proven = {day: said for day, said in exposed.items() if said["exact"]}
    alone = len({row["start_date"] for row in anthracyclines}) == 1
    opened = min(row["start_date"] for row in anthracyclines)
    spans, exact_days = [], set()
    for row in anthracyclines:
        start, label = row["start_date"], is_regimen(row, context)
        last = row.get("end_date") or NEVER if is_course(row) else start
        if alone and label and last == start:
            last = NEVER
        spans.append((start, last))
        turned = is_regimen(row, context) and of(row, context, TAXANES) and start > opened
        if not row.get("placed") and not is_sequence(row, context) and not turned:
            exact_days.add(start)

    possible = courses({day: said["longest"] for day, said in exposed.items()})
    near = [
        (course, span)
        for course in possible
        for span in spans
        if span[1] >= after(course[0], -365) and span[0] <= after(course[1], 365)
    ]
    if not near:
        case.excluded.append("far-apart")
        return
    case.decision = min(max(course[0], span[0]) for course, span in near)
    paired = {day for day in exposed for course, _ in near if course[0] <= day <= course[1]}
    in_force(case, context, early=any(exposed[day]["curative"] for day in paired))
    if any(dose.row.get("trial") is True for dose in doses) or any(
        row.get("trial") is True for row in anthracyclines
    ):
        case.exceptions.append("trial")
    case.exceptions += documented(context, episode, "R23", TOPICS)

    together = [
        (course, day)
        for course in courses({day: said["shortest"] for day, said in proven.items()})
        for day in sorted(exact_days)
        if after(course[0], -14) < day <= course[2]
    ]
    may_be = any(span[1] > after(course[0], -14) and span[0] <= course[2] for course, span in near)
    if not together:
        if may_be:
            case.missing.append("days-not-recorded")
        case.met = True
        later = any(course[1] < span[0] <= after(course[1], 210) for course, span in near)
        case.met_reason = "flag-washout" if later else "apart"
        case.margin = min(room(course, span) for course, span in near)
        return
    case.margin = min(room(course, (day, day)) for course, day in together)
    same_day = any(not said["derived"] and day in exact_days for day, said in proven.items())
    if context.variant("R23", "overlap", "never-trial-only") != "never-trial-only" and not same_day:
        case.met, case.met_reason = True, "flag-overlap"
        return
    surgery = facts.first_surgery(episode, episode.index)
    during = [day for course, day in together if day >= course[0]]
    case.failure = "antibody-too-soon"
    if during:
        afterwards = surgery and max(during) > surgery
        case.failure = "during-antibody-after-surgery" if afterwards else "during-antibody"
    if same_day:
        case.failure = "same-day"
    last = max(max(course[0], day) for course, day in together)
    needs = [*HEART_ANTIBODIES, "anthracycline"]
    case.doubts += doubts(context, episode, "R23", needs, None, last)


def is_regimen(row, context):
    return context.drugs[row["drug"]].regimen


def is_sequence(row, context):
    """Whether the name of a regimen holds both, given one after the other."""
    both = of(row, context, ANTHRACYCLINES) and of(row, context, HEART_ANTIBODIES)
    return both and is_regimen(row, context)


def exposures(context, episode, doses, anthracyclines):
    """Each day with the antibody, and what is known of it."""
    vague = [
        (row["start_date"], row.get("end_date") or row["start_date"])
        for row in rows_of(
            facts.episodes(context.patient, context.drugs), context, HEART_ANTIBODIES
        )
        if row.get("placed")
    ]
    sequences = [
        (row["start_date"], row.get("end_date") or NEVER if is_course(row) else row["start_date"])
        for row in anthracyclines
        if is_sequence(row, context)
    ]
    exposed = {}
    for dose in doses:
        said = exposed.setdefault(
            dose.date,
            {"derived": True, "named": True, "open": False, "curative": False, "begins": False},
        )
        said["derived"] &= is_course(dose.row)
        said["begins"] |= dose.row["start_date"] == dose.date
        said["named"] &= dose.drug.regimen
        said["open"] |= dose.open
        said["curative"] |= not episode.is_metastatic(dose)
    for day, said in exposed.items():
        said["exact"] = not any(start <= day <= end for start, end in vague)
        said["exact"] &= said["begins"] or not said["derived"]
        said["exact"] &= not (said["named"] and any(a <= day <= b for a, b in sequences))
        said["shortest"] = day if said["derived"] else after(day, 21)
        unknown = said["open"] or (said["named"] and len(exposed) == 1)
        said["longest"] = NEVER if unknown else after(day, 21)
    return exposed


def courses(ends):
    """(first day, last day, last day that counts) of each run without a gap of over 63 days."""
    runs = []
    for day in sorted(ends):
        if runs and between(runs[-1][1], day) <= 63:
            first, _, end = runs[-1]
            runs[-1] = (first, day, max(end, ends[day]))
        else:
            runs.append((day, day, ends[day]))
    return runs


def room(course, span):
    """Days to the nearer edge of the days on which no anthracycline may be, negative inside."""
    return max(between(span[1], course[0]) - 14, between(course[1], span[0]) - 22)
