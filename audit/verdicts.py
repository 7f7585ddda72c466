"""The six verdicts' names; `sql/results/verdicts.sql` alone decides which one a finding gets."""

VERDICTS = (
    "not_applicable",
    "not_evaluable",
    "conformant",
    "excepted",
    "pending",
    "non_conformant",
)
"""In the order in which they are decided."""

IN_POPULATION = VERDICTS[1:]
"""The verdicts of those whom a rule concerns."""
