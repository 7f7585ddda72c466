"""What the cards of rules say, as small tables that SQL joins."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from audit.guideline import Catalogue, Rule
from audit.warehouse import Connection, lay_beside

_FAMILIES = {
    "trastuzumab": "is_trastuzumab",
    "pertuzumab": "is_pertuzumab",
    "her2-antibody": "is_her2_antibody",
    "her2-conjugate": "is_her2_conjugate",
    "her2": "is_her2",
    "taxane": "is_taxane",
    "anthracycline": "is_anthracycline",
    "chemotherapy": "is_cytotoxic",
    "endocrine": "is_endocrine",
}


def lay_card(con: Connection, rule: Rule, jurisdiction: str, read: Sequence[str]) -> None:
    """Lays what a rule's card says beside its inputs, as small tables for the judgement.

    Args:
        con: a database with the table `ingredients`; it gets the tables `rule_*`.
        rule: the rule that is judged next.
        jurisdiction: whose editions count.
        read: the tables of the extract that the rule reads.
    """
    card = rule.card
    ingredients = con.table("ingredients").pl()
    topics: list[tuple[str, str, str | None]] = [
        (part, topic, None)
        for parts, names in card.exceptions.topics.items()
        for part in _each(parts, ingredients)
        for name in names
        for topic in _each(part if name == "itself" else name, ingredients)
    ]
    topics += [
        (part, topic, reason)
        for part, narrow in card.exceptions.only.items()
        for topic, reasons in narrow.items()
        for reason in reasons
    ]
    drugs = sorted({i for name in card.needs_drugs for i in _members(name, ingredients)})
    since = rule.in_force(jurisdiction)
    lay_beside(
        con,
        "rule_topics",
        pl.DataFrame(topics, dict.fromkeys(("part", "topic", "reason"), pl.String), orient="row"),
    )
    lay_beside(con, "rule_reasons", _frame({"reason": card.exceptions.reasons}))
    lay_beside(con, "rule_drugs", _frame({"ingredient": drugs}))
    lay_beside(con, "rule_tables", _frame({"table_name": read}))
    lay_beside(
        con, "rule_subject_parts", _frame({"subject_part": card.subject_parts[:1] or [None]})
    )
    lay_beside(
        con,
        "rule_editions",
        pl.DataFrame(
            {"edition": list(since), "since": list(since.values())},
            schema={"edition": pl.String, "since": pl.Date},
        ),
    )
    lay_beside(
        con,
        "rule_interruptions",
        pl.DataFrame(
            {"kind": card.interrupted_by, "priority": range(len(card.interrupted_by))},
            schema={"kind": pl.String, "priority": pl.Int32},
        ),
    )


def needed_fields(catalogue: Catalogue, rules: Sequence[Rule]) -> pl.DataFrame:
    """The fields that one of the rules needs, with the ids of these."""
    ids = {rule.card.number: rule.id for rule in rules}
    rows = [
        (name, field.among, needing)
        for name, field in catalogue.fields.items()
        if (needing := [ids[number] for number in field.rules if number in ids])
    ]
    text = dict.fromkeys(("field", "expected_among"), pl.String())
    return pl.DataFrame(rows, schema={**text, "rules": pl.List(pl.String)}, orient="row")


def attrition_steps(rules: Sequence[Rule]) -> pl.DataFrame:
    """The exclusions of each rule in their order; the two before them are every rule's."""
    rows = [
        (rule.id, number, step.code, step.says)
        for rule in rules
        for number, step in enumerate(rule.card.attrition, start=3)
    ]
    schema = {"rule_id": pl.String, "step": pl.Int32, "code": pl.String, "says": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _frame(columns: Mapping[str, Sequence[str | None]]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _each(name: str, ingredients: pl.DataFrame) -> Iterable[str]:
    """A part or topic as the card names it; `each FAMILY` stands for every drug of the family."""
    return _members(name.removeprefix("each "), ingredients) if name.startswith("each ") else [name]


def _members(name: str, ingredients: pl.DataFrame) -> list[str]:
    """The ingredients of a family, or the one ingredient of that name."""
    flag = _FAMILIES.get(name)
    chosen = pl.col("ingredient") == name if flag is None else pl.col(flag)
    return ingredients.filter(chosen)["ingredient"].to_list()
