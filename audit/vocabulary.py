"""Drug and topic texts as sources write them, resolved to ingredients, families, areas and rules.

What the words mean is data, in checks/vocabulary. A name matches whole or not at all, and what is
not recognised is listed, never guessed: see the README there.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import polars as pl

from audit.resources import read_once, root

_TRADE_MARKS = str.maketrans("", "", "®™©℠")  # NFKD would turn ™ into the letters TM
_INITIALS = re.compile(r"\b(\w)\.(?=\w\b)|\b([si])/(?=[cv]\b)")  # i.v., s.c., c.m.f., s/c
# x 4, q 3 weeks, 6 x; in "RG3502 x 4" the digits belong to a name
_COUNTED = re.compile(r"\b([xq])\s+(?=\d)|\b(\d+)\s+(x)\b")
_PIECE = re.compile(r"[+,;&|>→\n]|[/()\[\]{}\\]|[^\W_]+")
_LISTING = frozenset("+,;&|>→\n")
_GROUPING = frozenset("/()[]{}\\")
# An amount, or the cycle and day of a dose. Tens of thousands are units: no code ends in 000.
_AMOUNT = re.compile(
    r"(?:auc|q|x)?(?:\d{1,4}|\d{2}000)(?:mg|mcg|g|ml|w|wk|d|x|m2)?"
    r"|(?:c|cycle|cyc|cy|wk|week)\d{1,2}(?:d\d{1,2})?|(?:d|day)\d{1,2}"
)
_DOSES = re.compile(r"x(?:[3-9]|[1-9]\d)")  # x17: of doses, unless an amount makes it vials
_WEIGHED = re.compile(r"\d*mg")
_NOT_TOLD = re.compile(  # "0 mg", but not the thousands of "1 000 mg"
    r"[?\uff1f]|(?<![\d.,])(?<!\d\s)0+(?:[.,]0+)?\s*(?:mg|mcg|g|ml|units?)\b", re.I
)
_NUMBER_SPELLINGS = ("{0}{1:02}", "{0}{1}", "rule{0}{1}", "rule{0}{1:02}")  # R07, r7, rule R7
_BARE_SPELLINGS = ("{1}", "{1:02}", "rule{1}", "rule{1:02}")  # 7, rule 7: a shipped rule's alone
_LONGEST_NAME = 8  # words; no name has more

Tokens = list[str]
Group = list[Tokens]  # what stands between two list signs, cut at its brackets and slashes
Routes = dict[str, str | None]  # ingredient to route hint
Meaning = tuple[str, str | None]  # a topic's kind and name


class Entry(NamedTuple):
    """What one name, code or regimen stands for."""

    ingredients: tuple[str, ...]
    via: str
    route_hint: str | None


def _pieces(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text.translate(_TRADE_MARKS)).casefold()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return _PIECE.findall(_COUNTED.sub(r"\1\2\3", _INITIALS.sub(r"\1\2", plain)))


def normalised(name: str) -> str:
    """The form in which names are compared: case, accents, spaces and punctuation put aside."""
    return "".join(p for p in _pieces(name) if p not in _LISTING and p not in _GROUPING)


class Vocabulary:
    """The drug vocabulary; get it with `Vocabulary.read()`."""

    def __init__(self, folder: Path) -> None:
        def table(name: str) -> pl.DataFrame:
            return pl.read_csv(folder / f"{name}.csv", infer_schema=False)

        def rows(name: str, columns: str) -> Iterator[tuple[str, ...]]:
            return table(name).select(columns.split()).iter_rows()

        self._ingredients = (
            table("ingredients")
            .join(table("families"), on="family", how="left", maintain_order="left")
            .select(
                "ingredient",
                "family",
                is_trastuzumab=pl.col("ingredient") == "trastuzumab",
                is_pertuzumab=pl.col("ingredient") == "pertuzumab",
                **{c: pl.col(c) == "true" for c in table("families").columns if c[:3] == "is_"},
                outside_guideline=pl.col("outside_guideline") == "true",
            )
        )
        self._conjugates = set(self._ingredients.filter("is_her2_conjugate")["ingredient"])
        words = table("words")
        self._joiners = set(words.filter(role="joiner")["word"])
        self._markers = set(words.filter(role="conjugate")["word"])
        self._doubts = set(words.filter(role="doubt")["word"])
        self._forms = dict(words.filter(role="form").select("word", "route_hint").iter_rows())
        known = self._ingredients["ingredient"]
        self._words = {normalised(name): Entry((name,), "name", None) for name in known}
        self._regimens: dict[str, Entry] = {}
        self._numbers: dict[str, Entry] = {}
        for name, kind, ingredient, hint in rows("names", "name kind ingredient route_hint"):
            self._words[normalised(name)] = Entry((ingredient,), kind, hint)
        for name, kind, given, hint in rows("regimens", "name kind ingredients route_hint"):
            kept = self._regimens if kind == "regimen" else self._words
            kept[normalised(name)] = Entry(tuple(given.split(" + ")), kind, hint)
        for system, code, given, hint in rows("codes", "system code ingredients route_hint"):
            kept = self._numbers if code.isdecimal() else self._words
            kind = "billing-code" if system == "HCPCS" else "code"
            kept[normalised(code)] = Entry(tuple(given.split(" + ")), kind, hint)
            self._words[normalised(f"{system}:{code}")] = kept[normalised(code)]
        # Any name of a conjugate tells one, where the words around it are not all understood.
        self._markers |= {
            name
            for name, entry in self._words.items()
            if self._conjugates.intersection(entry.ingredients)
        }
        self._topics: dict[str, list[tuple[str, str]]] = {}
        for topic, kind, name in rows("topics", "topic kind name"):
            self._topics.setdefault(normalised(topic), []).append((kind, name))

    @staticmethod
    @read_once
    def read() -> "Vocabulary":
        """The vocabulary that comes with the product.

        Raises:
            FileNotFoundError: the installation is incomplete.
        """
        return Vocabulary(root("checks") / "vocabulary")

    def ingredients(self) -> pl.DataFrame:
        """Every ingredient once, with its family and flags.

        `outside_guideline` marks HER2 drugs that the guideline documents don't name.
        """
        return self._ingredients

    def resolve(self, drugs: Iterable[str | None]) -> pl.DataFrame:
        """What each drug text stands for.

        Args:
            drugs: texts as the source wrote them; missing ones are passed over.

        Returns:
            drug_names(drug, ingredient, via, route_hint): a row for each ingredient of each
            distinct text; a text of which any part was not recognised has one row more, with
            ingredient null and via `unrecognised`.
        """
        rows: list[tuple[str, str | None, str, str | None]] = []
        for drug in sorted({drug for drug in drugs if drug is not None}):
            # Behind a question mark, or an amount of zero, nobody can say that it was given.
            groups = [] if _NOT_TOLD.search(drug) else self._groups(drug)
            routes, via, complete = self._read(groups)
            rows += ((drug, ingredient, via, hint) for ingredient, hint in routes.items())
            if not complete:
                rows.append((drug, None, "unrecognised", None))
        columns = ("drug", "ingredient", "via", "route_hint")
        return pl.DataFrame(rows, dict.fromkeys(columns, pl.String), orient="row")

    def resolve_topics(
        self, topics: Iterable[str | None], rules: Mapping[str, str]
    ) -> pl.DataFrame:
        """What each exception topic is about.

        Args:
            topics: texts as the source wrote them; missing ones are passed over.
            rules: a rule's number (`R07`; `X01` for one of the user's own) to its long id.

        Returns:
            topics(topic, kind, name): kind is rule, ingredient, family, area or unrecognised;
            name is null where unrecognised. A topic that says several things has several rows.
        """
        spelled = {normalised(rule): rule for rule in rules.values()}
        for number, rule in rules.items():
            bare = _BARE_SPELLINGS if number.startswith("R") else ()
            for spelling in (*_NUMBER_SPELLINGS, *bare):
                spelled[spelling.format(number[0].lower(), int(number[1:]))] = rule
        rows = [
            (topic, *meaning)
            for topic in sorted({topic for topic in topics if topic is not None})
            for meaning in dict.fromkeys(self._meanings(topic, spelled))
        ]
        return pl.DataFrame(rows, dict.fromkeys(("topic", "kind", "name"), pl.String), orient="row")

    def _meanings(self, topic: str, rules: Mapping[str, str]) -> Iterator[Meaning]:
        # Read before the text is cut: a rule's id may hold a joiner ("neoadj-followed-by-surgery").
        if rule := rules.get(normalised(topic)):
            yield "rule", rule
        else:
            yield from self._topic(self._groups(topic), rules)

    def _topic(self, groups: list[Group], rules: Mapping[str, str]) -> Iterator[Meaning]:
        parts = list(chain.from_iterable(groups))
        key = "".join(chain.from_iterable(parts))
        if key in rules:
            yield "rule", rules[key]
        elif key in self._topics:
            yield from self._topics[key]
        elif (read := self._read(groups))[2]:
            yield from (("ingredient", ingredient) for ingredient in read[0])
        elif len(parts) > 1:
            for part in parts:
                yield from self._topic([[part]], rules)
        else:
            yield "unrecognised", None

    def _groups(self, text: str) -> list[Group]:
        groups: list[Group] = [[[]]]
        for piece in _pieces(text):
            if piece in _LISTING or piece in self._joiners:
                groups.append([[]])
            elif piece in _GROUPING:
                groups[-1].append([])
            else:
                groups[-1][-1].append(piece)
        filled: list[Group] = []
        for group in ([part for part in group if part] for group in groups):
            # ", 600 mg" belongs to the drug before it, "Injection," to the one after it
            if filled and (self._only_forms(group) or self._only_forms(filled[-1])):
                filled[-1] += group
            elif group:
                filled.append(group)
        return filled

    def _only_forms(self, group: Group) -> bool:
        return all(map(self._is_form, chain.from_iterable(group)))

    def _is_form(self, token: str) -> bool:
        return token in self._forms or _AMOUNT.fullmatch(token) is not None

    def _read(self, groups: list[Group]) -> tuple[Routes, str, bool]:
        """What was recognised, how, and whether all of the text was."""
        everything = [token for group in groups for part in group for token in part]
        if self._doubts.intersection(everything):  # "trastuzumab, not given"
            return {}, "unrecognised", False
        whole = self._entry(everything, self._words, self._regimens)  # "H + P" is HP
        if len(everything) == 1:  # 10/13/06 is a date, and 101306 a code; in a longer text, a dose
            whole = whole or self._numbers.get(everything[0])
        found: Routes = {}
        ways: list[str] = []
        complete = bool(groups)
        for group in [[everything]] if whole else groups:
            entries = [whole] if whole else self._group(group)
            complete &= bool(entries)
            ways += (entry.via for entry in entries)
            said = next(filter(None, map(self._forms.get, chain.from_iterable(group))), None)
            for ingredient, hint in ((i, e.route_hint) for e in entries for i in e.ingredients):
                found[ingredient] = hint or said or found.get(ingredient)
        conjugate = self._conjugates & found.keys() or self._markers.intersection(everything)
        if conjugate and "trastuzumab" in found:
            complete = False  # beside a conjugate nobody can say that the antibody was given
            del found["trastuzumab"]
        several = "combination" if len(found) > 1 else "name"
        if any(map(_DOSES.fullmatch, everything)) and not any(map(_WEIGHED.match, everything)):
            ways += ["regimen"] if found and "billing-code" not in ways else []
        telling = [way for way in ("regimen", "billing-code") if way in ways]
        via = telling[0] if telling else ways[0] if len(ways) == 1 else several
        return found, via, complete

    def _group(self, group: Group) -> list[Entry]:
        """A group's entries, all or none; a conjugate's are without the antibody it is named by."""
        if entry := self._entry(list(chain.from_iterable(group)), self._words, self._regimens):
            return [entry]
        found: list[Entry] = []
        for part in group:
            entry = self._entry(part, self._words, self._regimens)
            if (entries := [entry] if entry else self._sequence(part)) is None:
                return []
            found += entries
        if any(self._conjugates.intersection(entry.ingredients) for entry in found):
            found = [entry for entry in found if entry.ingredients != ("trastuzumab",)]
        return found

    def _entry(self, tokens: Tokens, *entries: Mapping[str, Entry]) -> Entry | None:
        """The entry for these words, with or without their dose and form words."""
        keys = ("".join(tokens), "".join(t for t in tokens if not self._is_form(t)))
        return next((known[key] for key in keys for known in entries if key in known), None)

    def _sequence(self, tokens: Tokens) -> list[Entry] | None:
        """Names side by side ("doxorubicin cyclophosphamide"), longest first; none if any fails."""
        found: list[Entry] = []
        start = 0
        while start < len(tokens):
            ends = range(min(len(tokens), start + _LONGEST_NAME), start, -1)
            keys = ((end, "".join(tokens[start:end])) for end in ends)
            end, key = next((k for k in keys if k[1] in self._words), (start + 1, ""))
            if key:
                found.append(self._words[key])
            elif not self._is_form(tokens[start]):
                return None
            start = end
        return found
