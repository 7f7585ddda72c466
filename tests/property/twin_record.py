"""The twin's view of one patient: rows with real dates, and drug rows turned into doses.

Part of the slow second implementation of the rules (`twin.py`). It is written from the
specification alone and shares nothing with sql/ or checks/.
"""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from math import ceil

EITHER_TAXANE = "docetaxel-or-paclitaxel"  # what regimen names such as TH leave open
FAMILIES = {
    "her2-antibody": {"trastuzumab", "pertuzumab", "margetuximab", "inetetamab"},
    "her2-conjugate": {"trastuzumab-emtansine", "trastuzumab-deruxtecan"},
    "her2-tki": {"lapatinib", "neratinib", "tucatinib", "pyrotinib"},
    "taxane": {"docetaxel", "paclitaxel", "nab-paclitaxel", EITHER_TAXANE},
    "anthracycline": {"doxorubicin", "liposomal-doxorubicin", "epirubicin"},
    "platinum": {"carboplatin", "cisplatin"},
    "endocrine": {"tamoxifen", "letrozole", "anastrozole", "exemestane", "fulvestrant"},
    "ovarian-suppression": {"goserelin", "leuprorelin", "triptorelin"},
}
FAMILIES["her2"] = FAMILIES["her2-antibody"] | FAMILIES["her2-conjugate"] | FAMILIES["her2-tki"]
FAMILIES["chemotherapy"] = (
    FAMILIES["taxane"]
    | FAMILIES["anthracycline"]
    | FAMILIES["platinum"]
    | {"cyclophosphamide", "fluorouracil", "methotrexate", "capecitabine"}
    | {"vinorelbine", "gemcitabine", "eribulin"}
)
AREAS = {"surgery", "radiotherapy", "biopsy", "lvef"}  # of care, as an exception's topic
SYSTEMIC = FAMILIES["her2"] | FAMILIES["chemotherapy"] | FAMILIES["endocrine"]

RULES = {
    "R01": "her2-positive-before-her2-therapy",
    "R02": "mbc-her2-retest-on-recurrence",
    "R03": "early-her2-therapy-initiated",
    "R04": "early-neoadjuvant-when-t2-or-node-positive",
    "R05": "neoadj-dual-blockade",
    "R06": "neoadj-chemo-backbone",
    "R07": "neoadj-cycles-3-to-6",
    "R08": "neoadj-followed-by-surgery",
    "R09": "postneo-response-recorded",
    "R10": "postneo-residual-tdm1",
    "R11": "postneo-tdm1-14-cycles",
    "R12": "postneo-pcr-dual-continued",
    "R13": "postneo-pcr-no-further-chemo",
    "R14": "adj-dual-blockade",
    "R15": "adj-chemo-backbone",
    "R16": "adj-stage1-deescalated",
    "R17": "early-her2-one-year",
    "R18": "her2-gap-reload",
    "R19": "neratinib-extended-adjuvant-sequence",
    "R20": "trastuzumab-dose",
    "R21": "pertuzumab-dose",
    "R22": "chemo-dose-in-range",
    "R23": "no-concurrent-anthracycline",
    "R24": "lvef-baseline",
    "R25": "lvef-quarterly",
    "R26": "her2-held-on-lvef-decline",
    "R27": "her2-stopped-on-heart-failure",
    "R28": "infusion-reaction-managed",
    "R29": "tdxd-ild-vigilance",
    "R30": "chemo-before-radiation",
    "R31": "her2-continued-during-radiation",
    "R32": "pmrt-delivered",
    "R33": "endocrine-initiated",
    "R34": "endocrine-not-with-chemo",
    "R35": "endocrine-five-years",
    "R36": "mbc-any-her2-therapy",
    "R37": "mbc-1l-thp",
    "R38": "mbc-1l-chemo-duration",
    "R39": "mbc-her2-maintained-to-progression",
    "R40": "mbc-early-relapse-second-line",
    "R41": "mbc-2l-tdxd",
    "R42": "mbc-3l-listed-option",
    "R43": "mbc-her2-beyond-progression",
    "R44": "mbc-endocrine-without-chemo-justified",
    "R45": "mbc-late-agent-eligibility",
}

STREAMS = ("receptor_tests", "treatments", "surgeries", "events", "exceptions")
DATES = {
    "patients": (
        "birth_date",
        "death_date",
        "last_contact_date",
        "transfer_in_date",
        "transfer_out_date",
    ),
    "tumours": ("diagnosis_date",),
    "receptor_tests": ("specimen_date", "report_date"),
    "treatments": ("start_date", "end_date"),
    "surgeries": ("surgery_date", "report_date"),
    "events": ("event_date",),
    "exceptions": ("recorded_date",),
    "radiotherapy": ("start_date", "end_date"),
    "cardiac_assessments": ("assessment_date",),
    "observations": ("observation_date",),
    "imaging": ("imaging_date",),
}


@dataclass(frozen=True)
class Drug:
    """What a drug string of the source means."""

    ingredients: frozenset[str]
    regimen: bool = False  # the name of a regimen, such as TCHP
    fixed: bool = False  # the subcutaneous fixed-dose combination


@dataclass(frozen=True)
class Dose:
    """One dose on one day."""

    date: date
    row: dict
    drug: Drug
    open: bool = False  # stands for a course whose number of doses is unknown

    def has(self, *names):
        """Whether the dose holds any of the ingredients or families named."""
        return any(self.drug.ingredients & FAMILIES.get(name, {name}) for name in names)

    @property
    def in_sequence(self):
        """Whether a regimen's name holds an anthracycline and an antibody, given in turn."""
        both = self.has("anthracycline") and self.has("trastuzumab", "pertuzumab")
        return self.drug.regimen and both


def days_in_sequence(doses):
    """The days that nothing but the name of such a regimen tells of."""
    return {dose.date for dose in doses} - {dose.date for dose in doses if not dose.in_sequence}


def is_course(dose):
    row = dose.row
    kind, end = row.get("record_kind"), row.get("end_date")
    return kind == "course" or (kind is None and end is not None and end > row["start_date"])


def stopped_for(row):
    """The reason for stopping, however it is spelled."""
    return (row.get("stop_reason") or "").strip().lower().replace(" ", "-").replace("_", "-")


def is_pair(dose):
    return dose.drug.ingredients == {"trastuzumab", "pertuzumab"}


def form_of(dose):
    route = "sc" if dose.drug.fixed else dose.row.get("route")
    if route == "sc":
        return "fixed" if is_pair(dose) else "sc"
    return route or "unknown"


def amount(dose):
    """(number, unit) of a dose of one drug alone, or None."""
    telling = len(dose.drug.ingredients) == 1 or (is_pair(dose) and form_of(dose) == "fixed")
    if not telling or dose.drug.regimen or is_course(dose) or dose.row.get("dose") is None:
        return None
    return dose.row["dose"], dose.row.get("dose_unit")


def is_zero(dose):
    """Whether the row says that nothing was given: then it is no dose."""
    return (amount(dose) or (None,))[0] == 0


@dataclass
class Patient:
    """A patient's rows, every date a real date or None."""

    row: dict
    tables: dict[str, list[dict]]
    linked: set[str]
    quarantined: set[str] = field(default_factory=set)

    def __getattr__(self, table):
        if table == "tables":
            raise AttributeError(table)
        return self.tables.get(table, [])

    @property
    def patient_id(self):
        return self.row["patient_id"]


def after(day, count):
    """The day `count` days after `day`."""
    return day + timedelta(days=count)


def between(first, last):
    """Whole days from first to last."""
    return (last - first).days


def span(text):
    """The first, middle and last day an imprecise date can stand for."""
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 1:
        first, last = date(parts[0], 1, 1), date(parts[0], 12, 31)
    else:
        year, month = parts
        first = date(year, month, 1)
        following = date(year + month // 12, month % 12 + 1, 1)
        last = after(following, -1)
    return first, after(first, between(first, last) // 2), last


def imprecise_cells(patient):
    """Where the patient's imprecise dates stand: (table, row number, column)."""
    cells = []
    for table, rows in {"patients": [patient.row], **patient.tables}.items():
        for number, row in enumerate(rows):
            for column in DATES.get(table, ()):
                if isinstance(row.get(column), str):
                    cells.append((table, number, column))
    return cells


def percent(lvef):
    """An LVEF in per cent: a share of one is told by its size, and zero is none."""
    share = lvef is not None and lvef <= 1
    return round(lvef * 100, 6) or None if share else lvef


def dated(patient, choice):
    """The patient with each imprecise date replaced: choice maps a cell to 0, 1 or 2."""
    tables = {name: [dict(row) for row in rows] for name, rows in patient.tables.items()}
    row = dict(patient.row)
    for (table, number, column), which in choice.items():
        target = row if table == "patients" else tables[table][number]
        target["year_only"] = target.get("year_only") or len(str(target[column])) == len("2020")
        target[column] = span(target[column])[which]
        target["placed"] = True  # some date of the row is not exact
    for heart in tables.get("cardiac_assessments", []):
        heart["lvef_percent"] = percent(heart.get("lvef_percent"))
    return replace(patient, row=row, tables=tables)


def doses_of_row(row, drugs):
    """The doses a treatment row stands for, without those of zero."""
    return [dose for dose in written_doses(row, drugs) if not is_zero(dose)]


def written_doses(row, drugs):
    """The doses of a row (none without a start date or a known drug), one of zero too."""
    drug = drugs.get(row.get("drug"))
    start, end = row.get("start_date"), row.get("end_date")
    if drug is None or start is None:
        return []
    kind = row.get("record_kind")
    is_course = kind == "course" or (kind is None and end is not None and end > start)
    if not is_course:
        return [Dose(start, row, drug)]
    if end is None:
        return [Dose(start, row, drug, open=True)]
    endocrine = drug.ingredients & FAMILIES["endocrine"]
    step = 90 if endocrine else 21
    count = 1 + (ceil(between(start, end) / 90) if endocrine else round(between(start, end) / 21))
    days = [after(start, step * number) for number in range(count - 1)]
    days.append(end if count > 1 else start)
    return [Dose(day, row, drug) for day in days]


AREAS = ("surgery", "radiotherapy", "biopsy", "lvef")


def read_topic(text, drugs):
    """What an exception's topic names: a set of rules, families and ingredients."""
    if text in RULES.values() or text in FAMILIES or text in AREAS:
        return {text}
    if text.upper() in RULES:
        return {RULES[text.upper()]}
    drug = drugs.get(text)
    return set(drug.ingredients) if drug else set()
