"""The twin: paclitaxel with trastuzumab and no more in stage I (R16)."""

from datetime import date
from itertools import pairwise

import twin_facts as facts
from twin_case import (
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
)
from twin_chemotherapy import weights
from twin_doubts import doubts
from twin_ends import interruptions
from twin_record import EITHER_TAXANE, after, between
from twin_regimen import PACLITAXEL, PACLITAXEL_DOSES, adjuvant, beside, named_once

APT = date(2015, 1, 8)
TOPICS = CHEMOTHERAPY_TOPICS | {"pertuzumab", "her2"}


@rule(
    "R16",
    since={"US": APT, "EU": APT, "ENGLAND": APT},
    accepts=SHARED_REASONS | {"mdt-documented-deviation"},
)
def r16(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    case = Case("R16", key, key)
    if context.variant("R16", "stage_i", "paclitaxel-trastuzumab") == "dual-for-all":
        case.excluded.append("void-by-variant")
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if not (context.linked("treatments") and context.linked("surgeries")):
        case.missing.append("stream-not-linked")
        return [case]
    if not facts.pathway(episode, tumour).startswith("surgery-first"):
        case.excluded.append("not-surgery-first")
        return [case]
    given = adjuvant(episode, tumour)
    cytotoxic = first_series([dose for dose in given if dose.has(CYTOTOXIC)])
    if not any(dose.has("her2") for dose in given):
        case.excluded.append("no-her2-therapy")
    if not cytotoxic:
        case.excluded.append("no-chemotherapy")
    if case.excluded:
        return [case]
    case.decision = next(dose.date for dose in given if dose.has("her2", CYTOTOXIC))
    if not context.in_force("R16", case.decision):
        case.excluded.append("not-in-force")
    stage = stage_i(tumour)
    if stage is False:
        case.excluded.append("not-stage-i")
    others = [t for t in episode.tumours if t is not tumour and facts.is_invasive(episode, t)]
    if not all(small(episode, other) for other in others) or beside(episode, given):
        case.excluded.append("other-tumour")
    if stage is None:
        case.missing.append("stage-unknown")
    surgery = facts.first_surgery(episode, tumour)
    if not surgery:
        case.missing.append("surgery-undated")
    judge_regimen(context, episode, case, given, cytotoxic)
    opened = tumour.get("diagnosis_date") or date.min
    overtreated = case.failure in ("anthracycline-given", "pertuzumab-given")
    if overtreated:
        opened = None  # what was given elsewhere takes nothing of this away
    wanted = not complete(given) or overtreated  # else there is nothing that a reason excuses
    if wanted:
        case.exceptions += documented(context, episode, "R16", TOPICS)
        if in_trial(episode, date.min, after(facts.recurrence_date(episode, tumour), -1)):
            case.exceptions.append("trial")
    if wanted and not overtreated:
        case.exceptions += stops(cytotoxic)
        case.exceptions += interruptions(context, episode, case.decision, case.due)
    needs = ["trastuzumab", "taxane"]
    window = None if overtreated else (date.min, case.due)
    case.doubts = doubts(context, episode, "R16", needs, window, opened)
    return [case]


def first_series(cytotoxic):
    """The chemotherapy up to its first pause of more than half a year."""
    days = [dose.date for dose in cytotoxic]
    resumed = next((b for a, b in pairwise(days) if between(a, b) > 183), facts.LATE)
    return [dose for dose in cytotoxic if dose.date < resumed]


def stage_i(tumour):
    """Whether the pathologic stage is pT1a to pT1c and pN0; None where it is open."""
    n = facts.pathological_n(tumour)
    own = facts.read_t(tumour.get("pathological_t"))
    t = facts.t_with_size(own, tumour.get("pathological_size_mm"))
    if facts.is_inflammatory(tumour) or facts.node_positive(n) or facts.at_least(t, "T2"):
        return False
    if t is not None and not facts.at_least(t, "T1a"):
        return False
    return None if t is None or n is None else True


def small(episode, tumour):
    """Whether a tumour beside is known to be no higher than stage I."""
    t, n = facts.stage_by_pathway(tumour, facts.pathway(episode, tumour))
    return t is not None and not facts.at_least(t, "T2") and (n or "").startswith("N0")


def complete(given):
    """Whether trastuzumab and enough weekly doses of paclitaxel are recorded."""
    own = [dose for dose in given if dose.has(*PACLITAXEL)]
    doses = sum(1 if weight < 1 else 3 for weight in weights(own, *PACLITAXEL).values())
    return doses >= PACLITAXEL_DOSES and any(dose.has("trastuzumab") for dose in given)


def judge_regimen(context, episode, case, given, cytotoxic):
    """Paclitaxel with trastuzumab, no anthracycline, and no pertuzumab until it is closed."""
    case.due = after(cytotoxic[-1].date, 90)
    pertuzumab = [d for d in given if d.has("pertuzumab") and d.date <= case.due]
    own = [dose for dose in given if dose.has(*PACLITAXEL)]
    either = any(dose.has(EITHER_TAXANE) for dose in given)
    anthracycline = [dose for dose in cytotoxic if dose.has("anthracycline")]
    if anthracycline or pertuzumab:
        case.closed = min(d.date for d in anthracycline + pertuzumab) <= context.observable
        case.failure = "anthracycline-given" if anthracycline else "pertuzumab-given"
    elif case.due > context.observable:
        case.open = True
    elif not any(dose.has("trastuzumab") for dose in given):
        case.failure = "no-trastuzumab"
    elif complete(given):
        case.met, case.met_reason = True, "deescalated"
    elif either:
        case.missing.append("taxane-not-named")
    elif any(dose.open for dose in own) or named_once(own, *PACLITAXEL):
        case.missing.append("no-end-date")
    else:
        case.failure = "paclitaxel-short" if own else "paclitaxel-not-recorded"
