"""Drug texts, topics and edition days that the generated patients are made of."""

from datetime import date

from twin_record import FAMILIES, RULES, Drug

# Every drug text the generator writes, and what it means; written by hand from vocabulary.md.
DRUGS = {name: Drug(frozenset({name})) for family in FAMILIES.values() for name in family} | {
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
    "TCHP": Drug(
        frozenset({"docetaxel", "carboplatin", "trastuzumab", "pertuzumab"}), regimen=True
    ),
    "TCH": Drug(frozenset({"docetaxel", "carboplatin", "trastuzumab"}), regimen=True),
    "AC": Drug(frozenset({"doxorubicin", "cyclophosphamide"}), regimen=True),
}
TRASTUZUMAB = ["trastuzumab", "Herceptin", "Trazimera", "L01FD01", "trastazumab"]
TDM1 = ["trastuzumab-emtansine", "Kadcyla", "trastuzumab emtansine"]
UNKNOWN_DRUGS = ["quixolimab", "study drug X"]
EARLY = ("R01", "R03", "R05", "R10", "R14", "R17")
TOPICS = [
    *EARLY,
    *(RULES[number] for number in EARLY),
    "her2",
    "her2-antibody",
    "her2-conjugate",
    "chemotherapy",
    "taxane",
    "endocrine",
    "surgery",
    "Phesgo",
    *TRASTUZUMAB[:2],
    "pertuzumab",
    "Perjeta",
    "Kadcyla",
    "docetaxel",
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
    date(2017, 12, 20),
    date(2018, 5, 1),
    date(2019, 3, 1),
    date(2019, 5, 3),
    date(2019, 12, 18),
    date(2020, 6, 1),
    date(2022, 8, 5),
    date(2025, 1, 1),
    date(2026, 5, 15),
]
