"""Drug texts, topics and edition days that the generated patients are made of."""

from datetime import date

from twin_record import EITHER_TAXANE, FAMILIES, RULES, Drug

# Every drug text the generator writes, and what it means; written by hand from vocabulary.md.
SINGLE = {name for family in FAMILIES.values() for name in family} - {EITHER_TAXANE}
DRUGS = {name: Drug(frozenset({name})) for name in sorted(SINGLE)} | {
    "Herceptin": Drug(frozenset({"trastuzumab"})),
    "Trazimera": Drug(frozenset({"trastuzumab"})),
    "L01FD01": Drug(frozenset({"trastuzumab"})),
    "trastazumab": Drug(frozenset({"trastuzumab"})),
    "Perjeta": Drug(frozenset({"pertuzumab"})),
    "Kadcyla": Drug(frozenset({"trastuzumab-emtansine"})),
    "trastuzumab emtansine": Drug(frozenset({"trastuzumab-emtansine"})),
    "T-DXd": Drug(frozenset({"trastuzumab-deruxtecan"})),
    "Taxotere": Drug(frozenset({"docetaxel"})),
    "Phesgo": Drug(frozenset({"trastuzumab", "pertuzumab"}), fixed=True),
    "trastuzumab + pertuzumab": Drug(frozenset({"trastuzumab", "pertuzumab"})),
    "Nerlynx": Drug(frozenset({"neratinib"})),
}
REGIMENS = {
    "TCHP": {"docetaxel", "carboplatin", "trastuzumab", "pertuzumab"},
    "TCH": {"docetaxel", "carboplatin", "trastuzumab"},
    "AC": {"doxorubicin", "cyclophosphamide"},
    "EC": {"epirubicin", "cyclophosphamide"},
    "FEC": {"fluorouracil", "epirubicin", "cyclophosphamide"},
    "TC": {"docetaxel", "cyclophosphamide"},
    "CMF": {"cyclophosphamide", "methotrexate", "fluorouracil"},
    "FEC-DH": {"fluorouracil", "epirubicin", "cyclophosphamide", "docetaxel", "trastuzumab"},
    "AC-TH": {"doxorubicin", "cyclophosphamide", EITHER_TAXANE, "trastuzumab"},
    "AC-THP": {"doxorubicin", "cyclophosphamide", EITHER_TAXANE, "trastuzumab", "pertuzumab"},
    "TH": {EITHER_TAXANE, "trastuzumab"},
    "THP": {EITHER_TAXANE, "trastuzumab", "pertuzumab"},
}
DRUGS |= {
    name: Drug(frozenset({name})) for name in ("dexamethasone", "hydrocortisone", "paracetamol")
}
DRUGS |= {name: Drug(frozenset(parts), regimen=True) for name, parts in REGIMENS.items()}
TRASTUZUMAB = ["trastuzumab", "Herceptin", "Trazimera", "L01FD01", "trastazumab"]
TDM1 = ["trastuzumab-emtansine", "Kadcyla", "trastuzumab emtansine"]
UNKNOWN_DRUGS = ["quixolimab", "study drug X"]
EARLY = ["R01", "R03", "R05", "R10", "R14", "R17"]
RULE_TOPICS = [*EARLY, *(RULES[number] for number in EARLY)]
TOPICS = [
    "her2",
    "her2-antibody",
    "her2-conjugate",
    "chemotherapy",
    "taxane",
    "endocrine",
    "tamoxifen",
    "radiotherapy",
    "surgery",
    "neratinib",
    "capecitabine",
    "Phesgo",
    *TRASTUZUMAB[:2],
    "pertuzumab",
    "Perjeta",
    "Kadcyla",
    "docetaxel",
    "paclitaxel",
    "anthracycline",
]
# Days on which an edition comes into force somewhere: decisions are placed around them.
EDITIONS = [
    date(2006, 5, 1),
    date(2006, 8, 1),
    date(2006, 11, 16),
    date(2007, 1, 1),
    date(2013, 9, 30),
    date(2015, 7, 1),
    date(2016, 12, 1),
    date(2017, 7, 17),
    date(2017, 12, 20),
    date(2018, 5, 1),
    date(2018, 8, 1),
    date(2019, 3, 1),
    date(2019, 5, 3),
    date(2019, 11, 1),
    date(2019, 12, 18),
    date(2020, 6, 1),
    date(2022, 8, 5),
    date(2025, 1, 1),
    date(2026, 5, 15),
]
