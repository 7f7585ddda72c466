"""The twin: R28, infusion reactions; R29, ILD under trastuzumab deruxtecan."""

from datetime import date
from itertools import pairwise

import twin_facts as facts
from twin_case import ANTIBODY, HER2_TOPICS, TDXD, Case, documented, not_invasive, rule
from twin_doubts import doubts
from twin_heart import METASTATIC, is_course
from twin_record import FAMILIES, RULES, after, between, read_topic

MEDICINES = {"dexamethasone", "hydrocortisone", "paracetamol"}  # those that are generated
INFUSED = FAMILIES["her2-antibody"] | FAMILIES["her2-conjugate"] | FAMILIES["chemotherapy"]
ANTIBODIES = FAMILIES["her2-antibody"]
REACTION_TOPICS = {"trastuzumab", "pertuzumab", "margetuximab", ANTIBODY, "her2"}
T_DXD = {"US": date(2019, 12, 20), "EU": date(2021, 1, 1), "ENGLAND": date(2021, 5, 1)}
GRAVITY = ["given-again", "nothing-done", "no-medicine", "infusion-not-changed"]


# --- infusion reactions ----------------------------------------------------------------------


@rule("R28", since=METASTATIC, accepts={"mdt-documented-deviation"})
def r28(context, episode):
    index = episode.index["tumour_id"]
    case = Case("R28", index, index)
    if not (context.linked("treatments") and context.linked("events")):
        case.missing.append("stream-not-linked")
        if not_invasive(episode, episode.index):
            case.excluded.append("in-situ")
        return [case]
    events = [
        event
        for event in context.patient.events
        if event["event"] in ("infusion_reaction", "anaphylaxis") and event.get("event_date")
    ]
    concerned = [event for event in events if with_antibody(context, episode, event)]
    judged = [event for event in concerned if is_grave(event) or (event.get("grade") or 2) >= 2]
    if not concerned:
        case.excluded.append("no-reaction")
    elif not judged:
        case.excluded.append("mild")
    else:
        case.decision = min(event["event_date"] for event in judged)
        if not context.in_force("R28", case.decision):
            case.excluded.append("not-in-force")
        react(case, context, episode, judged)
    return [case]


def is_grave(event):
    return event["event"] == "anaphylaxis" or (event.get("grade") or 0) >= 4


def told(dose):
    """Whether the drug was surely given on the day: by no course, nor a name told in sequence."""
    return not is_course(dose.row) and not dose.in_sequence


def given_on(context, day):
    """The infused drugs of the patient on that day or the day before, whichever tumour's."""
    found = set()
    for episode in facts.episodes(context.patient, context.drugs):
        for dose in episode.doses:
            if told(dose) and after(day, -1) <= dose.date <= day:
                found |= dose.drug.ingredients & INFUSED
    return found


def antibodies_on(episode, day):
    found = set()
    for dose in episode.doses:
        if told(dose) and after(day, -1) <= dose.date <= day:
            found |= dose.drug.ingredients & ANTIBODIES
    return found


def with_antibody(context, episode, event):
    """Whether the reaction belongs to a HER2 antibody of the episode, as far as is known."""
    day = event["event_date"]
    if antibodies_on(episode, day):
        return True
    before = any(
        dose.has(*ANTIBODIES)
        and (after(day, -21) <= dose.date <= day or (dose.open and dose.date <= day))
        for dose in episode.doses
    )
    return before and not given_on(context, day)


def react(case, context, episode, judged):
    """Looks at every reaction and lets the gravest outcome count."""
    plan = any(
        row.get("reason") == "mdt-documented-deviation"
        and (not row.get("tumour_id") or row["tumour_id"] in episode.ids)
        and read_topic(row.get("topic"), context.drugs) & (REACTION_TOPICS | {RULES["R28"]})
        for row in context.patient.exceptions
    )
    failures, lacks, planned = [], [], False
    for event in judged:
        failure, day, lack, again = outcome(context, episode, event)
        if failure == "given-again" and plan:
            failure, day, lack, _ = outcome(context, episode, event, ask_again=False)
        if lack in ("culprit-not-recorded", "days-not-recorded") and plan:
            lack = None
        if failure:
            failures.append((GRAVITY.index(failure), day, event["event_date"]))
        if lack:
            lacks.append(lack)
        planned |= plan and again
    if failures:
        case.failure = GRAVITY[min(failures)[0]]
        case.exceptions += documented(context, episode, "R28", REACTION_TOPICS)
        first, last = min(f[2] for f in failures), max(f[1] for f in failures)
        window = (first, after(last, 1))
        case.doubts += doubts(context, episode, "R28", [ANTIBODY], window, last)
    elif lacks:
        case.missing += sorted(lacks)
    else:
        case.met, case.met_reason = True, "rechallenge-documented" if planned else "managed"


def outcome(context, episode, event, *, ask_again=True):
    """(failure, its day, what is lacking, whether an antibody may have been given again)."""
    day, said = event["event_date"], said_on(context, event["event_date"])
    drugs = antibodies_on(episode, day)
    later = {
        name: sorted(
            dose.date
            for dose in episode.doses
            if name in dose.drug.ingredients and dose.date > day and told(dose)
        )
        for name in drugs
    }
    perhaps = is_grave(event) and any(
        dose.drug.ingredients & drugs and (dose.date > day or dose.open) for dose in episode.doses
    )
    if not drugs:
        return None, None, "administration-not-recorded", perhaps
    alone = not given_on(context, day) - ANTIBODIES
    if ask_again and is_grave(event) and all(later.values()) and alone:
        return "given-again", max(days[0] for days in later.values()), None, perhaps
    if said is None:
        return None, None, "action-not-recorded", perhaps
    actions = set(said.split(";"))
    changed = bool(actions & {"rate_reduced", "interrupted", "stopped"})
    days = medicine_days(context)
    treated = "medicated" in actions or any(d and day <= d <= after(day, 1) for d in days)
    if not changed or not (treated or None in days):
        failure = "infusion-not-changed" if changed is False else "no-medicine"
        if not changed and not treated and None not in days:
            failure = "nothing-done"
        return failure, day, None, perhaps
    if not treated:
        return None, None, "medicine-without-date", perhaps
    if is_grave(event) and any(later.values()):
        return None, None, "culprit-not-recorded", perhaps
    return None, None, "days-not-recorded" if perhaps else None, perhaps


def said_on(context, day):
    """What was done at the reactions of the day, in any of their rows; None where no row says."""
    told = [
        event["action"]
        for event in context.patient.events
        if event["event"] in ("infusion_reaction", "anaphylaxis")
        and event.get("event_date") == day
        and event.get("action") is not None
    ]
    return ";".join(told) if told else None


def medicine_days(context):
    """The days of drugs against reactions; None for a row without a date."""
    return [
        row.get("start_date")
        for row in context.patient.treatments
        if row.get("drug") in context.drugs and context.drugs[row["drug"]].ingredients & MEDICINES
    ]


# --- interstitial lung disease ---------------------------------------------------------------


@rule("R29", since=T_DXD, accepts={"trial"}, gate=0)
def r29(context, episode):
    index = episode.index["tumour_id"]
    case = Case("R29", index, index, site=episode.index.get("site_id"))
    if not context.linked("treatments"):
        case.missing.append("stream-not-linked")
        if not_invasive(episode, episode.index):
            case.excluded.append("in-situ")
        return [case]
    doses = [dose for dose in episode.doses if dose.has(TDXD)]
    if not doses:
        return []
    days = sorted({dose.date for dose in doses})
    case.decision = days[0]
    start = min(
        dose.date
        for one in facts.episodes(context.patient, context.drugs)
        for dose in one.doses
        if dose.has(TDXD)
    )
    lungs = [
        event
        for event in context.patient.events
        if event["event"] == "ild" and event.get("event_date") and event["event_date"] >= start
    ]
    endless = any(dose.open for dose in doses)
    if any(dose.row.get("trial") is True for dose in doses):
        case.excluded.append("trial")
    if len(days) < 3 and not endless and not lungs:
        case.excluded.append("few-doses")
    if not context.in_force("R29", days[0]):
        case.excluded.append("not-in-force")
    case.expected = not case.excluded
    case.seen = bool(context.patient.events)
    if not (context.linked("events") and context.linked("imaging")):
        case.missing.append("stream-not-linked")
        return [case]

    exact = max((dose.date for dose in doses if not is_course(dose.row)), default=date.min)

    def goes_on(event):
        """no, perhaps or surely: T-DXd on a later day than the event."""
        if exact > event["event_date"]:
            return "surely"
        if days[-1] > event["event_date"]:
            return "perhaps"
        begun = any(dose.open and dose.date <= event["event_date"] for dose in doses)
        stopped = "stopped" in (event.get("action") or "").split(";")
        return "perhaps" if begun and not stopped else "no"

    topics = (HER2_TOPICS & {"her2", "her2-conjugate"}) | {TDXD}
    case.exceptions += documented(context, episode, "R29", topics)
    continued = [(event.get("grade"), goes_on(event)) for event in lungs if goes_on(event) != "no"]
    grades = {grade for grade, _ in continued}
    if any(grade and grade >= 2 and how == "surely" for grade, how in continued):
        case.failure = "given-after-ild"
        case.doubts += doubts(context, episode, "R29", [TDXD], None, days[-1])
        return [case]
    if None in grades:
        case.missing.append("grade-not-recorded")
    if any(grade and grade >= 2 for grade in grades) or (len(days) < 3 and not lungs):
        case.missing.append("days-not-recorded")
    case.due = after(days[-1], 42)
    if context.patient.row.get("death_date") or case.due <= context.observable:
        case.met, case.met_reason = True, scanned(context, days)
        if 1 in grades:
            case.met_reason = "flag-grade-1-continued"
    return [case]


def scanned(context, days):
    """What the chest CTs tell: a baseline, and no interval of more than a hundred days."""
    scans = sorted(
        row["imaging_date"]
        for row in context.patient.imaging
        if row.get("modality") == "ct_chest" and row.get("imaging_date")
    )
    if not any(-60 <= between(days[0], scan) <= 14 for scan in scans):
        return "flag-no-baseline-scan"
    marks = [days[0], *(scan for scan in scans if days[0] < scan <= days[-1]), days[-1]]
    gaps = [between(one, other) for one, other in pairwise(marks)]
    return "flag-scans-far-apart" if max(gaps) > 100 else "watched"
