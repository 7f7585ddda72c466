"""What a generated line of treatment is made of.

A part is the names it may go by and how many cycles it lasts (None: as long as the line).
"""

from patients_drugs import TDM1, TRASTUZUMAB

ORAL = {
    *("capecitabine", "lapatinib", "neratinib", "Nerlynx", "tucatinib"),
    *("letrozole", "tamoxifen", "fulvestrant"),
}
SHORT = (1, 4, 5, 6, 6, 8, 12, 12)
H, P = (TRASTUZUMAB, None), (["pertuzumab", "Perjeta"], None)
HP = (["Phesgo", "trastuzumab + pertuzumab"], None)
TAXANE = (["docetaxel", "paclitaxel", "nab-paclitaxel", "Taxotere"], SHORT)
VINORELBINE, CAPECITABINE = (["vinorelbine"], SHORT), (["capecitabine"], None)
EMTANSINE, DERUXTECAN = (TDM1, None), (["T-DXd", "trastuzumab-deruxtecan"], None)
ENDOCRINE = (["letrozole", "tamoxifen", "fulvestrant"], None)
LETROZOLE, LAPATINIB = (["letrozole"], None), (["lapatinib"], None)
TUCATINIB, NERATINIB = (["tucatinib"], None), (["neratinib", "Nerlynx"], None)
MARGETUXIMAB = (["margetuximab"], None)

REGIMENS = [
    *((H, P, TAXANE), (H, P, TAXANE), (HP, TAXANE), ((["THP"], SHORT),)),
    *((H, TAXANE), (H, P), (H, P, VINORELBINE), (TAXANE,), (CAPECITABINE,)),
    *((DERUXTECAN,), (DERUXTECAN, P), (EMTANSINE,), (TUCATINIB, CAPECITABINE, H)),
    *((ENDOCRINE,), (ENDOCRINE, H), (ENDOCRINE, H, P), (LAPATINIB, LETROZOLE), (H,)),
]
LATE_REGIMENS = [
    *((DERUXTECAN,), (DERUXTECAN,), (EMTANSINE,), (TUCATINIB, CAPECITABINE, H)),
    *((TUCATINIB, H), (LAPATINIB, CAPECITABINE), (LAPATINIB, H), (NERATINIB, CAPECITABINE)),
    *((MARGETUXIMAB, VINORELBINE), (MARGETUXIMAB,), (H, VINORELBINE), (H, CAPECITABINE)),
    *((H, ENDOCRINE), (P, H), (VINORELBINE,), ((["gemcitabine"], SHORT),), (NERATINIB,)),
]
