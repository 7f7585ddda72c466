"""The SQL against its plain-Python twin, on generated patients.

Owns: that the rules mean the same written twice. When they differ, the specification decides
which one is wrong.
"""

from datetime import date

import pytest
from patients import generate, plant_quarantine
from patients_drugs import DRUGS
from run_pipeline import PATIENTS, pipeline_findings
from twin import judge
from twin_case import IN_FORCE

from audit.guideline import Catalogue

RULE_VARIANTS = {
    "all": {
        "her2-positive-before-her2-therapy": {"undocumented": "non-conformant"},
        "no-concurrent-anthracycline": {"overlap": "avoid-flagged-only"},
        "neoadj-dual-blockade": {"population": "all-early"},
        "adj-dual-blockade": {"population": "all"},
        "adj-chemo-backbone": {"backbone": "anthracycline-taxane"},
        "postneo-pcr-dual-continued": {"population": "all"},
        "early-her2-one-year": {"target": "18-cycles"},
        "early-neoadjuvant-when-t2-or-node-positive": {"route": "surgery-first-accepted"},
        "lvef-quarterly": {"interval": "98-days"},
        "her2-held-on-lvef-decline": {"limits": "older-label"},
        "chemo-before-radiation": {"cmf": "not-exempt"},
        "pmrt-delivered": {"indication": "t3n1-or-higher"},
        "endocrine-initiated": {"numerator": "recommended-or-given"},
        "endocrine-five-years": {"target": "60-months"},
        "mbc-2l-tdxd": {"brain": "deruxtecan-only"},
        "mbc-early-relapse-second-line": {"brain": "deruxtecan-only"},
        "mbc-3l-listed-option": {"preference": "tucatinib-first"},
        "mbc-endocrine-without-chemo-justified": {"endocrine_alone": "any-criterion"},
    },
    "other": {
        "her2-positive-before-her2-therapy": {"summary": "ignored"},
        "neoadj-dual-blockade": {"population": "high-risk"},
        "adj-dual-blockade": {"population": "stage-ii-iii"},
        "adj-stage1-deescalated": {"stage_i": "dual-for-all"},
        "lvef-quarterly": {"interval": "any-regular"},
        "her2-held-on-lvef-decline": {"limits": "hera"},
        "pmrt-delivered": {"after_neoadjuvant": "ypn0-spares"},
        "endocrine-five-years": {"target": "possession"},
        "mbc-3l-listed-option": {"endocrine": "alone-too", "early_relapse": "6-months"},
        "mbc-1l-thp": {"early_relapse": "6-months"},
        "early-her2-therapy-initiated": {"people": "women-18-to-70"},
        "mbc-early-relapse-second-line": {"early_relapse": "6-months"},
        "mbc-2l-tdxd": {"early_relapse": "6-months"},
        "mbc-late-agent-eligibility": {"early_relapse": "6-months"},
    },
    "size": {
        "early-neoadjuvant-when-t2-or-node-positive": {"size": "20-mm-or-more"},
        "neoadj-dual-blockade": {"size": "20-mm-or-more"},
        "neoadj-chemo-backbone": {"size": "20-mm-or-more"},
        "adj-dual-blockade": {"population": "high-risk"},
    },
}
LATE, MIDDLE = date(2026, 9, 30), date(2023, 2, 1)
# seed, jurisdiction, variants, cut-off, a stream left out, whether rows are spoiled
RUNS = [
    (1, "US", None, LATE, None, False),
    (2, "US", None, MIDDLE, None, True),
    (3, "EU", None, LATE, None, False),
    (4, "ENGLAND", None, LATE, None, True),
    (5, "US", "all", LATE, None, False),
    (6, "ENGLAND", "all", MIDDLE, None, False),
    (7, "EU", "other", LATE, None, False),
    (8, "US", "size", LATE, None, False),
    (9, "US", None, LATE, "treatments", False),
    (10, "US", None, LATE, "surgeries", False),
    (11, "US", None, LATE, "receptor_tests", False),
    (12, "EU", None, MIDDLE, "events", True),
    (13, "US", None, LATE, "radiotherapy", False),
]
SHOWN = 3


def record(registry, patient_id):
    """A patient's rows, for a person to read."""
    lines = []
    for table, rows in registry.tables.items():
        for row in rows:
            if row.get("patient_id") == patient_id:
                filled = {k: str(v) for k, v in row.items() if v is not None}
                lines.append(f"    {table}: {filled}")
    return "\n".join(lines)


def unlinked(finding):
    return finding and "stream-not-linked" in [finding["reason"], *finding.get("reasons", [])]


def verdict(finding):
    return finding["verdict"] if finding else "not_applicable"


def differences(ours, twins, without):
    """What the two say differently about one subject."""
    if verdict(ours) != verdict(twins):
        # without a stream, how far a tumour is known to be outside the rule is a matter of effort
        said = {verdict(ours), verdict(twins)}
        if without in ("treatments", "surgeries", "radiotherapy", "events") and said == {
            "not_applicable",
            "not_evaluable",
        }:
            return []
        return [f"verdict {verdict(ours)} ({ours and ours['reason']})"]
    if verdict(ours) == "not_applicable":
        return []
    found = []
    reasons = twins["reasons"] or [twins["reason"]]
    if unlinked(ours):
        return []
    if twins["reason"] and ours["reason"] not in [*reasons, twins["reason"]]:
        found.append(f"reason {ours['reason']}")
    if twins["reason"] == "imprecise-date":  # the trials' dates differ; which one shows is open
        return found
    for column in ("due_date", "margin_days", "decision_date"):
        if None not in (ours[column], twins[column]) and ours[column] != twins[column]:
            found.append(f"{column} {ours[column]}")
    return found


def test_every_card_has_a_twin():
    assert set(IN_FORCE) == {rule.card.number for rule in Catalogue.read().rules.values()}


@pytest.mark.parametrize(
    ("seed", "jurisdiction", "variants", "cutoff", "without", "spoiled"),
    RUNS,
    ids=[f"{r[0]}-{r[1]}-{r[2] or 'default'}-no-{r[4] or 'gap'}" for r in RUNS],
)
def test_sql_and_twin_agree(tmp_path, seed, jurisdiction, variants, cutoff, without, spoiled):
    registry = generate(PATIENTS // len(RUNS), seed, cutoff)
    if without:
        del registry.tables[without]
    if spoiled:
        plant_quarantine(registry, seed)
    settings = {"jurisdiction": jurisdiction, "variants": RULE_VARIANTS.get(variants, {})}
    ours = pipeline_findings(registry, tmp_path / "extract", **settings)
    twins = judge(
        registry.tables,
        cutoff=cutoff,
        drugs=DRUGS,
        quarantined=registry.quarantined,
        **settings,
    )
    twins = {(f["rule_id"], f["subject_id"]): f for f in twins}
    shown, total = [], 0
    for key in sorted(ours.keys() | twins.keys()):
        said = differences(ours.get(key), twins.get(key), without)
        total += bool(said)
        if said and len(shown) < SHOWN:
            patient_id = key[1].split("-")[0]
            shown.append(
                f"{' '.join(key)}\n  pipeline: {', '.join(said)}\n  twin: {twins.get(key)}\n"
                + record(registry, patient_id)
            )
    assert not total, f"{total} disagreements, the first {len(shown)}:\n" + "\n".join(shown)
