"""What a source mapping may say, read from YAML and checked against the contract.

A mapping names, for each contract table, the source files its rows come from and the rule that
gives each column. checks/mappings/README.md describes the file for those who write one.
"""

import codecs
import string
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from audit.errors import ExtractRefused, UsageError
from audit.extract.contract import tables
from audit.extract.delimited import Format
from audit.extract.mapping.lines import Lines, Path_
from audit.resources import root


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Style(_Strict):
    """How the source's delimited text is written."""

    separator: str = Field(",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    quoting: bool = True
    skip_after_header: int = Field(0, ge=0)

    @field_validator("encoding")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            known = codecs.lookup(name).name
        except LookupError:
            raise ValueError(f"no such encoding: {name}") from None
        return "utf-8-sig" if known == "utf-8" else name

    @property
    def format(self) -> Format:
        """The same for the reader of delimited text."""
        return Format(self.separator, self.encoding, self.quoting, self.skip_after_header)


class PerPatient(_Strict):
    """A column of another file that may hold several rows a patient."""

    file: str
    patient: str
    column: str


class Rule(_Strict):
    """How one contract column gets its value: exactly one of the first four says from where."""

    column: str | None = None
    constant: str | None = None
    template: str | None = None
    latest_of: tuple[PerPatient, ...] | None = None
    days_after: Literal["index"] | None = None
    values: dict[str, str | None] | None = None
    otherwise: Literal["missing", "keep", "quarantine"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, says: object) -> object:
        return {"column": says} if isinstance(says, str) else says

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = (self.column, self.constant, self.template, self.latest_of)
        if sum(origin is not None for origin in origins) != 1:
            raise ValueError("say exactly one of column, constant, template, latest_of")
        try:
            named = [name for _, name in self.parts if name is not None]
        except ValueError as problem:
            raise ValueError(f"no template: {problem}") from None
        if self.template is not None and not named:
            raise ValueError("a template names source columns, in braces")
        if (self.values is None) != (self.otherwise is None):
            raise ValueError("values and otherwise (missing, keep, quarantine) go together")
        if self.latest_of and not self.days_after:
            raise ValueError("latest_of compares day offsets: say days_after as well")
        return self

    @property
    def parts(self) -> list[tuple[str, str | None]]:
        """The template: text, and the source column that follows it, if any."""
        return [(text, name) for text, name, _, _ in string.Formatter().parse(self.template or "")]


class Where(_Strict):
    """A condition on a source column's text as it stands, sentinels included."""

    column: str
    in_: tuple[str, ...] | None = Field(None, alias="in")
    not_in: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.in_ is None) == (self.not_in is None):
            raise ValueError("say either in or not_in")
        return self


class Split(_Strict):
    """A contract column whose text names several things: one row each."""

    column: str
    on: tuple[str, ...] = Field(min_length=1)


class Source(_Strict):
    """A file (or several of one shape, by a glob) that gives rows of a table."""

    file: str
    columns: dict[str, Rule]
    where: tuple[Where, ...] = ()
    split: Split | None = None


class Index(_Strict):
    """Where the year of each patient's day 0 stands."""

    file: str
    patient: str
    year: str


class _Document(_Strict):
    says: str
    style: Style = Style()
    sentinels: tuple[str, ...] = ()
    index: Index | None = None
    not_linked: tuple[str, ...] = ()
    conjugates_told_apart: bool = True
    tables: dict[str, tuple[Source, ...]]


class SourceMapping(_Document):
    """A mapping, checked against the contract.

    `conjugates_told_apart` false: the source stores antibody-drug conjugates under trastuzumab.
    """

    _lines: Lines = PrivateAttr()

    @classmethod
    def read(cls, name_or_path: str | Path) -> "SourceMapping":
        """The mapping of that name in checks/mappings, or in the file given.

        Raises:
            UsageError: there is no such mapping.
            ExtractRefused: it says something that the contract or the format does not know.
        """
        lines = Lines(_located(str(name_or_path)))
        try:
            mapping = cls.model_validate(lines.content)
        except ValidationError as problem:
            first = problem.errors()[0]
            said = first["msg"].removeprefix("Value error, ")
            where = ".".join(str(step) for step in first["loc"]) or "the file"
            raise lines.refused(
                first["loc"],
                f"{where}: {said}",
                "checks/mappings/README.md says what may stand here",
            ) from problem
        mapping._lines = lines
        mapping._check()
        return mapping

    @property
    def file(self) -> Path:
        """The mapping's own file."""
        return self._lines.file

    def refused(self, path: Path_, found: str, todo: str) -> ExtractRefused:
        """The refusal for what the mapping says at `path`, with its line."""
        return self._lines.refused(path, found, todo)

    def _check(self) -> None:
        contract = tables()
        todo = f"the contract's tables are {', '.join(contract)}"
        for name in self.tables:
            if name not in contract:
                raise self.refused(("tables", name), f"no table {name} in the contract", todo)
        for at, name in enumerate(self.not_linked):
            if name not in contract or name in self.tables or contract[name].required:
                raise self.refused(
                    ("not_linked", at),
                    f"{name} is no table of the contract, is required, or is mapped below",
                    todo,
                )
        unsaid = [name for name in contract if name not in (*self.tables, *self.not_linked)]
        if unsaid:
            raise self.refused(
                ("tables",),
                f"nothing is said about {', '.join(unsaid)}",
                "map them, or list them under not_linked",
            )
        for name, sources in self.tables.items():
            if not sources:
                raise self.refused(("tables", name), f"{name} has no source", "name a file")
            for at, source in enumerate(sources):
                self._check_source(name, source, ("tables", name, at))
            for column in {column for source in sources for column in source.columns}:
                rules = [source.columns[column] for source in sources if column in source.columns]
                if len({rule.days_after for rule in rules}) > 1:
                    raise self.refused(
                        ("tables", name),
                        f"{column} is an offset in one source and a date in another",
                        "make it an offset from the index in all of them, or in none",
                    )

    def _check_source(self, name: str, source: Source, path: Path_) -> None:
        table = tables()[name]
        known = f"the columns of {name} are {', '.join(table.columns)}"
        for column, rule in source.columns.items():
            here = (*path, "columns", column)
            if column not in table.columns:
                raise self.refused(here, f"no column {column} in {name}", known)
            says = table.columns[column]
            if rule.days_after and (says.type != "date" or self.index is None):
                raise self.refused(
                    here,
                    f"{column}: days_after needs a date column and an index",
                    "say where the index year stands, under `index`",
                )
            for value in [*(rule.values or {}).values(), rule.constant]:
                if value is not None and says.values and value not in says.values:
                    raise self.refused(
                        here,
                        f"{column} can't hold {value}",
                        f"{column} is one of {', '.join(says.values)}",
                    )
        missing = [n for n, c in table.columns.items() if c.required and n not in source.columns]
        if missing:
            raise self.refused(
                (*path, "columns"),
                f"{name} needs {', '.join(missing)}",
                "say where the values stand",
            )
        if source.split and source.split.column not in source.columns:
            raise self.refused(
                (*path, "split"),
                f"{source.split.column} is not mapped here",
                "split a mapped column",
            )


def _located(name_or_path: str) -> Path:
    """A bare name stands in checks/mappings."""
    shipped = root("checks") / "mappings"
    bare = Path(name_or_path).name == name_or_path and not Path(name_or_path).suffix
    path = shipped / f"{name_or_path}.yaml" if bare else Path(name_or_path)
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in shipped.glob("*.yaml"))) or "none"
        raise UsageError(
            f"there is no mapping {name_or_path}",
            f"give one of the shipped mappings ({names}), or the path of a YAML file",
        )
    return path
