"""Dangerous drug texts, one by one, and the topics of documented exceptions."""

import pytest

from audit.vocabulary import Vocabulary

VOCABULARY = Vocabulary.read()
TDM1, TDXD = "trastuzumab-emtansine", "trastuzumab-deruxtecan"
TRASTUZUMAB, PERTUZUMAB = "trastuzumab", "pertuzumab"
BOTH = {TRASTUZUMAB, PERTUZUMAB}
UNRECOGNISED = {None}
RULES = {"R05": "neoadj-dual-blockade", "R10": "postneo-residual-tdm1"}


def ingredients(drug: str) -> set[str | None]:
    return set(VOCABULARY.resolve([drug])["ingredient"])


@pytest.mark.parametrize(
    ("drug", "expected"),
    [
        ("trastuzumab emtansine", {TDM1}),
        ("ado-trastuzumab emtansine (Kadcyla)", {TDM1}),
        ("Trastuzumab-Emtansin", {TDM1}),
        ("trastuzamab emtasine", {TDM1}),
        ("Herceptin (trastuzumab emtansine)", {TDM1}),
        ("trastuzumab (Kadcyla)", {TDM1}),
        ("trastuzumab/T-DM1", {TDM1}),
        ("trastuzumab, emtansine", {TDM1}),
        ("trastuzumab 3.6 mg/kg emtansine", {TDM1}),
        ("trastuzumab MCC-DM1", {TDM1}),
        ("T-DM1", {TDM1}),
        ("T DM1", {TDM1}),
        ("TDM-1", {TDM1}),
        ("T-DM 1", {TDM1}),
        ("t\u2011dm1", {TDM1}),
        ("T\u00a0DM1", {TDM1}),
        ("tdm1", {TDM1}),
        ("trastuzumab deruxtecan", {TDXD}),
        ("fam-trastuzumab deruxtecan-nxki", {TDXD}),
        ("Enhertu", {TDXD}),
        ("T-DXd", {TDXD}),
        ("DS-8201a", {TDXD}),
        ("trastuzumab duocarmazine", {"trastuzumab-duocarmazine"}),
        ("disitamab vedotin", {"disitamab-vedotin"}),
        ("datopotamab deruxtecan", {"datopotamab-deruxtecan"}),
        ("trastuzumab + T-DM1", {TDM1, None}),
        ("TCHP, T-DM1", {"docetaxel", "carboplatin", PERTUZUMAB, TDM1, None}),
        ("TCHP/T-DM1", {"docetaxel", "carboplatin", PERTUZUMAB, TDM1, None}),
        ("trastuzumab + vedotin", UNRECOGNISED),
        ("ADO-TRASTUZUMAB EMTANSINE 100 MG IV SOLR", {TDM1}),
        ("Injection, ado-trastuzumab emtansine, 1 mg", {TDM1}),
        ("Herceptin-DM1", {TDM1}),
        ("Trastuzumab/DM1", {TDM1}),
        ("Kadcyla C1D1", {TDM1}),
        ("FAM-TRASTUZUMAB DERUXTECAN-NXKI 100 MG IV SOLR", {TDXD}),
        ("trastuzumab emtans", UNRECOGNISED),
        ("TRASTUZUMAB, EMT", UNRECOGNISED),
        ("trastuzumab, ado", UNRECOGNISED),
        ("Trastuzumab (fam-)", UNRECOGNISED),
        ("trastuzumab + deruxt", UNRECOGNISED),
    ],
)
def test_a_conjugate_is_never_trastuzumab(drug: str, expected: set[str | None]) -> None:
    assert ingredients(drug) == expected


@pytest.mark.parametrize(
    "drug",
    [
        "Herceptin",
        "HERCEPTIN\u2122 i.v.",
        "trastuzumab-dkst",
        "Trastuzumab (Herzuma) 440mg vial",
        "trastuzumab biosimilar",
        "trastuzumab 600 mg SC",
        "Trastuzumab IV, 8 mg/kg loading",
        "trastuzumab hyaluronidase-oysk",
        "trastuzumab and hyaluronidase-oysk",
        "Herceptin Hylecta",
        "trastuzamab",
        "trastazumab",
        "transtuzumab",
        "herceptine",
        "trastuzumab 440 mg vial",
        "HERCEPTIN 150 MG IV SOLR",
        "TRASTUZUMAB-QYYP 420 MG INTRAVENOUS RECON SOLN",
        "trastuzumab (HERCEPTIN) 6 mg/kg in sodium chloride 0.9% 250 mL IVPB",
        "Injection, trastuzumab, excludes biosimilar, 10 mg",
        "Injection, trastuzumab-dkst, biosimilar, (Ogivri), 10 mg",
        "HERCEPTIN HYLECTA 600-10000 MG-UNT/5ML SC SOLN",
        "trastuzumab q 3 weeks",
        "Trastuzumab s/c",
        "trastuzumab load",
        "trastuzumab 420.0 mg",
        "Trastuzumab mono",
        "trastuzumab monotherapy 420 mg over 30 min",
        "L01XC03",
        "l01fd01",
        "J9355",
        "q5114",
        "RXNORM:224905",
        "224905",
    ],
)
def test_trastuzumab_in_its_many_forms(drug: str) -> None:
    assert ingredients(drug) == {TRASTUZUMAB}


@pytest.mark.parametrize(
    ("drug", "expected"),
    [
        ("trastuzumab and pertuzumab", BOTH),
        ("Trastuzumab+Pertuzumab", BOTH),
        ("Phesgo", BOTH),
        ("pertuzumab/trastuzumab/hyaluronidase-zzxf", BOTH),
        ("pertuzumab, trastuzumab, and hyaluronidase-zzxf", BOTH),
        ("L01XY02", BOTH),
        ("J9316", BOTH),
        ("margetuximab", {"margetuximab"}),
        ("zanidatamab", {"zanidatamab"}),
        ("L01XC14", {TDM1}),
        ("L01FD03", {TDM1}),
        ("J9354", {TDM1}),
        ("J9358", {TDXD}),
        ("ARIMIDEX (ANASTROZOLE)", {"anastrozole"}),
        ("Paclitaxel (Protein-Bound)", {"nab-paclitaxel"}),
        ("doxorubicin HCl liposome", {"liposomal-doxorubicin"}),
        ("5 FU", {"fluorouracil"}),
        ("C.M.F.", {"cyclophosphamide", "methotrexate", "fluorouracil"}),
        ("TC", {"docetaxel", "cyclophosphamide"}),
        ("TC + Herceptin", {"docetaxel", "cyclophosphamide", TRASTUZUMAB}),
        ("AC x4", {"doxorubicin", "cyclophosphamide"}),
        ("AC \u2192 THP", {"doxorubicin", "cyclophosphamide", "docetaxel-or-paclitaxel"} | BOTH),
        ("TCHP (docetaxel, carboplatin, H, P)", {"docetaxel", "carboplatin", None} | BOTH),
        ("épirubicine 100 mg/m²", {"epirubicin"}),
        ("docetaxel, 3002 mg", {"docetaxel"}),
        *((t, {"docetaxel", "carboplatin"} | BOTH) for t in ("TCHP C1D1", "TCHP cycle 3 of 6")),
        *((t, {"docetaxel", "carboplatin"} | BOTH) for t in ("6 x TCHP", "neoadj TCHP", "PTCH")),
        *((t, {"docetaxel", "carboplatin"} | BOTH) for t in ("TCHP regimen", "TCHP protocol")),
        *((t, BOTH) for t in ("trastuzumab y pertuzumab", "trastuzumab en pertuzumab")),
        ("cyclophosphamide monohydrate 1,000 mg", {"cyclophosphamide"}),
        *((t, {"cyclophosphamide"}) for t in ("Endoxan 1 000 mg", "Endoxan 1\u00a0000mg")),
        *((t, {"doxorubicin", "cyclophosphamide"}) for t in ("AC x 4", "AC #4", "AC X 4 cycles")),
        ("FEC-D(T)HP", {"fluorouracil", "epirubicin", "cyclophosphamide", "docetaxel"} | BOTH),
        ("AC > T", {"doxorubicin", "cyclophosphamide", "docetaxel-or-paclitaxel"}),
        *(
            (t, BOTH)
            for t in ("H+P", "HP x 12", "PHESGO 1,200 MG-600 MG-30,000 UNIT/15 ML SC SOLN")
        ),
        ("PERTUZUMAB 420 MG/14 ML IV SOLN", {PERTUZUMAB}),
        *(
            (t, {"carboplatin"})
            for t in ("carboplat", "carbo AUC 6", "CARBOPLATIN 450 MG/45 ML IV")
        ),
        ("DOCETAXEL 80 MG/8 ML (10 MG/ML) IV SOLN", {"docetaxel"}),
        *(
            (t, {"paclitaxel"})
            for t in ("dose dense paclitaxel", "ddPaclitaxel", "Taxol weekly x 12")
        ),
        ("PACLITAXEL PROTEIN-BOUND 100 MG IV SUSR", {"nab-paclitaxel"}),
        *((t, {"doxorubicin"}) for t in ("Adriamycin PFS", "DOXORUBICIN HCL 10 MG IV SOLR")),
        *((t, {"epirubicin", "cyclophosphamide"}) for t in ("EC90", "EC 90 x 3")),
        ("FULVESTRANT 250 MG/5 ML IM SOSY", {"fulvestrant"}),
        ("tamoxifen 20mg od", {"tamoxifen"}),
        *(
            (t, {"goserelin"})
            for t in ("ZOLADEX 3.6 MG SC IMPL", "Goserelin acetate implant, per 3.6 mg")
        ),
        ("capecitabine 1000 mg/m2 bid", {"capecitabine"}),
        ("trastuzumab + chemo", {TRASTUZUMAB, None}),
        ("docetaxel + something new", {"docetaxel", None}),
        ("docetaxel + CAP", {"docetaxel", None}),
    ],
)
def test_other_texts(drug: str, expected: set[str | None]) -> None:
    assert ingredients(drug) == expected


@pytest.mark.parametrize(
    "drug",
    [
        "",
        " ",
        "600 mg",
        "dm+d",
        "diabetes",
        "HER2-mab X",
        "trastuzumab vedotin",
        "trastuzumab-abcd",
        "trastuzumab X",
        "trastuzumab (study drug)",
        "trastuzumab/MK-1",
        "trastuzumab placebo",
        "trastuzumab, not given",
        "no trastuzumab",
        "trastuzumab?",
        "? trastuzumab",
        "trastuzumab 0 mg",
        "trastuzumab 0.0mg",
        "Herceptin: 0,00 g",
        "Bevacizumab or Placebo",
        "BEVACIZUMAB (AVASTIN)/PLACEBO PROVIDED BY STUDY",
        "docetaxel Zydus",
        "T-DXd-THP",
        "10/13/06",
        "1387104",
        "Taxane",
        "Chemo, NOS",
        "chemotherapy",
    ],
)
def test_what_is_not_known_is_not_guessed(drug: str) -> None:
    assert ingredients(drug) == UNRECOGNISED


@pytest.mark.parametrize(
    ("drug", "via"),
    [
        ("Herceptin", "name"),
        ("ARIMIDEX (ANASTROZOLE)", "name"),
        ("J9355", "billing-code"),
        ("L01FD01", "code"),
        ("Phesgo", "combination"),
        ("docetaxel/carboplatin", "combination"),
        ("TCHP", "regimen"),
        ("TCH + pertuzumab", "regimen"),
        ("herceptin adj q3w x17", "regimen"),
        ("Herceptin x 3", "regimen"),
        ("Herceptin x 2", "name"),
        ("trastuzumab 150 mg x 3", "name"),
        ("Poly E", "unrecognised"),
    ],
)
def test_via_says_how(drug: str, via: str) -> None:
    assert set(VOCABULARY.resolve([drug])["via"]) == {via}


@pytest.mark.parametrize(
    ("drug", "subcutaneous"),
    [
        ("Herceptin Hylecta", {TRASTUZUMAB}),
        ("trastuzumab 600 mg s.c.", {TRASTUZUMAB}),
        ("trastuzumab hyaluronidase-oysk", {TRASTUZUMAB}),
        ("Phesgo", BOTH),
        ("J9316", BOTH),
        ("trastuzumab and pertuzumab SC", BOTH),
        ("goserelin sc + trastuzumab", {"goserelin"}),
        ("docetaxel + trastuzumab, 600 mg, sc", {TRASTUZUMAB}),
        ("trastuzumab iv", set()),
    ],
)
def test_the_route_hint_marks_subcutaneous_products(drug: str, subcutaneous: set[str]) -> None:
    assert set(VOCABULARY.resolve([drug]).filter(route_hint="sc")["ingredient"]) == subcutaneous


def test_texts_are_resolved_once_and_missing_ones_passed_over() -> None:
    resolved = VOCABULARY.resolve(["Phesgo", None, "Phesgo"])
    assert resolved.columns == ["drug", "ingredient", "via", "route_hint"]
    assert resolved.height == 2
    assert VOCABULARY.resolve([None]).schema == resolved.schema


def test_a_long_note_in_the_drug_field_is_no_trouble() -> None:
    assert ingredients("docetaxel " * 3000) == {"docetaxel"}
    assert ingredients("note " * 3000) == UNRECOGNISED


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        *((t, {("rule", RULES["R05"])}) for t in ("R05", "r5", "5", "05", "rule 5", RULES["R05"])),
        ("R05, R10", {("rule", rule) for rule in RULES.values()}),
        ("R08", {("unrecognised", None)}),
        ("her2", {("family", "her2")}),
        ("HER2 therapy", {("family", "her2")}),
        ("antibody", {("family", "her2-antibody")}),
        ("conjugate", {("family", "her2-conjugate")}),
        ("ADC", {("family", "her2-conjugate")}),
        ("TKI", {("family", "her2-tki")}),
        ("chemotherapy", {("family", "chemotherapy")}),
        ("Taxane", {("family", "taxane")}),
        ("anthracycline", {("family", "anthracycline")}),
        ("platinum", {("family", "platinum")}),
        ("endocrine", {("family", "endocrine"), ("area", "endocrine")}),
        *((t, {("area", t.lower())}) for t in ("Surgery", "radiotherapy", "biopsy", "LVEF")),
        ("Kadcyla", {("ingredient", TDM1)}),
        ("Phesgo", {("ingredient", name) for name in BOTH}),
        ("pertuzumab and docetaxel", {("ingredient", PERTUZUMAB), ("ingredient", "docetaxel")}),
        ("pertuzumab; surgery", {("ingredient", PERTUZUMAB), ("area", "surgery")}),
        ("surgery / weather", {("area", "surgery"), ("unrecognised", None)}),
        ("trastuzumab vedotin", {("unrecognised", None)}),
        ("", {("unrecognised", None)}),
    ],
)
def test_topics(topic: str, expected: set[tuple[str, str | None]]) -> None:
    resolved = VOCABULARY.resolve_topics([topic, None], RULES)
    assert resolved.columns == ["topic", "kind", "name"]
    assert set(resolved.select("kind", "name").rows()) == expected


def test_an_own_rules_number_takes_none_from_a_shipped_rule() -> None:
    """Else a reason documented on R05 would be lost to R05, and its patient accused."""
    topics = ["R05", "5", "rule 5", "X05", "x5", "rule X05"]
    resolved = VOCABULARY.resolve_topics(topics, RULES | {"X05": "one-of-ours"})
    own = {topic for topic, _, name in resolved.rows() if name == "one-of-ours"}
    assert own == {"X05", "x5", "rule X05"}
    assert resolved.filter(name=RULES["R05"]).height == 3
