"""How hospitals write the drugs they give: brands, biosimilars, capitals, misspellings."""

from enum import IntEnum

import numpy as np
import polars as pl

from audit.synthesise.chance import Bools, Chance, Ints, day

BIOSIMILARS = day("2019-07-22")


class Drug(IntEnum):
    """What was given; a fixed-dose combination and a whole regimen are drugs to the record."""

    TRASTUZUMAB = 0
    TRASTUZUMAB_SC = 1
    PERTUZUMAB = 2
    FIXED_DOSE = 3
    TDM1 = 4
    TDXD = 5
    DOCETAXEL = 6
    CARBOPLATIN = 7
    PACLITAXEL = 8
    DOXORUBICIN = 9
    EPIRUBICIN = 10
    CYCLOPHOSPHAMIDE = 11
    CAPECITABINE = 12
    TUCATINIB = 13
    LAPATINIB = 14
    VINORELBINE = 15
    TAMOXIFEN = 16
    LETROZOLE = 17
    GOSERELIN = 18
    TCHP = 19
    TCH = 20
    NERATINIB = 21


# Names with how often each is used; misspellings are ones the vocabulary lists.
NAMES: dict[Drug, dict[str, float]] = {
    Drug.TRASTUZUMAB: {
        "trastuzumab": 50, "Herceptin": 35, "TRASTUZUMAB": 8, "Trastuzumab IV": 4,
        "trastuzamab": 0.5, "herceptine": 0.5, "L01XC03": 2,
    },
    Drug.TRASTUZUMAB_SC: {"Herceptin Hylecta": 60, "Herceptin SC": 40},
    Drug.PERTUZUMAB: {
        "pertuzumab": 55, "Perjeta": 35, "PERTUZUMAB": 8, "pertuzamab": 0.5, "perjetta": 0.5,
        "L01XC13": 1,
    },
    Drug.FIXED_DOSE: {"Phesgo": 80, "pertuzumab/trastuzumab": 18, "phesco": 2},
    Drug.TDM1: {
        "trastuzumab emtansine": 35, "Kadcyla": 35, "T-DM1": 15, "ado-trastuzumab emtansine": 10,
        "TDM1": 3, "KADCYLA": 1.5, "kadcylla": 0.5,
    },
    Drug.TDXD: {
        "trastuzumab deruxtecan": 35, "Enhertu": 40, "T-DXd": 14,
        "fam-trastuzumab deruxtecan-nxki": 10, "enhurtu": 1,
    },
    Drug.DOCETAXEL: {"docetaxel": 75, "Taxotere": 15, "DOCETAXEL": 10},
    Drug.CARBOPLATIN: {"carboplatin": 88, "CARBOPLATIN": 12},
    Drug.PACLITAXEL: {"paclitaxel": 80, "Taxol": 12, "Paclitaxel": 8},
    Drug.DOXORUBICIN: {"doxorubicin": 80, "Adriamycin": 20},
    Drug.EPIRUBICIN: {"epirubicin": 90, "EPIRUBICIN": 10},
    Drug.CYCLOPHOSPHAMIDE: {"cyclophosphamide": 90, "Cytoxan": 10},
    Drug.CAPECITABINE: {"capecitabine": 75, "Xeloda": 25},
    Drug.TUCATINIB: {"tucatinib": 60, "Tukysa": 39, "tukisa": 1},
    Drug.LAPATINIB: {"lapatinib": 70, "Tykerb": 30},
    Drug.VINORELBINE: {"vinorelbine": 80, "Navelbine": 20},
    Drug.TAMOXIFEN: {"tamoxifen": 90, "Tamoxifen": 10},
    Drug.LETROZOLE: {"letrozole": 70, "anastrozole": 20, "exemestane": 10},
    Drug.GOSERELIN: {"goserelin": 60, "Zoladex": 40},
    Drug.TCHP: {"TCHP": 100},
    Drug.TCH: {"TCH": 100},
    Drug.NERATINIB: {"neratinib": 60, "Nerlynx": 38, "nerlinx": 2},
}  # fmt: skip
BIOSIMILAR_NAMES = {
    "Kanjinti": 30, "Ogivri": 22, "Trazimera": 22, "Herzuma": 8, "Ontruzant": 8,
    "trastuzumab-anns": 6, "trastuzumab-dkst": 4,
}  # fmt: skip
_SPELLINGS = pl.Series([*(name for names in NAMES.values() for name in names), *BIOSIMILAR_NAMES])


def write_names(drug: Ints, given: Ints, chance: Chance) -> pl.Series:
    """Give each row's drug in some hospital's words.

    Args:
        drug: what was given.
        given: the day; after biosimilars came, most intravenous trastuzumab is one.
        chance: draws.
    """
    spelling = np.zeros(len(drug), np.int64)
    offset = 0
    biosimilar: Bools = (drug == Drug.TRASTUZUMAB) & (given >= BIOSIMILARS)
    biosimilar &= chance.yes(0.55, len(drug))
    for code, names in NAMES.items():
        rows = np.flatnonzero((drug == code) & ~biosimilar)
        spelling[rows] = offset + chance.pick(list(names.values()), len(rows))
        offset += len(names)
    rows = np.flatnonzero(biosimilar)
    spelling[rows] = offset + chance.pick(list(BIOSIMILAR_NAMES.values()), len(rows))
    return _SPELLINGS.gather(spelling)
