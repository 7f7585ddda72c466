"""The twin: R45: late-line agents, and the earlier treatment that each asks for."""

from datetime import date

import twin_facts as facts
import twin_lines as lines
from twin_case import Case, documented, rule
from twin_doubts import doubts
from twin_metastatic import (
    JOIN,
    TDXD_FROM,
    TDXD_PERTUZUMAB,
    TUCATINIB_FROM,
    add_status,
    brain_date,
    relapsed_early,
)
from twin_record import FAMILIES, after, doses_of_row

TDXD = "trastuzumab-deruxtecan"
ALWAYS = date(2007, 3, 13)
SINCE = {
    TDXD: {"US": date(2019, 12, 20), "EU": date(2021, 1, 1), "ENGLAND": date(2021, 5, 1)},
    "neratinib": {"US": date(2020, 2, 25)},
    "tucatinib": TUCATINIB_FROM,
    "margetuximab": {"US": date(2020, 12, 16)},
    "lapatinib": dict.fromkeys(("US", "EU", "ENGLAND"), ALWAYS),
}
TOPICS = {
    "margetuximab": {"margetuximab", "her2-antibody", "her2"},
    "neratinib": {"neratinib", "her2-tki", "her2"},
    "tucatinib": {"tucatinib", "her2-tki", "her2"},
    "lapatinib": {"lapatinib", "her2-tki", "her2"},
    TDXD: {TDXD, "her2-conjugate", "her2"},
}


@rule(
    "R45",
    since=dict.fromkeys(("US", "EU", "ENGLAND"), ALWAYS),
    accepts={
        *("contraindication-medical", "contraindication-cardiac", "toxicity", "trial"),
        *("drug-unavailable", "funding-restriction", "mdt-documented-deviation"),
    },
)
def r45(context, episode):
    return [
        agent_case(context, episode, line, agent, day)
        for line in lines.lines(context, episode)
        for agent in sorted(SINCE)
        if (day := begun(line, agent)) and settled_in(context, line, day)
    ]


def settled_in(context, line, day):
    """Whether a drug begun late in a line can't turn out to begin the next one."""
    return day <= after(line.start, JOIN) or after(day, JOIN) <= context.observable


def begun(line, agent):
    """The first day of an agent in a line; with neratinib, on which capecitabine was begun too."""
    day = line.first_day(agent)
    if agent != "neratinib" or not day:
        return day
    partner = line.first_day("capecitabine")
    return max(day, partner) if partner else None


def regimens(context, episode, line, agent, day):
    """(HER2-directed regimens for metastatic disease before the day, those and early ones)."""
    metastatic, every = lines.prior_regimens(context, episode, line.number)
    first = min((one.day for one in others_before(line, agent, day)), default=day)
    progressed = first < day and line.progression and first <= line.progression <= day
    here = 1 if after(first, JOIN) < day or progressed else 0
    return metastatic + here, every + here


def others_before(line, agent, day):
    """The doses of the other HER2-directed drugs of the line that were begun before the day."""
    begun_before = {one.drug for one in line.given if one.day < day}
    others = begun_before & FAMILIES["her2"] - {agent}
    return [one for one in line.given if one.drug in others]


def agent_case(context, episode, line, agent, day):
    tumour_id = episode.index["tumour_id"]
    subject = f"{tumour_id}/line-{line.number}/{agent}"
    case = Case("R45", subject, tumour_id, decision=day, due=day)
    add_status(case, episode, line)
    if line.in_trial:
        case.excluded.append("trial")
    if day < SINCE[agent].get(context.jurisdiction, facts.LATE):
        case.excluded.append("not-in-force")
    metastatic, every = regimens(context, episode, line, agent, day)
    clock = lines.clock(episode).name
    if agent in ("neratinib", "margetuximab"):
        case.met = every >= 2 and metastatic >= 1
    elif agent == "tucatinib":
        case.met = metastatic >= 1
        tucatinib(context, case, episode, line, clock)
    elif agent == "lapatinib":
        lapatinib(context, case, episode, line, day)
    else:
        early = relapsed_early(context, "R45", episode)
        second_line = day >= TDXD_FROM[context.jurisdiction]
        with_pertuzumab = (
            line.number == 1
            and day >= TDXD_PERTUZUMAB.get(context.jurisdiction, facts.LATE)
            and any(one.drug == "pertuzumab" and one.day <= after(day, JOIN) for one in line.given)
        )
        case.met = (
            metastatic >= 2 or (second_line and (metastatic >= 1 or early)) or with_pertuzumab
        )
        if second_line and clock == "unclear" and not case.met:
            case.missing.append("interval-unclear")
        if line.number == 1 and day >= TDXD_PERTUZUMAB.get(context.jurisdiction, facts.LATE):
            case.due = after(day, JOIN)
    case.exceptions = documented(context, episode, "R45", TOPICS[agent])
    settled = case.due == day or case.due <= context.observable  # no companion is awaited
    others = others_before(line, agent, day)
    replaced = others and all(one.day < day for one in others)
    uncertain = line.uncertain_number or replaced or day > after(line.start, JOIN)
    if uncertain and settled and not case.met:
        case.missing.append("line-uncertain")
    opened = episode.index.get("diagnosis_date") or date.min
    needs = ["her2", "taxane", "anthracycline"]
    case.doubts = doubts(context, episode, "R45", needs, (date.min, case.due), opened)
    case.failure = "prior-therapy-not-recorded"
    return case


def tucatinib(context, case, episode, line, clock):
    """After an early relapse with disease in the brain, adjuvant treatment is the first line."""
    brain = brain_date(context, episode)
    in_brain = brain and brain <= after(line.start, JOIN)
    early = relapsed_early(context, "R45", episode)
    if early and in_brain:
        case.met = True
    elif clock == "unclear" and in_brain and not case.met:
        case.missing.append("interval-unclear")
    elif (early or clock == "unclear") and not (case.met or context.linked("radiotherapy")):
        case.missing.append("brain-unknown")


def lapatinib(context, case, episode, line, day):
    """After anthracycline, taxane and trastuzumab; or with letrozole where HR-positive."""
    case.due = after(day, JOIN)
    rows = context.patient.treatments
    every = [dose for row in rows for dose in doses_of_row(row, context.drugs)]
    before = [dose for dose in every if dose.date < day]
    wanted = ("anthracycline", "taxane", "trastuzumab")
    pretreated = all(any(dose.has(name) for dose in before) for name in wanted)
    letrozole = any(one.drug == "letrozole" and one.day <= case.due for one in line.given)
    receptors = lines.hr_status(episode)
    case.met = pretreated or (letrozole and receptors == facts.POSITIVE)
    if letrozole and receptors == "unknown" and not case.met:
        case.missing.append("hr-unknown")
