"""The vocabulary's files agree with one another, and every row says where it comes from."""

import polars as pl
import pytest
import yaml

from audit.resources import root
from audit.vocabulary import _LONGEST_NAME, _NUMBER_SPELLINGS, Vocabulary, _pieces, normalised

FILES = sorted((root("checks") / "vocabulary").glob("*.csv"))
TABLES = {path.stem: pl.read_csv(path, infer_schema=False) for path in FILES}
INGREDIENTS = Vocabulary.read().ingredients()
FLAGS = [column for column in INGREDIENTS.columns if column.startswith("is_")]


@pytest.mark.parametrize("table", TABLES)
def test_every_row_has_its_source_and_status(table: str) -> None:
    rows = TABLES[table]
    assert rows["source"].null_count() == 0
    assert set(rows["status"]) <= {"verified", "inferred", "recalled"}
    assert not rows.is_duplicated().any()


def test_every_ingredient_referred_to_exists() -> None:
    known = set(INGREDIENTS["ingredient"])
    assert set(TABLES["names"]["ingredient"]) <= known
    for table in ("codes", "regimens"):
        assert set(TABLES[table]["ingredients"].str.split(" + ").explode()) <= known
    assert set(TABLES["regimens"]["kind"]) == {"regimen", "combination"}


def test_no_name_means_two_things() -> None:
    spelled = [
        *INGREDIENTS["ingredient"],
        *TABLES["names"]["name"],
        *TABLES["regimens"]["name"],
        *TABLES["codes"]["code"],
        *(f"{system}:{code}" for system, code in TABLES["codes"].select("system", "code").rows()),
    ]
    keys = pl.Series([normalised(name) for name in spelled])
    assert keys.filter(keys.is_duplicated()).to_list() == []
    assert "" not in set(keys)
    assert max(len(_pieces(name)) for name in spelled) <= _LONGEST_NAME


def test_words_stand_once_and_are_no_drug() -> None:
    words = TABLES["words"]
    assert set(words["role"]) == {"joiner", "form", "conjugate", "doubt"}
    assert not words["word"].is_duplicated().any()
    assert all(_pieces(word) == [word] for word in words["word"])
    resolved = Vocabulary.read().resolve(words.filter(pl.col("role") != "conjugate")["word"])
    assert resolved["ingredient"].null_count() == resolved.height


def test_every_name_and_code_resolves_to_its_ingredients() -> None:
    listed = [
        *TABLES["names"].select("name", "ingredient").rows(),
        *TABLES["regimens"].select("name", "ingredients").rows(),
        *TABLES["codes"].select("code", "ingredients").rows(),
    ]
    resolved = Vocabulary.read().resolve(name for name, _ in listed)
    found = resolved.group_by("drug").agg(pl.col("ingredient").str.join(" + "))
    assert dict(found.rows()) == dict(listed)


def test_flags_agree() -> None:
    assert INGREDIENTS["ingredient"].is_unique().all()
    assert sum(INGREDIENTS.null_count().row(0)) == 0
    kinds = [pl.col(f"is_her2_{kind}") for kind in ("antibody", "conjugate", "tki")]
    exclusive = ["is_her2", "is_cytotoxic", "is_endocrine", "is_ovarian_suppression"]
    cytotoxic = pl.any_horizontal("is_taxane", "is_anthracycline", "is_platinum")
    for rule in (
        pl.any_horizontal(kinds) == pl.col("is_her2"),
        pl.sum_horizontal(kinds) <= 1,
        pl.sum_horizontal(*exclusive, "is_supportive") <= 1,
        ~cytotoxic | pl.col("is_cytotoxic"),
        ~(pl.col("is_trastuzumab") | pl.col("is_pertuzumab")) | pl.col("is_her2_antibody"),
        ~pl.col("outside_guideline") | pl.col("is_her2"),
    ):
        assert INGREDIENTS.filter(~rule).height == 0
    assert INGREDIENTS.filter("is_trastuzumab")["ingredient"].to_list() == ["trastuzumab"]
    assert INGREDIENTS.filter("is_pertuzumab")["ingredient"].to_list() == ["pertuzumab"]
    assert all(INGREDIENTS[flag].any() for flag in FLAGS)


def test_topics_name_families_and_areas_that_exist() -> None:
    topics = TABLES["topics"]
    families = {*INGREDIENTS["family"], "her2"} - {"supportive", "other-antineoplastic"}
    assert set(topics.filter(kind="family")["name"]) == families
    areas = {"surgery", "radiotherapy", "endocrine", "biopsy", "lvef"}
    assert set(topics.filter(kind="area")["name"]) == areas
    spelled = {normalised(topic) for topic in topics["topic"]}
    numbers = {s.format("r", n) for s in _NUMBER_SPELLINGS for n in range(1, 46)}
    names = {normalised(name) for name in (*TABLES["names"]["name"], *TABLES["regimens"]["name"])}
    assert not spelled & (numbers | names)
    assert not numbers & names


def test_every_rule_is_a_topic_by_number_and_id() -> None:
    """A reason documented on a rule is lost to it otherwise, and its case with it."""
    numbers = yaml.safe_load((root("checks") / "numbers.yaml").read_text(encoding="utf-8"))
    for number, rule in numbers.items():
        topics = {number, number.lower(), rule, rule.upper(), rule.replace("-", "_")}
        found = Vocabulary.read().resolve_topics(topics, numbers)
        assert set(found.select("kind", "name").rows()) == {("rule", rule)}, rule
