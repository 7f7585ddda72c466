"""The texts that an audit is judged by: where they are read, and where an audit keeps them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml
from pydantic import ValidationError

from audit.errors import UsageError
from audit.resources import root
from audit.warehouse import Connection

_SUFFIXES = {".yaml", ".sql", ".csv"}
_OWN = "own/"
_A_RULE = ("card.yaml", "rule.sql")


def own_texts(folder: Path | None) -> dict[str, str]:
    """Cards and SQL of a user's own rules, by their path in the folder; none without a folder.

    They are read once: what is judged, hashed and kept is the same, whatever happens to the files.

    Args:
        folder: a folder a rule, with card.yaml, rule.sql and vignettes.md; `editions.yaml` beside
            them may say from when each is in force.

    Raises:
        UsageError: no rule is there, a rule lacks a file, or a file is no text.
    """
    if folder is None:
        return {}
    found = [path.parent for path in sorted(folder.glob("*/card.yaml"))]
    if not found:
        raise UsageError(
            f"there is no rule in {folder}",
            "name the folder that holds a folder for each rule, with a card.yaml in it",
        )
    for home in found:
        for file in (*_A_RULE, "vignettes.md"):
            if not (home / file).is_file():
                raise UsageError(f"{home} has no {file}", "write it beside card.yaml")
    paths = [home / file for home in found for file in _A_RULE]
    dated = folder / "editions.yaml"
    paths += [dated] if dated.is_file() else []
    return {path.relative_to(folder).as_posix(): _text(path) for path in paths}


def texts(own: Mapping[str, str]) -> dict[str, str]:
    """All that an audit is judged by under its path: checks/, sql/ and, under own/, `own_texts`."""
    installed = {
        f"{folder}/{path.relative_to(root(folder)).as_posix()}": path.read_text(encoding="utf-8")
        for folder in ("checks", "sql")
        for path in sorted(root(folder).rglob("*"))
        if path.suffix in _SUFFIXES
    }
    return installed | {f"{_OWN}{path}": text for path, text in own.items()}


def kept_texts(con: Connection, run_number: int) -> dict[str, str]:
    """The `texts` that a run in an audit's database was judged by."""
    rows = con.execute(
        "select s.path, t.content from run_sources as s "
        "inner join source_texts as t on s.sha256 = t.sha256 where s.run_number = $number",
        {"number": run_number},
    ).fetchall()
    return dict(rows)


def own_among(kept: Mapping[str, str]) -> dict[str, str]:
    """Those of `texts` that are the user's own, as `own_texts` gives them."""
    return {p.removeprefix(_OWN): text for p, text in kept.items() if p.startswith(_OWN)}


_PROBLEMS = {"missing": "{} is missing", "extra_forbidden": "there is no key {}"}


@contextmanager
def told_in_words(path: str) -> Iterator[None]:
    """What is wrong with a file of the user's is said in words.

    Raises:
        UsageError: it is no YAML, or of another shape than the shipped one.
    """
    try:
        yield
    except ValidationError as error:
        problems = [
            _PROBLEMS.get(one["type"], f"{{}}: {one['msg']}").format(".".join(map(str, one["loc"])))
            for one in error.errors()
        ]
        raise UsageError(f"{path}: {'; '.join(problems)}", f"correct {path}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())}", f"correct {path}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is not of the shape that the shipped one has", f"compare {path} with it"
        ) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} can't be read ({getattr(error, 'strerror', 'not UTF-8')})",
            "save it as plain text in UTF-8",
        ) from error
