"""Stage texts: what is read, what says that it is missing, and what can't be read."""

import pytest

from audit.tnm import read_stage


@pytest.mark.parametrize(
    ("axis", "text", "category"),
    [
        *(("t", text, "2") for text in ("T2", "cT2", "pT2", "2", " p T2 ", "T2(m)", "T2b", "T2m")),
        ("t", "pT1c (sn)", "1c"),
        ("t", "T1mi", "1mi"),
        ("t", "T1mic", "1mi"),
        ("t", "cT1", "1"),
        ("t", "Tis (DCIS)", "is"),
        ("t", "pTis", "is"),
        ("t", "ypT0", "0"),
        ("t", "T4d", "4"),
        *(("yt", text, "is") for text in ("ypT0/is", "ypT0/Tis", "T0/is (DCIS)", "ypTis")),
        ("yt", "ypT0", "0"),
        ("yt", "ypT1a(m)", "1a"),
        ("t", "cT2 (35 mm)", "2"),
        ("n", "N0", "0"),
        ("n", "N0 (i-)", "0"),
        ("n", "pN0(mol+)", "0"),
        *(("n", text, "0(i+)") for text in ("ypN0(i+)", "pN0 (i+)(sn)", "N0i+", "p0I+", "N0(ITC)")),
        *(("n", text, "1mi") for text in ("N1mi", "pN1(mi)", "N1mi(sn)", "1MI")),
        *(("n", text, "1") for text in ("cN1", "pN1a(sn)", "N1bIII", "N1 NOS")),
        ("n", "N3c", "3"),
        *(("m", text, "0") for text in ("M0", "cM0", "0", "cM0 (i+)", "M0(i+)")),
        *(("m", text, "1") for text in ("M1", "pM1", "cM1b", "M1 (bone)")),
    ],
)
def test_what_is_read(axis: str, text: str, category: str) -> None:
    assert read_stage(axis, text) == (category, False)


@pytest.mark.parametrize(
    ("axis", "text"), [("t", "TX"), ("t", "ypTx"), ("n", "cNX"), ("m", "MX"), ("m", "x")]
)
def test_a_stage_that_could_not_be_assessed_is_missing(axis: str, text: str) -> None:
    assert read_stage(axis, text) == (None, False)


@pytest.mark.parametrize(
    ("axis", "text"),
    [
        *(("t", text) for text in ("15 mm", "2.5 cm", "T1-2", "T2/T3", "T2?", "T5", "T10", "N1")),
        *(("t", text) for text in ("T2 (or T3?)", "pending", "T2N1M0", "T", "4e", "T1d")),
        *(("n", text) for text in ("2/14", "N1-2", "N0?", "positive", "1 node", "T2", "N4")),
        *(("m", text) for text in ("M?", "M0?", "M0/M1", "M0 or M1", "M10", "pending", "88", "no")),
    ],
)
def test_what_cannot_be_read_is_not_guessed(axis: str, text: str) -> None:
    assert read_stage(axis, text) == (None, True)
