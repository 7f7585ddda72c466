"""Who the patients are, their tumours, assays, operations and radiotherapy."""

import numpy as np
import polars as pl

from audit.synthesise.batch import MISSING, Batch, numbers, shown, words
from audit.synthesise.chance import NEVER, Bools, Ints, as_dates
from audit.synthesise.departures import Mess, Unproven
from audit.synthesise.disease import (
    IHC_0,
    IHC_1,
    IHC_3,
    METASTATIC,
    N0,
    N1,
    N2,
    N_CATEGORIES,
    NEGATIVE,
    NEOADJUVANT,
    POSITIVE,
    SURGERY_FIRST,
    T4D,
    T_CATEGORIES,
    UNTESTED,
    UNTREATED,
)
from audit.synthesise.metastatic import Later, Metastatic

IHC = ("0", "1+", "2+", "3+")
MONTH_OF_BIRTH_ONLY = (4, 1)  # every fourth hospital, from the second on
WRITES_PREFIXES = (6, 4)  # cT2, pN1
RESIDUALS = (
    ("ypT1mi", "ypN0"), ("ypT1a", "ypN0"), ("ypT1b", "ypN1mi"), ("ypT1c", "ypN0"),
    ("T2", "N1"), ("ypT0", "ypN1"), ("ypTis", "ypN0(i+)"), ("ypT3", "ypN2"),
)  # fmt: skip
RESPONSES = (*RESIDUALS, ("ypT0", "ypN0"), ("ypTis", "ypN0"), ("T0", "N0"))
UNREADABLE = "see report"
CLASSES = ("0", "I", "II", "III")


def patients(batch: Batch) -> pl.DataFrame:
    """Give the patients table."""
    disease, fate = batch.disease, batch.fate
    born = as_dates(disease.born).cast(pl.String)
    every, which = MONTH_OF_BIRTH_ONLY
    born = _month_where(born, disease.site % every == which)
    return pl.DataFrame(
        {
            "patient_id": batch.patient_id,
            "birth_date": born,
            "sex": words(("female", "male"), disease.male.astype(np.int64)),
            "death_date": as_dates(fate.death),
            "last_contact_date": as_dates(fate.last_contact),
            "transfer_in_date": as_dates(batch.deviations.transfer_in),
            "transfer_out_date": as_dates(fate.transfer_out),
        }
    )


def tumours(batch: Batch) -> pl.DataFrame:
    """Give the tumours table, second tumours after the first ones."""
    disease, chance, mess = batch.disease, batch.chance, batch.deviations.mess
    tidy = mess != Mess.MISSING
    operated = (disease.pathway == SURGERY_FIRST) & (batch.course.surgery <= batch.fate.end)
    told_t, told_n, told_p = (tidy | chance.yes(0.6) for _ in range(3))
    t = words(T_CATEGORIES, disease.t)
    before = np.where(disease.clinical_positive, np.maximum(disease.n, N1), N0)
    upstaged = (disease.pathway == SURGERY_FIRST) & disease.clinical_positive
    before = np.where(upstaged, N1, before)
    many = np.where(disease.n > N2, chance.between(10, 18), chance.between(4, 9))
    nodes = np.where(disease.n >= N2, many, chance.between(1, 3)) * disease.node_positive
    stands_in = disease.node_positive & chance.yes(0.03)
    summary = np.where(disease.her2 == UNTESTED, POSITIVE, disease.her2)
    unknown = (disease.her2 == UNTESTED) & ((disease.pathway == UNTREATED) | chance.yes(0.5))
    unknown |= (disease.her2 == POSITIVE) & chance.yes(np.where(batch.unassayed, 0.7, 0.06))
    first = pl.DataFrame(
        {
            "tumour_id": batch.tumour_id,
            "patient_id": batch.patient_id,
            "site_id": batch.site_id,
            "diagnosis_date": as_dates(disease.diagnosed).cast(pl.String),
            "laterality": words(("left", "right"), chance.between(0, 1)),
            "histology": words(
                ("8500/3", "8520/3", "8522/3", "8480/3", "8507/3"), chance.pick((84, 8, 4, 2, 2))
            ),
            "clinical_t": shown(_prefixed(t, "c", disease.site), told_t),
            "clinical_n": shown(_prefixed(words(N_CATEGORIES, before), "c", disease.site), told_n),
            "clinical_m": words(
                ("M0", "M1"),
                (disease.pathway == METASTATIC).astype(np.int64),
                (disease.pathway == METASTATIC) | ~chance.yes(0.06),
            ),
            "pathological_t": shown(_prefixed(t, "p", disease.site), operated & told_t),
            "pathological_n": shown(
                _prefixed(words(N_CATEGORIES, disease.n), "p", disease.site),
                operated & told_p & ~stands_in,
            ),
            "clinical_size_mm": numbers(disease.size, tidy & chance.yes(0.8)),
            "pathological_size_mm": numbers(disease.size, operated & tidy & chance.yes(0.85)),
            "nodes_positive": numbers(nodes, operated & told_p),
            "er_status": words(("negative", "positive"), disease.er.astype(np.int64)),
            "pr_status": words(
                ("negative", "positive"), (disease.er & chance.yes(0.75)).astype(np.int64)
            ),
            "her2_summary": words(("positive", "negative", "equivocal"), summary, ~unknown),
            "grade": numbers(1 + chance.pick((5, 40, 55)), ~chance.yes(0.07)),
            "inflammatory": numbers(disease.t == T4D, chance.yes(0.8)),
            "adjacent_dcis": numbers(chance.yes(0.4), chance.yes(0.7)),
        }
    )
    other = first.filter(pl.Series(batch.second)).with_columns(
        tumour_id=pl.col("patient_id") + "-2",
        laterality=pl.col("laterality").replace({"left": "right", "right": "left"}),
        clinical_t=pl.lit("T1b"),
        clinical_n=pl.lit("N0"),
        pathological_t=None,
        pathological_n=None,
        clinical_size_mm=8,
        pathological_size_mm=None,
        nodes_positive=None,
        her2_summary=pl.lit("negative"),
        inflammatory=False,
    )
    return pl.concat([first, other.cast(first.schema)])


def receptor_tests(batch: Batch, lines: Metastatic) -> pl.DataFrame:
    """Give the receptor tests: diagnosis, in-situ parts, residual disease, metastases."""
    disease, chance, deviations = batch.disease, batch.chance, batch.deviations
    positive, negative = disease.her2 == POSITIVE, disease.her2 == NEGATIVE
    specimen = disease.diagnosed - chance.between(0, 7)
    report = specimen + chance.between(3, 10)
    bridging = deviations.unproven == Unproven.BRIDGING_DOSE
    late = batch.delivered.her2_first + chance.between(15, 40)
    report = np.where(deviations.unproven == Unproven.LATE_RESULT, late, report)
    dated = ~chance.yes(0.06) | (deviations.unproven == Unproven.LATE_RESULT)
    assayed = ~batch.unassayed & (deviations.unproven != Unproven.NEGATIVE_SUMMARY)
    blank = np.full(chance.size, MISSING)

    def tests(
        name: str,
        who: Bools,
        taken: Ints,
        reported: Ints,
        ihc: Ints,
        *,
        site: str = "primary",
        invasive: bool = True,
        measured: Bools | bool = False,
    ) -> pl.DataFrame:
        rows = np.flatnonzero(who & (taken <= batch.fate.end))
        shows = np.broadcast_to(measured, who.shape)[rows] & ~np.isnan(disease.ratio[rows])
        amplified = np.where(positive, 0, 1)[rows]
        columns = {
            "specimen_date": as_dates(taken[rows]),
            "report_date": as_dates(batch.known_by_end(reported)[rows]),
            "specimen_site": words((site,), np.zeros(len(rows), np.int64)),
            "invasive": numbers(
                np.full(len(rows), invasive), chance.yes(0.6)[rows] | (not invasive)
            ),
            "her2_ihc": words(IHC, ihc[rows]),
            "her2_ish": words(("amplified", "not_amplified"), amplified, shows),
            "her2_ratio": numbers(disease.ratio[rows], shows),
            "her2_copies": numbers(disease.copies[rows], shows),
            "er_percent": numbers(
                np.where(disease.er, chance.between(10, 100), 0)[rows], chance.yes(0.8)[rows]
            ),
            "pr_percent": numbers(
                np.where(disease.er, chance.between(0, 90), 0)[rows], chance.yes(0.5)[rows]
            ),
        }
        table = batch.table(rows, columns)
        return table.insert_column(0, (table["patient_id"] + name).alias("test_id"))

    metastasis = np.where(batch.fate.metastasis < NEVER, batch.fate.metastasis + 3, NEVER)
    residual = (disease.pathway == NEOADJUVANT) & batch.course.residual & positive
    some = positive & assayed & chance.yes(0.4)
    retested = some | (positive & assayed & (lines.start < NEVER))
    retested &= lines.departs != Later.NOT_RETESTED
    surgery = batch.course.surgery
    parts = [
        tests(
            "-H1", assayed & (disease.her2 != UNTESTED), specimen, np.where(dated, report, NEVER),
            disease.ihc, measured=~bridging,
        ),
        tests(
            "-H2", bridging, specimen, batch.delivered.her2_first + 9, blank, measured=True,
        ),
        tests(
            "-H3", negative & assayed & chance.yes(0.05), specimen, report,
            np.full(chance.size, IHC_3), invasive=False,
        ),
        tests(
            "-H4", residual & assayed & chance.yes(0.2), surgery, surgery + 9,
            np.where(chance.yes(0.1), IHC_1, IHC_3),
        ),
        tests(
            "-H5", retested, metastasis, metastasis + 6,
            np.full(chance.size, IHC_3), site="metastasis",
        ),
        tests(
            "-H6", batch.second, specimen, report, np.full(chance.size, IHC_0),
        ).with_columns(tumour_id=pl.col("patient_id") + "-2"),
    ]  # fmt: skip
    return pl.concat(parts)


def surgeries(batch: Batch) -> pl.DataFrame:
    """Give the operations, with the response where treatment came first."""
    course, chance, disease = batch.course, batch.chance, batch.disease
    neoadjuvant = disease.pathway == NEOADJUVANT
    response = np.where(
        course.residual,
        chance.between(0, len(RESIDUALS) - 1),
        chance.between(len(RESIDUALS), len(RESPONSES) - 1),
    )
    tnm_too, class_only, words_only = range(3)
    told = chance.pick((88, 6, 6))
    unreadable = neoadjuvant & (batch.deviations.mess == Mess.MISSING) & chance.yes(0.6)
    unreadable |= neoadjuvant & (batch.deviations.mess != Mess.NONE) & chance.yes(0.05)
    untold = unreadable | (batch.deviations.departs["R09"] > 0)
    by_tnm = neoadjuvant & (told == tnm_too) & ~untold
    by_class = (
        neoadjuvant & ((told == class_only) | ((told == tnm_too) & chance.yes(0.4))) & ~untold
    )
    by_word = neoadjuvant & ((told == words_only) | ((told == tnm_too) & chance.yes(0.3))) & ~untold
    conserving, mastectomy, re_excision, axillary = range(4)

    def operations(
        name: str, who: Bools, when: Ints, procedure: Ints, *, reported: bool = False
    ) -> pl.DataFrame:
        rows = np.flatnonzero(who & (when <= batch.fate.end))
        tnm, by_rcb, word = (flag[rows] & reported for flag in (by_tnm, by_class, by_word))
        columns = {
            "surgery_date": as_dates(when[rows]).cast(pl.String),
            "procedure": words(
                ("breast_conserving", "mastectomy", "re_excision", "axillary"), procedure[rows]
            ),
            "definitive": numbers(
                np.ones(len(rows), np.bool_),
                (procedure[rows] <= mastectomy) & chance.yes(0.5)[rows],
            ),
            "yp_t": words(
                [*(t for t, _ in RESPONSES), UNREADABLE],
                np.where(unreadable, len(RESPONSES), response)[rows],
                tnm | (unreadable[rows] & reported),
            ),
            "yp_n": words([n for _, n in RESPONSES], response[rows], tnm),
            "rcb_class": words(
                CLASSES, np.where(course.residual, chance.between(1, 3), 0)[rows], by_rcb
            ),
            "residual_invasive": numbers(course.residual[rows], word),
            "report_date": as_dates(batch.known_by_end(when + chance.between(4, 14))[rows]),
        }
        table = batch.table(rows, columns)
        return table.insert_column(0, (table["patient_id"] + name).alias("surgery_id"))

    first = np.where(course.mastectomy, mastectomy, conserving)
    operated = course.surgery < NEVER
    again = operated & ~course.mastectomy & (course.last_surgery == course.surgery)
    full = np.full(chance.size, 1)
    parts = [
        operations("-S1", operated, course.surgery, first, reported=True),
        operations(
            "-S2", course.last_surgery > course.surgery, course.last_surgery, full * mastectomy
        ),
        operations("-S3", again & chance.yes(0.1), course.surgery + 16, full * re_excision),
        operations("-S4", operated & chance.yes(0.1), course.surgery + 12, full * axillary),
        operations("-S5", operated & batch.second, course.surgery, full * conserving).with_columns(
            tumour_id=pl.col("patient_id") + "-2"
        ),
    ]
    return pl.concat(parts)


def radiotherapy(batch: Batch, lines: Metastatic) -> pl.DataFrame:
    """Give radiotherapy after surgery and chemotherapy, and some of metastases.

    Not to who departs in a line: brain metastases alone and irradiated would excuse it.
    """
    course, chance, disease = batch.course, batch.chance, batch.disease
    start = batch.aftercare.radiotherapy
    given = start < NEVER
    spread = np.where(batch.fate.metastasis < NEVER, batch.fate.metastasis + 20, NEVER)
    painful = chance.yes(0.3) & (spread <= batch.fate.end) & ~lines.departing
    breast, chest_wall, nodes, brain, bone = range(5)

    def courses(who: Bools, begun: Ints, target: Ints) -> pl.DataFrame:
        rows = np.flatnonzero(who)
        columns = {
            "start_date": as_dates(begun[rows]),
            "end_date": as_dates(batch.known_by_end(begun + chance.between(18, 36))[rows]),
            "target": words(
                ("breast", "chest_wall", "regional_nodes", "brain", "bone"), target[rows]
            ),
        }
        return batch.table(rows, columns)

    return pl.concat(
        [
            courses(given, start, np.where(course.mastectomy, chest_wall, breast)),
            courses(given & disease.node_positive, start, np.full(chance.size, nodes)),
            courses(painful, spread, np.where(chance.yes(0.4), brain, bone)),
        ]
    )


def _prefixed(category: pl.Series, prefix: str, site: Ints) -> pl.Series:
    """Put the prefix some hospitals write before a TNM category."""
    every, which = WRITES_PREFIXES
    return pl.select(
        pl.when(pl.lit(pl.Series(site % every == which)))
        .then(prefix + pl.lit(category))
        .otherwise(pl.lit(category))
    ).to_series()


def _month_where(dates: pl.Series, imprecise: Bools) -> pl.Series:
    """Keep the month alone where a date is imprecise."""
    return pl.select(
        pl.when(pl.lit(pl.Series(imprecise)))
        .then(pl.lit(dates).str.slice(0, 7))
        .otherwise(pl.lit(dates))
    ).to_series()
