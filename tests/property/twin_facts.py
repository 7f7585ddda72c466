"""The twin's clinical facts: HER2 status, stage, episodes, pathway, response.

One function a definition, in the words of the specification (rules.md section 2 and the
readings of it).
"""

import re
from dataclasses import dataclass, field
from datetime import date
from functools import partial

from twin_record import FAMILIES, SYSTEMIC, after, between, doses_of_row

T_ORDER = ["T0", "Tis", "T1mi", "T1a", "T1b", "T1", "T1c", "T2", "T3", "T4"]
RECURRENCES = ("local_recurrence", "regional_recurrence", "distant_metastasis")
LATE, POSITIVE, EQUIVOCAL, NEGATIVE = date.max, "positive", "equivocal", "negative"


# --- staging ---------------------------------------------------------------------------------


def read_t(text):
    """A T category as one of T_ORDER, or None."""
    found = re.match(r"[cpyra]*T?(X|0|is|1mi|1a|1b|1c|1|2|3|4)", text or "", re.IGNORECASE)
    if not found or found[1].upper() == "X":
        return None
    return {"t" + name[1:].lower(): name for name in T_ORDER}["t" + found[1].lower()]


def read_n(text):
    """An N category as 'N0', 'N0(i+)', 'N1mi', 'N1', 'N2', 'N3', or None."""
    found = re.match(r"[cpyra]*N?(X|0\(i\+\)|0|1mi|1|2|3)", text or "", re.IGNORECASE)
    if not found or found[1].upper() == "X":
        return None
    return "N" + found[1].lower()


def t_of_size(size):
    """The T category of a size in mm; 0 is missing."""
    if not size:
        return None
    for limit, name in ((1, "T1mi"), (5, "T1a"), (10, "T1b"), (20, "T1c"), (50, "T2")):
        if size <= limit:
            return name
    return "T3"


def t_with_size(category, size):
    """The T category; the size where it is missing or a bare T1."""
    if category is None:
        return t_of_size(size)
    if category == "T1" and t_of_size(size):
        return min(t_of_size(size), "T1c", key=T_ORDER.index)
    return category


def is_inflammatory(tumour):
    texts = (tumour.get("clinical_t"), tumour.get("pathological_t"))
    return tumour.get("inflammatory") is True or any("T4d" in (text or "") for text in texts)


def clinical_t(tumour):
    if is_inflammatory(tumour):
        return "T4"
    return t_with_size(read_t(tumour.get("clinical_t")), tumour.get("clinical_size_mm"))


def pathological_t(tumour):
    """The T at surgery, the clinical one where it is missing; then likewise the size."""
    if is_inflammatory(tumour):
        return "T4"
    category = read_t(tumour.get("pathological_t")) or read_t(tumour.get("clinical_t"))
    sizes = (tumour.get("pathological_size_mm"), tumour.get("clinical_size_mm"))
    return t_with_size(category, next((size for size in sizes if size), None))


def pathological_n(tumour):
    """The N category at surgery; the node count stands in for a missing one."""
    own = read_n(tumour.get("pathological_n"))
    nodes = tumour.get("nodes_positive")
    if own or nodes is None:
        return own
    return "N1" if nodes > 0 else "N0"


def stage_by_pathway(tumour, pathway):
    """T and N: pathological where surgery came first, else clinical."""
    n_clinical = read_n(tumour.get("clinical_n"))
    if pathway.startswith("surgery-first"):
        return pathological_t(tumour), pathological_n(tumour) or n_clinical
    return clinical_t(tumour), n_clinical


def at_least(category, limit):
    return category is not None and T_ORDER.index(category) >= T_ORDER.index(limit)


def node_positive(category):
    return category is not None and not category.startswith("N0")


def is_invasive(episode, tumour):
    """Invasive carcinoma, by histology, else N and T, else the receptor tests."""
    tests = episode.tests.get(tumour["tumour_id"], [])
    behaviour = (tumour.get("histology") or "").strip()[-2:]
    if behaviour in ("/3", "/2"):
        return behaviour == "/3"
    if node_positive(stage_by_pathway(tumour, pathway(episode, tumour))[1]):
        return True
    categories = {read_t(tumour.get("clinical_t")), read_t(tumour.get("pathological_t"))}
    if "Tis" in categories:
        return False
    if any(at_least(t, "T1mi") for t in categories):
        return True
    return not tests or any(test.get("invasive") is not False for test in tests)


# --- HER2 ------------------------------------------------------------------------------------


def result_date(test):
    return test.get("report_date") or test.get("specimen_date")


def specimen_day(test):
    return test.get("specimen_date") or test.get("report_date")


def ish_class(test, ihc):
    """One ISH row under the definition in force on its test date; None where it has no result."""
    recorded = {"amplified": POSITIVE, "not_amplified": NEGATIVE, "equivocal": EQUIVOCAL}.get(
        test.get("her2_ish")
    )
    ratio, copies = test.get("her2_ratio"), test.get("her2_copies")
    if ratio is None and copies is None:
        return recorded
    day = result_date(test) or date.max
    if day < date(2013, 10, 1):
        if ratio is not None:
            return POSITIVE if ratio > 2.2 else EQUIVOCAL if ratio >= 1.8 else NEGATIVE
        return POSITIVE if copies > 6 else EQUIVOCAL if copies >= 4 else NEGATIVE
    if day < date(2018, 6, 1):
        if (ratio is not None and ratio >= 2.0) or (copies is not None and copies >= 6.0):
            return POSITIVE
        return EQUIVOCAL if copies is not None and copies >= 4.0 else NEGATIVE
    if ratio is None:
        if recorded:
            return recorded
        return POSITIVE if copies >= 6 else NEGATIVE if copies < 4 else EQUIVOCAL
    if copies is None:
        return recorded or EQUIVOCAL
    if ratio >= 2 and copies >= 4:
        return POSITIVE
    if ratio < 2 and copies < 4:
        return NEGATIVE
    if ihc is None:
        return EQUIVOCAL
    group_3 = ratio < 2 and copies >= 6
    return POSITIVE if ihc == 3 or (ihc == 2 and group_3) else NEGATIVE


def ihc_of(rows):
    """The highest IHC score of the rows, or None."""
    scores = [int(row["her2_ihc"][0]) for row in rows if row.get("her2_ihc")]
    return max(scores, default=None)


def specimen_result(rows):
    """The HER2 result of one specimen's rows: positive, equivocal, negative or None."""
    ihc = ihc_of(rows)
    classes = [ish_class(row, ihc) for row in rows]
    if ihc == 3 or POSITIVE in classes:
        return POSITIVE
    for result in (EQUIVOCAL, NEGATIVE):
        if result in classes:
            return result
    if ihc is None:
        return None
    return EQUIVOCAL if ihc == 2 else NEGATIVE


def specimens(tests):
    """The rows grouped by specimen: tumour, date and site."""
    groups = {}
    for test in tests:
        key = (test.get("tumour_id"), test.get("specimen_date"), test.get("specimen_site"))
        groups.setdefault(key, []).append(test)
    return list(groups.values())


def results(tests):
    """The results of all specimens that have one."""
    found = [specimen_result(rows) for rows in specimens(tests)]
    return [result for result in found if result]


def her2_status(tumour, tests, first_dose, metastatic_at_diagnosis):
    """positive, negative or unknown, from the tests before the first systemic dose."""
    usable = [
        test
        for test in tests
        if test.get("invasive") is not False
        and (metastatic_at_diagnosis or test.get("specimen_site") != "metastasis")
    ]
    early = [
        test
        for test in usable
        if first_dose is None or (specimen_day(test) and specimen_day(test) <= first_dose)
    ]
    before = results(early)
    if POSITIVE in before:
        return POSITIVE
    if before:
        return "unknown" if EQUIVOCAL in before else NEGATIVE
    later = results([test for test in usable if test not in early])
    if later:
        return POSITIVE if POSITIVE in later else "unknown"
    summary = tumour.get("her2_summary")
    return summary if summary in (POSITIVE, NEGATIVE) else "unknown"


# --- episodes --------------------------------------------------------------------------------


@dataclass
class Episode:
    """A patient's tumours diagnosed within 183 days of the first, and what belongs to them."""

    tumours: list
    index: dict = None
    rows: list = field(default_factory=list)  # treatment rows
    rows_elsewhere: list = field(default_factory=list)  # of its time, naming another's tumour
    doses: list = field(default_factory=list)
    events: list = field(default_factory=list)
    tests: dict = field(default_factory=dict)  # tumour_id -> rows
    surgeries: dict = field(default_factory=dict)  # tumour_id -> rows
    status: dict = field(default_factory=dict)  # tumour_id -> HER2 status
    surgeries_linked: bool = True
    metastatic_at_diagnosis: bool = False
    metastatic_date: date = LATE  # LATE: never

    @property
    def first_diagnosis(self):
        days = [t["diagnosis_date"] for t in self.tumours if t.get("diagnosis_date")]
        return min(days, default=None)

    @property
    def ids(self):
        return {tumour["tumour_id"] for tumour in self.tumours}

    def curative(self, *names):
        """Curative-setting doses of the ingredients or families, in order."""
        wanted = set().union(*(FAMILIES.get(name, {name}) for name in names))
        return [
            dose
            for dose in self.doses
            if dose.drug.ingredients & wanted and not self.is_metastatic(dose)
        ]

    def is_metastatic(self, dose):
        return dose.row.get("intent") == "palliative" or dose.date >= self.metastatic_date

    @property
    def systemic(self):
        return [dose for dose in self.doses if dose.drug.ingredients & SYSTEMIC]

    def days_of(self, *kinds):
        """The days of the events of these kinds, in order."""
        return sorted(e["event_date"] for e in self.events if e["event"] in kinds)


def tumour_of(row, patient):
    """The tumour a surgery or a test belongs to; None where it can't be told."""
    if row.get("tumour_id"):
        return row["tumour_id"]
    return patient.tumours[0]["tumour_id"] if len(patient.tumours) == 1 else None


def unlinked(patient, table):
    """Whether the patient has a row of the table that belongs to no tumour."""
    return any(tumour_of(row, patient) is None for row in patient.tables.get(table, []))


def group_tumours(tumours):
    """The tumours in episodes, in order of diagnosis (undated ones in the first)."""
    groups = []
    for tumour in sorted(tumours, key=lambda t: (t.get("diagnosis_date") or LATE, t["tumour_id"])):
        day = tumour.get("diagnosis_date")
        start = groups[-1][0].get("diagnosis_date") if groups else None
        if day is None and groups:
            groups[0].append(tumour)
        elif day and start and between(start, day) <= 183:
            groups[-1].append(tumour)
        else:
            groups.append([tumour])
    return [Episode(group) for group in groups]


def episode_of_row(row, groups):
    """The episode a treatment row belongs to."""
    if row.get("tumour_id"):
        return next(e for e in groups if row["tumour_id"] in e.ids)
    return episode_of_day(row.get("start_date"), groups)


def episode_of_day(start, groups):
    """The episode that a drug belongs to by its day alone."""
    candidates = [e for e in groups if POSITIVE in e.status.values()] or groups
    started = [e for e in candidates if start and (e.first_diagnosis or LATE) <= start]
    if started:
        return started[-1]
    first = candidates[0].first_diagnosis
    long_before = start and first and start < after(first, -183)
    return None if long_before else candidates[0]  # None: it treated something else


def metastatic_date(episode):
    """(metastatic at diagnosis, the metastatic date or LATE)."""
    metastases = episode.days_of("distant_metastasis")
    for tumour in episode.tumours:  # one metastatic tumour makes the episode metastatic
        day = tumour.get("diagnosis_date")
        if read_m(tumour) == "M1" or (day and any(m <= after(day, 120) for m in metastases)):
            return True, episode.first_diagnosis or date.min
    return False, min(metastases, default=LATE)


def read_m(tumour):
    found = re.fullmatch(r"[cpyra]*M?(0|1)", tumour.get("clinical_m") or "", re.IGNORECASE)
    return "M" + found[1] if found else None


def m_status(episode, tumour):
    """M1, M0 or None. A missing (not an unreadable) M with T and N recorded counts as M0."""
    if episode.metastatic_at_diagnosis:
        return "M1"
    t_known = read_t(tumour.get("clinical_t")) or read_t(tumour.get("pathological_t"))
    n_known = read_n(tumour.get("clinical_n")) or pathological_n(tumour)
    text = (tumour.get("clinical_m") or "MX").upper()
    assumed = "M0" if t_known and n_known and text.endswith("X") else None
    return read_m(tumour) or assumed


def risk_key(episode, tumour):
    """Sorts the tumour of highest risk first: HER2, stage, receptors, date, id."""
    t, n = stage_by_pathway(tumour, pathway(episode, tumour))
    group = 4 if t == "T4" or n in ("N2", "N3") else {"T3": 3, "T2": 2, "T1c": 1}.get(t, 0)
    hr_negative = tumour.get("er_status") == tumour.get("pr_status") == NEGATIVE
    return (
        [POSITIVE, "unknown", NEGATIVE].index(episode.status[tumour["tumour_id"]]),
        -group,
        not node_positive(n),
        not hr_negative,
        tumour.get("diagnosis_date") or LATE,
        tumour["tumour_id"],
    )


def episodes(patient, drugs):
    """The patient's episodes with everything that belongs to them."""
    groups = group_tumours(patient.tumours)
    for episode in groups:
        ids = episode.ids
        episode.surgeries_linked = "surgeries" in patient.linked
        for name, store in (("receptor_tests", episode.tests), ("surgeries", episode.surgeries)):
            for row in patient.tables.get(name, []):
                key = tumour_of(row, patient)
                store.setdefault(key, []).append({**row, "tumour_id": key})
        episode.events = [
            e
            for e in patient.events
            if e.get("event_date") and (not e.get("tumour_id") or e["tumour_id"] in ids)
        ]
        episode.metastatic_at_diagnosis, episode.metastatic_date = metastatic_date(episode)
        set_status(episode, None)
    for row in patient.treatments:
        by_name = episode_of_row(row, groups)
        if by_name:
            by_name.rows.append(row)
        start = row.get("start_date")
        by_day = episode_of_day(start, groups) if row.get("tumour_id") and start else by_name
        if by_day and by_day is not by_name and start >= (by_day.first_diagnosis or date.min):
            by_day.rows_elsewhere.append(row)
    for episode in groups:
        doses = [dose for row in episode.rows for dose in doses_of_row(row, drugs)]
        episode.doses = sorted(doses, key=lambda dose: dose.date)
        set_status(episode, min((d.date for d in episode.systemic), default=None))
        episode.index = min(episode.tumours, key=partial(risk_key, episode))
    return groups


def set_status(episode, first_dose):
    for tumour in episode.tumours:
        key = tumour["tumour_id"]
        tests = episode.tests.get(key, [])
        at_diagnosis = episode.metastatic_at_diagnosis
        episode.status[key] = her2_status(tumour, tests, first_dose, at_diagnosis)


# --- surgery, pathway, response --------------------------------------------------------------


def is_definitive(row):
    if row.get("definitive") is None:
        return row.get("procedure") in ("breast_conserving", "mastectomy")
    return row["definitive"]


def recurrence_date(episode, tumour):
    """The first recurrence after the tumour's diagnosis, or LATE."""
    start = tumour.get("diagnosis_date") or LATE
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


def may_be_definitive(row):
    """Whether the operation is definitive, or may be as far as its row says."""
    return is_definitive(row) or (row.get("definitive") is None and row.get("procedure") is None)


def unclear_surgeries(patient, episode, tumour):
    """Operations that may be the tumour's definitive one, where none is known to be."""
    start = after(tumour["diagnosis_date"], -30) if tumour.get("diagnosis_date") else date.min
    end = min(episode.metastatic_date, recurrence_date(episode, tumour))
    return [
        row
        for row in patient.surgeries
        if may_be_definitive(row)
        and tumour_of(row, patient) in (None, tumour["tumour_id"])
        and (row.get("surgery_date") is None or start <= row["surgery_date"] < end)
    ]


def first_surgery(episode, tumour):
    """The day of the tumour's first definitive surgery, or None."""
    days = [r["surgery_date"] for r in counted_surgeries(episode, tumour) if is_definitive(r)]
    return min(days, default=None)


def last_surgery(episode, tumour, started=None):
    """The last definitive surgery of the series, none after T-DM1 was started."""
    end = min(after(first_surgery(episode, tumour), 180), started or LATE)
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
    return "neoadjuvant" if doses else "none"


def response(episode, tumour):
    """residual, pcr or None (unknown), from the surgeries within 180 days of the first."""
    first = first_surgery(episode, tumour)
    rows = [
        row
        for row in counted_surgeries(episode, tumour)
        if first <= row["surgery_date"] <= after(first, 180)
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
