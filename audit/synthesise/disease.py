"""Who falls ill with what: patient, stage, receptors and the pathway meant for them."""

from dataclasses import dataclass

import numpy as np

from audit.synthesise.chance import Bools, Chance, Floats, Ints, day
from audit.synthesise.sites import Sites

CUTOFF = day("2025-12-31")
FIRST_DIAGNOSIS, LAST_DIAGNOSIS = day("2012-01-01"), day("2025-11-30")

NEOADJUVANT, SURGERY_FIRST, METASTATIC, UNTREATED = range(4)
POSITIVE, NEGATIVE, EQUIVOCAL, UNTESTED = range(4)

T_CATEGORIES = ("T1mi", "T1a", "T1b", "T1c", "T2", "T3", "T4b", "T4d")
T_UPPER_MM = (1, 5, 10, 20, 50)
T1A, T1C, T2, T3, T4, T4D = 1, 3, 4, 5, 6, 7
N_CATEGORIES = ("N0", "N0(i+)", "N1mi", "N1", "N2", "N3")
N0, N0I, N1MI, N1, N2, N3 = range(6)
IHC_0, IHC_1, IHC_2, IHC_3 = range(4)
PREMENOPAUSAL_YEARS = 45
# Stage II-III is mostly treated before surgery from here on.
TREATED_BEFORE_SURGERY = day("2013-09-30")
# Between these days ISH was read by the ratio alone, whatever the copies.
RATIO_ALONE = (day("2014-01-01"), day("2017-12-31"))


@dataclass(frozen=True)
class Disease:
    """One batch of patients at diagnosis; arrays run over patients."""

    site: Ints
    born: Ints
    diagnosed: Ints
    male: Bools
    weight: Floats
    height: Floats
    pathway: Ints
    her2: Ints
    ihc: Ints
    ratio: Floats
    copies: Floats
    size: Ints
    t: Ints
    n: Ints
    clinical_positive: Bools
    er: Bools
    pregnant: Bools

    @property
    def node_positive(self) -> Bools:
        """Nodes positive, micrometastasis included."""
        return self.n >= N1MI

    @property
    def t1c_or_node_positive(self) -> Bools:
        """Larger than 10 mm, or nodes positive."""
        return (self.t >= T1C) | self.node_positive

    @property
    def clinical_stage_2_or_3(self) -> Bools:
        """Larger than 20 mm, or nodes positive before treatment, or inflammatory."""
        return (self.t >= T2) | self.clinical_positive

    @property
    def bsa(self) -> Floats:
        """Body surface in square metres (Mosteller)."""
        return np.sqrt(self.weight * self.height / 3600)


def draw_disease(sites: Sites, chance: Chance) -> Disease:
    """Draw one batch of patients.

    Size and nodes are what they truly are; which of them the record shows, and as clinical or
    pathological, is for the tumours table. Someone treated before surgery is node-positive
    clinically; someone operated on first may have been upstaged at surgery. Stage II-III is
    operated on first where the hospital departs from treating it before.
    """
    size_of = chance.size
    diagnosed = chance.between(FIRST_DIAGNOSIS, LAST_DIAGNOSIS)
    age = np.clip(chance.around(56, 13), 22, 94)
    male = chance.yes(0.01)
    height = np.clip(chance.around(np.where(male, 175, 163), 7), 140, 200).round()
    weight = np.clip(chance.around(np.where(male, 82, 70), 14), 40, 140).round(1)
    site = chance.rng.choice(sites.count, size_of, p=sites.volume)
    pathway = chance.pick((45, 45, 7, 3))
    her2 = chance.pick((87, 8.5, 3, 1.5))

    median = np.array([32, 16, 36, 22])[pathway]
    millimetres = median * np.exp(chance.around(0, 0.5))
    size = np.clip(millimetres.round(), np.array([11, 1, 5, 3])[pathway], 140).astype(np.int64)
    positive = chance.yes(np.array([0.6, 0.33, 0.8, 0.2])[pathway] + 0.1 * (size > T_UPPER_MM[-2]))
    n = np.where(
        positive, np.array([N1MI, N1, N2, N3])[chance.pick((6, 72, 16, 6))], chance.yes(0.04) * N0I
    )
    t = np.searchsorted(T_UPPER_MM, size, side="left")
    advanced = (pathway != SURGERY_FIRST) & chance.yes(0.08)
    t = np.where(advanced, np.where(chance.yes(0.4), T4D, T4), t)
    found = positive & ((pathway != SURGERY_FIRST) | chance.yes(0.5))
    moved = (pathway == SURGERY_FIRST) & ((t >= T2) | found)
    moved &= diagnosed >= TREATED_BEFORE_SURGERY
    moved &= (her2 != POSITIVE) | ~chance.yes(sites.departs["R04"][site])
    pathway = np.where(moved, NEOADJUVANT, pathway)
    before_surgery = pathway != SURGERY_FIRST
    n = np.where(before_surgery & (n == N1MI), N1, n)
    n = np.where(before_surgery & (n == N0I), N0, n)

    ihc, ratio, copies = _assay(her2, diagnosed, chance)
    return Disease(
        site=site,
        born=diagnosed - (age * 365.25).astype(np.int64),
        diagnosed=diagnosed,
        male=male,
        weight=weight,
        height=height,
        pathway=pathway,
        her2=her2,
        ihc=ihc,
        ratio=ratio,
        copies=copies,
        size=size,
        t=t,
        n=n,
        clinical_positive=found | (positive & before_surgery),
        er=chance.yes(0.64),
        pregnant=(age < PREMENOPAUSAL_YEARS) & ~male & (pathway < METASTATIC) & chance.yes(0.012),
    )


def _assay(her2: Ints, diagnosed: Ints, chance: Chance) -> tuple[Ints, Floats, Floats]:
    """Give IHC score, ISH ratio and copies (NaN: not done), positive or negative in every era.

    A few positives of the years in which the ratio alone decided are negative by today's rule.
    """
    needs_ish = chance.yes(0.25)
    ihc = np.where(her2 == POSITIVE, np.where(needs_ish, 2, 3), 2)
    ihc = np.where(her2 == NEGATIVE, chance.pick((35, 40, 25)), ihc)
    ratio = chance.spread(2.4, 7.5)
    copies = chance.spread(6.4, 20)
    old = (diagnosed >= RATIO_ALONE[0] + 30) & (diagnosed <= RATIO_ALONE[1] - 60)
    old &= (her2 == POSITIVE) & needs_ish & chance.yes(0.1)
    ratio = np.where(old, chance.spread(2.05, 2.5), ratio)
    copies = np.where(old, chance.spread(3.1, 3.8), copies)
    negative = her2 == NEGATIVE
    ratio = np.where(negative, chance.spread(0.9, 1.6), ratio)
    copies = np.where(negative, chance.spread(1.6, 3.7), copies)
    no_ish = (ihc != IHC_2) | (her2 == EQUIVOCAL)
    return ihc, np.where(no_ish, np.nan, ratio.round(2)), np.where(no_ish, np.nan, copies.round(1))
