"""The twin: R32, radiotherapy after mastectomy."""

from datetime import date

import twin_facts as facts
from twin_aftercare import (
    LOCAL,
    first_series,
    local_radiotherapy,
    postmastectomy,
    same_side,
)
from twin_case import SHARED_REASONS, documented, rule
from twin_doubts import doubts
from twin_ends import interruptions, other_ends
from twin_radiotherapy import GATE, SINCE, opening, sides_told
from twin_record import after, between

STREAMS = ("surgeries", "radiotherapy")


@rule(
    "R32",
    since=SINCE,
    accepts=SHARED_REASONS - {"toxicity"} | {"mdt-documented-deviation", "pregnancy"},
    gate=GATE,
)
def r32(context, episode):
    return [
        r32_tumour(context, episode, tumour) for tumour in sides_told(context, episode, STREAMS)
    ]


def r32_tumour(context, episode, tumour):
    case = opening(context, episode, "R32", tumour, tumour["tumour_id"], STREAMS)
    patient, variant = context.patient, context.variant("R32", "indication", "t3-or-4-nodes-or-la")
    if case.missing:
        return case
    if any(more_advanced(episode, other, tumour) for other in episode.tumours):
        case.excluded.append("same-side")
    surgery = facts.first_surgery(episode, tumour)
    mastectomy = first_series(episode, tumour, surgery).get("mastectomy") if surgery else None
    if not mastectomy:
        case.excluded.append("no-mastectomy")
        return case
    diagnosis = tumour.get("diagnosis_date")
    neoadjuvant = facts.pathway(episode, tumour) == "neoadjuvant"
    opened = after(diagnosis, -30) if diagnosis else date.min  # dates of biopsy and report differ
    everywhere = {one["tumour_id"]: one for one in patient.tumours}
    if any(
        row.get("start_date")
        and row["start_date"] < opened
        and row.get("target") in (None, *LOCAL)
        and (owner := everywhere.get(facts.tumour_of(row, patient)))
        and same_side(tumour, owner)
        for row in patient.radiotherapy
    ):
        case.excluded.append("previous-radiotherapy")
    needed = postmastectomy(episode, tumour, variant)
    if needed is False:
        case.excluded.append("not-indicated")
    if (
        neoadjuvant
        and context.variant("R32", "after_neoadjuvant", "pre-treatment-stage") == "ypn0-spares"
        and nodes_cleared(episode, tumour, surgery)
    ):
        case.excluded.append("nodes-cleared")
    anchor = surgery if neoadjuvant else diagnosis
    death = patient.row.get("death_date")
    if anchor and death and between(anchor, death) <= 180:
        case.excluded.append("died-early")
    case.decision = mastectomy
    if not context.in_force("R32", mastectomy):
        case.excluded.append("not-in-force")
    if anchor is None:
        case.missing.append("diagnosis-date-missing")
    if needed is None:
        case.missing.append("stage-unknown")
    case.expected = not case.excluded
    if anchor is None:
        return case
    case.due = after(anchor, 365)
    end = facts.recurrence_date(episode, tumour)
    local = local_radiotherapy(context, episode, tumour, before=30)
    timely = [r for r in local if r["start_date"] <= case.due and r["start_date"] < end]
    chest = [r["start_date"] for r in timely if r.get("target") in ("breast", "chest_wall")]
    if chest:
        case.met = True
        late = neoadjuvant and between(surgery, chest[0]) > 250
        case.met_reason = "late" if late else "delivered"
    elif len(patient.tumours) > 1 and tumour.get("laterality") is None:
        case.missing.append("laterality-missing")
    elif any(row.get("target") in (None, "regional_nodes") for row in timely):
        case.missing.append("target-not-recorded")
    case.exceptions += documented(context, episode, "R32", {"radiotherapy"})
    case.exceptions += interruptions(context, episode, anchor, case.due)
    case.exceptions += other_ends(context, episode, anchor, case.due, second=False)
    case.failure = "not-recorded-in-time"
    if not context.linked("treatments"):  # treatment before surgery would move the window
        case.doubts = ["stream-not-linked"]
        return case
    case.doubts = doubts(context, episode, "R32", [], None, diagnosis or date.min)
    return case


def more_advanced(episode, other, tumour):
    """Whether another tumour of the side, with a mastectomy too, is judged in this one's place."""
    surgery = facts.first_surgery(episode, other)
    if other is tumour or not same_side(tumour, other) or not surgery:
        return False
    if "mastectomy" not in first_series(episode, other, surgery):
        return False
    return facts.risk_key(episode, other) < facts.risk_key(episode, tumour)


def nodes_cleared(episode, tumour, surgery):
    """Whether no positive node is left after treatment."""
    found = [
        n
        for row in facts.counted_surgeries(episode, tumour)
        if surgery <= row["surgery_date"] <= after(surgery, 180)
        and (n := facts.read_n(row.get("yp_n")))
    ]
    return bool(found) and not any(facts.node_positive(n) for n in found)
