"""What DuckDB says of a rule's SQL, for whoever wrote the rule; no value of a record in it."""

import re

import duckdb

MISTAKES = (
    duckdb.ProgrammingError,
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.NotSupportedError,
    duckdb.PermissionException,
)
"""What whoever wrote a rule can mend; a full disk or a fault of DuckDB's own is none of these."""

_LOOK = "`audit.open(…).facts(name)` shows a fact's columns"
_TABLES = "a rule reads the audit's tables alone, facts (fct_…) and staged records (stg_…)"
_TOLD = (
    (
        r"""Cannot extract field '(?P<name>.+?)' from expression "(?P<of>.+?)\"""",
        "what is read there as {of} has no column {name}",
        _LOOK,
    ),
    (
        r'"(?P<of>[^"]+)" does not have a column named "(?P<name>[^"]+)"',
        "what is read there as {of} has no column {name}",
        _LOOK,
    ),
    (r'Referenced column "(?P<name>.+?)" not found', "there is no column {name}", _LOOK),
    (r"Table with name (?P<name>[^/.: ]+) does not exist", "there is no table {name}", _TABLES),
    (
        r"Table with name (?P<name>\S+) does not exist|Cannot access file \"(?P<file>.+?)\"",
        "it reads a file or an address, which no rule may",
        _TABLES,
    ),
    (r"Function with name (?P<name>\S+) does not exist", "there is no function {name}", ""),
)
_OF_A_VALUE = (
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.OutOfRangeException,
)


def in_words(error: duckdb.Error) -> tuple[str, str]:
    """What is wrong with a rule's SQL and where, and what to do."""
    if isinstance(error, _OF_A_VALUE):
        return (
            "a value in the records is not of the kind that it takes",
            "write try_cast(… as …) where a text is turned into a number or a date",
        )
    first, *more = str(error).splitlines()
    rest = "\n".join(more)
    found, todo = first, ""
    for pattern, words, hint in _TOLD:
        if match := re.search(pattern, first):
            found, todo = words.format_map(match.groupdict()), hint
            break
    if line := re.search(r"^LINE \d+:(.*)", rest, re.MULTILINE):
        found += f", in the line: {line[1].strip()}"
    near = re.search(r"^(?:Candidate bindings|Did you mean):? (.+)", rest, re.MULTILINE)
    guess = f"near it: {near[1].rstrip('?')}" if near else ""
    return found, "; ".join(filter(None, (guess, todo))) or "correct its rule.sql"
