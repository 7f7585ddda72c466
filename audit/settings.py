"""One frozen model of everything that decides a run."""

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from audit.periods import Period

Jurisdiction = Literal["US", "EU", "ENGLAND"]


class Settings(BaseModel):
    """What to audit, by which rules, as seen from which day.

    Attributes:
        extract: the folder (or what the mapping reads) with the registry extract.
        cutoff: the data cut-off, inclusive: a record dated after it is quarantined.
        jurisdiction: decides from when each recommendation is in force.
        rules: long ids or numbers (R07); empty means all.
        mapping: a source mapping's file or shipped name, for an extract in another layout.
        variants: chosen variants by rule id and variant name; the card's defaults hold otherwise.
        params: other values for rules' own numbers, by rule and name on the card, in its unit.
        rules_from: a folder with rules of the user's own, judged beside the shipped ones.
        compare_variants: also judge every choice that is not in force, for the report's comparison.
        block_on_quality: whether a block-level failure of data quality ends the run.
        quarantine_limit: the largest share of a table's rows that may be in quarantine, inclusive.
        gates: what must hold, such as `R07.rate >= 0.85`; a breach is told after the audit.
        templates: a folder whose templates and stylesheet take the place of ours of the same name.
        period: by what part of the calendar decisions are counted where a trend is shown.
        pdf: also write the report as a PDF, which needs the extra `pdf`.
        keep: how many earlier audits stay in the audit's folder beside the newest.
        small_number: counts from 1 to one below this are suppressed in aggregate output.
    """

    model_config = ConfigDict(frozen=True)

    extract: Path
    cutoff: date
    jurisdiction: Jurisdiction = "US"
    rules: tuple[str, ...] = ()
    mapping: str | None = None
    variants: dict[str, dict[str, str]] = Field(default_factory=dict)
    params: dict[str, dict[str, int | float | date]] = Field(default_factory=dict)
    rules_from: Path | None = None
    compare_variants: bool = False
    block_on_quality: bool = True
    quarantine_limit: float = Field(default=1.0, ge=0, le=1)
    gates: tuple[str, ...] = ()
    period: Period = "year"
    templates: Path | None = None
    pdf: bool = False
    keep: int = Field(default=1, ge=0)
    small_number: int = Field(default=10, ge=1)
