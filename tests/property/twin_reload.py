"""The twin: R18: gaps in antibody treatment are explained, and the antibody is loaded again."""

import itertools
from datetime import date

from twin_amounts import all_episodes, close, days_of, measure, plausible
from twin_case import Case, documented, not_invasive, rule
from twin_doubts import doubts
from twin_ends import days_of_pregnancy
from twin_holds import holds
from twin_record import FAMILIES, RULES, after, amount, doses_of_row, is_course, read_topic

FROM_TRASTUZUMAB = date(2010, 1, 1)
PERTUZUMAB = {"US": date(2012, 6, 8), "EU": date(2013, 3, 1), "ENGLAND": date(2018, 3, 1)}
DRUGS = ("trastuzumab", "pertuzumab")
RELOADED, NOT_RELOADED, UNKNOWN = "reloaded", "not-reloaded", "reload-not-known"


@rule(
    "R18",
    since=dict.fromkeys(("US", "EU", "ENGLAND"), FROM_TRASTUZUMAB),
    accepts={"patient-refusal", "mdt-documented-deviation"},
)
def r18(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    if not context.linked("treatments"):
        case = Case("R18", f"{key}/early", key)
        case.excluded += ["in-situ"] if not_invasive(episode, tumour) else []
        case.missing.append("stream-not-linked")
        return [case]
    if not_invasive(episode, tumour):
        return []
    every = {name: days_of(context, name) for name in DRUGS}
    cases = []
    for metastatic, part in ((False, "early"), (True, "metastatic")):
        own = {
            name: [d for d in days if d.episode.ids == episode.ids and d.metastatic == metastatic]
            for name, days in every.items()
        }
        case = Case("R18", f"{key}/{part}", key)
        gaps = [gap for name, days in own.items() for gap in gaps_of(context, episode, name, days)]
        if gaps:
            judge(context, episode, case, gaps, own)
            cases.append(case)
    return cases


def gaps_of(context, episode, name, days):
    """(drug, day before, day after) of each gap that counts."""
    for earlier, later in itertools.pairwise(days):
        gap = (later.date - earlier.date).days
        if later.before is not earlier:  # another episode or setting lies between
            continue
        if gap > 180 or later.form == "sc" or (name == "trastuzumab" and may_be_flat(later)):
            continue
        fixed = "fixed" in (earlier.form, later.form)
        if name == "pertuzumab" or fixed:
            counted = gap >= 42
        else:
            counted = gap > (14 if was_weekly(context, earlier) else 28)
        if counted and not taken_over(context, earlier.date, later.date):
            yield name, earlier, later


def may_be_flat(day):
    """Whether a day without a recorded route may be the subcutaneous 600 mg."""
    given = [one for one in map(amount, day.doses) if one and one[1] == "mg"]
    return day.form == "unknown" and bool(given) and close(sum(one[0] for one in given), 600)


def was_weekly(context, day):
    """A weekly dose: surely 2 or 4 mg/kg, given within ten days of the one before it."""
    if day.since is None or day.since > 10:
        return False
    found = per_kilogram(context, day)
    return found is not None and found[1] and any(close(found[0], one) for one in (2, 4))


def per_kilogram(context, day):
    """(mg/kg, whether the weight is recent) of a day's dose in the vein, or None."""
    given = [amount(dose) for dose in day.doses]
    units = {one[1] for one in given if one}
    if None in given or len(units) != 1:
        return None
    value, unit = sum(one[0] for one in given), units.pop()
    if unit == "mg/kg":
        return (value, True) if plausible("trastuzumab", "iv", "mg/kg", value) else None
    weight, recent = measure(context, "weight", day.date)
    if unit != "mg" or weight is None or not plausible("trastuzumab", "iv", "mg", value):
        return None
    share = round(value / weight, 4)
    return (share, recent) if plausible("trastuzumab", "iv", "mg/kg", share) else None


def taken_over(context, first, last):
    """Whether another HER2 drug was given from the one day to the other, for whichever cancer."""
    others = FAMILIES["her2"] - set(DRUGS)
    return any(
        dose.drug.ingredients & others and first <= dose.date <= last
        for row in context.patient.treatments
        for dose in doses_of_row(row, context.drugs)
    )


def reload(context, name, later):
    """Whether the first dose after a gap is a loading dose."""
    given = [amount(dose) for dose in later.doses]
    units = {one[1] for one in given if one}
    if None in given or len(units) != 1 or None in units or later.form == "mixed":
        return UNKNOWN
    value, unit, single = sum(one[0] for one in given), units.pop(), len(given) == 1
    if later.form == "fixed":
        right, known = close(value, 1200), plausible("trastuzumab", "fixed", "mg", value)
        known = known and unit == "mg"
    elif name == "pertuzumab":
        right = close(value, 840)
        known = unit == "mg" and plausible("pertuzumab", "iv", "mg", value)
        if later.form == "unknown" and any(close(value, one) for one in (600, 1200)):
            known = False
    else:
        found = per_kilogram(context, later)
        if found is None or (later.form == "unknown" and unit == "mg" and close(value, 600)):
            return UNKNOWN
        weekly_likely = later.until is not None and 11 <= later.until <= 28
        right = close(found[0], 8) or (close(found[0], 4) and not weekly_likely)
        known = True
        if not right and not found[1]:
            return UNKNOWN
    if right and known:
        return RELOADED
    return NOT_RELOADED if known and single else UNKNOWN


EXPLAINS = ("progression", "ild", "anaphylaxis")


def paused_together(gaps, earlier, later):
    """The gaps of either antibody that begin and end with this one, give or take seven days."""
    return [
        gap
        for gap in gaps
        if abs((gap[1].date - earlier.date).days) <= 7 and abs((gap[2].date - later.date).days) <= 7
    ]


def explained(context, name, earlier, later):
    """Whether a reason for the gap is on record."""
    first, last = earlier.date, later.date
    if any(dose.row.get("stop_reason") for dose in earlier.doses):
        return True
    topics = {RULES["R18"], name, "her2-antibody", "her2"}
    if any(read_topic(x.get("topic"), context.drugs) & topics for x in context.patient.exceptions):
        return True  # whichever tumour it names: the doses are the patient's
    for event in context.patient.events:
        acted = set((event.get("action") or "").split(";")) & {"stopped", "interrupted"}
        day = event.get("event_date")
        if day and first <= day <= last and (acted or event["event"] in EXPLAINS):
            return True
    if any(first <= day <= last for day in days_of_pregnancy(context)):
        return True
    operated = [s["surgery_date"] for s in context.patient.surgeries if s.get("surgery_date")]
    if any(first <= day <= last for day in operated):
        return True
    held = [
        hold.start
        for one in all_episodes(context)
        for metastatic in (False, True)
        for hold in holds(context, one, metastatic=metastatic)
    ]
    return any(after(first, -7) <= start < last for start in held)


def judge(context, episode, case, gaps, own):
    gaps = sorted(gaps, key=lambda gap: (gap[2].date, gap[0]))
    case.decision = gaps[0][2].date
    opened = min(earlier.date for _, earlier, _ in gaps)
    with_trastuzumab = any(name == "trastuzumab" for name, _, _ in gaps)
    since = FROM_TRASTUZUMAB if with_trastuzumab else PERTUZUMAB[context.jurisdiction]
    if case.decision < since:
        case.excluded.append("not-in-force")
    rows = [dose.row for days in own.values() for day in days for dose in day.doses]
    if any(row.get("trial") is True for row in rows) or trial_said(context, episode):
        case.excluded.append("trial")
    unloaded, unexplained, unsure, unknown = set(), False, [], False
    for name, earlier, later in gaps:
        how = reload(context, name, later)
        long = (later.date - earlier.date).days > 42
        reason = not long or any(
            explained(context, *gap) for gap in paused_together(gaps, earlier, later)
        )
        doubt = uncertain(own[name], earlier, later)
        if how == RELOADED and reason:
            continue
        if doubt:
            unsure.append(doubt)
            continue
        unknown |= how == UNKNOWN
        unexplained |= not reason
        if how == NOT_RELOADED:
            unloaded.add(name)
    if unloaded:
        case.failure = "not-reloaded"
    elif unexplained:
        case.failure = "gap-unexplained"
        if not all(context.linked(t) for t in ("surgeries", "events", "exceptions")):
            case.missing.append("stream-not-linked")
    elif unsure:
        case.missing += unsure
    elif unknown:
        case.missing.append(UNKNOWN)
    else:
        case.met, case.met_reason = True, RELOADED
    if unloaded and not unexplained:
        topics = {"her2-antibody", "her2"} | (unloaded if len(unloaded) == 1 else set())
        case.exceptions += documented(context, episode, "R18", topics)
    window = (opened, after(gaps[-1][2].date, 28))
    case.doubts = doubts(context, episode, "R18", ["her2"], window, opened)


def uncertain(days, earlier, later):
    if any(earlier.date < zero < later.date for zero in later.zeros):
        return "zero-dose-in-gap"
    if earlier.in_sequence or later.in_sequence:
        return "days-not-recorded"
    opened = [day for day in days if day.date <= earlier.date]
    if any(is_course(d) and d.open for day in opened for d in day.doses):
        return "no-end-date"
    return None


def trial_said(context, episode):
    topics = {RULES["R18"], *DRUGS, "her2-antibody", "her2"}
    return any(
        x.get("reason") == "trial"
        and read_topic(x.get("topic"), context.drugs) & topics
        and (not x.get("tumour_id") or x["tumour_id"] in episode.ids)
        for x in context.patient.exceptions
    )
