"""The twin's six rules, each from the specification's own words.

Every rule returns a list of `Case`: what it found for one subject. `twin_case.verdict` decides.
"""

from datetime import date

import twin_facts as facts
from twin_case import (
    ANTIBODY,
    CHEMOTHERAPY_TOPICS,
    CYTOTOXIC,
    DXD_AFTER_RESIDUAL,
    HER2_TOPICS,
    PERTUZUMAB_TOPICS,
    TDM1,
    TDXD,
    TRASTUZUMAB_TOPICS,
    Case,
    documented,
    doubts,
    first_day,
    in_trial,
    interruptions,
    not_invasive,
    status_reasons,
    together,
)
from twin_facts import EQUIVOCAL, LATE, NEGATIVE, POSITIVE
from twin_record import RULES, SYSTEMIC, after, between, read_topic

# --- R01 -------------------------------------------------------------------------------------


def r01(context, episode):
    cases = []
    for setting in ("early", "metastatic"):
        doses = [
            dose
            for dose in episode.doses
            if dose.has("her2") and episode.is_metastatic(dose) == (setting == "metastatic")
        ]
        if doses:
            cases.append(r01_setting(context, episode, setting, doses))
    return cases


def r01_setting(context, episode, setting, doses):
    first = doses[0].date
    limit = after(first, 14)
    index = episode.index["tumour_id"]
    case = Case("R01", f"{index}/her2-{setting}", index, decision=first, due=limit)
    all_tests = [t for tumour_id in episode.ids for t in episode.tests.get(tumour_id, [])]
    tests = [t for t in all_tests if t.get("invasive") is not False]
    timely = [t for t in tests if facts.result_date(t) and facts.result_date(t) <= limit]
    taken = [t for t in tests if facts.specimen_day(t) and facts.specimen_day(t) <= limit]

    if not_invasive(episode, episode.index):
        case.excluded.append("in-situ")
    if not context.in_force("R01", first):
        case.excluded.append("not-in-force")
    moved = context.patient.row.get("transfer_in_date")
    known_elsewhere = facts.results(tests) or any(
        tumour.get("her2_summary") == POSITIVE for tumour in episode.tumours
    )
    if moved and first <= moved and not known_elsewhere:
        case.excluded.append("treated-elsewhere")

    case.exceptions += documented(context, episode, "R01", HER2_TOPICS)
    if any(dose.row.get("trial") is True for dose in doses):
        case.exceptions.append("trial")

    # in the metastatic setting the newest metastasis with a definite result decides alone
    decisive = newest_metastasis(timely) if setting == "metastatic" else []
    by_then = decisive or facts.results(timely)
    summaries = [
        tumour.get("her2_summary")
        for tumour in episode.tumours
        if not facts.results([t for t in tests if t.get("tumour_id") == tumour["tumour_id"]])
    ]
    known = decisive or facts.results(taken)
    if POSITIVE in by_then:
        case.met, case.met_reason = True, "assay"
    elif POSITIVE in summaries:
        case.met, case.met_reason = True, "summary"
    elif EQUIVOCAL in known:
        case.missing.append("her2-equivocal")
    elif POSITIVE in facts.results(tests) and POSITIVE not in facts.results(timely):
        case.failure = "result-after-first-dose"
    elif known and (decisive or all(read_negative(t, tests, taken) for t in episode.tumours)):
        r01_negative(case, setting, doses, taken)
    elif summaries and len(summaries) == len(episode.tumours) and set(summaries) == {NEGATIVE}:
        case.failure = "summary-only"
    elif limit > context.observable:
        case.open = True
    else:
        case.missing.append("her2-unknown")
    negative = case.failure in ("her2-negative", "summary-only")
    if negative and facts.m_status(episode, episode.index) is None:
        case.missing.append("m-unknown")
    if not context.linked("receptor_tests"):
        case.doubts.append("stream-not-linked")
    case.doubts += doubts(context, episode, "R01", ["her2"], None, first)
    return case


def read_negative(tumour, tests, taken):
    """Whether this tumour was read in time; without any assay its summary has to say negative."""

    def own(rows):
        return facts.results([t for t in rows if t.get("tumour_id") == tumour["tumour_id"]])

    return bool(own(taken)) or (not own(tests) and tumour.get("her2_summary") == NEGATIVE)


def newest_metastasis(tests):
    """The definite results of the newest metastasis specimens."""
    definite = {}
    for rows in facts.specimens([t for t in tests if t.get("specimen_site") == "metastasis"]):
        result = facts.specimen_result(rows)
        if result in (POSITIVE, NEGATIVE):
            day = max(facts.specimen_day(row) for row in rows)
            definite.setdefault(day, []).append(result)
    return definite[max(definite)] if definite else []


def r01_negative(case, setting, doses, tests):
    """Negative results only: HER2-low, HER2-ultralow, a bridging dose, or a failure."""
    first = doses[0].date
    case.failure = "her2-negative"
    opening = set().union(*(d.drug.ingredients for d in doses if d.date == first))
    scores = [facts.ihc_of(rows) for rows in facts.specimens(tests)]
    if setting == "metastatic" and TDXD in opening:
        if first >= date(2022, 8, 5) and (1 in scores or 2 in scores):
            case.excluded.append("her2-low")
        elif first >= date(2025, 1, 1) and 0 in scores:
            case.missing.append("her2-ultralow-not-recorded")
    if len({dose.date for dose in doses}) == 1:
        for rows in facts.specimens(tests):
            ihc = facts.ihc_of(rows)
            late = [
                facts.ish_class(row, ihc)
                for row in rows
                if facts.result_date(row) > first and facts.ish_class(row, ihc)
            ]
            if ihc == 2 and late and POSITIVE not in late:
                case.exceptions.append("bridging-dose")


# --- R03 -------------------------------------------------------------------------------------


def r03(context, episode):
    tumour, patient = episode.index, context.patient.row
    diagnosis = tumour.get("diagnosis_date")
    surgery = facts.first_surgery(episode, tumour)
    systemic = [dose.date for dose in episode.systemic]
    decision = min([*systemic[:1], *([surgery] if surgery else [])], default=diagnosis)
    case = Case("R03", tumour["tumour_id"], tumour["tumour_id"], decision=decision)
    t, n = facts.stage_by_pathway(tumour, facts.pathway(episode, tumour))
    large, small = facts.at_least(t, "T1c"), t is not None and not facts.at_least(t, "T1")

    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    for reason in status_reasons(episode, tumour):
        known = reason in ("metastatic", "her2-negative")
        (case.excluded if known else case.missing).append(reason)
    if small and n is not None and not facts.node_positive(n):
        case.excluded.append("small-tumour")
    if diagnosis and patient.get("birth_date") and age(patient["birth_date"], diagnosis) < 18:
        case.excluded.append("under-18")
    pregnancies = days_of_pregnancy(context)
    if diagnosis and any(-280 <= between(diagnosis, day) <= 42 for day in pregnancies):
        case.excluded.append("pregnancy-at-diagnosis")
    intents = {row.get("intent") for row in episode.rows if is_systemic(row, context)}
    if intents == {"palliative"}:
        case.excluded.append("palliative-intent")
    moved = patient.get("transfer_in_date")
    if moved and systemic and moved > systemic[0]:
        case.excluded.append("transferred-in-treated")
    if not context.in_force("R03", decision):
        case.excluded.append("not-in-force")
    if not (large or facts.node_positive(n)):
        case.missing.append("stage-unknown")
    if not context.linked("treatments"):
        case.missing.append("stream-not-linked")
    if diagnosis is None:
        case.missing.append("diagnosis-date-missing")
        return [case]

    antibody = first_day(episode.curative(ANTIBODY))
    chemotherapy = first_day(episode.curative(CYTOTOXIC))
    lacking = set()
    if not antibody or antibody > after(diagnosis, 365):
        lacking |= TRASTUZUMAB_TOPICS
    case.due = after(diagnosis, 365)
    if not chemotherapy or chemotherapy > after(diagnosis, 183):
        lacking |= CHEMOTHERAPY_TOPICS
        case.due = after(diagnosis, 183)
    case.met = not lacking
    case.exceptions += documented(context, episode, "R03", lacking)
    if in_trial(episode.rows, date.min, after(case.due, -1)):
        case.exceptions.append("trial")
    case.exceptions += interruptions(context, episode, diagnosis, case.due)
    case.doubts = doubts(
        context, episode, "R03", [ANTIBODY, CYTOTOXIC], (date.min, case.due), diagnosis
    )
    return [case]


def days_of_pregnancy(context):
    """The days of the patient's pregnancies, whichever tumour the events name."""
    events = context.patient.events
    return [e["event_date"] for e in events if e["event"] == "pregnancy" and e.get("event_date")]


def is_systemic(row, context):
    """Whether a treatment row, dated or not, is a systemic drug."""
    drug = context.drugs.get(row.get("drug"))
    return bool(drug and drug.ingredients & SYSTEMIC)


def age(birth, day):
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


# --- R05 -------------------------------------------------------------------------------------


def r05(context, episode):
    tumour = episode.index
    key = tumour["tumour_id"]
    case = Case("R05", f"{key}/neoadjuvant", key)
    way = facts.pathway(episode, tumour)
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    r05_stage(context, case, tumour)
    unlinked = [t for t in ("treatments", "surgeries") if not context.linked(t)]
    if "treatments" in unlinked:
        case.missing.append("stream-not-linked")
        return [case]
    trastuzumab = episode.curative("trastuzumab")
    surgery = facts.first_surgery(episode, tumour)
    last = after(surgery, -1) if surgery else LATE
    given = sorted({dose.date for dose in trastuzumab if dose.date <= last})
    if not given:
        case.excluded.append("no-trastuzumab")
        return [case]
    case.decision = given[0]
    if not context.in_force("R05", case.decision):
        case.excluded.append("not-in-force")
    if unlinked:
        case.missing.append("stream-not-linked")
        return [case]
    if way != "neoadjuvant":
        case.excluded.append("not-neoadjuvant")
        return [case]

    course = [d for d in episode.systemic if not episode.is_metastatic(d) and d.date <= last]
    case.due = surgery or after(course[-1].date, 90)
    stopped = any(dose.row.get("stop_reason") == "progression" for dose in course)
    progressed = any(given[0] <= day <= (surgery or LATE) for day in episode.days_of("progression"))
    if len(given) < 2 and (stopped or progressed):
        case.excluded.append("stopped-for-progression")

    pertuzumab = [dose for dose in episode.curative("pertuzumab") if dose.date <= last]
    named = all(
        open_ended([dose for dose in doses if dose.date <= last])
        for doses in (trastuzumab, pertuzumab)
    )
    counted = together(context, episode, date.min, last)
    if len(counted) >= 3:
        case.met = True
    elif named:
        case.met, case.met_reason = True, "regimen-name"
    case.exceptions += documented(context, episode, "R05", PERTUZUMAB_TOPICS)
    case.exceptions += stops(pertuzumab)
    if in_trial(episode.rows, course[0].date, min(last, case.due)):
        case.exceptions.append("trial")
    case.exceptions += interruptions(context, episode, given[0], case.due)
    partner_open = any(d.open for d in trastuzumab if d.date <= last)
    partner_open = partner_open and len({dose.date for dose in pertuzumab}) >= 3
    if (any(dose.open for dose in pertuzumab) or partner_open) and not case.met:
        case.missing.append("no-end-date")
    opened = tumour.get("diagnosis_date") or given[0]
    window = (min(opened, after(given[0], -7)), min(last, case.due))
    needs = ["trastuzumab", "pertuzumab"]
    case.doubts += doubts(context, episode, "R05", needs, window, opened)
    return [case]


def stops(doses):
    """Why the drug was stopped, as its own rows say."""
    said = {dose.row.get("stop_reason") for dose in doses}
    return sorted(said & {"toxicity", "patient-refusal", "progression"})


def open_ended(doses):
    """Whether a course without an end is among the doses, or a regimen name that stands once."""
    regimens = {d.date for d in doses if d.drug.regimen and d.row.get("end_date") is None}
    return any(dose.open for dose in doses) or len(regimens) == 1


def r05_stage(context, case, tumour):
    """Whether the stage is in the population, by the variant chosen."""
    population = context.variant("R05", "population", "stage-ii-iii")
    t, n = facts.clinical_t(tumour), facts.read_n(tumour.get("clinical_n"))
    if population == "all-early" or facts.node_positive(n):
        return
    size = tumour.get("clinical_size_mm")
    limit = "T3" if population == "high-risk" else "T2"
    if facts.at_least(t, limit):
        return
    if (
        population == "stage-ii-iii"
        and context.variant("R05", "size", "over-20-mm") == "20-mm-or-more"
        and t == "T1c"
        and size == 20
    ):
        return
    if t is None or n is None:
        case.missing.append("stage-unknown")
    else:
        case.excluded.append("stage-i")


# --- R10 -------------------------------------------------------------------------------------


def r10(context, episode):
    return [
        r10_tumour(context, episode, tumour)
        for tumour in episode.tumours
        if episode.status[tumour["tumour_id"]] != NEGATIVE
    ]


def r10_tumour(context, episode, tumour):
    case = Case("R10", tumour["tumour_id"], tumour["tumour_id"])
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    unlinked = [t for t in ("treatments", "surgeries") if not context.linked(t)]
    surgery = facts.first_surgery(episode, tumour)
    last = after(surgery, -1) if surgery else LATE
    if "treatments" not in unlinked:
        for drug, reason in (("trastuzumab", "her2"), ("taxane", "taxane")):
            if not first_day(episode.curative(drug), end=last):
                case.excluded.append(f"no-neoadjuvant-{reason}")
    if "surgeries" in unlinked:
        case.missing.append("stream-not-linked")
        return case
    if not surgery:
        case.excluded.append("no-surgery")
        return case

    answer = facts.response(episode, tumour)
    if answer == "pcr":
        case.excluded.append("pcr")
    started = r10_start(context, episode, surgery)
    case.decision = max(
        row["surgery_date"]
        for row in facts.counted_surgeries(episode, tumour)
        if facts.is_definitive(row)
        and row["surgery_date"] <= min(after(surgery, 180), started or LATE)
    )
    if not context.in_force("R10", case.decision):
        case.excluded.append("not-in-force")
    if unlinked:
        case.missing.append("stream-not-linked")
    if answer is None:
        case.missing.append("response-unknown")
    case.due = after(case.decision, 180)
    relapses = [d for d in episode.days_of(*facts.RECURRENCES) if d >= case.decision]
    if started and started <= case.due and not any(day < started for day in relapses):
        case.met = True
        case.met_reason = "on-time" if started <= after(case.decision, 84) else "late"
    topics = {TDM1, "her2-conjugate", "her2"}
    for reason in documented(context, episode, "R10", topics):
        if reason in ("drug-unavailable", "funding-restriction"):
            fallback = first_day(
                episode.curative("trastuzumab"), after(case.decision, 1), after(case.decision, 63)
            )
            case.exceptions.append(
                "drug-unavailable-fallback-met" if fallback else "drug-unavailable"
            )
        else:
            case.exceptions.append(reason)
    if in_trial(episode.rows, after(surgery, 1), case.due):
        case.exceptions.append("trial")
    case.exceptions += interruptions(
        context, episode, case.decision, case.due, before=started or LATE
    )
    window = (after(surgery, 1), case.due)
    case.doubts = doubts(context, episode, "R10", [TDM1, TDXD], window, case.decision)
    return case


def r10_start(context, episode, surgery):
    """The first T-DM1 dose after surgery (or T-DXd, where and when that is accepted)."""
    accepted = DXD_AFTER_RESIDUAL.get(context.jurisdiction, LATE)
    doses = episode.curative(TDM1) + [d for d in episode.curative(TDXD) if d.date >= accepted]
    return first_day(doses, start=after(surgery, 1))


# --- R14 -------------------------------------------------------------------------------------


def r14(context, episode):
    tumour = episode.index
    case = Case("R14", tumour["tumour_id"], tumour["tumour_id"])
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    r14_nodes(context, case, tumour)
    unlinked = [t for t in ("treatments", "surgeries") if not context.linked(t)]
    if "treatments" in unlinked:
        case.missing.append("stream-not-linked")
        return [case]
    surgery = facts.first_surgery(episode, tumour)
    if unlinked:
        case.missing.append("stream-not-linked")
        if not episode.curative("trastuzumab"):
            case.excluded.append("no-adjuvant-trastuzumab")
        if not episode.curative(CYTOTOXIC):
            case.excluded.append("no-chemotherapy")
        return [case]
    way = facts.pathway(episode, tumour)
    if not way.startswith("surgery-first"):
        case.excluded.append("neoadjuvant")
        return [case]
    if not surgery:
        case.missing.append("surgery-undated")
        surgery = date.min
    case.decision = first_day(episode.curative("trastuzumab"), surgery)
    if not case.decision:
        case.excluded.append("no-adjuvant-trastuzumab")
        return [case]
    recurrence = facts.recurrence_date(episode, tumour)
    end = after(recurrence, -1) if recurrence < LATE else LATE
    if not first_day(episode.curative(CYTOTOXIC), surgery, end):
        case.excluded.append("no-chemotherapy")
    if not context.in_force("R14", case.decision):
        case.excluded.append("not-in-force")

    pertuzumab = [dose for dose in episode.curative("pertuzumab") if dose.date >= surgery]
    first = first_day(pertuzumab)
    in_time = first is not None and first <= after(case.decision, 42)
    case.due = after(case.decision, 400 if in_time else 42)
    counted = together(context, episode, surgery, after(case.decision, 400))
    case.met = in_time and len(counted) >= 15
    case.exceptions += documented(context, episode, "R14", PERTUZUMAB_TOPICS)
    case.exceptions += stops(pertuzumab)
    if in_trial(episode.rows, surgery, LATE):
        case.exceptions.append("trial")
    case.exceptions += interruptions(context, episode, case.decision, case.due)
    partners = [dose for dose in episode.curative("trastuzumab") if dose.date >= surgery]
    if in_time and not case.met and (open_ended(pertuzumab) or open_ended(partners)):
        case.missing.append("no-end-date")
    needs, window = ["trastuzumab", "pertuzumab"], (date.min, case.due)
    case.doubts += doubts(context, episode, "R14", needs, window, surgery)
    return [case]


def r14_nodes(context, case, tumour):
    """Whether the nodes (or, by variant, the stage) are in the population."""
    population = context.variant("R14", "population", "node-positive")
    n, t = facts.pathological_n(tumour), facts.pathological_t(tumour)
    if facts.node_positive(n):
        return
    england = context.jurisdiction == "ENGLAND"  # funded for node-positive disease only
    if population == "all" and not england:
        return
    if population == "stage-ii-iii" and not england:
        if facts.at_least(t, "T2"):
            return
        if t is None and n is not None:
            case.missing.append("stage-unknown")
            return
    if n is None:
        case.missing.append("stage-unknown")
    else:
        case.excluded.append("node-negative")


# --- R17 -------------------------------------------------------------------------------------


def r17(context, episode):
    tumour, key = episode.index, episode.index["tumour_id"]
    case = Case("R17", f"{key}/antibody-year", key)
    case.excluded += status_reasons(episode, tumour)
    if not_invasive(episode, tumour):
        case.excluded.append("in-situ")
    if not context.linked("treatments"):
        case.missing.append("stream-not-linked")
        return [case]
    trastuzumab = episode.curative("trastuzumab")
    if not trastuzumab:
        case.excluded.append("no-trastuzumab")
        return [case]
    first = case.decision = trastuzumab[0].date
    end = case.due = after(first, 540)
    surgery = facts.first_surgery(episode, tumour)
    neoadjuvant = facts.pathway(episode, tumour) == "neoadjuvant" and first < (surgery or LATE)
    if not context.in_force("R05" if neoadjuvant else "R17", first):
        case.excluded.append("not-in-force")
    antibody_start = first_day(episode.curative(ANTIBODY))
    if any(
        antibody_start < dose.date <= end and dose.date < facts.recurrence_date(episode, tumour)
        for dose in episode.curative("her2-conjugate")
    ):
        case.excluded.append("switched-to-conjugate")

    doses = [dose for dose in trastuzumab if dose.date <= end]
    covered, three_weekly, weekly = covered_days(doses, end)
    cycles = context.variant("R17", "target", "350-days") == "18-cycles"
    target, enough = (378, 18) if cycles else (350, 17)
    case.met = covered >= target or three_weekly >= enough
    case.margin = covered - target
    if open_ended(doses) and not case.met:
        case.missing.append("no-end-date")
    elif three_weekly + weekly < 2:
        case.missing.append("single-dose")

    last = doses[-1].date
    remaining = max(0, between(context.observable, end))
    reachable = covered + remaining >= target or three_weekly + remaining // 21 + 1 >= enough
    running = between(last, context.observable) <= 42
    case.closed = not reachable and not running

    trial = in_trial([d.row for d in episode.curative(ANTIBODY)], first, LATE)
    said = trial_documented(context, episode)
    if not case.met and (trial or said):
        case.excluded.append("trial")
    case.exceptions += r17_exceptions(context, episode, first, last, end)
    needs = ["trastuzumab", TDM1, TDXD]
    case.doubts = doubts(context, episode, "R17", needs, (date.min, end), first)
    return [case]


def trial_documented(context, episode):
    topics = TRASTUZUMAB_TOPICS | {RULES["R17"]}
    return any(
        row.get("reason") == "trial"
        and read_topic(row.get("topic"), context.drugs) & topics
        and (not row.get("tumour_id") or row["tumour_id"] in episode.ids)
        for row in context.patient.exceptions
    )


def r17_exceptions(context, episode, first, last, end):
    found = documented(context, episode, "R17", TRASTUZUMAB_TOPICS)
    stops = {
        "toxicity": "toxicity",
        "patient-refusal": "patient-refusal",
        "progression": "progression",
        "death": "death-before-due",
    }
    for family in ("trastuzumab", ANTIBODY):
        doses = [dose for dose in episode.curative(family) if dose.date <= end]
        for dose in doses:
            if dose.date == doses[-1].date and dose.row.get("stop_reason") in stops:
                found.append(stops[dose.row["stop_reason"]])
    for event in context.patient.events:  # what the patient suffered, whichever tumour it names
        kind, day = event["event"], event.get("event_date")
        if (
            kind in ("heart_failure", "ild", "anaphylaxis", "infusion_reaction")
            and "stopped" in (event.get("action") or "").split(";")
            and day
            and first <= day <= after(last, 63)
        ):
            found.append("contraindication-cardiac" if kind == "heart_failure" else "toxicity")
    found += interruptions(context, episode, first, end)
    others = (
        (episode.days_of("second_primary"), "second-primary"),
        (days_of_pregnancy(context), "pregnancy"),
    )
    found += [reason for days, reason in others if any(first <= day < end for day in days)]
    return found


def covered_days(doses, end):
    """(covered days, three-weekly doses, weekly doses) of trastuzumab up to the end day."""
    days = sorted({dose.date for dose in doses})
    never_weekly = {d.date for d in doses if d.row.get("route") == "sc" or d.drug.fixed}
    covered = three_weekly = weekly = 0
    previous_weekly = False
    for position, day in enumerate(days):
        following = days[position + 1] if position + 1 < len(days) else None
        gap = between(day, following) if following else None
        behind = between(days[position - 1], day) if position else None
        is_weekly = gap is not None and gap <= 10
        if previous_weekly and behind <= 10 and (gap is None or not 17 <= gap <= 28):
            is_weekly = True
        if day in never_weekly:
            is_weekly = False
        length = 7 if is_weekly else 21
        covered += min(length, gap if gap is not None else length, between(day, end))
        weekly, three_weekly = weekly + is_weekly, three_weekly + (not is_weekly)
        previous_weekly = is_weekly
    return covered, three_weekly, weekly


JUDGES = (r01, r03, r05, r10, r14, r17)
