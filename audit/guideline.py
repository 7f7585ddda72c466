"""Cards, definitions and editions: what the guideline says, as data."""

import hashlib
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import sqlglot
import yaml
from pydantic import BaseModel, ConfigDict

from audit.errors import UsageError
from audit.resources import root
from audit.settings import Jurisdiction
from audit.texts import told_in_words

PLACES: tuple[Jurisdiction, ...] = get_args(Jurisdiction)
ALWAYS, NEVER = date.min, date(9999, 12, 31)
Scalar = int | float | str | bool | date
Status = Literal["confirmed", "recalled", "expert"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parameter(_Strict):
    """A clinical number: it stands nowhere else, and SQL gets it bound under its name."""

    value: int | float | date
    unit: str
    says: str
    source: str
    status: Status


class Variant(_Strict):
    """A choice between readings on which the guideline's documents disagree."""

    default: str
    choices: dict[str, str]
    source: str


class Exclusion(_Strict):
    """A step of the attrition: the code that the SQL gives and what it says."""

    code: str
    says: str


class Exceptions(_Strict):
    """Documented reasons a rule accepts, and on which topics for which part of it.

    `only`, by part and topic: further topics, on which but the reasons named with them are one.
    """

    reasons: list[str]
    topics: dict[str, list[str]]
    only: dict[str, dict[str, list[str]]] = {}


class Gate(_Strict):
    """A stream that must be seen at a hospital before the rule puts a case of it up for review.

    `share` names the shared definition that holds the least share of cases with that stream among
    those where it is expected; a stream seen in no case is below any share.
    """

    stream: str
    share: str
    says: str


class Edition(_Strict):
    """From when a recommendation is in force in one jurisdiction, that day included."""

    since: date
    source: str
    status: Status

    @property
    def first_day(self) -> str:
        """That day as text; `always` where there is none."""
        return "always" if self.since == ALWAYS else self.since.isoformat()


class Field(_Strict):
    """A field of the extract that rules need, and among whom it is expected.

    `rules` holds numbers of the specification, encoded here or not.
    """

    says: str
    among: str
    rules: list[str]


class Card(_Strict):
    """All that a clinician signs about one rule."""

    number: str
    title: str
    setting: str
    unit: str
    subject_parts: list[str]
    severity: str
    kind: Literal["conformance", "appropriate-use", "informational", "optional"]
    certainty: str
    version: int
    recommendation: str
    why_it_matters: str
    population: str
    numerator: str
    missing: str
    pending: str
    evidence: str
    attrition: list[Exclusion]
    reasons: dict[str, str]
    exceptions: Exceptions
    parameters: dict[str, Parameter]
    variants: dict[str, Variant]
    needs_drugs: list[str]
    needs_streams: list[str]
    guards_streams: list[str]
    gate: Gate | None = None
    interrupted_by: list[str]
    covers: list[str]
    disagreement: str
    sources: list[str]
    authored_by: str
    checked_by: str
    next_review: date


@dataclass(frozen=True)
class Rule:
    """One rule: its folder's name is its id. That of an own rule is named within the user's."""

    id: str
    folder: Path
    card: Card
    sql: str
    editions: Mapping[str, Mapping[str, Edition]]

    def in_force(self, jurisdiction: str) -> dict[str, date]:
        """The first day of each edition in a jurisdiction; NEVER where it has none."""
        return {
            name: places[jurisdiction].since if jurisdiction in places else NEVER
            for name, places in self.editions.items()
        }

    def variants(self, chosen: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """The variant in use under each name: the chosen one, or the card's default."""
        own = chosen.get(self.id, {})
        return {name: own.get(name, v.default) for name, v in self.card.variants.items()}

    def bindings(
        self, jurisdiction: str, chosen: Mapping[str, Mapping[str, str]]
    ) -> dict[str, Scalar]:
        """Every value that the rule's SQL may ask for by `$name`, beside the shared definitions."""
        values: dict[str, Scalar] = {n: p.value for n, p in self.card.parameters.items()}
        values |= self.variants(chosen)
        values |= {f"{n.replace('-', '_')}_from": d for n, d in self.in_force(jurisdiction).items()}
        return values


@dataclass(frozen=True)
class Catalogue:
    """Every rule, in the order of their numbers, with the definitions they share.

    `numbers` gives the long id of every number of the specification, encoded here or not; `fields`
    stand under `table.column`, in the order of the page; `own` holds the texts of the user's own
    rules.
    """

    rules: Mapping[str, Rule]
    definitions: Mapping[str, Parameter]
    fields: Mapping[str, Field]
    numbers: Mapping[str, str]
    own: Mapping[str, str]
    hash: str

    @classmethod
    def read(cls, own: Mapping[str, str] | None = None) -> "Catalogue":
        """Reads checks/: cards, SQL, definitions, editions and the fields that rules need.

        Args:
            own: the texts of the user's own rules, as `audit.texts.own_texts` gives them, to stand
                beside the shipped rules.

        Raises:
            pydantic.ValidationError: a shipped card lacks something or says something unknown.
            UsageError: an own rule can't be used.
        """
        checks = root("checks")
        own = own or {}
        editions = _editions((checks / "editions.yaml").read_text(encoding="utf-8"))
        rules = [
            _rule(
                card.parent,
                card.read_text(encoding="utf-8"),
                (card.parent / "rule.sql").read_text(encoding="utf-8"),
                editions,
            )
            for card in checks.glob("rules/*/*/card.yaml")
        ]
        rules += own_rules(own, {word for r in rules for word in (r.id, r.card.number)})
        rules.sort(key=lambda rule: rule.card.number)
        text = (checks / "definitions.yaml").read_text(encoding="utf-8")
        definitions = {k: Parameter(**v) for k, v in _load(text).items()}
        needed = (checks / "completeness.yaml").read_text(encoding="utf-8")
        fields = {k: Field(**v) for k, v in _load(needed).items()}
        kept = _load((checks / "numbers.yaml").read_text(encoding="utf-8"))
        by_id = {rule.id: rule for rule in rules}
        numbers = {**kept, **{rule.card.number: rule.id for rule in rules}}
        return cls(by_id, definitions, fields, numbers, own, _hash(own, checks, root("sql")))

    def select(self, asked: Sequence[str]) -> list[Rule]:
        """The rules asked for by long id or number, in catalogue order; all when none is named.

        Raises:
            UsageError: an id that no rule has.
        """
        ids = set()
        for word in asked:
            rule_id = self.numbers.get(word.upper(), word)
            if rule_id not in self.rules:
                raise UsageError(
                    f"there is no rule {word!r} in this version", self._instead_of(word)
                )
            ids.add(rule_id)
        return [rule for rule in self.rules.values() if not ids or rule.id in ids]

    def _instead_of(self, word: str) -> str:
        """What to do about a rule that there is not: the number without its zero, or a like id."""
        near = [n for n in self.numbers if n.replace("R0", "R") == word.upper()]
        near = near or get_close_matches(word.lower(), self.rules)
        listed = "`guideline-audit rules` lists them all"
        return f"{listed}; perhaps you mean {' or '.join(near)}" if near else listed

    def with_parameters(self, chosen: Mapping[str, Mapping[str, Scalar]]) -> "Catalogue":
        """The catalogue with other values for some rules' own numbers, shown on their cards too.

        Args:
            chosen: values by rule id or number, and by the parameter's name on the card, in the
                card's unit.

        Raises:
            UsageError: a rule or a parameter that no card has, or a value of another kind.
        """
        changed = dict(self.rules)
        for asked, values in chosen.items():
            rule = self.select([asked])[0]
            own = dict(rule.card.parameters)
            for name, value in values.items():
                own[name] = _other_value(rule, name, value)
            changed[rule.id] = replace(rule, card=rule.card.model_copy(update={"parameters": own}))
        return replace(self, rules=changed)

    def check_variants(self, chosen: Mapping[str, Mapping[str, str]]) -> None:
        """Makes sure that every chosen variant exists.

        Raises:
            UsageError: a rule, a variant or a choice that no card has.
        """
        for rule_id, choices in chosen.items():
            card = self.select([rule_id])[0].card
            for name, value in choices.items():
                variant = card.variants.get(name)
                if variant is None:
                    known = ", ".join(card.variants) or "none"
                    raise UsageError(
                        f"rule {rule_id} has no variant {name!r}", f"its variants are: {known}"
                    )
                if value not in variant.choices:
                    known = ", ".join(variant.choices)
                    raise UsageError(
                        f"variant {rule_id}.{name} can't be {value!r}", f"choose one of: {known}"
                    )


def own_rules(texts: Mapping[str, str], taken: Set[str]) -> list[Rule]:
    """The rules of a user's own, of the same shape as the shipped ones.

    `editions.yaml` among them may say from when each is in force, as the shipped one does; a rule
    that it does not name is always in force.

    Args:
        texts: cards and SQL, as `audit.texts.own_texts` gives them.
        taken: ids and numbers that the shipped rules have.

    Raises:
        UsageError: a card is not complete, an id or number is taken, or the SQL is no single
            select.
    """
    always: dict[str, Edition] = {
        place: Edition(since=ALWAYS, source="", status="expert") for place in PLACES
    }
    with told_in_words("editions.yaml"):
        editions = _editions(texts.get("editions.yaml", "{}"))
    found: list[Rule] = []
    names = set(taken)
    for path in (path for path in texts if path.endswith("/card.yaml")):
        home = Path(path).parent
        sql = texts[f"{home}/rule.sql"]
        with told_in_words(path):
            rule = _rule(home, texts[path], sql, {home.name: {"default": always}} | editions)
        if not re.fullmatch(r"[a-z0-9-]+ [A-Z]\d{1,3}", f"{rule.id} {rule.card.number}"):
            raise UsageError(
                f"{path}: {rule.id!r} can't be a rule's id, or {rule.card.number!r} its number",
                "name the folder in small letters such as my-rule, and number it such as X01",
            )
        if {rule.id, rule.card.number} & names:
            raise UsageError(
                f"{path}: the id {rule.id} or the number {rule.card.number} is taken",
                "rename the folder, or give the card another number",
            )
        names |= {rule.id, rule.card.number}
        _check_select(f"{home}/rule.sql", sql)
        found.append(rule)
    return found


def _check_select(path: str, sql: str) -> None:
    try:
        statements = [s for s in sqlglot.parse(sql, read="duckdb") if s is not None]
    except sqlglot.errors.ParseError as error:
        first = error.errors[0]
        raise UsageError(
            f"{path}, line {first.get('line')}: {first.get('description')}", "correct the SQL"
        ) from error
    if len(statements) != 1 or not isinstance(statements[0], sqlglot.exp.Query):
        raise UsageError(f"{path} is not one select", "a rule reads and writes nothing")


def _other_value(rule: Rule, name: str, value: Scalar) -> Parameter:
    parameter = rule.card.parameters.get(name)
    if parameter is None:
        known = ", ".join(rule.card.parameters) or "none"
        raise UsageError(
            f"rule {rule.id} has no parameter {name!r}", f"its parameters are: {known}"
        )
    if parameter.unit == "days" and isinstance(value, float) and value.is_integer():
        value = int(value)
    kinds: dict[str, tuple[type, ...]] = {
        "date": (date,),
        "whole number": (int,),
        "number": (int, float),
    }
    kind = "whole number" if parameter.unit == "days" else "number"
    if isinstance(parameter.value, date):
        kind = "date"
    if not isinstance(value, kinds[kind]) or isinstance(value, bool):
        raise UsageError(
            f"parameter {rule.id}.{name} can't be {value!r}", f"give a {kind}, in {parameter.unit}"
        )
    return parameter.model_copy(update={"value": value})


@cache
def _load(text: str) -> Mapping[str, Any]:
    """YAML by the parser in C: the cards are read by every command, also by the quickest.

    Kept, as a notebook reads them for every audit; nobody changes what it gives.
    """
    loaded: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return loaded


def _editions(text: str) -> dict[str, dict[str, dict[str, Edition]]]:
    written = _load(text)
    return {
        rule: {
            name: {
                place: Edition(since=e["from"], source=e["source"], status=e["status"])
                for place, e in places.items()
            }
            for name, places in names.items()
        }
        for rule, names in written.items()
    }


def _rule(
    folder: Path, card: str, sql: str, editions: Mapping[str, Mapping[str, Mapping[str, Edition]]]
) -> Rule:
    return Rule(folder.name, folder, Card(**_load(card)), sql, editions[folder.name])


def _hash(own: Mapping[str, str], *folders: Path) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".yaml", ".sql", ".csv"}:
                digest.update(path.relative_to(folder).as_posix().encode())
                digest.update(path.read_bytes())
    for name, text in sorted(own.items()):
        digest.update(name.encode())
        digest.update(text.encode())
    return digest.hexdigest()
