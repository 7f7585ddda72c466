"""The twin: R02, R36 and R37: the first line of treatment of metastatic disease."""

from datetime import date

import twin_facts as facts
import twin_lines as lines
from twin_case import Case, documented, not_invasive, rule, undated
from twin_doubts import doubts
from twin_metastatic import (
    HER2_TOPICS,
    JOIN,
    REASONS,
    TDXD_PERTUZUMAB,
    TRASTUZUMAB,
    add_status,
    brain_alone_treated_locally,
    endocrine_without_chemotherapy,
    heart_trouble,
    interrupted,
    local_treatment_unseen,
    perhaps_progressed,
    relapsed_early,
    weak_heart,
)
from twin_record import FAMILIES, RULES, after

METASTATIC_BIOPSY = {
    "US": date(2015, 7, 1),
    "EU": date(2015, 7, 1),
    "ENGLAND": date(2015, 7, 1),
}
PERTUZUMAB = {"US": date(2012, 6, 8), "EU": date(2013, 3, 1), "ENGLAND": date(2018, 3, 1)}


@rule(
    "R02",
    since=METASTATIC_BIOPSY,
    accepts={
        *("contraindication-medical", "patient-refusal", "frailty-documented"),
        *("mdt-documented-deviation", "death-before-due"),
    },
)
def r02(context, episode):
    if not lines.is_recurrent(episode) or not lines.is_metastatic(episode):
        return []
    tumour, spread = episode.index, episode.metastatic_date
    case = Case("R02", tumour["tumour_id"], tumour["tumour_id"], decision=spread)
    status = episode.status[tumour["tumour_id"]]
    found = lines.lines(context, episode)
    start = found[0].start if found else None
    case.due = after(max(start, spread), 42) if start else None

    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if status != facts.POSITIVE:
        case.excluded.append("her2-negative" if status == facts.NEGATIVE else "her2-unknown")
    if facts.m_status(episode, tumour) is None and context.linked("receptor_tests"):
        case.excluded.append("m-unknown")
    if not context.in_force("R02", spread):
        case.excluded.append("not-in-force")
    if not found:
        if context.linked("receptor_tests"):
            case.excluded.append("no-line")
        else:
            case.missing.append("stream-not-linked")
        return [case]
    reasons = documented(context, episode, "R02", {"biopsy"})
    sites = {
        event.get("site")
        for event in episode.events
        if event["event"] == "distant_metastasis" and event["event_date"] <= case.due
    }
    out_of_reach = reasons and sites in ({"bone"}, {"brain"})
    for table in ("events", "receptor_tests", "treatments"):
        if not context.linked(table):
            case.missing.append("stream-not-linked")
    if case.missing:
        return [case]

    results, unclear, late_report = [], False, False
    for rows in specimens(episode):
        taken, result = facts.specimen_day(rows[0]), facts.specimen_result(rows)
        late = result and taken and taken > case.due
        late_report |= bool(late and not any(row.get("specimen_date") for row in rows))
        if not (result and taken and after(spread, -60) <= taken <= case.due):
            continue
        if rows[0].get("specimen_site") in ("metastasis", "node"):
            results.append(result)
        else:
            unclear = True
    case.met = bool(results)
    if out_of_reach:
        case.excluded.append("out-of-reach")
    if unclear and not results:
        case.missing.append("specimen-site-unclear")
    elif late_report and not results:
        case.missing.append("specimen-date-unclear")
    unsure = start_unsure(context, episode)
    if unsure and not results and case.due <= context.observable:
        case.missing.append("line-start-undated")
    case.exceptions = reasons + interruptions_of_death(context, spread, case.due)
    case.doubts = doubts(context, episode, "R02", [], None, after(spread, -60))
    case.failure = "not-retested"
    return [case]


def start_unsure(context, episode):
    """Whether every drug that opens the first line has an undated row too, and that matters.

    In recurrent disease it may have begun before the metastasis, and go on; what is meant as
    palliative did not. A metastasis soon after the first dated dose may be progression.
    """
    start = lines.first_start(episode)
    if not start:
        return False
    given = lines.given_days(episode)
    carried = lines.carried_over(episode, given)
    opening = [one for one in given if one.day == start and one not in carried]
    palliative = any(one.dose.row.get("intent") == "palliative" for one in opening)
    spread = episode.days_of(*facts.RECURRENCES)
    matters = any(start < day <= after(start, JOIN) for day in spread)
    matters |= lines.is_recurrent(episode) and not palliative
    return matters and all(undated(context, one.drug) for one in opening)


def specimens(episode):
    for tumour_id in episode.ids:
        tests = [t for t in episode.tests.get(tumour_id, []) if t.get("invasive") is not False]
        yield from facts.specimens(tests)


def interruptions_of_death(context, start, due):
    death = context.patient.row.get("death_date")
    return ["death-before-due"] if death and start <= death < due else []


@rule("R36", since=TRASTUZUMAB, accepts=REASONS)
def r36(context, episode):
    tumour = episode.index
    m_unknown = facts.m_status(episode, tumour) is None and not lines.is_metastatic(episode)
    found = lines.lines(context, episode)
    if not found:
        if not (m_unknown and episode.systemic):
            return []
        case = Case("R36", tumour["tumour_id"], tumour["tumour_id"])
        if not_invasive(episode, tumour):
            case.excluded.append("in-situ")
        if episode.status[tumour["tumour_id"]] == facts.NEGATIVE:
            case.excluded.append("her2-negative")
        case.missing.append("m-unknown")
        return [case]
    first = found[0]
    spread = episode.metastatic_date if episode.metastatic_date > date.min else first.start
    case = Case("R36", tumour["tumour_id"], tumour["tumour_id"], decision=first.start)
    case.due = max(after(spread, 180), after(first.start, JOIN))
    status = lines.her2_at(episode, first)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if status == facts.NEGATIVE:
        case.excluded.append("her2-negative")
    elif status != facts.POSITIVE:
        case.missing.append("her2-unknown")
    if not context.in_force("R36", first.start):
        case.excluded.append("not-in-force")
    given = min(
        (d.date for d in episode.doses if d.has("her2") and d.date >= min(spread, first.start)),
        default=None,
    )
    case.met = bool(given and given <= case.due)
    if local_treatment_unseen(context, case, episode):
        case.missing.append("local-treatment-unknown")
    unsure = start_unsure(context, episode)
    if unsure and not case.met and case.due <= context.observable:
        case.missing.append("line-start-undated")
    case.exceptions = documented(context, episode, "R36", HER2_TOPICS | {RULES["R44"]})
    if first.in_trial:
        case.exceptions.append("trial")
    if heart_trouble(context, case.due, low=50):
        case.exceptions.append("heart")
    if brain_alone_treated_locally(context, episode, case.due):
        case.exceptions.append("cns-only-local")
    case.exceptions += interrupted(context, episode, first, case.due)
    opened = episode.metastatic_date
    case.doubts = doubts(context, episode, "R36", ["her2"], (opened, case.due), opened)
    if undated(context, "her2", "chemotherapy", "endocrine") and not context.in_force(
        "R36", opened
    ):
        case.doubts.append("undated-row")  # it may have been the first dose
    case.failure = "her2-too-late" if given else "her2-not-recorded"
    return [case]


@rule("R37", since=PERTUZUMAB, accepts=REASONS)
def r37(context, episode):
    found = lines.lines(context, episode)
    if not found:
        return []
    line, tumour_id = found[0], episode.index["tumour_id"]
    case = Case("R37", f"{tumour_id}/line-1", tumour_id, decision=line.start)
    case.due = after(line.start, JOIN)
    clock = lines.clock(episode).name
    add_status(case, episode, line)
    if relapsed_early(context, "R37", episode):
        case.excluded.append("early-relapse")
    if endocrine_without_chemotherapy(line):
        case.excluded.append("endocrine-based")
    if not context.in_force("R37", line.start):
        case.excluded.append("not-in-force")
    if clock == "unclear":
        case.missing.append("interval-unclear")

    lacking = [
        name for name in ("trastuzumab", "pertuzumab", "taxane") if not line.begun_with(name)
    ]
    dxd_from = TDXD_PERTUZUMAB.get(context.jurisdiction, facts.LATE)
    dxd = line.begun_with("trastuzumab-deruxtecan") and line.begun_with("pertuzumab")
    case.met = not lacking or (dxd and line.first_day("trastuzumab-deruxtecan") >= dxd_from)
    if perhaps_progressed(context, case, episode, line):
        case.missing.append("perhaps-progressed")
    topics = {
        "trastuzumab": {RULES["R36"], "trastuzumab", "her2-antibody", "her2"},
        "pertuzumab": {RULES["R36"], "pertuzumab", "her2-antibody", "her2"},
        "taxane": {"taxane", "chemotherapy", *FAMILIES["taxane"]},
    }
    asked = set().union(*(topics[name] for name in lacking))
    case.exceptions = documented(context, episode, "R37", asked)
    if line.in_trial:
        case.exceptions.append("trial")
    if weak_heart(context, line) and set(lacking) & {"trastuzumab", "pertuzumab"}:
        case.exceptions.append("heart")
    case.exceptions += interrupted(context, episode, line, case.due)
    spread = episode.metastatic_date
    opened = after(spread, -366) if lines.is_recurrent(episode) else spread
    needs = ["her2", "chemotherapy"]
    case.doubts = doubts(context, episode, "R37", needs, (opened, case.due), opened)
    case.failure = f"{lacking[0]}-not-recorded" if lacking else None
    return [case]
