"""Reads `vignettes.md`: patients in words and small tables, with the verdict expected of one rule.

A file is a title, an introduction, the base patient under "## Unless said otherwise", and one "## "
section a vignette. A table's first header cell names a table of the extract, the others its
columns; the first cell of a row is its label. In a vignette a row with a label of the base
overrides the cells it fills in, a new label adds a row, `-` clears a cell and a ~~struck-out~~
label removes the row. Ids are made up from the labels, so that a patient never writes one. In
treatments, `every` (days) and `times` make a row a series of doses. A date may be counted:
`2020-01-06 + 84`. A row with a `patient_id` names a patient whom the extract does not hold.
"Conjugates told apart: no" reads the extract through a mapping that says so.
A verdict may be followed by its reason, `margin 3`, `due 2020-02-03` and what the record lacks,
`lacks treatments.end_date`, divided by dots.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import yaml

from audit import resources
from audit.errors import UsageError
from audit.verdicts import VERDICTS

BASE = "Unless said otherwise"
KEYS = {
    "tumours": "tumour_id",
    "receptor_tests": "test_id",
    "treatments": "treatment_id",
    "surgeries": "surgery_id",
}
SERIES = ("every", "times")
SETTINGS = ("Cut-off", "Jurisdiction", "Variant", "Not linked", "Conjugates told apart")
COUNTED_DATE = re.compile(r"(\d{4}-\d{2}-\d{2}) ([+-]) (\d+)")
REMOVED = re.compile(r"~~(.+)~~")

Row = dict[str, str]
Tables = dict[str, dict[str, Row]]
WrittenTable = tuple[str, int, list[str], list[tuple[int, list[str]]]]
"""A table as written: its name, the line of its header, its columns, its rows with their lines."""


class VignetteError(UsageError):
    """A vignette file that cannot be read; the message names file and line."""

    def __init__(self, found: str) -> None:
        super().__init__(found, "correct the vignette")


@dataclass(frozen=True)
class Expected:
    """A verdict, and what else the vignette says of it; None where it says nothing."""

    verdict: str
    reason: str | None = None
    margin: int | None = None
    due: date | None = None
    lacks: list[str] | None = None

    def __str__(self) -> str:
        parts = [self.verdict, self.reason]
        parts += [None if self.margin is None else f"margin {self.margin}"]
        parts += [None if self.due is None else f"due {self.due}"]
        parts += [None if self.lacks is None else f"lacks {', '.join(self.lacks)}"]
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True)
class Circumstances:
    """The settings of a run: vignettes that share them are run together."""

    cutoff: date
    jurisdiction: str
    variants: tuple[tuple[str, str], ...] = ()
    not_linked: frozenset[str] = frozenset()
    conjugates_told_apart: bool = True


@dataclass(frozen=True)
class Vignette:
    """One patient: `tables` as rows of the extract, `expected` by subject (None: the only one).

    `lines` are rows of a table headed "line": what is expected of each line of treatment.
    """

    rule: str
    title: str
    place: str
    prefix: str
    circumstances: Circumstances
    tables: dict[str, list[Row]]
    expected: dict[str | None, Expected]
    lines: list[Row]

    @property
    def slug(self) -> str:
        """The title as it stands in a test's name."""
        return slug(self.title)


@dataclass
class Section:
    """One section of a file, as written."""

    title: str
    line: int
    words: list[str] = field(default_factory=list)
    tables: list[WrittenTable] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    expected: dict[str | None, Expected] = field(default_factory=dict)
    lines: list[Row] = field(default_factory=list)


def slug(text: str) -> str:
    """Lower-case words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@cache
def contract() -> dict[str, list[str]]:
    """Columns of each table of the extract, in the order of the schema."""
    schema = yaml.safe_load((resources.root("sql") / "schema" / "extract.yaml").read_text("utf-8"))
    return {table: list(description["columns"]) for table, description in schema.items()}


def read(path: Path) -> list[Vignette]:
    """All vignettes of a file; the rule is the name of the file's folder.

    Raises:
        VignetteError: the file does not follow the format.
    """
    where = f"{path.parent.name}/{path.name}"
    sections = list(_sections(path.read_text("utf-8"), where))
    if not sections or sections[0].title != BASE:
        raise VignetteError(f"{where}: the first section must be '## {BASE}'")
    base, vignettes = sections[0], sections[1:]
    titles = [section.title for section in vignettes]
    for section in vignettes:
        place = f"{where}:{section.line}"
        if titles.count(section.title) > 1:
            raise VignetteError(f"{place}: the title '{section.title}' stands twice")
        if not section.words:
            raise VignetteError(f"{place}: '{section.title}' says nothing in words")
        if not (section.expected or section.lines):
            raise VignetteError(f"{place}: '{section.title}' has no verdict")
    return [_vignette(path, base, section, n) for n, section in enumerate(vignettes, start=1)]


def _vignette(path: Path, base: Section, section: Section, number: int) -> Vignette:
    where = f"{path.parent.name}/{path.name}"
    place = f"{where}:{section.line}"
    prefix = f"{path.parent.name}-v{number:02d}"
    try:
        tables = _expand(_merge(base, section, where), prefix, where, section.line)
    except ValueError as error:
        raise VignetteError(f"{place}: a date or a number that is none ({error})") from error
    return Vignette(
        rule=path.parent.name,
        title=section.title,
        place=place,
        prefix=prefix,
        circumstances=_circumstances({**base.settings, **section.settings}, place),
        tables=tables,
        expected=section.expected,
        lines=section.lines,
    )


def _sections(text: str, where: str) -> Iterator[Section]:
    section: Section | None = None
    table: WrittenTable | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        place = f"{where}:{number}"
        if line.startswith("## "):
            if section:
                yield section
            section, table = Section(line[3:].strip(), number), None
        elif section is None:
            continue
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if table is None:
                table = _begun(section, cells, number, place)
            else:
                _add_row(section, table, cells, number, place)
        elif not line:
            table = None
        else:
            _add_words(section, line, place)
    if section:
        yield section


def _begun(section: Section, cells: list[str], number: int, place: str) -> WrittenTable:
    table: WrittenTable = (cells[0], number, cells[1:], [])
    if cells[0] not in ("subject", "line"):
        _check_header(cells, place)
        section.tables.append(table)
    elif section.expected:
        raise VignetteError(f"{place}: a second verdict")
    return table


def _add_row(
    section: Section, table: WrittenTable, cells: list[str], number: int, place: str
) -> None:
    if set("".join(cells)) <= set("-: ") and not table[3] and number == table[1] + 1:
        return
    if len(cells) != len(table[2]) + 1:
        raise VignetteError(f"{place}: {len(cells)} cells under {len(table[2]) + 1} headers")
    if table[0] == "subject":
        section.expected[cells[0]] = _expected(cells[1], place)
    elif table[0] == "line":
        section.lines.append(dict(zip(["line", *table[2]], map(_cell, cells), strict=True)))
    else:
        table[3].append((number, cells))


def _add_words(section: Section, line: str, place: str) -> None:
    """A line of a section that stands in no table: its verdict, its settings, or words."""
    if section.expected or section.lines:
        raise VignetteError(f"{place}: the verdict must stand last")
    if line.startswith("**Verdict:**"):
        section.expected[None] = _expected(line.removeprefix("**Verdict:**"), place)
    elif line.split(":", maxsplit=1)[0] in SETTINGS:
        for part in line.split(" · "):
            name, _, value = part.partition(":")
            if name not in SETTINGS:
                raise VignetteError(f"{place}: '{name}' is none of {', '.join(SETTINGS)}")
            section.settings[name] = value.strip()
    else:
        section.words.append(line)


def _check_header(cells: list[str], place: str) -> None:
    table, columns = cells[0], cells[1:]
    if table not in contract():
        raise VignetteError(f"{place}: there is no table '{table}' in the extract")
    known = [*contract()[table], *(SERIES if table == "treatments" else ())]
    for column in columns:
        made_up = {KEYS.get(table)} | ({"patient_id"} if table == "patients" else set())
        if column not in known or column in made_up:
            raise VignetteError(f"{place}: '{column}' is no column a vignette gives in {table}")


def _expected(text: str, place: str) -> Expected:
    verdict, *details = [part.strip() for part in text.split("·")]
    if verdict not in VERDICTS:
        raise VignetteError(f"{place}: '{verdict}' is no verdict")
    reason: str | None = None
    margin: int | None = None
    due: date | None = None
    lacks: list[str] | None = None
    for detail in details:
        if re.fullmatch(r"margin -?\d+", detail):
            margin = int(detail.removeprefix("margin "))
        elif detail.startswith("due "):
            due = _due(detail.removeprefix("due "), place)
        elif detail.startswith("lacks "):
            lacks = detail.removeprefix("lacks ").split(", ")
        elif reason is None and re.fullmatch(r"[a-z0-9-]+", detail):
            reason = detail
        else:
            raise VignetteError(f"{place}: '{detail}' is no reason, margin, due date or lack")
    return Expected(verdict, reason, margin, due, lacks)


def _due(text: str, place: str) -> date:
    try:
        return date.fromisoformat(_cell(text))
    except ValueError as error:
        raise VignetteError(f"{place}: {text!r} is no date ({error})") from error


def _circumstances(settings: dict[str, str], place: str) -> Circumstances:
    try:
        cutoff = date.fromisoformat(_cell(settings["Cut-off"]))
        variants = re.findall(r"([\w-]+)=([\w-]+)", settings.get("Variant", ""))
        return Circumstances(
            cutoff=cutoff,
            jurisdiction=settings["Jurisdiction"],
            variants=tuple(variants),
            not_linked=frozenset(re.findall(r"\w+", settings.get("Not linked", ""))),
            conjugates_told_apart={"yes": True, "no": False}[
                settings.get("Conjugates told apart", "yes")
            ],
        )
    except (KeyError, ValueError) as error:
        raise VignetteError(f"{place}: unreadable settings: {error}") from error


def _merge(base: Section, section: Section, where: str) -> Tables:
    tables: Tables = {}
    for part in (base, section):
        seen: set[tuple[str, str]] = set()
        for table, _, columns, rows in part.tables:
            labelled = tables.setdefault(table, {})
            for line, (label, *cells) in rows:
                removed = REMOVED.fullmatch(label)
                name = removed[1] if removed else label
                if not name or (table, name) in seen:
                    raise VignetteError(
                        f"{where}:{line}: the label '{name}' is missing or repeated"
                    )
                seen.add((table, name))
                if not removed:
                    filled = {
                        column: _cell(cell)
                        for column, cell in zip(columns, cells, strict=True)
                        if cell
                    }
                    labelled[name] = labelled.get(name, {}) | filled
                elif labelled.pop(name, None) is None:
                    raise VignetteError(f"{where}:{line}: there is no row '{name}' to remove")
    return tables


def _expand(tables: Tables, prefix: str, where: str, line: int) -> dict[str, list[Row]]:
    tumours = list(tables.get("tumours", {}))
    if len(tables.get("patients", {})) != 1:
        raise VignetteError(f"{where}:{line}: a vignette has one patient")
    extract: dict[str, list[Row]] = {}
    for table, rows in tables.items():
        extract[table] = []
        for label, cells in rows.items():
            row = {"patient_id": prefix, **cells}
            if "patient_id" in cells:
                row["patient_id"] = f"{prefix}-{slug(cells['patient_id'])}"
            if table == "tumours":
                row = {"site_id": "hospital", **row}
            elif "tumour_id" in contract()[table]:
                row["tumour_id"] = _tumour(
                    cells.get("tumour_id"), tumours, f"{where}:{line}", label
                )
                row["tumour_id"] = row["tumour_id"] and f"{prefix}-{slug(row['tumour_id'])}"
            if table in KEYS:
                row[KEYS[table]] = f"{prefix}-{slug(label)}"
            row = {column: "" if cell == "-" else cell for column, cell in row.items()}
            extract[table] += _series(row) if "times" in row else [row]
    return extract


def _tumour(cell: str | None, tumours: list[str], place: str, label: str) -> str:
    if cell is None and len(tumours) == 1:
        return tumours[0]
    if cell == "-":
        return ""
    if cell not in tumours:
        raise VignetteError(f"{place}: '{label}' must name one of the tumours {', '.join(tumours)}")
    return cell


def _series(row: Row) -> Iterator[Row]:
    start = date.fromisoformat(row["start_date"])
    every = int(row.get("every") or 0)
    rest = {column: cell for column, cell in row.items() if column not in SERIES}
    for dose in range(int(row["times"])):
        yield rest | {
            "treatment_id": f"{row['treatment_id']}-{dose + 1}",
            "start_date": (start + timedelta(days=dose * every)).isoformat(),
        }


def _cell(text: str) -> str:
    """The cell as the extract holds it; a counted date is worked out."""
    counted = COUNTED_DATE.fullmatch(text.strip())
    if not counted:
        return text.strip()
    days = int(counted[3]) * (1 if counted[2] == "+" else -1)
    return (date.fromisoformat(counted[1]) + timedelta(days=days)).isoformat()
