"""The twin: R01: HER2 status before HER2-targeted treatment."""

from datetime import date

import twin_facts as facts
from twin_case import HER2_TOPICS, TDXD, Case, documented, not_invasive, rule
from twin_doubts import doubts
from twin_facts import EQUIVOCAL, NEGATIVE, POSITIVE
from twin_record import FAMILIES, after


@rule(
    "R01",
    since=dict.fromkeys(("US", "EU", "ENGLAND"), date(2007, 1, 1)),
    accepts={"trial"},
)
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
    invasive = [t for t in episode.tumours if not not_invasive(episode, t)]
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
    only_assays = context.variant("R01", "summary", "accepted") == "ignored"
    known_elsewhere = facts.results(tests) or any(
        tumour.get("her2_summary") == POSITIVE and not only_assays for tumour in invasive
    )
    if moved and first <= moved and not known_elsewhere:
        case.excluded.append("treated-elsewhere")

    own = FAMILIES["her2"] & {drug for dose in doses for drug in dose.drug.ingredients}
    case.exceptions += documented(context, episode, "R01", own | HER2_TOPICS)
    if any(dose.row.get("trial") is True for dose in doses):
        case.exceptions.append("trial")

    # in the metastatic setting the newest metastasis with a definite result decides alone
    decisive = newest_metastasis(timely) if setting == "metastatic" else []
    by_then = decisive or facts.results(timely)
    summaries = [
        None if only_assays else tumour.get("her2_summary")
        for tumour in invasive
        if not facts.results([t for t in tests if t.get("tumour_id") == tumour["tumour_id"]])
    ]
    known = decisive or facts.results(taken)
    later = POSITIVE in facts.results(tests) and POSITIVE not in facts.results(timely)
    if decisive:
        later = later or POSITIVE in facts.results([t for t in tests if t not in timely])
    if POSITIVE in by_then:
        case.met, case.met_reason = True, "assay"
    elif not decisive and POSITIVE in summaries:
        case.met, case.met_reason = True, "summary"
    elif EQUIVOCAL in known:
        case.missing.append("her2-equivocal")
    else:
        read = decisive or all(read_negative(t, tests, taken, only_assays) for t in invasive)
        if later:
            case.failure = "result-after-first-dose"
            if POSITIVE in facts.results(perhaps_timely(tests, doses)):
                case.missing.append("days-not-recorded")
        elif read:
            case.failure = "her2-negative" if facts.results(tests) else "summary-only"
        elif limit > context.observable:
            case.open = True
        elif context.variant("R01", "undocumented", "not-evaluable") == "non-conformant":
            case.failure = "undocumented"
        else:
            case.missing.append("her2-unknown")
        if read:
            r01_negative(case, setting, doses, taken)
        bridged = "bridging-dose" in case.exceptions
        trial = any(dose.row.get("trial") is True for dose in doses)
        if case.failure and not (bridged or trial) and positive_elsewhere(context, episode, first):
            case.missing.append("may-be-for-another-tumour")
        shown = case.failure and case.failure != "undocumented"
        if shown and facts.m_status(episode, episode.index) is None:
            case.missing.append("m-unknown")
    if not context.linked("receptor_tests"):
        case.doubts.append("stream-not-linked")
    case.doubts += doubts(context, episode, "R01", ["her2"], None, first)
    return case


def positive_elsewhere(context, episode, day):
    """Whether a dose of the day would by its day alone be for another, positive tumour."""
    groups = [
        one
        for one in facts.episodes(context.patient, context.drugs)
        if any(ever_positive(one, tumour) for tumour in one.tumours)
    ]
    begun = [one for one in groups if one.first_diagnosis and one.first_diagnosis <= day]
    return bool(begun) and begun[-1].ids != episode.ids


def ever_positive(episode, tumour):
    tests = [
        t
        for t in episode.tests.get(tumour["tumour_id"], [])
        if t.get("invasive") is not False
        and (episode.metastatic_at_diagnosis or t.get("specimen_site") != "metastasis")
    ]
    found = facts.results(tests)
    return POSITIVE in found or (not found and tumour.get("her2_summary") == POSITIVE)


def perhaps_timely(tests, doses):
    """The tests read in time for a drug that begins no earlier than its first day on record."""
    known = [dose.date for dose in doses if not dose.in_sequence]
    if known and known[0] == doses[0].date:
        return []
    limit = after(known[0], 14) if known else date.max
    return [t for t in tests if facts.result_date(t) and facts.result_date(t) <= limit]


def read_negative(tumour, tests, taken, only_assays):
    """Whether this tumour was read in time; without any assay its summary has to say negative."""

    def own(rows):
        return facts.results([t for t in rows if t.get("tumour_id") == tumour["tumour_id"]])

    summary = None if only_assays else tumour.get("her2_summary")
    return NEGATIVE in own(taken) or (not own(tests) and summary == NEGATIVE)


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
    """Negative at the first dose: HER2-low, HER2-ultralow or a bridging dose may explain it."""
    first = doses[0].date
    opening = [d.drug.ingredients for d in doses if d.date == first]
    samples = [s for s in facts.specimens(tests) if facts.specimen_result(s) != POSITIVE]
    scores = [facts.ihc_of(rows) for rows in samples]
    if setting == "metastatic" and all(TDXD in names for names in opening):
        if first >= date(2022, 8, 5) and (1 in scores or 2 in scores):
            case.excluded.append("her2-low")
        elif first >= date(2022, 8, 5) and set(scores) <= {None}:
            case.missing.append("her2-low-not-recorded")
        elif first >= date(2025, 1, 1) and 0 in scores:
            case.missing.append("her2-ultralow-not-recorded")
    if len({dose.date for dose in doses}) == 1:
        for rows in samples:
            ihc = facts.ihc_of(rows)
            late = [
                facts.ish_class(row, ihc)
                for row in rows
                if facts.result_date(row) > first and facts.ish_class(row, ihc)
            ]
            if ihc in (None, 2) and late:
                case.exceptions.append("bridging-dose")
