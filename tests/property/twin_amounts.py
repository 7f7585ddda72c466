"""The twin's facts on doses: days of a drug, what was given on them, weight and body surface."""

import itertools
from dataclasses import dataclass, field
from datetime import date
from math import sqrt

import twin_facts as facts
from twin_record import between, form_of, is_course

ROUNDING, WINDOW = 0.1, 42
PLAUSIBLE = {  # drug, form, unit
    ("trastuzumab", "iv", "mg/kg"): (1, 12),
    ("trastuzumab", "iv", "mg"): (60, 1800),
    ("trastuzumab", "sc", "mg"): (300, 900),
    ("trastuzumab", "fixed", "mg"): (300, 1500),
    ("pertuzumab", "iv", "mg"): (210, 1260),
    ("docetaxel", "iv", "mg/m2"): (20, 150),
    ("docetaxel", "iv", "mg"): (30, 375),
    ("paclitaxel", "iv", "mg/m2"): (40, 240),
    ("paclitaxel", "iv", "mg"): (60, 560),
    ("doxorubicin", "iv", "mg/m2"): (15, 120),
    ("doxorubicin", "iv", "mg"): (25, 300),
    ("cyclophosphamide", "iv", "mg/m2"): (300, 1300),
    ("cyclophosphamide", "iv", "mg"): (400, 2600),
}


@dataclass(eq=False)
class Day:
    """A day on which a drug was given: its doses, and whose day it is."""

    date: date
    episode: object
    metastatic: bool
    doses: list
    before: "Day | None" = None
    after: "Day | None" = None
    zeros: list = field(default_factory=list)  # days of zero doses since the day before

    @property
    def since(self):
        return None if self.before is None else between(self.before.date, self.date)

    @property
    def until(self):
        return None if self.after is None else between(self.date, self.after.date)

    @property
    def derived(self):
        """Whether the day stands in the dates of a course alone."""
        return all(is_course(dose) for dose in self.doses)

    @property
    def in_sequence(self):
        """Whether nothing but the name of a regimen given in turn puts the drug on the day."""
        return all(dose.in_sequence for dose in self.doses)

    @property
    def beside_course(self):
        """Whether a day that its intervals are counted to is of a course or given in turn."""
        earlier = self.before.before if self.before else None
        beside = [day for day in (self.before, earlier, self.after) if day]
        return any(day.derived or day.in_sequence for day in beside)

    @property
    def form(self):
        """iv, sc, fixed, unknown, or mixed where rows differ."""
        forms = {form_of(dose) for dose in self.doses}
        return forms.pop() if len(forms) == 1 else "mixed"


def all_episodes(context):
    """Every episode of the patient, worked out once."""
    if "episodes" not in context.__dict__:
        context.__dict__["episodes"] = facts.episodes(context.patient, context.drugs)
    return context.__dict__["episodes"]


def days_of(context, *names):
    """The days of the patient with one of the drugs, each knowing its neighbours."""
    found, zeros = {}, []
    for episode in all_episodes(context):
        for dose in episode.doses:
            if dose.drug.ingredients & set(names):
                found.setdefault(dose.date, []).append((episode, dose))
        zeros += [zero.date for zero in episode.zeros if zero.drug.ingredients & set(names)]
    days = []
    for day, given in sorted(found.items(), key=lambda item: item[0]):
        metastatic = any(episode.is_metastatic(dose) for episode, dose in given)
        days.append(Day(day, given[-1][0], metastatic, [dose for _, dose in given]))
    for earlier, later in itertools.pairwise(days):
        earlier.after, later.before = later, earlier
    for day in days:
        start = day.before.date if day.before else date.min
        day.zeros = [zero for zero in zeros if start < zero < day.date]
    return days


def courses(days, gap=90):
    """The days in courses: a longer gap, another setting or another episode begins a new one."""
    found = []
    for day in days:
        last = found[-1][-1] if found else None
        same = last and (last.episode is day.episode and last.metastatic == day.metastatic)
        if same and between(last.date, day.date) <= gap:
            found[-1].append(day)
        else:
            found.append([day])
    return found


def close(value, expected, share=ROUNDING):
    return abs(value - expected) <= expected * share + 1e-9


def plausible(name, form, unit, value):
    low, high = PLAUSIBLE.get((name, form, unit), (None, None))
    return low is not None and low <= value <= high


def measured(context, kind):
    """Day to its weight or body surface; None for a day that tells several."""
    heights = {}
    for row in context.patient.observations:
        if row.get("observation_date") and row.get("height_cm") is not None:
            heights.setdefault(row["observation_date"], set()).add(row["height_cm"])
    height = only(heights[max(heights)]) if heights else None
    found = {}
    for row in context.patient.observations:
        day, weight, surface = row.get("observation_date"), row.get("weight_kg"), row.get("bsa_m2")
        value = weight
        if kind == "surface":
            value = surface
            if value is None and height is not None and weight is not None:
                value = round(sqrt(height * weight / 3600), 4)
        if day and value is not None:
            found.setdefault(day, set()).add(value)
    return {day: only(values) for day, values in found.items()}


def only(values):
    return next(iter(values)) if len(values) == 1 else None


def measure(context, kind, day):
    """(weight or body surface, whether it is recent) for a day; (None, False) without one."""
    told = measured(context, kind)
    near = sorted((abs(between(one, day)), one) for one in told if abs(between(one, day)) <= WINDOW)
    if near:
        values = [told[one] for away, one in near if away == near[0][0]]
        return values[0], None not in values and len(set(values)) == 1
    earlier = [one for one in told if one < day]
    return (told[max(earlier)], False) if earlier else (None, False)
