"""The twin: R40 and R44: early relapse, and endocrine treatment without chemotherapy."""

from datetime import date

import twin_facts as facts
import twin_lines as lines
from twin_case import Case, documented, rule
from twin_doubts import doubts
from twin_metastatic import (
    HER2_TOPICS,
    JOIN,
    REASONS,
    TDM1_FROM,
    TDXD_FROM,
    TUCATINIB_FROM,
    add_status,
    brain_alone_treated_locally,
    brain_date,
    endocrine_without_chemotherapy,
    heart_trouble,
    ild_before,
    interrupted,
    local_treatment_unseen,
    perhaps_progressed,
    relapsed_early,
    unavailable,
    weak_heart,
)
from twin_record import FAMILIES, RULES, after

INTERVAL_RULE = {
    "US": date(2014, 5, 1),
    "EU": date(2014, 5, 1),
    "ENGLAND": date(2017, 7, 1),
}
ENDOCRINE_RULE = dict.fromkeys(("US", "EU", "ENGLAND"), date(2014, 5, 1))
TDXD, TDM1 = "trastuzumab-deruxtecan", "trastuzumab-emtansine"
TDXD_TOPICS = {TDXD, "her2-conjugate", "her2"}


def given_in(line, drug):
    """The first day of a drug in the line where it begins within the join window, or None."""
    day = line.first_day(drug)
    return day if day and day <= after(line.start, JOIN) else None


def since(day, first):
    """The day where it is no earlier than the first, else None."""
    return day if day and day >= first else None


def begun_later(context, line, historic, brain):
    """The day by which the whole line holds an agent of the second line, or None."""
    place = context.jurisdiction
    found = [since(line.first_day(TDXD), TDXD_FROM[place])]
    if historic:
        found.append(since(line.first_day(TDM1), TDM1_FROM[place]))
    regimen = [
        since(line.first_day("tucatinib"), TUCATINIB_FROM[place]),
        line.first_day("trastuzumab"),
        line.first_day("capecitabine"),
    ]
    if brain and all(regimen):
        found.append(max(regimen))
    return min((day for day in found if day), default=None)


@rule("R40", since=INTERVAL_RULE, accepts=REASONS)
def r40(context, episode):
    clock = lines.clock(episode) if lines.is_metastatic(episode) else None
    early = clock and relapsed_early(context, "R40", episode)
    if not early and not (clock and clock.name == "unclear"):
        return []
    found, spread = lines.lines(context, episode), episode.metastatic_date
    tumour_id = episode.index["tumour_id"]
    case = Case("R40", f"{tumour_id}/line-1", tumour_id)
    line = found[0] if found else None
    case.decision = line.start if line else spread
    case.due = after(line.start, JOIN) if line else after(spread, 90)
    died = context.patient.row.get("death_date")
    if not line and (case.due <= context.observable or died):
        case.excluded.append("no-line")
    if line:
        add_status(case, episode, line)
    elif not_positive := status_without_line(episode):
        case.excluded += not_positive
    if not context.in_force("R40", case.decision):
        case.excluded.append("not-in-force")
    if line and clock.name == "unclear":
        case.missing.append("interval-unclear")
    if line:
        place = context.jurisdiction
        tdxd, tdm1 = given_in(line, TDXD), given_in(line, TDM1)
        historic = line.start < TDXD_FROM[place]
        fallback = historic or unavailable(context, episode, "R40", TDXD_TOPICS | {RULES["R41"]})
        brain = brain_date(context, episode)
        if context.variant("R40", "brain", "tucatinib-accepted") == "deruxtecan-only":
            brain = None
        tucatinib = given_in(line, "tucatinib")
        case.met = bool(
            (tdxd and tdxd >= TDXD_FROM[place])
            or (tdm1 and tdm1 >= TDM1_FROM[place] and fallback)
            or (
                tucatinib
                and tucatinib >= TUCATINIB_FROM[place]
                and given_in(line, "trastuzumab")
                and given_in(line, "capecitabine")
                and brain
                and brain <= case.due
            )
        )
        joined = begun_later(context, line, historic, brain and brain <= case.due)
        if not case.met and joined:
            case.met = after(joined, JOIN) <= context.observable
            case.open = not case.met
        following = [] if case.met or line.ended_by != "drug-change" else found[1:2]
        for one in following:
            if begun_later(context, one, historic, brain and brain <= case.due):
                case.missing.append("line-uncertain")
        if local_treatment_unseen(context, case, episode):
            case.missing.append("local-treatment-unknown")
        if perhaps_progressed(context, case, episode, line):
            case.missing.append("perhaps-progressed")
        if line.in_trial:
            case.exceptions.append("trial")
        case.exceptions += documented(context, episode, "R40", TDXD_TOPICS | {TDM1, RULES["R41"]})
        if ild_before(context, line):
            case.exceptions.append("previous-ild")
        if weak_heart(context, line) and not line.has("her2"):
            case.exceptions.append("heart")
        if brain_alone_treated_locally(context, episode, case.due):
            case.exceptions.append("cns-only-local")
        case.exceptions += interrupted(context, episode, line, case.due)
    needs = ["her2-antibody", "her2-conjugate", "tucatinib"]
    case.doubts = doubts(context, episode, "R40", needs, (spread, case.due), spread)
    case.failure = "second-line-agent-not-recorded"
    return [case]


def status_without_line(episode):
    """What the tumour's own status excludes, where no line says when to look."""
    status = episode.status[episode.index["tumour_id"]]
    found = [] if facts.is_invasive(episode, episode.index) else ["in-situ"]
    if status != facts.POSITIVE:
        found.append("her2-negative" if status == facts.NEGATIVE else "her2-unknown")
    return found


CHEMOTHERAPY_TOPICS = {"chemotherapy", "taxane", *FAMILIES["taxane"]}
AGAINST_HER2 = {"contraindication-medical", "contraindication-cardiac", "patient-refusal"}
CRITERIA_REASONS = {
    *("low-disease-burden", "contraindication-medical", "contraindication-cardiac"),
    *("patient-refusal", "frailty-documented", "trial", "toxicity", "drug-unavailable"),
    *("funding-restriction", "mdt-documented-deviation", "pregnancy"),
}


def reasons_on(context, episode, topics):
    """The reasons documented on the rule itself or one of the topics."""
    return set(documented(context, episode, "R44", topics))


def long_interval(episode):
    """Whether at least 36 calendar months lie between early treatment and the metastasis."""
    if not lines.is_recurrent(episode):
        return False
    clock, spread = lines.clock(episode), episode.metastatic_date
    early = clock.last or episode.first_diagnosis
    known = early and clock.name != "unclear"
    return bool(known) and lines.full_months(early, spread) >= 36


@rule("R44", since=ENDOCRINE_RULE, accepts=CRITERIA_REASONS)
def r44(context, episode):
    found = lines.lines(context, episode)
    return [
        endocrine_line(context, episode, line, found[line.number - 2] if line.number > 1 else None)
        for line in found
        if line.number <= 2 and endocrine_without_chemotherapy(line)
    ]


def endocrine_line(context, episode, line, before):
    tumour_id = episode.index["tumour_id"]
    case = Case("R44", f"{tumour_id}/line-{line.number}", tumour_id, decision=line.start)
    case.due = after(line.start, JOIN)
    receptors = lines.hr_status(episode)
    add_status(case, episode, line)
    if receptors != facts.POSITIVE:
        case.excluded.append("hr-negative" if receptors == facts.NEGATIVE else "hr-unknown")
    induced = before and before.has("chemotherapy") and before.has("her2")
    if induced and line.began_by != "progression":
        case.excluded.append("maintenance")
    if not context.in_force("R44", line.start):
        case.excluded.append("not-in-force")

    on_chemotherapy = reasons_on(context, episode, CHEMOTHERAPY_TOPICS)
    on_her2 = reasons_on(context, episode, HER2_TOPICS)
    on_endocrine = reasons_on(context, episode, {"endocrine"})
    everywhere = on_chemotherapy | on_her2 | on_endocrine
    heart = heart_trouble(context, case.due)
    unsuited = {"contraindication-medical", "contraindication-cardiac", "frailty-documented"}
    criteria = {
        "low-burden": "low-disease-burden" in everywhere,
        "chemotherapy-unsuitable": bool(on_chemotherapy & unsuited),
        "chemotherapy-refused": "patient-refusal" in on_chemotherapy,
        "her2-unsuitable": bool(on_her2 & AGAINST_HER2) or heart,
        "long-interval": long_interval(episode),
    }
    found = [name for name, holds in criteria.items() if holds]
    strict = "low-burden-and-her2-unsuitable"
    if line.begun_with("her2") or context.variant("R44", "endocrine_alone", strict) != strict:
        case.met, case.met_reason = bool(found), next(iter(found), None)
    else:
        case.met = criteria["low-burden"] and criteria["her2-unsuitable"]
        case.met_reason, case.exceptions = strict, found
    case.exceptions += sorted(everywhere)
    if line.in_trial:
        case.exceptions.append("trial")
    if case.due > context.observable and not context.patient.row.get("death_date"):
        case.met, case.exceptions = False, []
    elif not (case.met or case.exceptions):
        case.missing.append("no-criterion-documented")
    return case
