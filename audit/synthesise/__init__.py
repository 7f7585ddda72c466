"""A synthetic registry extract of any size, with deviations planted where its truth file says.

The same number of patients and the same seed give the same bytes. The intended cut-off of the
audit is 2025-12-31. Patients are drawn in batches of a fixed size and written as they come, so
that memory does not grow with the registry.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from audit.errors import UsageError
from audit.guideline import Catalogue
from audit.synthesise import follow_up, streams
from audit.synthesise.aftercare import draw_aftercare
from audit.synthesise.batch import Batch
from audit.synthesise.chance import Chance, Ints
from audit.synthesise.course import draw_course, draw_fate
from audit.synthesise.departures import Mess
from audit.synthesise.deviations import depart
from audit.synthesise.disease import NEOADJUVANT, POSITIVE, SURGERY_FIRST, draw_disease
from audit.synthesise.doses import draw_treatments
from audit.synthesise.dosing import settle_doses
from audit.synthesise.files import Layout, TableFile, suffix_of
from audit.synthesise.hearts import cardiac_assessments, draw_hearts
from audit.synthesise.mess import Counts, Tables, make_untidy
from audit.synthesise.metastatic import Metastatic, planted_later
from audit.synthesise.planted import KINDS, planted
from audit.synthesise.safety import Safety, draw_safety
from audit.synthesise.sites import Sites, draw_sites

__all__ = ["synthesise"]

PATIENTS_A_BATCH = 50_000


def synthesise(patients: int, seed: int, out: Path, *, layout: Layout = "auto") -> None:
    """Write a synthetic extract, and beside it what an audit of it must find.

    `NAME.truth.csv` lists every (rule, tumour) that is non-conformant at the cut-off 2025-12-31 in
    the US with default variants, and no other is; `NAME.counts.csv` says how many duplicates and
    quarantined rows loading must count, by table, and which drug strings it can't recognise.

    Args:
        patients: how many patients, at least one.
        seed: any whole number from 0.
        out: the folder to write, new or empty; the other two files stand beside it.
        layout: `parquet` or `csv` for all tables; `auto` is a mixture below 20,000 patients and
            Parquet from there.

    Raises:
        UsageError: when `patients` or `seed` is out of range, or `out` holds something.
    """
    if patients < 1 or seed < 0:
        raise UsageError(
            f"{patients} patients with seed {seed} can't be drawn",
            "Give at least one patient and a seed of 0 or more.",
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not an empty folder", "Name a new folder.")
    out.mkdir(parents=True, exist_ok=True)
    sites = draw_sites(patients, seed)
    counts = Counts()
    rule_ids = Catalogue.read().numbers
    truths = []
    treatment_rows = 0
    with TemporaryDirectory(prefix=".pieces-", dir=out) as scratch:
        files: dict[str, TableFile] = {}

        def add(name: str, table: pl.DataFrame) -> None:
            if name not in files:
                path = out / f"{name}{suffix_of(name, patients, layout)}"
                files[name] = TableFile(path, Path(scratch))
            files[name].add(table)

        add("sites", sites.table)
        for number, first in enumerate(range(0, patients, PATIENTS_A_BATCH)):
            size = min(PATIENTS_A_BATCH, patients - first)
            drawn = _draw(sites, seed, number, first, size, treatment_rows)
            batch, lines, safety, dosed, tables = drawn
            treatment_rows += tables["treatments"].height
            truths.append(_truth(batch, lines, safety, dosed, rule_ids))
            for name, table in make_untidy(tables, batch, counts).items():
                add(name, table)
        for file in files.values():
            file.finish()
    pl.concat(truths).write_csv(out.parent / f"{out.name}.truth.csv")
    counts.table().write_csv(out.parent / f"{out.name}.counts.csv")


def _draw(
    sites: Sites, seed: int, number: int, first: int, size: int, treatment_rows: int
) -> tuple[Batch, Metastatic, Safety, dict[str, Ints], Tables]:
    """Draw one batch of patients from `first` on: what befell them, and the tables about them."""

    def chance(topic: str) -> Chance:
        return Chance(seed, number, topic, size)

    disease = draw_disease(sites, chance("disease"))
    departs = {rule: shares[disease.site] for rule, shares in sites.departs.items()}
    course = draw_course(disease, departs, chance("course"))
    untidy = sites.untidy[disease.site]
    fate = draw_fate(disease, course, untidy, chance("fate"))
    delivered, deviations = depart(disease, course, fate, departs, untidy, chance("deviations"))
    aftercare, delivered = draw_aftercare(
        disease, course, fate, delivered, deviations, departs, chance("aftercare")
    )
    records = chance("records")
    positive = disease.her2 == POSITIVE
    early = (disease.pathway == NEOADJUVANT) | (disease.pathway == SURGERY_FIRST)
    # Chemotherapy might have been for the other tumour.
    second = positive & early & records.yes(0.015) & (deviations.departs["R13"] == 0)
    batch = Batch(
        patient_id="P"
        + pl.int_range(first + 1, first + size + 1, eager=True).cast(pl.String).str.zfill(7),
        site_id=sites.table["site_id"].gather(disease.site),
        disease=disease,
        course=course,
        fate=fate,
        delivered=delivered,
        deviations=deviations,
        aftercare=aftercare,
        second=second,
        unassayed=positive & ~second & (deviations.mess == Mess.MISSING) & records.yes(0.4),
        chance=records,
    )
    chances = chance("doses"), chance("metastatic"), chance("metastatic-departures")
    given, lines = draw_treatments(disease, course, fate, delivered, deviations, aftercare, chances)
    given, dosed = settle_doses(given, disease, deviations, aftercare, departs, chance("dosing"))
    hearts = draw_hearts(disease, deviations, aftercare, given, departs, chance("hearts"))
    safety = draw_safety(batch, given, lines, chance("safety"))
    tables = {
        "patients": streams.patients(batch),
        "tumours": streams.tumours(batch),
        "receptor_tests": streams.receptor_tests(batch, lines),
        "treatments": follow_up.treatments(batch, given, lines, treatment_rows),
        "surgeries": streams.surgeries(batch),
        "radiotherapy": streams.radiotherapy(batch, lines),
        "cardiac_assessments": cardiac_assessments(batch, given, hearts),
        "events": follow_up.events(batch, given, lines, safety, hearts.failure),
        "exceptions": follow_up.exceptions(batch, lines),
        "observations": follow_up.observations(batch),
        "imaging": follow_up.imaging(batch, given),
    }
    return batch, lines, safety, dosed | hearts.planted, tables


def _truth(
    batch: Batch,
    lines: Metastatic,
    safety: Safety,
    dosed: dict[str, Ints],
    rule_ids: Mapping[str, str],
) -> pl.DataFrame:
    """Give the planted deviations of a batch."""
    parts = []
    found = planted(
        batch.disease,
        batch.course,
        batch.fate,
        batch.delivered,
        batch.deviations,
        batch.aftercare,
    )
    later = planted_later(lines, batch.fate, batch.disease.diagnosed)
    own = found | batch.aftercare.planted | dosed
    for rule, codes in (own | later | safety.planted).items():
        who = np.flatnonzero(codes)
        kinds = [KINDS[rule][code - 1] for code in codes[who]]
        rows = pl.DataFrame(
            {
                "patient_id": batch.patient_id.gather(who),
                "tumour_id": batch.tumour_id.gather(who),
                "deviation": pl.Series(kinds, dtype=pl.String),
            }
        )
        rule_id = pl.repeat(rule_ids[rule], rows.height, eager=True).alias("rule_id")
        parts.append(rows.insert_column(0, rule_id))
    return pl.concat(parts)
