"""The twin's surgery: the definitive operations of a tumour, its pathway and its response."""

from datetime import date

from twin_record import after
from twin_staging import at_least, pathological_n, read_n, read_t

LATE = date.max
RECURRENCES = ("local_recurrence", "regional_recurrence", "distant_metastasis")


def tumour_of(row, patient):
    """The tumour a surgery or a test belongs to; None where it can't be told."""
    if row.get("tumour_id"):
        return row["tumour_id"]
    return patient.tumours[0]["tumour_id"] if len(patient.tumours) == 1 else None


def unlinked(patient, table):
    """Whether the patient has a row of the table that belongs to no tumour."""
    return any(tumour_of(row, patient) is None for row in patient.tables.get(table, []))


def is_definitive(row):
    if row.get("definitive") is None:
        return row.get("procedure") in ("breast_conserving", "mastectomy")
    return row["definitive"]


def known_by(episode, tumour):
    """Where the day of diagnosis is lost: the first operation or sample of the primary, or None."""
    if tumour.get("diagnosis_date"):
        return None
    rows = episode.surgeries.get(tumour["tumour_id"], [])
    samples = [
        test.get("specimen_date") or test.get("report_date")
        for test in episode.tests.get(tumour["tumour_id"], [])
        if test.get("invasive") is not False and test.get("specimen_site") in (None, "primary")
    ]
    days = samples + [row.get("surgery_date") for row in rows]
    return min(filter(None, days), default=None)


def recurrence_date(episode, tumour):
    """The first recurrence after the tumour's diagnosis, or LATE."""
    start = tumour.get("diagnosis_date") or known_by(episode, tumour) or LATE
    return min((day for day in episode.days_of(*RECURRENCES) if day > start), default=LATE)


def counted_surgeries(episode, tumour):
    """Dated surgeries of the tumour before any metastasis or recurrence, in order."""
    start = after(tumour["diagnosis_date"], -30) if tumour.get("diagnosis_date") else date.min
    end = min(episode.metastatic_date, recurrence_date(episode, tumour))
    rows = [
        row
        for row in episode.surgeries.get(tumour["tumour_id"], [])
        if row.get("surgery_date") and start <= row["surgery_date"] < end
    ]
    return sorted(rows, key=lambda row: row["surgery_date"])


def may_be_definitive(row, patient):
    """Whether the operation is definitive, or may be as far as its row says."""
    if is_definitive(row) or row.get("definitive") is not None:
        return is_definitive(row)
    if not any(map(is_definitive, patient.surgeries)):
        breast = any(row.get(name) is not None for name in ("yp_t", "rcb_class"))
        if row.get("procedure") == "re_excision":  # of what somebody excised before
            return True
        if row.get("procedure") == "other":
            return breast or row.get("residual_invasive") is not None
        if row.get("procedure") == "axillary":  # nothing else to take out of the breast
            return breast or any(
                tumour["tumour_id"] == tumour_of(row, patient)
                and read_t(tumour.get("clinical_t")) == "T0"
                for tumour in patient.tumours
            )
    return row.get("procedure") is None


def unclear_surgeries(patient, episode, tumour):
    """Operations that may be the tumour's definitive one, where none is known to be."""
    start = after(tumour["diagnosis_date"], -30) if tumour.get("diagnosis_date") else date.min
    end = min(episode.metastatic_date, recurrence_date(episode, tumour))
    return [
        row
        for row in patient.surgeries
        if may_be_definitive(row, patient)
        and tumour_of(row, patient) in (None, tumour["tumour_id"])
        and (row.get("surgery_date") is None or start <= row["surgery_date"] < end)
    ]


def first_surgery(episode, tumour):
    """The day of the tumour's first definitive surgery, or None."""
    days = [r["surgery_date"] for r in counted_surgeries(episode, tumour) if is_definitive(r)]
    return min(days, default=None)


def last_surgery(episode, tumour):
    """The last definitive surgery of the series, which a conjugate after the first one closes."""
    first = first_surgery(episode, tumour)
    conjugates = [d.date for d in episode.doses if d.has("her2-conjugate") and d.date > first]
    end = min([after(first, 180), *conjugates])
    rows = [row for row in counted_surgeries(episode, tumour) if is_definitive(row)]
    return max(row["surgery_date"] for row in rows if row["surgery_date"] <= end)


def pathway(episode, tumour):
    """metastatic, neoadjuvant, surgery-first, surgery-first-undated or none."""
    if episode.metastatic_at_diagnosis:
        return "metastatic"
    surgery = first_surgery(episode, tumour)
    doses = [dose for dose in episode.systemic if not episode.is_metastatic(dose)]
    if surgery:
        return "neoadjuvant" if any(d.date < surgery for d in doses) else "surgery-first"
    intents = {dose.row.get("intent") for dose in episode.systemic}
    operated = None
    if not episode.surgeries_linked:  # the extract holds TNM at surgery where that came first
        operated = read_t(tumour.get("pathological_t")) or pathological_n(tumour)
    if "neoadjuvant" not in intents and ("adjuvant" in intents or operated):
        return "surgery-first-undated"
    return "neoadjuvant" if doses or "neoadjuvant" in intents else "none"


def response(episode, tumour):
    """residual, pcr or None (unknown), from the surgeries within 180 days of the first."""
    first = first_surgery(episode, tumour)
    if not first:
        return None
    rows = [
        row
        for row in counted_surgeries(episode, tumour)
        if first
        and first <= row["surgery_date"] <= after(first, 180)
        and (is_definitive(row) or row.get("procedure") in ("axillary", "re_excision"))
    ]
    t_seen = [t for t in (read_t(row.get("yp_t")) for row in rows) if t]
    n_seen = [n for n in (read_n(row.get("yp_n")) for row in rows) if n]
    classes = {row["rcb_class"] for row in rows if row.get("rcb_class")}
    statements = {row.get("residual_invasive") for row in rows} - {None}
    yp_residual = any(at_least(t, "T1mi") for t in t_seen) or any(n != "N0" for n in n_seen)
    yp_known = bool(t_seen and n_seen)
    if yp_residual:
        return None if False in statements else "residual"
    if True in statements:
        return "residual"
    if yp_known:
        return "pcr"
    if classes - {"0"}:
        return None if False in statements else "residual"
    return "pcr" if classes or statements else None
