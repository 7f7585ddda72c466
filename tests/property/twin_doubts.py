"""The twin: what keeps a would-be failure from being believed."""

import twin_facts as facts
from twin_case import is_systemic
from twin_facts import LATE
from twin_record import FAMILIES, STREAMS, SYSTEMIC, between, stopped_for

READS = {  # the streams that a rule reads, itself or through what it asks, beside those of STREAMS
    "R03": {"cardiac_assessments"},
    "R04": {"cardiac_assessments"},
    "R05": {"cardiac_assessments"},
    "R07": {"cardiac_assessments"},
    "R10": {"cardiac_assessments"},
    "R11": {"cardiac_assessments"},
    "R12": {"cardiac_assessments"},
    "R14": {"cardiac_assessments"},
    "R15": {"cardiac_assessments"},
    "R17": {"cardiac_assessments"},
    "R18": {"cardiac_assessments", "observations"},
    "R20": {"observations"},
    "R21": {"observations"},
    "R22": {"cardiac_assessments", "observations"},
    "R24": {"cardiac_assessments"},
    "R25": {"cardiac_assessments"},
    "R26": {"cardiac_assessments"},
    "R27": {"cardiac_assessments"},
    "R29": {"imaging"},
    "R30": {"radiotherapy"},
    "R31": {"cardiac_assessments", "radiotherapy"},
    "R32": {"radiotherapy"},
    "R36": {"cardiac_assessments", "radiotherapy"},
    "R37": {"cardiac_assessments"},
    "R38": {"cardiac_assessments"},
    "R39": {"cardiac_assessments", "radiotherapy"},
    "R40": {"cardiac_assessments", "radiotherapy"},
    "R41": {"cardiac_assessments", "radiotherapy"},
    "R42": {"cardiac_assessments"},
    "R43": {"cardiac_assessments"},
    "R45": {"radiotherapy"},
}


def doubts(context, episode, rule, needs, window, opened):
    """What keeps a would-be failure from being believed.

    Args:
        context: the patient.
        episode: the episode judged.
        rule: R01 to R45.
        needs: drugs and families the rule asks for.
        window: first and last day on which an unrecognised drug could be the one needed, or None.
        opened: the day the rule's window opened.
    """
    patient, found, reads = context.patient, [], READS.get(rule, set())
    tables = {"patients", "tumours", *STREAMS, *reads}
    if patient.quarantined & tables:
        found.append("quarantined-row")
    needed = set().union(*(FAMILIES.get(name, {name}) for name in needs))
    differ = facts.samples_differ(episode)
    for row in patient.treatments:  # whichever tumour they name: they are in doubt anyway
        drug = context.drugs.get(row.get("drug"))
        if row.get("start_date") is None:
            vague = drug is None or drug.ingredients & (SYSTEMIC if differ else needed)
            # in a trial, or stopped for progression or death, it may excuse whatever the drug
            telling = row.get("trial") is True
            telling |= is_systemic(row, context) and stopped_for(row) in ("progression", "death")
            # given before surgery, it shows that surgery did not come first
            first = row.get("intent") == "neoadjuvant" and operated_first(context)
            telling |= is_systemic(row, context) and first
            if needed and (vague or telling):
                found.append("undated-row")
        elif drug is None and window and overlaps(row, window):
            found.append("unrecognised-drug")
    for row in episode.rows_elsewhere:
        drug = context.drugs.get(row.get("drug"))
        if drug and drug.ingredients & needed and window and overlaps(row, window):
            found.append("names-another-tumour")
    unclear = {day for name in needed for day in unclear_zeros(context, name)}
    if window and any(window[0] <= day <= window[1] for day in unclear):
        found.append("zero-dose")
    if window and any(
        diagnosis <= window[1] and day >= window[0]
        for diagnosis, day in treated_before_unrecorded(episode)
    ):
        found.append("unrecorded-neoadjuvant")
    if any(
        row.get("surgery_date")
        and facts.may_be_definitive(row, patient)
        and not facts.is_definitive(row)
        for row in patient.surgeries
    ):
        found.append("unspecified-surgery")
    if any(row.get("surgery_date") is None for row in patient.surgeries):
        found.append("undated-row")
    if order_of_cancers_lost(context):
        found.append("undated-row")
    if "cardiac_assessments" in reads and any(
        r.get("assessment_date") is None for r in patient.cardiac_assessments
    ):
        found.append("undated-row")
    if "radiotherapy" in reads and any(r.get("start_date") is None for r in patient.radiotherapy):
        found.append("undated-row")
    placed = {"receptor_tests", "surgeries"} | ({"radiotherapy"} & reads)
    if any(facts.unlinked(patient, t) for t in sorted(placed)):
        found.append("unlinked-row")
    moved = patient.row.get("transfer_in_date")
    if moved and opened and moved > opened:
        found.append("transferred-in")
    order = ["names-another-tumour", "quarantined-row", "undated-row", "unlinked-row"]
    order += ["unrecognised-drug", "unrecorded-neoadjuvant", "unspecified-surgery", "zero-dose"]
    order += ["transferred-in"]
    return sorted(found, key=order.index)


def order_of_cancers_lost(context):
    """Whether the patient had several cancers, and one of them on a day that is not recorded."""
    cancers = [
        tumour
        for episode in facts.episodes(context.patient, context.drugs)
        for tumour in episode.tumours
        if facts.is_invasive(episode, tumour)
    ]
    return len(cancers) > 1 and any(not tumour.get("diagnosis_date") for tumour in cancers)


def operated_first(context):
    """Whether some tumour of the patient was operated on before any systemic treatment."""
    return any(
        facts.pathway(episode, tumour).startswith("surgery-first")
        for episode in facts.episodes(context.patient, context.drugs)
        for tumour in episode.tumours
    )


def treated_before_unrecorded(episode):
    """Diagnosis and operation where a report tells of treatment before, and none is on record."""
    first = min((d.date for d in episode.systemic if not episode.is_metastatic(d)), default=LATE)
    return [
        (tumour.get("diagnosis_date") or row["surgery_date"], row["surgery_date"])
        for tumour in episode.tumours
        if facts.pathway(episode, tumour).startswith("surgery-first")
        for row in episode.surgeries.get(tumour["tumour_id"], [])
        if row.get("surgery_date") and row["surgery_date"] <= first
        if any(tells_stage(row.get(name)) for name in ("yp_t", "yp_n")) or row.get("rcb_class")
    ]


def tells_stage(text):
    """Whether a text names a stage after treatment: X says nothing, unless it says ypX."""
    return text is not None and text.strip().upper() not in ("X", "TX", "NX", "PTX", "PNX")


def overlaps(row, window):
    """Whether a treatment row may reach into the window: an unended course or trial may go on."""
    unended = LATE if row.get("record_kind") == "course" or row.get("trial") else row["start_date"]
    return row["start_date"] <= window[1] and (row.get("end_date") or unended) >= window[0]


def unclear_zeros(context, ingredient):
    """The days of zero of a drug that may have been given, or on which it was stopped."""
    episodes = facts.episodes(context.patient, context.drugs)
    given = [d.date for e in episodes for d in e.doses if ingredient in d.drug.ingredients]
    return [
        zero.date
        for episode in episodes
        for zero in episode.zeros
        if ingredient in zero.drug.ingredients
        and (
            zero.row.get("stop_reason") not in (None, "completed")
            or all(abs(between(zero.date, day)) > 14 for day in given)
        )
    ]
