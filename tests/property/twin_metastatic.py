"""What the twins of the rules on metastatic disease share."""

from datetime import date

import twin_facts as facts
import twin_lines as lines
from twin_case import PALLIATIVE, TRACE, documented, not_invasive
from twin_ends import interruptions
from twin_record import FAMILIES, RULES, after, read_topic

JOIN = 42
TRASTUZUMAB = {"US": date(1998, 9, 25), "EU": date(2000, 1, 1), "ENGLAND": date(2002, 1, 1)}
TDXD_PERTUZUMAB = {"US": date(2025, 12, 15)}
REASONS = {
    *("contraindication-medical", "contraindication-cardiac", "patient-refusal", "trial"),
    *("drug-unavailable", "funding-restriction", "death-before-due", "progression", "toxicity"),
    *(
        "recurrence-before-due",
        "transfer-out",
        "frailty-documented",
        "pregnancy",
        "mdt-documented-deviation",
    ),
}
HER2_TOPICS = {"her2", "her2-antibody", "her2-conjugate", "her2-tki", "trastuzumab", "pertuzumab"}
TDM1_FROM = {"US": date(2013, 2, 22), "EU": date(2013, 11, 1), "ENGLAND": date(2017, 7, 1)}
TDXD_FROM = {"US": date(2022, 5, 4), "EU": date(2022, 7, 1), "ENGLAND": date(2023, 2, 1)}
TUCATINIB_FROM = {"US": date(2020, 4, 17), "EU": date(2021, 2, 1), "ENGLAND": date(2022, 4, 1)}


def relapsed_early(context, rule, episode):
    """Within the guideline's twelve months, or the labels' six where that reading is chosen."""
    name = lines.clock(episode).name
    six = context.variant(rule, "early_relapse", "12-months") == "6-months"
    return name == "early" or (name == "grey-zone" and not six)


def brain_date(context, episode):
    """The first day on which disease in the brain is on record, or None."""
    days = [
        event["event_date"]
        for event in episode.events
        if event["event"] in ("distant_metastasis", "progression") and event.get("site") == "brain"
    ]
    days += [
        row["start_date"]
        for row in context.patient.radiotherapy
        if row.get("target") == "brain"
        and row.get("start_date")
        and facts.tumour_of(row, context.patient) in {None, *episode.ids}
    ]
    return min((day for day in days if day >= lines.considered_from(episode)), default=None)


def interrupted(context, episode, line, due):
    """Death or progression after the line's start and before the due date, as reasons.

    A drug stopped for progression tells one too, and a metastasis found once staging is over.
    """
    reasons = interruptions(context, episode, after(line.start, 1), due)
    if context.patient.row.get("death_date") == line.start:
        reasons.append("death-before-due")
    if line.progression and line.progression < due:
        reasons.append("progression")
    return [
        reason for reason in reasons if reason not in ("recurrence-before-due", PALLIATIVE, TRACE)
    ]


def perhaps_progressed(context, case, episode, line):
    """Whether a failure that is due may be one of a line overtaken by progression.

    A metastasis or recurrence, which may be staging, came within the window; no drug begun before
    it was given from then on, and it was replaced, or had not been given after the first day.
    """
    progression = line.progression or facts.LATE
    if case.met or case.open or case.due > context.observable or progression < case.due:
        return False
    wanted = FAMILIES["her2"] | FAMILIES["chemotherapy"]
    given = [one for one in line.given if one.drug in wanted]
    first = {drug: line.first_day(drug) for drug in line.drugs & wanted}
    for day in episode.days_of(*facts.RECURRENCES):
        old = [one for one in given if first[one.drug] < day]
        if not line.start < day < case.due or any(o.dose.open or o.dose.drug.regimen for o in old):
            continue
        stopped = not any(day <= one.day <= case.due for one in old)
        days = {one.day for one in given if one.day <= case.due}
        if old and stopped and (max(days) >= day or days == {line.start}):
            return True
    return False


def heart_trouble(context, due, low=None):
    """Whether heart failure, or an LVEF below `low`, is on record by the due date."""
    failed = any(
        event["event"] == "heart_failure" and event.get("event_date") and event["event_date"] <= due
        for event in context.patient.events
    )
    return failed or any(
        low
        and row.get("lvef_percent") is not None
        and row["lvef_percent"] < low
        and row.get("assessment_date")
        and row["assessment_date"] <= due
        for row in context.patient.tables.get("cardiac_assessments", [])
    )


def weak_heart(context, line):
    """Whether the record speaks against HER2 drugs by the end of the line's join window."""
    last = after(line.start, JOIN)
    return heart_trouble(context, last) or any(
        row.get("lvef_percent") is not None
        and row["lvef_percent"] < 50
        and row.get("assessment_date")
        and after(line.start, -120) <= row["assessment_date"] <= last
        for row in context.patient.tables.get("cardiac_assessments", [])
    )


def documented_cardiac(context, episode, rule_id):
    """A cardiac contraindication to an antibody, where any HER2 drug was asked for."""
    topics = {"trastuzumab", "pertuzumab", "her2-antibody", "lvef"}
    found = documented(context, episode, rule_id, topics)
    return ["contraindication-cardiac"] if "contraindication-cardiac" in found else []


def ild_before(context, line):
    return any(
        event["event"] == "ild" and event.get("event_date") and event["event_date"] <= line.start
        for event in context.patient.events
    )


def sites_of_metastases(episode, last):
    """The sites that the metastases dated by then name, None where one names none."""
    return {
        event.get("site")
        for event in episode.events
        if event["event"] == "distant_metastasis" and event["event_date"] <= last
    }


def local_treatment_unseen(context, case, episode):
    """Whether a failure that is due could be excused by a table which is not linked."""
    if case.met or case.open or case.due > context.observable:
        return False
    if context.linked("radiotherapy") and context.linked("surgeries"):
        return False
    alone = sites_of_metastases(episode, case.due) == {"brain"}
    return alone and not treated_locally(context, case.due)


def brain_alone_treated_locally(context, episode, due):
    """Whether every metastasis by then is one of the brain, with its local treatment on record."""
    return sites_of_metastases(episode, due) == {"brain"} and treated_locally(context, due)


def treated_locally(context, due):
    """Whether radiotherapy of the brain or a metastasectomy is on record by then."""
    return any(
        row.get("target") == "brain" and row.get("start_date") and row["start_date"] <= due
        for row in context.patient.radiotherapy
    ) or any(
        row.get("procedure") == "metastasectomy"
        and row.get("surgery_date")
        and row["surgery_date"] <= due
        for row in context.patient.surgeries
    )


def endocrine_without_chemotherapy(line):
    return line.begun_with("endocrine") and not line.begun_with("chemotherapy", "her2-conjugate")


def add_status(case, episode, line):
    """In-situ carcinoma, and HER2 that is not known to be positive at the time of the line."""
    if not_invasive(episode, episode.index):
        case.excluded.append("in-situ")
    status = lines.her2_at(episode, line)
    if status != facts.POSITIVE:
        case.excluded.append("her2-negative" if status == facts.NEGATIVE else "her2-unknown")


def unavailable(context, episode, rule_id, topics):
    """Whether a drug is documented as not to be had, for want of supply or of money."""
    return any(
        row.get("reason") in ("drug-unavailable", "funding-restriction")
        and read_topic(row.get("topic"), context.drugs) & (topics | {RULES[rule_id]})
        for row in context.patient.exceptions
        if not row.get("tumour_id") or row["tumour_id"] in episode.ids
    )
