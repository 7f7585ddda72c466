"""The twin's facts on what follows surgery: sides, radiotherapy, first course, receptors."""

from datetime import date

import twin_facts as facts
from twin_facts import LATE
from twin_record import FAMILIES, after, between

LOCAL = {"breast", "chest_wall", "regional_nodes"}
SUPPLY = 90  # days that an endocrine row without an end counts for


# --- sides and radiotherapy ------------------------------------------------------------------


def same_side(tumour, other):
    """Whether two tumours are of one breast; a side that is not recorded is nobody else's."""
    if tumour["tumour_id"] == other["tumour_id"]:
        return True
    sides = tumour.get("laterality"), other.get("laterality")
    return sides[0] is not None and (sides[0] == sides[1] or "bilateral" in sides)


def radiotherapy(context, episode, tumour):
    """The episode's dated radiotherapy of the tumour's side, whatever the target, by first day."""
    patient = context.patient
    tumours = {one["tumour_id"]: one for one in episode.tumours}
    rows = []
    for row in patient.radiotherapy:
        owner = tumours.get(facts.tumour_of(row, patient))
        if row.get("start_date") and owner and same_side(tumour, owner):
            rows.append(row)
    return sorted(rows, key=lambda row: row["start_date"])


def local_radiotherapy(context, episode, tumour, *, before=0):
    """Rows at breast, chest wall, nodes or an unrecorded target, not on the day of a breast
    operation, from diagnosis on or `before` days earlier."""
    patient = context.patient
    tumours = {one["tumour_id"]: one for one in patient.tumours}
    operated = {
        row["surgery_date"]
        for row in patient.surgeries
        if row.get("procedure") in ("breast_conserving", "mastectomy", "re_excision")
        and (owner := tumours.get(facts.tumour_of(row, patient)))
        and same_side(tumour, owner)
    }
    start = tumour.get("diagnosis_date")
    return [
        row
        for row in radiotherapy(context, episode, tumour)
        if (row.get("target") is None or row["target"] in LOCAL)
        and (start is None or row["start_date"] >= after(start, -before))
        and row["start_date"] not in operated
    ]


def indicated(episode, tumour):
    """Whether radiotherapy is indicated: the breast conserved, or a postmastectomy indication."""
    surgery = facts.first_surgery(episode, tumour)
    if not surgery:
        return False
    done = first_series(episode, tumour, surgery)
    if "mastectomy" in done:
        return postmastectomy(episode, tumour, "t3-or-4-nodes-or-la") is True
    return "breast_conserving" in done


def first_series(episode, tumour, surgery):
    """The definitive procedures of the first surgical series, with the first day of each."""
    found = {}
    for row in facts.counted_surgeries(episode, tumour):
        if facts.is_definitive(row) and surgery <= row["surgery_date"] <= after(surgery, 180):
            found.setdefault(row.get("procedure"), row["surgery_date"])
    return found


def postmastectomy(episode, tumour, variant):
    """Whether T or nodes ask for radiotherapy after mastectomy; None where they don't decide."""
    way = facts.pathway(episode, tumour)
    t, n = facts.stage_by_pathway(tumour, way)
    count = tumour.get("nodes_positive")
    if t == "T4" or n in ("N2", "N3") or (count is not None and count >= 4):
        return True
    operated_on = facts.pathological_n(tumour) if way.startswith("surgery-first") else n
    few = operated_on == "N1mi" or (
        operated_on is not None and not facts.node_positive(operated_on)
    )
    many = False if few or (count is not None and n is not None) else None
    large = None if t is None else facts.at_least(t, "T3")
    if variant == "t3n1-or-higher" and large is not False:
        large = (large and facts.node_positive(n)) if n is not None else None  # a lost T may be T4
    if large:
        return True
    return None if large is None or many is None else False


# --- the first course ------------------------------------------------------------------------


def first_course_recurrence(episode):
    """The day of the first recurrence, or any metastasis, after the diagnosis, or LATE."""
    start = episode.first_diagnosis or date.min
    days = [*episode.days_of(*facts.RECURRENCES), *episode.metastases]
    return min((day for day in days if day > start), default=LATE)


def first_course_end(episode):
    """The day of the first recurrence or second primary after diagnosis, or LATE."""
    start = episode.first_diagnosis or date.min
    seconds = [day for day in episode.days_of("second_primary") if day > start]
    return min([first_course_recurrence(episode), *seconds])


def known_start(episode):
    """The episode's diagnosis, or where its day is lost the first record of it."""
    records = [facts.known_by(episode, tumour) for tumour in episode.tumours]
    return episode.first_diagnosis or min(filter(None, records), default=None)


def first_course_chemotherapy(episode):
    """Cytotoxic doses of the first course: begun within a year of the episode's diagnosis, without
    a pause of over 183 days, before a recurrence or second primary; no methotrexate without
    cyclophosphamide or fluorouracil within 14 days of it."""
    start, end = known_start(episode), first_course_end(episode)
    given = episode.curative("chemotherapy")
    partners = [d.date for d in given if d.drug.ingredients & {"cyclophosphamide", "fluorouracil"}]
    doses = [
        d
        for d in given
        if d.date < end
        and (
            d.drug.ingredients & FAMILIES["chemotherapy"] != {"methotrexate"}
            or any(abs(between(day, d.date)) <= 14 for day in partners)
        )
    ]
    if start and doses and between(start, doses[0].date) > 365:
        return []
    kept = doses[:1]
    for dose in doses[1:]:
        if between(kept[-1].date, dose.date) > 183:
            break
        kept.append(dose)
    return kept


# --- hormone receptors -----------------------------------------------------------------------


def hormone_receptors(episode, tumour):
    """positive, negative or None, from ER and PR; where one alone is known, it decides."""
    known = {receptor(episode, tumour, name) for name in ("er", "pr")} - {None}
    return "positive" if "positive" in known else "negative" if known else None


def receptor(episode, tumour, name):
    """One receptor: percentages of invasive samples before treatment, else the summary."""
    first = min((dose.date for dose in episode.systemic), default=LATE)
    percents = [
        test[f"{name}_percent"]
        for test in episode.tests.get(tumour["tumour_id"], [])
        if test.get(f"{name}_percent") is not None
        and test.get("invasive") is not False
        and test.get("specimen_site") != "metastasis"
        and facts.specimen_day(test)
        and facts.specimen_day(test) <= first
    ]
    if percents:
        return "positive" if max(percents) >= 1 else "negative"
    return tumour.get(f"{name}_status")


def hr_reasons(case, episode, tumour):
    """Adds why hormone receptors keep the tumour out of a rule or undecided."""
    status = hormone_receptors(episode, tumour)
    if status == "negative":
        case.excluded.append("hr-negative")
    elif status is None:
        case.missing.append("hr-unknown")


# --- endocrine therapy -----------------------------------------------------------------------


def endocrine_rows(context, episode, *, palliative=False):
    """(first day, last day, row, whether the end is recorded) of dated endocrine rows not after
    any metastasis; of palliative intent only where asked for."""
    found = []
    for row in episode.given_rows:
        drug, start = context.drugs.get(row.get("drug")), row.get("start_date")
        if not (drug and start and drug.ingredients & FAMILIES["endocrine"]):
            continue
        if start > episode.metastatic_date:
            continue
        if row.get("intent") == "palliative" and not palliative:
            continue
        ended = row.get("end_date") is not None and (
            row["end_date"] > start or row.get("record_kind") == "course"
        )
        last = row["end_date"] if ended else after(start, SUPPLY - 1)
        found.append((start, last, row, ended))
    return sorted(found, key=lambda one: one[:2])


def is_open(row):
    """Whether the row is a course of which only the start is recorded."""
    return row.get("record_kind") == "course" and row.get("end_date") is None
