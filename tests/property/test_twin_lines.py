"""The table of lines against the twin's line builder, on generated patients.

Owns: that lines of treatment mean the same written twice.
"""

from datetime import date

import pytest
import twin_facts as facts
import twin_lines
from patients import generate
from patients_drugs import DRUGS
from run_pipeline import PATIENTS
from twin import read_patients
from twin_case import Context
from twin_record import imprecise_cells

from audit.pipeline import evaluate_extract
from audit.settings import Settings

RUNS = [(21, date(2026, 9, 30)), (22, date(2023, 2, 1)), (23, date(2026, 9, 30))]


def described(context, episode):
    """What the twin says of each line, under the names of the table's columns."""
    clock = twin_lines.clock(episode)
    for line in twin_lines.lines(context, episode):
        prior = twin_lines.prior_regimens(context, episode, line.number)
        yield {
            "tumour_id": episode.index["tumour_id"],
            "line_number": line.number,
            "start_date": line.start,
            "last_dose_date": line.last,
            "next_start_date": line.next_start,
            "began_by": line.began_by,
            "drugs": sorted(line.drugs),
            "first_drugs": sorted(line.first_drugs),
            "in_trial": line.in_trial,
            "progression_date": line.progression,
            # Why the last line ended is told for analysts alone; no rule asks.
            **({"ended_by": line.ended_by} if line.next_start else {}),
            "certainty": "low" if line.low else "stated",
            "number_certain": not line.uncertain_number,
            "last_her2_date": clock.last,
            "interval_months": clock.months,
            "clock": clock.name,
            "her2_at_line": twin_lines.her2_at(episode, line),
            "hr_status": twin_lines.hr_status(episode),
            "prior_metastatic_regimens": prior[0],
            "prior_her2_regimens": prior[1],
        }


def by_builder(registry):
    """(tumour, line number) to line, of the patients whose dates are all exact."""
    found = {}
    for patient in read_patients(registry.tables):
        if not imprecise_cells(patient):
            context = Context(patient, DRUGS, registry.cutoff, "US", {})
            for episode in facts.episodes(patient, DRUGS):
                for line in described(context, episode):
                    found[line["tumour_id"], line["line_number"]] = line
    return found


@pytest.mark.parametrize(("seed", "cutoff"), RUNS)
def test_lines_and_their_twin_agree(tmp_path, seed, cutoff):
    registry = generate(PATIENTS // len(RUNS), seed, cutoff, imprecise=False)
    settings = Settings(extract=registry.write(tmp_path / "extract"), cutoff=cutoff)
    table = evaluate_extract(settings).lines
    ours = {(row["tumour_id"], row["line_number"]): row for row in table.iter_rows(named=True)}
    twins = by_builder(registry)
    wrong = [
        (key, column, ours.get(key, {}).get(column), twins.get(key, {}).get(column))
        for key in sorted(ours.keys() | twins.keys())
        for column in twins.get(key, {"line_number": None})
        if column not in ours.get(key, {column: None})
        or ours.get(key, {}).get(column) != twins.get(key, {}).get(column)
    ]
    assert not wrong, f"{len(wrong)} differences, such as {wrong[:3]}"
    assert twins
