"""The product's own findings on a generated registry, in the shape the twin gives."""

import os

from audit.pipeline import evaluate_extract
from audit.settings import Settings

# As many as leave `make test` its time. More by hand: AUDIT_PATIENTS=10010 pytest tests/property
PATIENTS = int(os.environ.get("AUDIT_PATIENTS", "1300"))


def pipeline_findings(registry, folder, jurisdiction="US", variants=None):
    """(rule_id, subject_id) to finding, as the pipeline judges the registry written to folder."""

    settings = Settings(
        extract=registry.write(folder),
        cutoff=registry.cutoff,
        jurisdiction=jurisdiction,
        variants=variants or {},
    )
    rows = evaluate_extract(settings).findings.iter_rows(named=True)
    return {(row["rule_id"], row["subject_id"]): row for row in rows}
