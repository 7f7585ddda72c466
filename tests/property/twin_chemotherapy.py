"""The twin's view of chemotherapy: schedules and exposure (rules.md 2.6).

Every function takes doses in order of their days, as `Episode.curative("chemotherapy")` gives them.
"""

from twin_record import FAMILIES, after, between

WEEKLY, FORTNIGHTLY, THREE_WEEKLY = 7, 14, 21
ON = 14  # days of capecitabine from each dispensing, followed by a week without


def schedules(days):
    """How many days each of one drug's doses covers: 7, 14 or 21.

    Read from the interval to the next dose, for the last one from the interval before it.
    """
    lengths = []
    for position, day in enumerate(days):
        if position + 1 < len(days):
            gap = between(day, days[position + 1])
        elif position:
            gap = between(days[position - 1], day)
        else:
            gap = THREE_WEEKLY
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
