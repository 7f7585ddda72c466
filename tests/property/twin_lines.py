"""The twin's line builder: lines of systemic treatment of metastatic disease, one after the other.

Written from the definition of lines (rules.md 2.2 and 2.8 and the readings of them). It walks
through a patient's dose days and asks on each whether the next line begins.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

import twin_facts as facts
from twin_aftercare import hormone_receptors
from twin_facts import LATE, NEGATIVE, POSITIVE
from twin_record import EITHER_TAXANE, FAMILIES, SYSTEMIC, after, between, doses_of_row
from twin_staging import read_m

JOIN, GAP = 42, 90
ENDOCRINE = FAMILIES["endocrine"]
LINE_DRUGS = FAMILIES["her2"] | FAMILIES["chemotherapy"]
CLASSES = ("her2-antibody", "her2-conjugate", "her2-tki")
SAME_TAXANE = {"docetaxel", "paclitaxel"}


@dataclass(frozen=True)
class Given:
    """One drug on one day."""

    day: date
    drug: str
    dose: object = field(compare=False)


@dataclass
class Line:
    """One line: its doses, and how it began and ended."""

    number: int
    given: list
    began_by: str
    next_start: date | None = None
    ended_by: str | None = None
    progression: date | None = None
    low: bool = False
    uncertain_number: bool = False

    @property
    def start(self):
        return self.given[0].day

    @property
    def last(self):
        return self.given[-1].day

    @property
    def drugs(self):
        return {one.drug for one in self.given}

    @property
    def first_drugs(self):
        return {one.drug for one in self.given if one.day <= after(self.start, JOIN)}

    def first_day(self, *names):
        """The first day of one of the drugs or families in the line, or None."""
        wanted = named(*names)
        return min((one.day for one in self.given if one.drug in wanted), default=None)

    def has(self, *names):
        return bool(self.drugs & named(*names))

    def begun_with(self, *names):
        """Whether one of the drugs or families begins within the join window."""
        return bool(self.first_drugs & named(*names))

    @property
    def in_trial(self):
        return any(one.dose.row.get("trial") is True for one in self.given)


def named(*names):
    return set().union(*(FAMILIES.get(name, {name}) for name in names))


# --- when the disease became metastatic ---------------------------------------------------------


def is_metastatic(episode):
    return episode.metastatic_date != LATE


def is_recurrent(episode):
    return not episode.metastatic_at_diagnosis


def considered_from(episode, drug=None):
    """The first day whose doses may belong to a line: the record's date may be late.

    Endocrine therapy before a relapse was meant for early disease.
    """
    day = episode.metastatic_date
    if drug in ENDOCRINE and is_recurrent(episode):
        return day
    return date.min if day < date.min + timedelta(days=60) else after(day, -30)


def full_months(first, last):
    """Whole calendar months from first to last."""
    months = (last.year - first.year) * 12 + last.month - first.month
    return months - (last.day < first.day)


def within_months(first, last, limit):
    """Whether last is no more than so many calendar months after first; exactly so many is."""
    months = (last.year - first.year) * 12 + last.month - first.month
    return months < limit or (months == limit and last.day <= first.day)


@dataclass
class Clock:
    """How long after the last adjuvant antibody or T-DM1 dose the disease spread."""

    name: str
    last: date | None = None
    months: int | None = None


def clock(episode):
    """The clock of an episode; what the first line holds is not adjuvant."""
    if not is_recurrent(episode):
        return Clock("de-novo")
    end, first = episode.metastatic_date, first_start(episode) or LATE
    before = [
        dose
        for dose in episode.doses
        if dose.has("her2-antibody", "trastuzumab-emtansine")
        and dose.date <= end
        and dose.date < first
        and dose.row.get("intent") != "palliative"
    ]
    if not before:
        return Clock("no-her2")
    last = before[-1].date
    months = full_months(last, end)
    if within_months(last, end, 6):
        return Clock("early", last, months)
    if within_months(last, end, 12):
        return Clock("grey-zone", last, months)
    local = [
        day
        for day in episode.days_of("local_recurrence", "regional_recurrence")
        if last <= day < end
    ]
    # Where HER2 drugs were given again after it, their last dose starts the clock.
    came_early = any(within_months(last, day, 12) for day in local)
    unclear = came_early or any(dose.open for dose in before)
    return Clock("unclear" if unclear else "late", last, months)


def her2_at(episode, line):
    """positive, negative or unknown: by the newest metastasis, else by the primary."""
    found, day = {}, after(line.start, JOIN)
    for tumour_id in episode.ids:
        tests = [t for t in episode.tests.get(tumour_id, []) if t.get("invasive") is not False]
        for rows in facts.specimens(tests):
            taken, result = facts.specimen_day(rows[0]), facts.specimen_result(rows)
            if rows[0].get("specimen_site") == "metastasis" and result and taken and taken <= day:
                found.setdefault(taken, set()).add(result)
    status = episode.status[episode.index["tumour_id"]]
    if found:
        newest = found[max(found)]
        status = next((result for result in (POSITIVE, NEGATIVE) if result in newest), "unknown")
    doubted = any(taken > max(found, default=date.min) for taken in negative_nodes(episode, day))
    doubted = doubted or (not found and other_origin(episode))
    return "unknown" if status == POSITIVE and doubted else status


def other_origin(episode):
    """Whether M1 stands on a HER2-negative tumour, and not on the index tumour."""
    return not says_m1(episode.index) and any(
        says_m1(tumour) and episode.status[tumour["tumour_id"]] == NEGATIVE
        for tumour in episode.tumours
    )


def says_m1(tumour):
    return read_m(tumour) == "M1"


def negative_nodes(episode, last):
    """The days to the last one of HER2-negative nodes sampled once the disease was metastatic."""
    opens = episode.metastatic_date
    if opens > date.min:  # at a lost day of diagnosis any node may be a later one
        opens = after(opens, 0 if is_recurrent(episode) else 121)
    days = []
    for tumour_id in episode.ids:
        tests = [t for t in episode.tests.get(tumour_id, []) if t.get("invasive") is not False]
        for rows in facts.specimens(tests):
            taken, result = facts.specimen_day(rows[0]), facts.specimen_result(rows)
            is_node = rows[0].get("specimen_site") == "node"
            if is_node and result == NEGATIVE and taken and opens <= taken <= last:
                days.append(taken)
    return days


def hr_status(episode):
    """positive, negative or unknown."""
    return hormone_receptors(episode, episode.index) or "unknown"


# --- lines ---------------------------------------------------------------------------------------


def given_days(episode):
    """Every systemic drug on every day, in order; one row in a trial puts the day in it."""
    found = {}
    for dose in episode.doses:
        for drug in dose.drug.ingredients & SYSTEMIC:
            key = (dose.date, drug)
            if key not in found or dose.row.get("trial") is True:
                found[key] = Given(dose.date, drug, dose)
    return [found[key] for key in sorted(found)]


def carried_over(episode, given):
    """What goes on from before the metastasis was known; nothing does in de novo disease."""
    if not is_recurrent(episode):
        return set()
    found = set()
    for drug in {one.drug for one in given}:
        start = considered_from(episode, drug)
        pause = 180 if drug in ENDOCRINE else GAP
        own = [one for one in given if one.drug == drug]
        for course in courses(own, pause):
            meant_early = any(
                one.day < episode.metastatic_date
                and one.dose.row.get("intent") in ("neoadjuvant", "adjuvant", "curative")
                for one in course
            )
            if course[0].day < start or meant_early:
                found |= {one for one in course if one.dose.row.get("intent") != "palliative"}
    return found


def courses(given, pause):
    """One drug's doses, split where more days than the pause lie between two."""
    found = [given[:1]]
    for earlier, one in pairwise(given):
        if between(earlier.day, one.day) > pause:
            found.append([])
        found[-1].append(one)
    return found


def progressions(episode, given, start, number):
    """The days on which the disease progressed in the line of that number begun on `start`.

    A metastasis found soon after the first line's start was there before; later lines are past
    staging.
    """
    days = {day for day in episode.days_of("progression") if day > start}
    staged = after(start, JOIN) if number == 1 else start
    days |= {day for day in episode.days_of(*facts.RECURRENCES) if day > staged}
    return sorted(days | {day for day in progression_stops(episode, given) if day >= start})


def progression_stops(episode, given):
    """The last day of each course whose rows say that the drug was stopped for progression."""
    said = {
        (dose.date, drug)
        for dose in episode.doses
        for drug in dose.drug.ingredients
        if dose.row.get("stop_reason") == "progression"
    }
    found = set()
    for drug in {one.drug for one in given}:
        told, previous = None, None
        for one in [one for one in given if one.drug == drug]:
            if previous and between(previous, one.day) > GAP:
                found.add(told)
                told = None
            if (one.day, drug) in said:
                told = one.day
            previous = one.day
        found.add(told)
    return found - {None}


def lines(context, episode):
    """The lines of an episode, in order; none where it is not metastatic."""
    if not is_metastatic(episode):
        return []
    everything = given_days(episode)
    start, began_by, found = first_start(episode), "first", []
    while start:
        now = [one for one in everything if one.day >= start]
        progressed = progressions(episode, everything, start, len(found) + 1)
        following, why = next_line(now, start, progressed, context.observable)
        own = [one for one in now if one.day < (following or LATE)]
        line = Line(len(found) + 1, own, began_by, following, why)
        until = following or LATE
        line.progression = next((day for day in progressed if day <= until), None)
        found.append(line)
        start, began_by = following, why
    mark_certainty(context, found)
    return found


def first_start(episode):
    """The first day of a drug that was not given before the metastasis, or None."""
    given = given_days(episode)
    carried = carried_over(episode, given)
    new = [one for one in given if one not in carried]
    return min((o.day for o in new if o.day >= considered_from(episode, o.drug)), default=None)


def next_line(now, start, progressed, observable):
    """(the day on which the next line begins, why), or (None, None)."""
    for day in sorted({one.day for one in now}):
        if day > after(start, JOIN):
            why = begins(now, day, progressed, observable)
            if why:
                return day, why
    return None, None


def begins(now, day, progressed, observable):
    """Why a line begins on the day; None where it does not."""
    before = [one for one in now if one.day < day]
    today = {one.drug for one in now if one.day == day}
    had = {one.drug for one in before}
    new = {drug for drug in today & LINE_DRUGS if not known(drug, had)}
    by_then = [one for one in progressed if one <= day]
    pause = between(before[-1].day, day)
    soon = {one.drug for one in now if day <= one.day <= after(day, JOIN)}
    seen = after(day, JOIN) <= observable

    if by_then and (new or resumed(before, today & LINE_DRUGS, day, by_then)):
        return "progression"
    if new and pause > GAP:
        return "gap"
    if new and not had & LINE_DRUGS & soon and seen:
        return "drug-change"
    if (today & ENDOCRINE) - had and not soon & LINE_DRUGS and seen:
        if by_then:
            return "progression"
        if pause > GAP:
            return "gap"
    return None


def known(drug, had):
    """Whether a drug was given before; the taxane that a regimen leaves open is either."""
    either = EITHER_TAXANE in had and drug in SAME_TAXANE
    return drug in had or either or (drug == EITHER_TAXANE and bool(had & SAME_TAXANE))


def resumed(before, today, day, progressed):
    """Whether a drug comes back after a pause in which the disease progressed."""
    for drug in today:
        earlier = [one.day for one in before if known(drug, {one.drug})]
        paused = earlier and between(earlier[-1], day) > GAP
        if paused and any(earlier[-1] <= one <= day for one in progressed):
            return True
    return False


def mark_certainty(context, found):
    """Low from the first line on that began without progression, or took a drug in late."""
    doubtful = not context.linked("events")
    for line in found:
        window = after(line.start, JOIN)
        late = {
            one.drug
            for one in line.given
            if one.drug in LINE_DRUGS
            and one.day > window
            and not known(one.drug, {o.drug for o in line.given if o.day < one.day})
        }
        line.uncertain_number = doubtful or line.began_by in ("gap", "drug-change")
        doubtful = line.uncertain_number or bool(late)
        line.low = doubtful or line.ended_by in ("gap", "drug-change")


def prior_regimens(context, episode, number):
    """(earlier lines with a HER2 drug, those and each HER2 class given before the first line)."""
    every = lines(context, episode)
    earlier = [line for line in every if line.number < number and line.has("her2")]
    before = {
        drug
        for row in context.patient.treatments
        for dose in doses_of_row(row, context.drugs)
        for drug in dose.drug.ingredients
        if dose.date < every[0].start
    }
    return len(earlier), len(earlier) + sum(bool(before & FAMILIES[name]) for name in CLASSES)
