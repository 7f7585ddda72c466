"""The twin: R41, R42 and R43: what the second and later lines are, and what follows progression."""

from datetime import date

import twin_facts as facts
import twin_lines as lines
from twin_case import TDM1, TDXD, Case, documented, rule
from twin_doubts import doubts
from twin_metastatic import (
    JOIN,
    TDM1_FROM,
    TDXD_FROM,
    TUCATINIB_FROM,
    add_status,
    brain_alone_treated_locally,
    brain_date,
    documented_cardiac,
    endocrine_without_chemotherapy,
    ild_before,
    interrupted,
    local_treatment_unseen,
    relapsed_early,
    unavailable,
    weak_heart,
)
from twin_record import FAMILIES, RULES, after, between

EVERYWHERE = ("US", "EU", "ENGLAND")
REASONS = {
    *("contraindication-medical", "contraindication-cardiac", "patient-refusal", "trial"),
    *("toxicity", "progression", "death-before-due", "drug-unavailable", "funding-restriction"),
    *("frailty-documented", "pregnancy", "transfer-out", "mdt-documented-deviation"),
    "recurrence-before-due",
}
TDXD_LATE = {"US": date(2019, 12, 20), "EU": date(2021, 1, 1), "ENGLAND": date(2021, 5, 1)}
MARGETUXIMAB = {"US": date(2020, 12, 16)}
NERATINIB = {"US": date(2020, 2, 25)}
TDXD_TOPICS = {TDXD, "her2-conjugate", "her2", RULES["R40"]}


def counts_as(context, rule, episode, line):
    """The line's number by the guideline: an early relapse's first line is the second."""
    return line.number + relapsed_early(context, rule, episode)


def number_uncertain(context, episode, found, line):
    """Whether something up to the line's start leaves open which line it is."""
    return lines.clock(episode).name == "unclear" or rests_on_change(context, found, line)


def rests_on_change(context, found, line):
    """Whether this line or one before it may be none, as no progression tells it apart."""
    if not context.linked("events"):
        return True
    before = found[: line.number - 1]
    by_change = any(one.began_by in ("gap", "drug-change") for one in [*before, line])
    return by_change or any(took_late(one) for one in before)


def took_late(line):
    """Whether a new cytotoxic or HER2 drug joined the line after its first six weeks."""
    window = after(line.start, JOIN)
    return any(
        one.day > window
        and one.drug in lines.LINE_DRUGS
        and not lines.known(one.drug, {o.drug for o in line.given if o.day < one.day})
        for one in line.given
    )


def changed_to(found, line, wanted):
    """Whether one of the drugs is in what replaced the line without a progression on record."""
    return line.ended_by == "drug-change" and found[line.number].has(*wanted)


def had_before(episode, context, line, drug):
    """Whether the patient had the drug before the line, in any of her diseases."""
    return any(
        dose.date < line.start and dose.has(drug)
        for other in facts.episodes(context.patient, context.drugs)
        for dose in other.doses
    )


def start_case(number, context, episode, line):
    tumour_id = episode.index["tumour_id"]
    case = Case(number, f"{tumour_id}/line-{line.number}", tumour_id, decision=line.start)
    case.due = after(line.start, JOIN)
    add_status(case, episode, line)
    return case


@rule("R41", since=TDM1_FROM, accepts=REASONS)
def r41(context, episode):
    found = lines.lines(context, episode)
    return [
        second_line(context, episode, found, line)
        for line in found
        if counts_as(context, "R41", episode, line) == 2
    ]


def second_line(context, episode, found, line):
    case, place = start_case("R41", context, episode, line), context.jurisdiction
    tdxd_came = line.start >= TDXD_FROM[place]
    brain = brain_date(context, episode)
    tucatinib = context.variant("R41", "brain", "tucatinib-accepted") == "tucatinib-accepted"
    fallback = not tdxd_came or unavailable(context, episode, "R41", TDXD_TOPICS)
    case.met = (
        line.begun_with(TDXD)
        or (tucatinib and line.begun_with("tucatinib") and bool(brain) and brain <= case.due)
        or (line.begun_with(TDM1) and fallback)
    )
    wanted = [TDXD]
    wanted += ["tucatinib"] if tucatinib and brain and brain <= case.due else []
    wanted += [TDM1] if unavailable(context, episode, "R41", TDXD_TOPICS) else []
    if not case.met and line.has(*wanted):
        case.met = after(line.first_day(*wanted), JOIN) <= context.observable
        case.open = not case.met
    elif not case.met and changed_to(found, line, wanted):
        case.missing.append("line-uncertain")
    if line.number > 1 and not found[line.number - 2].has("trastuzumab"):
        case.excluded.append("no-trastuzumab-before")
    if had_before(episode, context, line, TDXD):
        case.excluded.append("deruxtecan-before")
    if not case.met and endocrine_without_chemotherapy(line):
        case.excluded.append("endocrine-based")
    if not context.in_force("R41", line.start):
        case.excluded.append("not-in-force")
    elif not case.met and not tdxd_came:
        case.excluded.append("before-deruxtecan")
    settled = case.due <= context.observable
    if not case.met and settled and number_uncertain(context, episode, found, line):
        case.missing.append("line-uncertain")
    unseen = tucatinib and line.begun_with("tucatinib") and not context.linked("radiotherapy")
    if not case.met and settled and unseen:
        case.missing.append("brain-unknown")
    if line.number == 1 and local_treatment_unseen(context, case, episode):
        case.missing.append("local-treatment-unknown")
    if line.in_trial:
        case.exceptions.append("trial")
    if weak_heart(context, line) and not line.has("her2"):
        case.exceptions.append("heart")
    if ild_before(context, line):
        case.exceptions.append("previous-ild")
    case.exceptions += documented(context, episode, "R41", TDXD_TOPICS)
    if line.number == 1 and brain_alone_treated_locally(context, episode, case.due):
        case.exceptions.append("cns-only-local")
    case.exceptions += interrupted(context, episode, line, case.due)
    before = found[line.number - 2] if line.number > 1 else None
    since = left_from(episode, before) if before else episode.metastatic_date
    add_doubts(case, context, episode, ["her2"], line, min(line.start, since))
    case.failure = "deruxtecan-not-recorded"
    return case


def left_from(episode, line):
    """From when on a drug may be a line of its own, and the line itself be over."""
    last = max(one.day for one in line.given)
    return min([after(last, 1), *progressions_on(episode, line)])


def progressions_on(episode, line):
    """The progressions on record from a line's start to the next one's."""
    found = lines.progressions(episode, lines.given_days(episode), line.start, line.number)
    return [day for day in found if day <= (line.next_start or facts.LATE)]


def add_doubts(case, context, episode, needs, line, since=None):
    opened = episode.first_diagnosis or date.min
    window = (since or line.start, case.due)
    case.doubts = doubts(context, episode, case.rule, needs, window, opened)


def listed(context, episode, line, drugs):
    """Whether the drugs hold a listed regimen, and whether that rests on what was given before."""
    place, receptors = context.jurisdiction, lines.hr_status(episode)

    def has(name):
        return bool(drugs & FAMILIES.get(name, {name}))

    def come(dates):
        return line.start >= dates.get(place, facts.LATE)

    def new(drug):
        return not had_before(episode, context, line, drug)

    endocrine_only = drugs <= FAMILIES["endocrine"]
    alone_too = context.variant("R42", "endocrine", "with-trastuzumab") == "alone-too"
    tucatinib = (
        has("tucatinib") and has("capecitabine") and has("trastuzumab") and come(TUCATINIB_FROM)
    )
    whatever = (
        tucatinib
        or (has("lapatinib") and (has("capecitabine") or has("trastuzumab")))
        or (has("trastuzumab") and has("chemotherapy"))
        or (has("margetuximab") and has("chemotherapy") and come(MARGETUXIMAB))
        or (has("neratinib") and has("capecitabine") and come(NERATINIB))
        or (has("trastuzumab") and has("endocrine") and receptors == facts.POSITIVE)
        or (endocrine_only and alone_too and receptors == facts.POSITIVE)
    )
    if_new = (
        (has(TDM1) and new(TDM1) and come(TDM1_FROM))
        or (has(TDXD) and new(TDXD) and come(TDXD_LATE))
        or (has("pertuzumab") and has("trastuzumab") and new("pertuzumab"))
    )
    first = context.variant("R42", "preference", "any-listed") == "tucatinib-first"
    passed_over = first and come(TUCATINIB_FROM) and new("tucatinib") and not tucatinib
    return (whatever or if_new) and not passed_over, if_new and not whatever


def unended(found):
    """The drugs of courses in these lines that have no end and no reason for one."""
    return {
        drug
        for line in found
        for drug in line.drugs
        if any(one.dose.open for one in line.given if one.drug == drug)
        and not any(one.dose.row.get("stop_reason") for one in line.given if one.drug == drug)
    }


@rule("R42", since=dict.fromkeys(EVERYWHERE, date(2013, 2, 22)), accepts=REASONS)
def r42(context, episode):
    found = lines.lines(context, episode)
    return [
        later_line(context, episode, found, line)
        for line in found
        if counts_as(context, "R42", episode, line) >= 3
    ]


def later_line(context, episode, found, line):
    case, receptors = start_case("R42", context, episode, line), lines.hr_status(episode)
    has = line.begun_with
    moved = context.patient.row.get("transfer_in_date")
    moved = moved and moved > (episode.first_diagnosis or date.min)
    endocrine_only = line.first_drugs <= FAMILIES["endocrine"]
    case.met, needs_history = listed(context, episode, line, line.first_drugs)
    if not case.met:
        whole, whole_needs_history = listed(context, episode, line, line.drugs)
        begun = max(line.first_day(drug) for drug in line.drugs)
        joined = whole and after(begun, JOIN) <= context.observable
        case.met = bool(joined and not (moved and whole_needs_history))
        case.open = whole and not joined
    if line.in_trial:
        case.excluded.append("trial")
    if endocrine_only and receptors == facts.NEGATIVE:
        case.excluded.append("endocrine-alone-hr-negative")
    if not context.in_force("R42", line.start):
        case.excluded.append("not-in-force")
    if needs_history and moved:
        case.missing.append("history-unknown")
    if not case.met and case.due <= context.observable:
        if has("trastuzumab") and has("endocrine") and receptors == "unknown":
            case.missing.append("hr-unknown")
        # However early the relapse was, a line behind the second is the third or a later one.
        if rests_on_change(context, found, line):
            case.missing.append("line-uncertain")
        going_on = line.drugs | unended(found[: line.number - 1])
        if not whole and listed(context, episode, line, going_on)[0]:
            case.missing.append("no-end-date")
        following = found[line.number] if line.ended_by == "drug-change" else None
        if following and listed(context, episode, following, following.drugs)[0]:
            case.missing.append("line-uncertain")
    case.exceptions = documented(context, episode, "R42", {"her2"})
    case.exceptions += documented_cardiac(context, episode, "R42")
    if weak_heart(context, line) and not line.has("her2"):
        case.exceptions.append("heart")
    case.exceptions += interrupted(context, episode, line, case.due)
    add_doubts(case, context, episode, ["her2", "chemotherapy", "endocrine"], line)
    case.failure = "outside-every-option"
    return case


@rule(
    "R43",
    since=dict.fromkeys(EVERYWHERE, date(2014, 5, 1)),
    accepts=REASONS | {"low-disease-burden"},
    gate=0.2,
)
def r43(context, episode):
    found = lines.lines(context, episode)
    following = [*found[1:], None][: len(found)]
    return [
        change(context, episode, found, line, after_it)
        for line, after_it in zip(found, following, strict=True)
    ]


def change(context, episode, found, line, following):
    tumour_id, death = episode.index["tumour_id"], context.patient.row.get("death_date")
    case = Case("R43", f"{tumour_id}/after-line-{line.number}", tumour_id)
    progressed = progressions_on(episode, line)
    last = max(progressed, default=None)
    case.decision = last or line.next_start or line.start
    case.site, case.expected = episode.index.get("site_id"), line.has("her2")
    case.seen = bool(progressed or death)
    add_status(case, episode, line)
    if not line.has("her2"):
        case.excluded.append("no-her2-drug")
    if not last and not following:
        case.excluded.append("no-progression")
        return case
    next_status = lines.her2_at(episode, following) if following else facts.POSITIVE
    if next_status != facts.POSITIVE:
        case.excluded.append(f"her2-{next_status}")
    if last and death and death <= after(last, 60):
        case.excluded.append("death-soon-after")
    none_in_time = following and last and line.next_start > after(last, 180)
    if none_in_time or (not following and (death or after(last, 180) <= context.observable)):
        went_on = line.last > after(last, 42)
        case.excluded.append("same-regimen-continued" if went_on else "no-next-line")
    if not context.in_force("R43", case.decision):
        case.excluded.append("not-in-force")

    case.due = after(following.start, JOIN) if following else after(last, 180)
    begun = following.first_drugs & FAMILIES["her2"] if following else set()
    case.met = bool(begun - line.drugs)
    newer = following.drugs & FAMILIES["her2"] - line.drugs if following else set()
    if not case.met and newer:
        joined = after(min(following.first_day(drug) for drug in newer), JOIN)
        case.met = joined <= context.observable
        case.open = not case.met
    if not last:
        case.missing.append("progression-not-recorded")
    elif not case.met and not newer and case.due <= context.observable:
        replaced = following and following.ended_by == "drug-change" and found[following.number]
        changed = replaced and replaced.drugs & FAMILIES["her2"] - line.drugs
        if line.low or changed:
            case.missing.append("line-uncertain")
    if last and following:
        case.margin = between(line.next_start, after(last, 180))
    if following and following.in_trial:
        case.exceptions.append("trial")
    if following:
        case.exceptions += documented(context, episode, "R43", {"her2", RULES["R44"]})
    if following and not begun:
        case.exceptions += documented_cardiac(context, episode, "R43")
        if weak_heart(context, following):
            case.exceptions.append("heart")
    if last and death and last <= death < case.due:
        case.exceptions.append("death-before-due")
    if not context.linked("events"):
        case.doubts.append("stream-not-linked")
    window = (min(following.start if following else last, left_from(episode, line)), case.due)
    opened = episode.metastatic_date
    case.doubts += doubts(context, episode, "R43", ["her2"], window, opened)
    case.failure = "same-her2-drugs" if begun else "her2-dropped"
    return case
