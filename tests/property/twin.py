"""The twin: a slow, obvious second implementation of the rules, in plain Python.

The SQL must give the same verdicts. When the two differ, the specification decides.
"""

from datetime import date

import twin_adjuvant
import twin_antibody_doses
import twin_backbone
import twin_cardiac
import twin_chemotherapy_doses
import twin_cycles
import twin_deescalated
import twin_endocrine
import twin_events
import twin_facts as facts
import twin_first_line
import twin_heart
import twin_late_agents
import twin_lvef
import twin_maintained
import twin_mastectomy
import twin_neoadjuvant
import twin_neratinib
import twin_overtreated
import twin_postneo
import twin_radiotherapy
import twin_recorded
import twin_regimen
import twin_relapse
import twin_reload
import twin_response
import twin_sequence
import twin_started
import twin_status
import twin_switch
import twin_year
from twin_case import GATES, JUDGES, Context, verdict
from twin_record import RULES, STREAMS, Drug, Patient, dated, imprecise_cells

# importing them registers their rules
MODULES = (twin_status, twin_started, twin_neoadjuvant, twin_response, twin_adjuvant, twin_year)
MODULES += (twin_sequence, twin_cycles, twin_recorded, twin_overtreated, twin_backbone)
MODULES += (twin_regimen, twin_deescalated)
MODULES += (twin_cardiac, twin_lvef, twin_reload, twin_antibody_doses, twin_chemotherapy_doses)
MODULES += (twin_postneo, twin_neratinib, twin_radiotherapy, twin_mastectomy, twin_endocrine)
MODULES += (twin_maintained, twin_switch)
MODULES += (twin_first_line, twin_relapse, twin_late_agents)
MODULES += (twin_heart, twin_events)

FIRST, MIDDLE, LAST = 0, 1, 2
EARLY = {f"R{number:02}" for number in (*range(3, 20), *range(30, 36))}

TRIED_ALONE = 24
"""A patient with more imprecise dates than this can't be shown to fail."""


def judge(
    tables: dict[str, list[dict]],
    *,
    cutoff: date,
    drugs: dict[str, Drug],
    jurisdiction: str = "US",
    variants: dict[str, dict[str, str]] | None = None,
    quarantined: list[tuple[str, str]] = (),
) -> list[dict]:
    """Judges a registry.

    Args:
        tables: table name to rows, contract columns with typed values; imprecise dates are text
            ('YYYY-MM', 'YYYY'). A stream that is not a key is not linked.
        cutoff: the last day of the data, inclusive.
        drugs: what each drug string means; a string that is not a key is unrecognised.
        jurisdiction: US, EU or ENGLAND.
        variants: long rule id to variant name to value, where not the default.
        quarantined: (table, patient_id) of rows that were left out of `tables`.

    Returns:
        One dict a finding: rule_id, subject_id, tumour_id, verdict, reason (None where the
        specification names no code), due_date, decision_date, margin_days.
    """
    settings = {
        "cutoff": cutoff,
        "drugs": drugs,
        "jurisdiction": jurisdiction,
        "variants": variants or {},
    }
    patients = read_patients(tables, quarantined)
    middles = [
        cases(dated(one, dict.fromkeys(imprecise_cells(one), MIDDLE)), settings) for one in patients
    ]
    settings["closed"] = closed_gates(case for middle in middles for case in middle)
    return [
        finding
        for patient, middle in zip(patients, middles, strict=True)
        for finding in judge_patient(patient, middle, settings)
    ]


def read_patients(tables, quarantined=()):
    """One Patient each, with the rows that name it."""
    patients = {
        row["patient_id"]: Patient(row, {name: [] for name in ("tumours", *STREAMS)}, set(tables))
        for row in tables["patients"]
    }
    for name, rows in tables.items():
        for row in rows:
            if name != "patients" and "patient_id" in row:
                patients[row["patient_id"]].tables.setdefault(name, []).append(row)
    for table, patient_id in quarantined:
        if patient_id in patients:
            patients[patient_id].quarantined.add(table)
    return list(patients.values())


def closed_gates(judged):
    """The rules and hospitals whose stream is not linked.

    Args:
        judged: every case of the registry once, imprecise dates in the middle.

    Returns:
        (rule, site) where the stream is seen in too small a share of the cases in which it is
        expected, or in none; cases without a hospital are a group. A decision from before the rule
        doesn't count.
    """
    seen = {}
    for case in judged:
        if case.rule in GATES and case.expected and "not-in-force" not in case.excluded:
            seen.setdefault((case.rule, case.site), []).append(case.seen)
    return {
        (rule, site)
        for (rule, site), said in seen.items()
        if not any(said) or sum(said) < GATES[rule] * len(said)
    }


def judge_patient(patient, middle, settings):
    """The findings of a patient, every imprecise date tried; `middle` holds the middle's cases."""
    cells = imprecise_cells(patient)
    too_many = len(cells) > TRIED_ALONE or same_days(patient)
    trials = [decide(middle, patient, settings)]
    if not cells:
        return list(trials[0].values())
    trials += [
        judge_dated(dated(patient, dict.fromkeys(cells, which)), settings)
        for which in (FIRST, LAST)
    ]
    alone = []
    for cell in () if too_many else cells:
        for own, others in ((FIRST, LAST), (LAST, FIRST)):
            choice = {**dict.fromkeys(cells, others), cell: own}
            alone.append(judge_dated(dated(patient, choice), settings))
    return [
        agree(key, trials, alone, too_many)
        for key in sorted({key for trial in trials for key in trial})
    ]


def same_days(patient):
    """Whether every trial would put several doses of one drug on one and the same day."""
    written = [
        (row.get("drug"), row["start_date"])
        for row in patient.treatments
        if isinstance(row.get("start_date"), str) and row.get("drug")
    ]
    return len(written) != len(set(written))


def agree(key, trials, alone, too_many):
    """The finding all trials agree on, else not_evaluable."""

    def verdict_of(trial):
        return trial[key]["verdict"] if key in trial else "not_applicable"

    verdicts = {verdict_of(trial) for trial in trials}
    if verdicts == {"non_conformant"}:
        verdicts |= {verdict_of(trial) for trial in alone}
        if too_many:
            verdicts.add("too many imprecise dates to show a failure")
    finding = next(trial[key] for trial in trials if key in trial)
    if len(verdicts) == 1:
        return finding
    return {**finding, "verdict": "not_evaluable", "reason": "imprecise-date"}


def judge_dated(patient, settings):
    """(rule_id, subject_id) to finding, for a patient whose dates are all exact."""
    return decide(cases(patient, settings), patient, settings)


def cases(patient, settings):
    """What every rule finds, for a patient whose dates are all exact."""
    context = Context(patient, **settings)
    return [
        dated_by_diagnosis(context, episode, case)
        for episode in facts.episodes(patient, context.drugs)
        for rule in JUDGES
        for case in rule(context, episode)
    ]


def dated_by_diagnosis(context, episode, case):
    """The case; without a stream that a rule on early disease needs, the diagnosis dates it."""
    unlinked = case.rule in EARLY and not case.decision and "stream-not-linked" in case.missing
    if unlinked and not context.in_force(case.rule, episode.index.get("diagnosis_date")):
        case.excluded.append("not-in-force")
    return case


def decide(found, patient, settings):
    """(rule_id, subject_id) to finding: the verdicts of a patient's cases."""
    context = Context(patient, **settings)
    findings = {}
    for case in found:
        decided, reason = verdict(case, context)
        findings[RULES[case.rule], case.subject] = {
            "rule_id": RULES[case.rule],
            "subject_id": case.subject,
            "tumour_id": case.tumour_id,
            "verdict": decided,
            "reason": reason,
            "due_date": case.due,
            "decision_date": case.decision,
            "margin_days": case.margin,
            "reasons": reasons_of(case, decided),
        }
    return findings


def reasons_of(case, decided):
    """Every reason that would be right; the specification doesn't always rank them."""
    return {
        "not_applicable": case.excluded,
        "not_evaluable": case.missing or case.doubts,
        "excepted": case.exceptions,
    }.get(decided, [])
