"""What a user can get wrong: what was found, where, and what to do next.

A `UserError` reaches the terminal as its message alone, without a traceback; its class decides
the exit code. No message carries a record's value beyond what locates it.
"""

import errno
import os
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command, as the contract gives them."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    REFUSED = 3
    GATE = 4


_NO_TEMPORARY_FILES = "No usable temporary directory"
"""What Python says where nothing can be written to any of the folders for temporary files."""
_LONGEST = 900
"""Characters of a sentence: a file may have thousands of headers, and a header a million."""


class UserError(Exception):
    """Something the user can put right.

    Args:
        found: what is wrong and where (file, row, column, value).
        todo: the next step, as an instruction.

    Both may quote a file: control characters are written out, so that none reaches a terminal.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, found: str, todo: str) -> None:
        self.found, self.todo = _plain(found), _plain(todo)
        super().__init__(f"{self.found}\n  What to do: {self.todo}")


class UsageError(UserError):
    """The command or its settings are off: exit code 2."""


class ExtractRefused(UserError):
    """The extract or its mapping can't be used: exit code 3."""

    exit_code = ExitCode.REFUSED


def out_of_room(error: Exception) -> bool:
    """Whether a file could not grow: each library that writes has an exception of its own."""
    codes = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, OSError) and error.errno in codes:
        return True
    return any(os.strerror(code).lower() in str(error).lower() for code in codes)


def unwritable(error: Exception) -> UsageError | None:
    """What to tell where a file or folder could not be written; None where it is another error."""
    todo = "free some disk space, or choose a folder that you can write to"
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return UsageError(f"{error.filename} can't be written ({error.strerror})", todo)
    if out_of_room(error) or _NO_TEMPORARY_FILES in str(error):
        return UsageError("there is no room left on the disk", todo)
    return None


def _plain(text: str) -> str:
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]} …"
    return "".join(
        character
        if character.isprintable() or character == "\n"
        else character.encode("unicode_escape").decode()
        for character in shown
    )
