"""What holds for any text: conjugates, unknown words, spelling."""

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audit.resources import root
from audit.vocabulary import Vocabulary, normalised

FOLDER = root("checks") / "vocabulary"
NAMES = pl.read_csv(FOLDER / "names.csv", infer_schema=False)
REGIMENS = pl.read_csv(FOLDER / "regimens.csv", infer_schema=False)
WORDS = pl.read_csv(FOLDER / "words.csv", infer_schema=False)
VOCABULARY = Vocabulary.read()
CONJUGATES = VOCABULARY.ingredients().filter("is_her2_conjugate")["ingredient"]
MARKERS = [
    *WORDS.filter(role="conjugate")["word"],
    *CONJUGATES,
    *NAMES.filter(pl.col("ingredient").is_in(CONJUGATES.to_list()))["name"],
]
ANTIBODIES = [
    "trastuzumab",
    *NAMES.filter(ingredient="trastuzumab")["name"],
    *REGIMENS.filter(pl.col("ingredients").str.contains("trastuzumab"))["name"],
]
DRUGS = st.sampled_from([*NAMES["name"], *REGIMENS["name"]])
JOINS = [" ", " + ", ", ", "/", " and ", "; ", " (", ") ", " -> ", "\n", " 600 mg ", " iv, "]
# Letters only, and too long and odd for any name: no word of the vocabulary has a q next to an x.
UNKNOWN = st.text("abcdefghij", min_size=1, max_size=8).map(lambda letters: letters + "qx")

settings.register_profile("vocabulary", max_examples=150, deadline=None)
LIGHT = settings.get_profile("vocabulary")


@st.composite
def joined(draw: st.DrawFn, *parts: st.SearchStrategy[str]) -> str:
    words = draw(st.permutations([draw(part) for part in parts]))
    return "".join(word + draw(st.sampled_from(JOINS)) for word in words)


def resolved(drug: str) -> set[tuple[str | None, str | None]]:
    return set(VOCABULARY.resolve([drug]).select("ingredient", "route_hint").rows())


@LIGHT
@given(joined(st.sampled_from(MARKERS), st.sampled_from(ANTIBODIES), DRUGS))
@example("emtansina HP + Herceptin")
def test_nothing_beside_a_conjugate_is_trastuzumab(drug: str) -> None:
    assert "trastuzumab" not in {ingredient for ingredient, _ in resolved(drug)}


FORMS = st.sampled_from([*WORDS.filter(role="form")["word"], "440 mg", "C1D1", "x 4", "0.9%"])


@LIGHT
@given(
    st.sampled_from(MARKERS), st.lists(FORMS, max_size=3), st.lists(FORMS, max_size=3), st.data()
)
def test_no_form_word_turns_a_conjugate_into_trastuzumab(
    marker: str, before: list[str], after: list[str], data: st.DataObject
) -> None:
    antibody = data.draw(st.sampled_from(ANTIBODIES))
    join = data.draw(st.sampled_from(JOINS))
    drug = " ".join([*before, antibody]) + join + " ".join([marker, *after])
    assert "trastuzumab" not in {ingredient for ingredient, _ in resolved(drug)}


@LIGHT
@given(
    st.sampled_from(ANTIBODIES),
    st.sampled_from(JOINS),
    st.sampled_from(CONJUGATES.to_list()),
    st.data(),
)
def test_a_conjugate_cut_off_is_never_trastuzumab(
    antibody: str, join: str, conjugate: str, data: st.DataObject
) -> None:
    payload = conjugate.rsplit("-", maxsplit=1)[-1]
    cut = data.draw(st.integers(min_value=4, max_value=len(payload)))
    drug = antibody + join + payload[:cut]
    assert "trastuzumab" not in {ingredient for ingredient, _ in resolved(drug)}


@LIGHT
@given(st.lists(UNKNOWN, min_size=1, max_size=4).map(" ".join))
def test_unknown_words_are_unrecognised(drug: str) -> None:
    assert resolved(drug) == {(None, None)}


@LIGHT
@given(DRUGS, UNKNOWN, st.sampled_from([" ", "-", "/", " (", " iv ", " 600 mg "]))
def test_a_drug_beside_an_unknown_word_is_unrecognised(drug: str, word: str, join: str) -> None:
    assert resolved(drug + join + word) == {(None, None)}


@LIGHT
@given(joined(DRUGS, UNKNOWN))
def test_an_unknown_part_always_shows(drug: str) -> None:
    assert (None, None) in resolved(drug)


@LIGHT
@given(DRUGS, st.data())
def test_case_spaces_and_hyphens_make_no_difference(drug: str, data: st.DataObject) -> None:
    gaps = st.sampled_from([" ", "-", "  ", "\u00a0", "\u2011", "\u2013", " - "])
    other = "".join(data.draw(gaps) if c in " -" else c for c in drug)
    other = data.draw(st.sampled_from([other, other.upper(), other.lower(), other.title()]))
    other = data.draw(st.sampled_from(["", " ", "\u00a0"])) + other + " "
    assert normalised(other) == normalised(drug)
    assert resolved(other) == resolved(drug)


@LIGHT
@given(st.text(max_size=40))
def test_any_text_gets_an_answer(drug: str) -> None:
    assert VOCABULARY.resolve([drug]).height >= 1
    assert VOCABULARY.resolve_topics([drug], {"R05": "neoadj-dual-blockade"}).height >= 1


def test_a_count_does_not_swallow_the_digits_of_a_name() -> None:
    assert resolved("trastuzumab + RG3502 x 4") == {("trastuzumab-emtansine", None), (None, None)}
    assert resolved("J9355 x 4") == {("trastuzumab", None)}
