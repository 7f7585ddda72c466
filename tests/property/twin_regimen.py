"""The twin: the chemotherapy that goes with trastuzumab after surgery (R15)."""

from datetime import date, timedelta

import twin_facts as facts
from twin_backbone import SAME_CYCLE, paired
from twin_case import (
    ADJUVANT_TRASTUZUMAB,
    CHEMOTHERAPY_TOPICS,
    CYTOTOXIC,
    SHARED_REASONS,
    Case,
    documented,
    in_trial,
    not_invasive,
    rule,
    status_reasons,
    stops,
    undated,
)
from twin_chemotherapy import FORTNIGHTLY, equivalents, weights
from twin_doubts import doubts
from twin_ends import interruptions, other_ends, stopping_events
from twin_holds import cardiac_stops
from twin_record import EITHER_TAXANE, FAMILIES, after, between, days_in_sequence, is_course

DOCETAXEL_CARBOPLATIN_FROM = date(2008, 5, 1)
PACLITAXEL_ALONE_FROM = date(2015, 1, 8)
PACLITAXEL = ("paclitaxel", "nab-paclitaxel")
BESIDE = ("anthracycline", "platinum", "cyclophosphamide", "docetaxel")
ENOUGH = {"anthracycline": 3, "taxane": 3, "carboplatin": 5, "cyclophosphamide": 3}
PACLITAXEL_DOSES = 10
LARGEST_MM = 30
NEAR = timedelta(days=SAME_CYCLE)
SURE, UNKNOWN, SHORT = "sure", "unknown", "short"


@rule(
    "R15", since=ADJUVANT_TRASTUZUMAB, accepts=SHARED_REASONS | {"frailty-documented", "pregnancy"}
)
def r15(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    case = Case("R15", f"{key}/adjuvant", key)
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    way = facts.pathway(episode, tumour)
    if not (context.linked("treatments") and context.linked("surgeries")):
        case.missing.append("stream-not-linked")
        return [case]
    if not way.startswith("surgery-first"):
        case.excluded.append("not-surgery-first")
        return [case]
    r15_stage(case, episode, tumour, way)
    given = adjuvant(episode, tumour)
    trastuzumab = [dose for dose in given if dose.has("trastuzumab")]
    if not trastuzumab:
        case.excluded.append("no-adjuvant-trastuzumab")
        return [case]
    case.decision = next(dose.date for dose in given if dose.has("trastuzumab", CYTOTOXIC))
    if not context.in_force("R15", case.decision):
        case.excluded.append("not-in-force")
    surgery = facts.first_surgery(episode, tumour)
    if not surgery:
        case.missing.append("surgery-undated")
        surgery = date.min
    cytotoxic = [dose for dose in given if dose.has(CYTOTOXIC)]
    case.due = after(cytotoxic[-1].date if cytotoxic else trastuzumab[0].date, 90)
    judge_backbone(context, episode, case, cytotoxic)
    case.exceptions += documented(context, episode, "R15", CHEMOTHERAPY_TOPICS)
    # A trial of the HER2-targeted treatment assigns what goes with it, frailty bears on all of it.
    whole = documented(context, episode, "R15", {"her2"})
    case.exceptions += {"trial", "frailty-documented"} & set(whole)
    case.exceptions += stops(cytotoxic)
    if in_trial(episode, date.min, after(facts.recurrence_date(episode, tumour), -1)):
        case.exceptions.append("trial")
    case.exceptions += stopping_events(context, case.decision, case.due)
    case.exceptions += cardiac_stops(context, episode, case.decision, case.due)
    case.exceptions += interruptions(context, episode, case.decision, case.due)
    case.exceptions += other_ends(context, episode, case.decision, case.due, second=False)
    opened = tumour.get("diagnosis_date") or date.min
    case.doubts = doubts(context, episode, "R15", [CYTOTOXIC], (date.min, case.due), opened)
    if undated(context, "trastuzumab") and not context.in_force("R15", surgery):
        case.doubts.append("undated-row")  # it may have been the first dose
    return [case]


def adjuvant(episode, tumour):
    """The curative systemic doses from surgery on and before any recurrence."""
    start = facts.first_surgery(episode, tumour) or date.min
    end = facts.recurrence_date(episode, tumour)
    return [
        dose
        for dose in episode.systemic
        if start <= dose.date < end and not episode.is_metastatic(dose)
    ]


def r15_stage(case, episode, tumour, way):
    """Whether the tumour is above 10 mm or node-positive."""
    t, n = facts.stage_by_pathway(tumour, way)
    if facts.at_least(t, "T1c") or facts.node_positive(n):
        return
    if n is None or t in (None, "T1"):
        case.missing.append("stage-unknown")
    else:
        case.excluded.append("small-tumour")


def judge_backbone(context, episode, case, given):
    """Which listed backbone the cytotoxic doses are, whether whole, or why none."""
    strict = context.variant("R15", "backbone", "any-listed") == "anthracycline-taxane"
    found = {"anthracycline-taxane": sequence(given)}
    if not strict:
        found["docetaxel-carboplatin"] = with_partner(given, "carboplatin")
        found["docetaxel-cyclophosphamide"] = with_partner(given, "cyclophosphamide")
    listed = found["anthracycline-taxane"] or case.decision >= DOCETAXEL_CARBOPLATIN_FROM
    if found.get("docetaxel-carboplatin") and not listed:
        case.excluded.append("not-in-force")
        found["docetaxel-carboplatin"] = None
    for name, enough in found.items():
        if enough == SURE:
            case.met, case.met_reason = True, name
            break
    alone = None if strict else paclitaxel_alone(given, beside(episode, given))
    if not case.met and SHORT in found.values() and by_name(given, CYTOTOXIC):
        case.met = True  # a source that names the regimen once may record its other parts once
    suits = alone and paclitaxel_suits(episode)
    if alone and not case.met:
        perhaps = perhaps_listed(given, strict, alone, suits)
        judge_alone(case, alone, suits, perhaps)
    if case.met and by_name(given, CYTOTOXIC):
        case.met_reason = None  # part of it stands behind a regimen's name
    either = any(dose.has(EITHER_TAXANE) for dose in given)
    decides = either and not strict and not any(dose.has("anthracycline") for dose in given)
    if decides and not case.met_reason:
        case.missing.append("taxane-not-named")
    unended = any(dose.open for dose in given) or days_in_sequence(given)
    if not case.met and unended and any(found.values()):
        case.missing.append("no-end-date")
    if not case.met and not case.missing and perhaps_listed(given, strict, alone, suits):
        unended = any(dose.open for dose in given)
        case.missing.append("no-end-date" if unended else "doses-not-dated")
    case.failure = why_not(given, [*found.values(), suits is not False and alone])


def perhaps_listed(given, strict, alone, suits):
    """Whether doses of a course, wherever they were given, may have made a listed backbone."""
    parts = [(most(given, name), name) for name in ("anthracycline", "taxane")]
    if all(round(count, 6) >= ENOUGH[name] for count, name in parts):
        return True
    if strict:
        return False
    partners = ("carboplatin", "cyclophosphamide")
    if any(round(most_paired(given, name), 6) >= ENOUGH[name] for name in partners):
        return True
    enough = round(3 * most(given, *PACLITAXEL), 6) >= PACLITAXEL_DOSES
    return bool(alone) and suits is not False and enough


def told(given, drug):
    """(first day, last day, most equivalents) of each single day and each course of a drug."""
    own = [dose for dose in given if dose.has(drug)]
    single = {dose.date for dose in own if not is_course(dose)}
    rows = {id(dose.row): dose.row for dose in own if is_course(dose)}
    spans = [(row["start_date"], ending(row)) for row in rows.values()]
    weight = weights(own, drug)
    return [(day, day, 1 if spans else weight[day]) for day in single] + [
        (first, last, fortnights(first, last)) for first, last in spans
    ]


def ending(row):
    return max(row["start_date"], row.get("end_date") or facts.LATE)


def fortnights(first, last):
    """How many doses every two weeks there is time for."""
    return 1 + between(first, last) // FORTNIGHTLY


def most(given, *names):
    """The most three-weekly equivalents that the drugs may have been, however often."""
    drugs = set().union(*(FAMILIES.get(name, {name}) for name in names))
    spread = sum(count for drug in drugs for _, _, count in told(given, drug))
    return max(spread, equivalents(given, *names))


def most_paired(given, partner):
    """The most cycles of docetaxel that may have had the partner beside them."""
    total = 0
    for first, last, count in told(given, "docetaxel"):
        shared = 0
        for begun, ended, _ in told(given, partner):
            earliest, latest = max(first, begun - NEAR), min(last, widened(ended))
            shared += fortnights(earliest, latest) if earliest <= latest else 0
        total += min(count, shared)
    return total


def widened(day):
    return day if day == facts.LATE else day + NEAR


def judge_alone(case, alone, suits, perhaps):
    """Paclitaxel alone: enough where node-negative up to 30 mm, flagged where node-positive."""
    if suits is not False and case.decision < PACLITAXEL_ALONE_FROM:
        case.excluded.append("not-in-force")
    if suits is False:
        return
    if suits is None and (alone != SHORT or perhaps):
        case.missing.append("stage-unknown")
    elif alone == SHORT:
        return
    elif alone == UNKNOWN:
        case.missing.append("no-end-date")
    else:
        case.met = True
        flagged = "flag-node-positive-deescalated"
        case.met_reason = flagged if suits == "flagged" else "paclitaxel-trastuzumab"


def paclitaxel_suits(episode):
    """True, False, None (unknown), or "flagged" in node-positive disease."""
    tumour = episode.index
    t, n = facts.stage_by_pathway(tumour, facts.pathway(episode, tumour))
    if facts.node_positive(n):
        return "flagged"
    sizes = (tumour.get("pathological_size_mm"), tumour.get("clinical_size_mm"))
    size = next((size for size in sizes if size), None)
    small = None
    if t is None or t == "T2":
        small = None if size is None else size <= LARGEST_MM
    else:
        small = not facts.at_least(t, "T3")
    if n is None:
        return True if small else None
    return small


def why_not(given, found):
    if not given:
        return "no-chemotherapy"
    if not any(dose.has("taxane") for dose in given):
        return "no-taxane"
    return "regimen-short" if SHORT in found else "backbone-not-listed"


def named_once(given, *names):
    """Whether one of the drugs stands on just one day, and that behind the name of a regimen."""
    for drug in set().union(*(FAMILIES.get(name, {name}) for name in names)):
        own = [dose for dose in given if dose.has(drug)]
        if len({dose.date for dose in own}) == 1 and any(dose.drug.regimen for dose in own):
            return True
    return False


def by_name(given, *names):
    """Whether a regimen's name stands for the cycles of one of the drugs: no course is open."""
    return named_once(given, *names) and not any(dose.open for dose in given)


def amount(given, doses, least, *names):
    """Whether the doses are enough: a regimen's name recorded once stands for its cycles."""
    if not doses:
        return None
    if equivalents(doses, *names) >= least or by_name(given, *names):
        return SURE
    return UNKNOWN if any(dose.open for dose in doses) else SHORT


def sequence(given):
    """An anthracycline and a taxane, each with enough cycles."""
    parts = [
        amount(given, [dose for dose in given if dose.has(name)], ENOUGH[name], name)
        for name in ("anthracycline", "taxane")
    ]
    if None in parts:
        return None
    return next(part for part in (SHORT, UNKNOWN, SURE) if part in parts)


def with_partner(given, partner):
    """Docetaxel with a partner in the same cycle."""
    docetaxel = [dose for dose in given if dose.has("docetaxel")]
    others = {dose.date for dose in given if dose.has(partner)}
    days = paired({dose.date for dose in docetaxel}, others)
    if not days:
        return None
    if by_name(given, "docetaxel"):
        return SURE
    weight = weights(docetaxel, "docetaxel")
    if sum(weight[day] for day in days) >= ENOUGH[partner]:
        return SURE
    return UNKNOWN if any(dose.open for dose in docetaxel) else SHORT


def beside(episode, given):
    """The cytotoxic drugs whose every row names another tumour, invasive and not known to be
    HER2-positive."""
    others = {
        tumour["tumour_id"]
        for tumour in episode.tumours
        if tumour is not episode.index
        and facts.is_invasive(episode, tumour)
        and episode.status[tumour["tumour_id"]] != facts.POSITIVE
    }
    named = set().union(*(dose.drug.ingredients for dose in given)) & FAMILIES["chemotherapy"]
    return {
        drug for drug in named if {d.row.get("tumour_id") for d in given if d.has(drug)} <= others
    }


def paclitaxel_alone(given, beside):
    """Paclitaxel with nothing of what makes another backbone beside it, but for other tumours."""
    own = [dose for dose in given if dose.has(*PACLITAXEL)]
    named = set().union(*(dose.drug.ingredients for dose in given)) - beside
    besides = set().union(*(FAMILIES.get(name, {name}) for name in BESIDE))
    if not named & FAMILIES["taxane"] or not own or named & besides:
        return None
    doses = sum(1 if weight < 1 else 3 for weight in weights(own, *PACLITAXEL).values())
    if doses >= PACLITAXEL_DOSES:
        return SURE
    return UNKNOWN if any(dose.open for dose in own) else SHORT
