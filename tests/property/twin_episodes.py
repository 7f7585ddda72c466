"""The twin's episodes: the tumours of one time, what belongs to them, which one is judged."""

from dataclasses import dataclass, field
from datetime import date
from functools import partial

from twin_her2 import NEGATIVE, POSITIVE, her2_status, results, specimen_day
from twin_record import FAMILIES, SYSTEMIC, after, between, doses_of_row, is_zero, written_doses
from twin_staging import (
    at_least,
    node_positive,
    pathological_n,
    read_m,
    read_n,
    read_t,
    stage_by_pathway,
)
from twin_surgery import LATE, known_by, pathway, tumour_of


@dataclass
class Episode:
    """A patient's tumours diagnosed within 183 days of the first, and what belongs to them."""

    tumours: list
    index: dict = None
    rows: list = field(default_factory=list)  # treatment rows
    rows_elsewhere: list = field(default_factory=list)  # of its time, naming another's tumour
    doses: list = field(default_factory=list)
    zeros: list = field(default_factory=list)  # doses of zero: nothing was given
    given_rows: list = field(default_factory=list)  # the rows without those of zero
    events: list = field(default_factory=list)
    metastases: list = field(default_factory=list)  # their days, whichever tumour the events name
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


def group_tumours(tumours):
    """The tumours in episodes, in order of diagnosis (undated ones in the last)."""
    groups = []
    for tumour in sorted(tumours, key=lambda t: (t.get("diagnosis_date") or LATE, t["tumour_id"])):
        day = tumour.get("diagnosis_date")
        start = groups[-1][0].get("diagnosis_date") if groups else None
        if groups and (day is None or (start and between(start, day) <= 183)):
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


def episodes_of_days(row, groups):
    """The episodes that the row's days would belong to, from their diagnosis on."""
    start, end = row["start_date"], row.get("end_date") or row["start_date"]
    candidates = [e for e in groups if POSITIVE in e.status.values()] or groups
    starts = [*(e.first_diagnosis or date.min for e in candidates), LATE]
    return [
        e
        for e, own, following in zip(candidates, starts, starts[1:], strict=False)
        if own <= end and start < following
    ]


def metastatic_date(episode):
    """(metastatic at diagnosis, the metastatic date or LATE)."""
    metastases = episode.days_of("distant_metastasis")
    for tumour in episode.tumours:  # one metastatic tumour makes the episode metastatic
        day = tumour.get("diagnosis_date")
        if read_m(tumour) == "M1" or (day and any(m <= after(day, 120) for m in metastases)):
            return True, min(one.get("diagnosis_date") or date.min for one in episode.tumours)
    return False, min(metastases, default=LATE)


def anatomic_stage(t, n):
    """The AJCC stage group as a number that grows with it; what is missing counts as least."""
    if n == "N3":
        return 9  # IIIC
    if t == "T4":
        return 8  # IIIB
    if n == "N2":
        return 7  # IIIA
    table = {"T3": (6, 7), "T2": (5, 6), "T1c": (2, 5)}  # without nodes, with nodes
    alone, with_nodes = table.get(t, (1, 5))
    if n == "N1mi" and not at_least(t, "T2"):
        return 3  # IB
    return with_nodes if node_positive(n) else alone


def risk_key(episode, tumour):
    """Sorts the tumour of highest risk first: invasive, HER2, stage, receptors, date, id."""
    t, n = stage_by_pathway(tumour, pathway(episode, tumour))
    hr_negative = tumour.get("er_status") == tumour.get("pr_status") == NEGATIVE
    return (
        not is_invasive(episode, tumour),
        [POSITIVE, "unknown", NEGATIVE].index(episode.status[tumour["tumour_id"]]),
        -anatomic_stage(t, n),
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
        episode.metastases = [
            e["event_date"]
            for e in patient.events
            if e["event"] == "distant_metastasis" and e.get("event_date")
        ]
        episode.metastatic_at_diagnosis, episode.metastatic_date = metastatic_date(episode)
        set_status(episode, None)
    for row in patient.treatments:
        by_name = episode_of_row(row, groups)
        if by_name:
            by_name.rows.append(row)
        if row.get("tumour_id") and row.get("start_date"):
            for other in episodes_of_days(row, groups):
                if other is not by_name:
                    other.rows_elsewhere.append(row)
    for episode in groups:
        written = [dose for row in episode.rows for dose in written_doses(row, drugs)]
        episode.zeros = [dose for dose in written if is_zero(dose)]
        held = [zero.row for zero in episode.zeros]
        episode.given_rows = [row for row in episode.rows if not any(row is h for h in held)]
        doses = [dose for row in episode.given_rows for dose in doses_of_row(row, drugs)]
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


def m_status(episode, tumour):
    """M1, M0 or None. A missing (not an unreadable) M with T and N recorded counts as M0."""
    if episode.metastatic_at_diagnosis:
        return "M1"
    t_known = read_t(tumour.get("clinical_t")) or read_t(tumour.get("pathological_t"))
    n_known = read_n(tumour.get("clinical_n")) or pathological_n(tumour)
    known = known_by(episode, tumour)
    if known and any(day <= after(known, 120) for day in episode.days_of("distant_metastasis")):
        return None  # the day of diagnosis is lost: there at diagnosis, or a little later
    text = (tumour.get("clinical_m") or "MX").upper()
    assumed = "M0" if t_known and n_known and text.endswith("X") else None
    return read_m(tumour) or assumed


def samples_differ(episode):
    """Whether dated invasive samples of one of the patient's tumours have different results."""
    return any(
        len(set(results([t for t in tests if t.get("invasive") is not False and specimen_day(t)])))
        > 1
        for tests in episode.tests.values()
    )
