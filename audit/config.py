"""What a run is told: the command line over the environment over `audit.toml` over the defaults."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from audit.errors import UsageError
from audit.guideline import Catalogue
from audit.periods import Period
from audit.resources import root
from audit.settings import Jurisdiction, Settings
from audit.texts import own_texts

PREFIX = "GUIDELINE_AUDIT_"
"""An environment variable of this prefix and a key's name in capitals overrides the file."""

_SEPARATORS = {"rules": ",", "variants": ",", "gates": ";"}
_PATHS = ("extract", "out", "rules_from", "templates")
_OPTIONS = {"variants": "variant", "gates": "gate"}

CUTOFF_RULES: dict[str, Callable[[date], date]] = {
    "today": lambda today: today,
    "yesterday": lambda today: today - timedelta(days=1),
    "end of last week": lambda today: today - timedelta(days=today.isoweekday()),
    "end of last month": lambda today: _day_before(today.year, today.month),
    "end of last quarter": lambda today: _day_before(today.year, today.month, 3),
    "end of last half-year": lambda today: _day_before(today.year, today.month, 6),
    "end of last year": lambda today: _day_before(today.year, 1),
}
"""The cut-off as a rule: the last day, inclusive, as seen from a day. A week ends on Sunday."""


class Config(BaseModel):
    """The keys of `audit.toml`; `extract`, `cutoff` and `out` have to come from somewhere.

    Attributes:
        extract: the folder with the registry extract, or what the mapping reads.
        mapping: a source mapping's file or shipped name.
        out: the audit's folder.
        cutoff: the data cut-off, inclusive: a day, or one of CUTOFF_RULES.
        keep: how many earlier audits stay in `out` beside the newest.
        variants: choices as `"RULE.NAME" = "VALUE"`, or as words RULE.NAME=VALUE.

    The others are those of `Settings`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    extract: Path
    mapping: str | None = None
    out: Path
    cutoff: date | str
    jurisdiction: Jurisdiction = "US"
    rules: tuple[str, ...] = ()
    rules_from: Path | None = None
    variants: dict[str, str] | tuple[str, ...] = ()
    compare_variants: bool = False
    gates: tuple[str, ...] = ()
    quarantine_limit: float = Field(default=1.0, ge=0, le=1)
    quality_warn_only: bool = False
    small_number: int = Field(default=10, ge=1)
    period: Period = "year"
    templates: Path | None = None
    pdf: bool = False
    keep: int = Field(default=1, ge=0)


@dataclass(frozen=True)
class Told:
    """A value and who gave it: the words an error begins with."""

    value: object
    by: str


def read_config(
    file: Path | None,
    given: Mapping[str, object],
    environment: Mapping[str, str] | None = None,
    today: date | None = None,
) -> tuple[Settings, Path]:
    """The settings of a run and the audit's folder.

    Args:
        file: the configuration file, if there is one; its paths are relative to its folder.
        given: what the command line says, by key; None is not given. It wins.
        environment: the environment variables; those of this process if None. They win over `file`.
        today: the day that a rule for the cut-off counts from; this day if None.

    Raises:
        UsageError: a key, a value or the file can't be used, or something needed is not given.
    """
    told = _told_by_file(file) if file else {}
    told |= _told_by_environment(os.environ if environment is None else environment)
    told |= {
        key: Told(value, f"--{_OPTIONS.get(key, key.replace('_', '-'))}")
        for key, value in given.items()
        if value is not None
    }
    config = _checked(told)
    catalogue = Catalogue.read(own_texts(config.rules_from))
    settings = Settings(
        extract=config.extract,
        cutoff=_cutoff(told["cutoff"].by, config.cutoff, today or _today()),
        jurisdiction=config.jurisdiction,
        rules=config.rules,
        rules_from=config.rules_from,
        mapping=config.mapping,
        variants=_variants(_words(config.variants), catalogue.numbers),
        compare_variants=config.compare_variants,
        block_on_quality=not config.quality_warn_only,
        quarantine_limit=config.quarantine_limit,
        small_number=config.small_number,
        gates=config.gates,
        period=config.period,
        templates=config.templates,
        pdf=config.pdf,
        keep=config.keep,
    )
    return settings, config.out


_HOW_TO_WRITE = {
    "tuple_type": 'leave it out or name one; in the file write a list, such as ["…", "…"]',
    "date_from_datetime_inexact": "write a date, such as 2025-12-31",
}
"""What to do about a value of the wrong kind, by pydantic's name of the problem."""


def cutoff_day(text: str) -> date:
    """The cut-off as it is written on the command line: a day or a rule.

    Raises:
        UsageError: neither.
    """
    return _cutoff("--cutoff", text, _today())


def write_example(path: Path) -> None:
    """Writes a commented configuration, private to the user; never over an existing file.

    Raises:
        UsageError: there is such a file, or the folder can't be written.
    """
    text = (root("reports") / "audit.toml").read_bytes()
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(
            f"{path} is there already", "edit it, or name another file with --config"
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path} can't be written ({error.strerror})", "name another file with --config"
        ) from error


def _told_by_file(path: Path) -> dict[str, Told]:
    try:
        keys = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no configuration file {path}",
            "write one with `guideline-audit init`, or correct --config",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} can't be read ({getattr(error, 'strerror', 'not UTF-8')})", "correct --config"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{path} is not TOML: {error}", "correct that line; texts stand in quotes"
        ) from error
    told = {key: Told(value, f"{path}: key {key}") for key, value in keys.items()}
    for key in _PATHS:
        if key in keys and isinstance(keys[key], str):
            told[key] = Told(path.parent / keys[key], told[key].by)
    mapping = keys.get("mapping")
    if isinstance(mapping, str) and (path.parent / mapping).is_file():
        told["mapping"] = Told(str(path.parent / mapping), told["mapping"].by)
    return told


def _told_by_environment(environment: Mapping[str, str]) -> dict[str, Told]:
    told = {}
    for name, text in environment.items():
        if name.startswith(PREFIX) and text:
            key = name.removeprefix(PREFIX).lower()
            separator = _SEPARATORS.get(key)
            words = [word.strip() for word in text.split(separator)] if separator else []
            value = tuple(word for word in words if word) if separator else text
            told[key] = Told(value, f"environment variable {name}")
    return told


def _checked(told: Mapping[str, Told]) -> Config:
    try:
        return Config.model_validate({key: one.value for key, one in told.items()})
    except ValidationError as error:
        _refuse(told, error.errors()[0])


def _refuse(told: Mapping[str, Told], problem: ErrorDetails) -> NoReturn:
    key = str(problem["loc"][0])
    if problem["type"] == "missing":
        known = f"`{key} = …` in the configuration file, or {PREFIX}{key.upper()}"
        option = "name the folder on the command line" if key == "extract" else f"give --{key}"
        raise UsageError(f"no {key} is given", f"{option}, or write {known}")
    by, value = told[key].by, told[key].value
    if problem["type"] == "extra_forbidden":
        raise UsageError(f"{by} is not known", f"the keys are {', '.join(Config.model_fields)}")
    if problem["type"] == "literal_error":
        choices = problem["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
        raise UsageError(f"{by} can't be {_shown(value)}", f"choose one of {choices}")
    todo = _HOW_TO_WRITE.get(problem["type"], f"correct it: {problem['msg']}")
    raise UsageError(f"{by} can't be {_shown(value)}", todo)


def _shown(value: object) -> str:
    return repr(str(value)) if isinstance(value, Path) else repr(value)


def _words(variants: Mapping[str, str] | tuple[str, ...]) -> list[str]:
    if isinstance(variants, tuple):
        return list(variants)
    return [f"{name}={value}" for name, value in variants.items()]


def _variants(words: Sequence[str], numbers: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Turns `RULE.NAME=VALUE` words into variants by rule and name; RULE is an id or a number."""
    chosen: dict[str, dict[str, str]] = {}
    for word in words:
        match = re.fullmatch(r"([A-Za-z0-9-]+)\.([a-z0-9_]+)=([a-z0-9-]+)", word)
        if match is None:
            raise UsageError(
                f"{word!r} is not a variant",
                "write RULE.NAME=VALUE, such as neoadj-dual-blockade.population=all-early",
            )
        rule, name, value = match.groups()
        own = chosen.setdefault(numbers.get(rule.upper(), rule), {})
        if own.setdefault(name, value) != value:
            raise UsageError(
                f"variant {rule}.{name} is chosen twice, as {own[name]!r} and as {value!r}",
                "choose one: --compare-variants shows the others beside it",
            )
    return chosen


def _cutoff(by: str, text: date | str, today: date) -> date:
    if isinstance(text, date):
        return text
    rule = CUTOFF_RULES.get(" ".join(text.lower().split()))
    if rule:
        return rule(today)
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{by} {text!r} is not a date", f"write it as YYYY-MM-DD, or {', '.join(CUTOFF_RULES)}"
        ) from error


def _today() -> date:
    return datetime.now().astimezone().date()


def _day_before(year: int, month: int, months: int = 1) -> date:
    """The day before the period of so many months begins in which that month lies."""
    return date(year, month - (month - 1) % months, 1) - timedelta(days=1)
