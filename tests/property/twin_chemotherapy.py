"""The twin's view of chemotherapy: schedules and exposure (rules.md 2.6).

Every function takes doses in order of their days, as `Episode.curative("chemotherapy")` gives them.
"""

from twin_record import FAMILIES, after, between

WEEKLY, FORTNIGHTLY, THREE_WEEKLY = 7, 14, 21
ON = 14  # days of capecitabine from each dispensing, followed by a week without


def schedules(days):
    """How many days each of one drug's doses covers: 7, 14 or 21.

    Read from the interval to the next dose; the last dose before a break, or of all, goes by the
    interval before it.
    """
    lengths = []
    for position, day in enumerate(days):
        behind = between(days[position - 1], day) if position else None
        ahead = between(day, days[position + 1]) if position + 1 < len(days) else None
        gap = behind if ahead is None or (ahead > 28 and behind) else ahead
        if behind and behind <= 10 and ahead and not 17 <= ahead <= 28:
            gap = behind
        gap = gap or THREE_WEEKLY
        lengths.append(WEEKLY if gap <= 10 else FORTNIGHTLY if gap <= 16 else THREE_WEEKLY)
    return lengths


def exposure(doses):
    """The spans under chemotherapy as (first day, last day), both inclusive, by drug and dose."""
    spans = []
    for drug in sorted(FAMILIES["chemotherapy"]):
        days = sorted({dose.date for dose in doses if dose.has(drug)})
        lengths = [ON] * len(days) if drug == "capecitabine" else schedules(days)
        spans += [(day, after(day, length - 1)) for day, length in zip(days, lengths, strict=True)]
    return sorted(spans)


def weights(doses, *names):
    """Day to three-weekly equivalents: a weekly dose a third, any other one, a day once."""
    found = {}
    for drug in sorted(set().union(*(FAMILIES.get(name, {name}) for name in names))):
        days = sorted({dose.date for dose in doses if dose.has(drug)})
        for day, length in zip(days, schedules(days), strict=True):
            found[day] = max(found.get(day, 0), 1 / 3 if length == WEEKLY else 1)
    return found


def equivalents(doses, *names):
    """Three-weekly equivalents of the drugs or families named."""
    return round(sum(weights(doses, *names).values()), 6)
