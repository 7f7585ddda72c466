"""What is recorded along the way: treatment rows, heart, events, exceptions, weight, imaging."""

import numpy as np
import polars as pl

from audit.synthesise.batch import MISSING, Batch, numbers, shown, words
from audit.synthesise.chance import NEVER, Bools, Ints, as_dates
from audit.synthesise.departures import Excuse, Lacking, Partner, Route, StopGiven
from audit.synthesise.disease import METASTATIC, NEOADJUVANT, UNTESTED
from audit.synthesise.hearts import FAILURE_GRADE, HER2_DRUGS
from audit.synthesise.metastatic import UNTIL_PROGRESSION, Later, Metastatic
from audit.synthesise.names import Drug, write_names
from audit.synthesise.rows import INTENTS, PALLIATIVE_INTENT, ROUTES, STOPS, UNITS
from audit.synthesise.safety import ILD_AFTER, Safety

AFTER_EVERY_DUE_DATE = 800
REFUSALS = ("patient-refusal", "contraindication-cardiac", "frailty-documented")
UNAVAILABLE = ("funding-restriction", "drug-unavailable", "contraindication-cardiac", "toxicity")
WITHHELD = (
    "drug-unavailable", "patient-refusal", "toxicity", "contraindication-medical",
    "mdt-documented-deviation",
)  # fmt: skip
DECIDED = (
    "patient-refusal", "contraindication-medical", "mdt-documented-deviation",
)  # fmt: skip
STOPPED = ("contraindication-cardiac", "toxicity", "patient-refusal")
# Whose departure is documented: topics as hospitals write them, and reasons the rule accepts.
DOCUMENTED = {
    "antibody": (("trastuzumab", "Herceptin", "R03", "her2"), REFUSALS),
    "before-surgery": (("trastuzumab", "Herceptin", "her2"), REFUSALS),
    "chemotherapy": (("chemotherapy", "docetaxel"), (*REFUSALS[::2], "contraindication-medical")),
    "both": (("R03", "early-her2-therapy-initiated"), REFUSALS[::2]),
    "route": (("R04", "surgery", "early-neoadjuvant-when-t2-or-node-positive"), DECIDED),
    "neoadjuvant": (("pertuzumab", "Perjeta", "R05", "neoadj-dual-blockade"), UNAVAILABLE),
    "taxane": (("docetaxel", "taxane", "R06"), ("contraindication-medical", "toxicity")),
    "surgery": (("R08", "surgery"), DECIDED),
    "cycles": (("T-DM1", "Kadcyla", "R11"), ("toxicity", "patient-refusal")),
    "dropped": (("pertuzumab", "Perjeta", "R12"), UNAVAILABLE),
    "again": (("chemotherapy", "R13"), ("mdt-documented-deviation",)),
    "small": (("R16", "adj-stage1-deescalated"), DECIDED),
    "residual": (("T-DM1", "trastuzumab emtansine", "Kadcyla", "R10"), WITHHELD),
    "adjuvant": (("pertuzumab", "R14", "adj-dual-blockade"), UNAVAILABLE),
    "dual-year": (("her2",), STOPPED),
    "year": (("trastuzumab", "R17", "her2"), STOPPED),
}


def treatments(batch: Batch, rows: pl.DataFrame, lines: Metastatic, first_row: int) -> pl.DataFrame:
    """Give the treatments table.

    Args:
        batch: the patients.
        rows: treatment rows as codes.
        lines: the treatment of metastatic disease.
        first_row: how many treatment rows earlier batches had; it numbers the rows.
    """
    chance = batch.chance
    who, count = rows["who"].to_numpy(), rows.height
    given = rows["day"].to_numpy()
    unlinked = chance.yes(0.06)[who]
    silent_intent = chance.yes(0.05)[who]
    no_dose = chance.yes(0.04, count) & ~rows["planted"].to_numpy()
    dosed = np.isin(np.arange(chance.size), who[rows["planted"].to_numpy()])
    in_trial = ~batch.deviations.any & ~batch.aftercare.departs & chance.yes(0.015) & ~dosed
    in_trial &= ~lines.departing
    trial = (batch.deviations.trial | in_trial)[who]
    course = rows["course"].to_numpy() > 0
    return pl.DataFrame(
        {
            "treatment_id": "A"
            + pl.int_range(first_row, first_row + count, eager=True).cast(pl.String),
            "patient_id": batch.patient_id.gather(who),
            "tumour_id": shown(batch.tumour_id.gather(who), ~unlinked),
            "start_date": as_dates(given).cast(pl.String),
            "end_date": as_dates(rows["end"].to_numpy()),
            "record_kind": words(
                ("administration", "course"),
                course.astype(np.int64),
                course | chance.yes(0.5, count),
            ),
            "drug": write_names(rows["drug"].to_numpy(), given, chance),
            "dose": numbers(rows["dose"].to_numpy(), ~no_dose & ~rows["dose"].is_nan().to_numpy()),
            "dose_unit": words(UNITS, rows["unit"].to_numpy(), ~no_dose),
            "route": words(ROUTES, rows["route"].to_numpy(), ~chance.yes(0.1, count)),
            "infusion_minutes": numbers(
                rows["minutes"].to_numpy(), ~rows["minutes"].is_nan().to_numpy() & ~course
            ),
            "intent": words(INTENTS, rows["intent"].to_numpy(), ~silent_intent),
            "trial": numbers(trial, trial | chance.yes(0.3)[who]),
            "stop_reason": words(STOPS, rows["stop"].to_numpy()),
        }
    )


def events(
    batch: Batch, rows: pl.DataFrame, lines: Metastatic, safety: Safety, failure: Ints
) -> pl.DataFrame:
    """Give the events; early ones excuse only departures that are documented.

    Args:
        batch: the patients.
        rows: treatment rows as codes.
        lines: the treatment of metastatic disease.
        safety: departures from the safety rules.
        failure: the day of heart failure after which treatment went on.
    """
    chance, fate, disease, deviations = batch.chance, batch.fate, batch.disease, batch.deviations
    late = disease.diagnosed + AFTER_EVERY_DUE_DATE + chance.wait(900)
    curative = rows.filter(
        pl.col("intent") != PALLIATIVE_INTENT,
        pl.col("drug").is_in([int(drug) for drug in HER2_DRUGS]),
    )
    first, last = (np.full(chance.size, NEVER) for _ in range(2))
    span = curative.group_by("who").agg(first=pl.col("day").min(), last=pl.col("day").max())
    first[span["who"].to_numpy()] = span["first"].to_numpy()
    last[span["who"].to_numpy()] = span["last"].to_numpy()
    failing = deviations.stop_given == StopGiven.HEART_FAILURE
    everyone = np.ones(chance.size, np.bool_)

    def occurred(
        event: str, who: Bools, when: Ints, *, grade: Ints | None = None, site: Ints | None = None,
        action: str | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        found = np.flatnonzero(who & (when <= fate.end))
        blank = np.full(chance.size, MISSING)
        zeros = np.zeros(len(found), np.int64)
        columns = {
            "event_date": as_dates(when[found]).cast(pl.String),
            "event": words((event,), zeros),
            "grade": numbers(
                (blank if grade is None else grade)[found], np.full(len(found), grade is not None)
            ),
            "site": words(
                ("brain", "bone", "liver", "lung", "node", "skin"),
                (blank if site is None else site)[found],
            ),
            "action": words((action or "",), zeros, action is not None),
        }
        return batch.table(found, columns)

    # Nothing befalls whose departure must be found.
    quiet = ~batch.aftercare.departs & ~deviations.any & ~lines.departing
    local = quiet & chance.yes(0.02) & (disease.pathway != METASTATIC) & (late < fate.metastasis)
    regional = local & chance.yes(0.3)
    organ = chance.pick((15, 35, 22, 20, 6, 2))
    mild, worse = chance.between(1, 2), chance.between(2, 3)
    twos = np.full(chance.size, 2)
    suspected = lines.second + ILD_AFTER
    held = "stopped;medicated"
    slowed = "rate_reduced;medicated"
    before = disease.diagnosed - chance.between(0, 90)
    return pl.concat(
        [
            occurred("distant_metastasis", everyone, fate.metastasis, site=organ),
            occurred("progression", everyone, lines.second - 10),
            occurred("progression", everyone, lines.third - 10),
            occurred("progression", everyone, lines.last + UNTIL_PROGRESSION),
            occurred("local_recurrence", local, late),
            occurred("regional_recurrence", regional, late + 30),
            occurred("second_primary", quiet & chance.yes(0.006), late + 45),
            occurred("heart_failure", failing, last + 10, grade=worse, action=held),
            occurred(
                "heart_failure",
                failure < NEVER,
                failure,
                grade=np.full(chance.size, FAILURE_GRADE),
                action="medicated",
            ),
            occurred(
                "infusion_reaction",
                chance.yes(0.03) & ~safety.unanswered,
                first,
                grade=mild,
                action=slowed,
            ),
            occurred("infusion_reaction", safety.unanswered, first, grade=twos, action="none"),
            occurred("ild", chance.yes(0.04), suspected, grade=twos - 1, action="interrupted"),
            occurred("ild", safety.given_on, suspected, grade=twos, action="interrupted"),
            occurred("pregnancy", disease.pregnant, before),
        ]
    )


def exceptions(batch: Batch, lines: Metastatic) -> pl.DataFrame:
    """Give documented exceptions, and some on matters no rule here judges."""
    chance, deviations, disease = batch.chance, batch.deviations, batch.disease
    told = deviations.excuse == Excuse.DOCUMENTED
    dual = batch.deviations.adjuvant_dual
    dual_year = dual | (deviations.departs["R12"] > 0)
    stopped = deviations.stop_given == StopGiven.EXCEPTION
    partner = deviations.partner > Partner.NONE
    both = deviations.lacking == Lacking.BOTH
    antibody = told & (deviations.lacking == Lacking.ANTIBODY)
    neoadjuvant = disease.pathway == NEOADJUVANT
    route = (deviations.departs["R04"] > 0) & (deviations.departs["R04"] != Route.NO_ANTIBODY)
    documented = {
        "antibody": antibody & ~neoadjuvant,
        "before-surgery": antibody & neoadjuvant,
        "route": told & route,
        "taxane": deviations.documented("R06"),
        "surgery": deviations.documented("R08"),
        "cycles": deviations.documented("R11"),
        "dropped": told & (deviations.departs["R12"] == 1),
        "again": deviations.documented("R13"),
        "small": deviations.documented("R16"),
        "chemotherapy": told & (deviations.lacking == Lacking.CHEMOTHERAPY),
        "both": told & both,
        "neoadjuvant": told & partner & ~dual,
        "residual": deviations.documented("R10"),
        "adjuvant": told & partner & dual,
        "dual-year": stopped & dual_year,
        "year": stopped & ~dual_year,
    }
    decided = disease.diagnosed + chance.between(20, 60)

    def written(who: Bools, topics: tuple[str, ...], reasons: tuple[str, ...]) -> pl.DataFrame:
        rows = np.flatnonzero(who)
        columns = {
            "recorded_date": as_dates(batch.known_by_end(decided)[rows]),
            "topic": words(topics, chance.between(0, len(topics) - 1)[rows]),
            "reason": words(reasons, chance.between(0, len(reasons) - 1)[rows]),
            "note": words(
                ("discussed in clinic", "MDT minutes"),
                chance.between(0, 1)[rows],
                chance.yes(0.5)[rows],
            ),
        }
        return batch.table(rows, columns)

    parts = [written(documented[part], *wording) for part, wording in DOCUMENTED.items()]
    in_trial = deviations.excuse == Excuse.TRIAL
    parts.append(written(both & in_trial, ("R03",), ("trial",)))
    parts.append(written(route & in_trial, ("R04",), ("trial",)))
    justified = lines.departs == Later.ENDOCRINE
    parts.append(written(justified, ("R44", "endocrine"), ("low-disease-burden",)))
    untested = (batch.unassayed | (disease.her2 == UNTESTED)) & lines.recurred
    parts.append(written(untested, ("R02", "biopsy"), ("patient-refusal",)))
    refused = ~batch.aftercare.departs & chance.yes(0.02)
    parts.append(written(refused, ("radiotherapy", "endocrine"), ("patient-refusal",)))
    return pl.concat(parts)


def observations(batch: Batch) -> pl.DataFrame:
    """Give weight, height and performance at diagnosis and before HER2 therapy."""
    disease, chance = batch.disease, batch.chance

    def seen(when: Ints, change: float) -> pl.DataFrame:
        rows = np.flatnonzero((when <= batch.fate.end) & chance.yes(0.9))
        # A scale is never so far off that a right dose looks wrong.
        weight = disease.weight + chance.around(change, 1.5)
        weight = np.clip(weight, 0.95 * disease.weight, 1.05 * disease.weight).round(1)[rows]
        columns = {
            "observation_date": as_dates(when[rows]),
            "weight_kg": pl.Series(weight),
            "height_cm": numbers(disease.height[rows], chance.yes(0.9)[rows]),
            "bsa_m2": numbers(disease.bsa[rows].round(2), chance.yes(0.5)[rows]),
            "ecog": numbers(chance.pick((60, 30, 8, 2))[rows], chance.yes(0.8)[rows]),
        }
        return batch.table(rows, columns, tumour=False)

    return pl.concat([seen(disease.diagnosed + 5, 0), seen(batch.delivered.her2_first - 1, -0.5)])


def imaging(batch: Batch, rows: pl.DataFrame) -> pl.DataFrame:
    """Give staging scans, and chest scans during trastuzumab deruxtecan."""
    chance = batch.chance
    staged = np.flatnonzero(chance.yes(0.6))
    watched = (
        rows.filter(pl.col("drug") == int(Drug.TDXD))
        .with_columns(turn=pl.int_range(pl.len()).over("who", order_by="day"))
        .filter(pl.col("turn") % 3 == 0)
    )
    who = np.concatenate([staged, watched["who"].to_numpy()])
    when = np.concatenate([batch.disease.diagnosed[staged] + 8, watched["day"].to_numpy()])
    kind = np.concatenate([chance.pick((70, 30), len(staged)), np.zeros(watched.height, np.int64)])
    columns = {"imaging_date": as_dates(when), "modality": words(("ct_chest", "other"), kind)}
    return batch.table(who, columns, tumour=False)
