"""What a departure can be, and who may depart: reasons, mess, and the hospital's habits."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from audit.synthesise.chance import Bools, Chance, Floats, Ints, day

# Written down again and not read from the catalogue: a wrong date there must not hide here.
PERTUZUMAB_BEFORE_SURGERY = day("2013-09-30")
PERTUZUMAB_AFTER_SURGERY = day("2017-12-20")
CONJUGATE_AFTER_RESIDUAL = day("2019-05-03")
STAGE_I_SHORT = day("2015-01-08")
EARLY_YEARS = 450  # a new recommendation is adopted slowly
COMMONER_IN_EARLY_YEARS, MOST_COMMON = 2.2, 0.8
YEAR_DOSES = 18
AFTER_WEEKLY_DOSES = 14
WITHOUT_LIMIT = 99


class Excuse(IntEnum):
    """Why a patient's treatment departs from a rule."""

    SILENT = 0
    DOCUMENTED = 1
    TRIAL = 2


class Mess(IntEnum):
    """What is untidy about a patient's record."""

    NONE = 0
    QUARANTINE = 1
    UNRECOGNISED = 2
    IMPRECISE = 3
    MISSING = 4
    TRANSFERRED_IN = 5


class Unproven(IntEnum):
    """How HER2 therapy came about without a positive result before it."""

    NONE = 0
    NEGATIVE_ASSAY = 1
    NEGATIVE_SUMMARY = 2
    LATE_RESULT = 3
    BRIDGING_DOSE = 4


class Lacking(IntEnum):
    """Which part of HER2 therapy with chemotherapy is lacking."""

    NONE = 0
    ANTIBODY = 1
    CHEMOTHERAPY = 2
    BOTH = 3


class Partner(IntEnum):
    """How pertuzumab departs from being given with every trastuzumab dose."""

    NONE = 0
    LEFT_OUT = 1
    FEW = 2
    LATE = 3


class StopGiven(IntEnum):
    """How the record tells why trastuzumab was stopped early."""

    NOT = 0
    TOXICITY = 1
    REFUSAL = 2
    HEART_FAILURE = 3
    EXCEPTION = 4


class Residual(IntEnum):
    """How T-DM1 after residual disease departs from starting within 180 days."""

    NONE = 0
    NEVER_GIVEN = 1
    TOO_LATE = 2


class Route(IntEnum):
    """How stage II-III departs from HER2 therapy before surgery."""

    NONE = 0
    SURGERY_FIRST = 1
    NO_ANTIBODY = 2
    ENDOCRINE_ALONE = 3


class AfterResponse(IntEnum):
    """How pertuzumab departs from going on after a complete response."""

    NONE = 0
    DROPPED = 1
    STOPPED = 2
    FEW = 3


class Escalated(IntEnum):
    """What was given in stage I beyond paclitaxel with trastuzumab."""

    NONE = 0
    CHEMOTHERAPY = 1
    PERTUZUMAB = 2


@dataclass(frozen=True)
class Habits:
    """What decides whether a patient's treatment departs from a rule, and whether in silence."""

    departs: dict[str, Floats]
    excuse: Ints
    mess: Ints
    chance: Chance

    def may_depart(self, rule: str, concerned: Bools, adopted: Ints | int = 0) -> Bools:
        """Draw who of the concerned departs; only a tidy record departs in silence.

        Args:
            rule: the rule's number.
            concerned: whom the rule concerns.
            adopted: days since the recommendation came in force, where it is a new one.
        """
        early = (np.asarray(adopted) > 0) & (np.asarray(adopted) < EARLY_YEARS)
        share = self.departs[rule] * np.where(early, COMMONER_IN_EARLY_YEARS, 1.0)
        drawn = self.chance.yes(np.minimum(share, MOST_COMMON))
        return concerned & drawn & self.allowed

    @property
    def allowed(self) -> Bools:
        """Excused, or tidy enough to be found."""
        found: Bools = (self.mess == Mess.NONE) | self.excused
        return found

    @property
    def excused(self) -> Bools:
        """Not in silence."""
        found: Bools = self.excuse != Excuse.SILENT
        return found
