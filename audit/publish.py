"""An audit appears whole or not at all: it is built beside its folder and swapped in at the end."""

import ctypes
import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.errors import UsageError, out_of_room

OURS = frozenset(
    {
        "audit.duckdb",
        "audit.duckdb.wal",
        "findings.parquet",
        "summary.csv",
        "summary.parquet",
        "quarantine.csv",
        "manifest.json",
        "report",
        "worklist",
        "quality.html",
        "quality.csv",
        "earlier",
    }
)
"""What an audit's folder holds; nothing else in it is ever replaced or removed."""

KEPT = ("audit.duckdb", "findings.parquet", "manifest.json")
"""What of an earlier audit stays: all that comparing and judging it again needs."""

EARLIER = "earlier"
"""The folder with the earlier audits, each under when and in which run it was made."""

_AT_FDCWD = -100
_EXCHANGE = 2


@contextmanager
def publication(out: Path, keep: int = 0) -> Iterator[Path]:
    """Gives a private folder; what stands in its `audit/` becomes `out` when the block ends well.

    A second run on the same folder is refused while the first one works. When the block raises, or
    the process is killed, `out` stays as it was; the next run clears what a killed one left behind.

    Args:
        out: the audit's folder, or a link to it; it may hold an earlier audit and nothing else.
        keep: how many earlier audits stay in `earlier/` of the new one.

    Raises:
        UsageError: `out` holds something else, can't be written, or another run works on it; or
            the disk is full.
    """
    out = out.resolve()
    _check(out)
    with _private(), locked(out):
        for left_behind in out.parent.glob(f".{out.name}.partial-*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
        try:
            yield work
            _keep_earlier(out, work / "audit", keep)
            _swap(work / "audit", out)
        except Exception as error:
            if out_of_room(error):
                raise UsageError(
                    f"there is no room left to write the audit beside {out}",
                    "free some disk space, or choose another --out; nothing was published",
                ) from error
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _private() -> Iterator[None]:
    """Files and folders made meanwhile can be read by the user alone."""
    others = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(others)


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Nothing else writes to an audit's folder meanwhile.

    Raises:
        UsageError: something else does, or the folder beside can't be written.
    """
    path = out.parent / f".{out.name}.lock"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock = _taken(path)
    except BlockingIOError as error:
        raise UsageError(
            f"another audit is being written to {out}",
            "wait until it has finished, or choose another --out",
        ) from error
    except OSError as error:
        raise UsageError(
            f"{out.parent} can't be written ({error.strerror})",
            "choose another --out, or make it writable",
        ) from error
    try:
        yield
    finally:
        # Removed while it is still held: whoever opened it meanwhile sees that it is gone.
        path.unlink(missing_ok=True)
        os.close(lock)


def _taken(path: Path) -> int:
    """An exclusive lock on the file that stands at `path`, which is made where there is none.

    Raises:
        BlockingIOError: another process holds it.
    """
    while True:
        lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _stands_at(lock, path):
                return lock
        except OSError:
            os.close(lock)
            raise
        # The run before removed the file between opening and locking: the lock excludes nobody.
        os.close(lock)


def _stands_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _check(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out} is not a folder", "name a folder for --out")
    if os.path.ismount(out):
        raise UsageError(
            f"{out} is a mount point", "name a folder in it for --out: it is replaced as a whole"
        )
    foreign = sorted(path.name for path in out.iterdir() if path.name not in OURS)
    if foreign:
        raise UsageError(
            f"{out} holds something that is not an audit ({foreign[0]})",
            "choose an empty or new folder for --out; an audit's folder is replaced as a whole",
        )


def earlier_audits(out: Path) -> list[Path]:
    """The folders of the earlier audits that an audit's folder keeps, oldest first."""
    return sorted((out / EARLIER).glob("*"))


def _keep_earlier(out: Path, new: Path, keep: int) -> None:
    """Gives the new audit the newest of the earlier ones, each file under a second name."""
    if not keep or not all((out / name).is_file() for name in KEPT):
        return
    kept = {path.name: path for path in earlier_audits(out)}
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    when = manifest["created_at"].replace(":", "").replace("+0000", "Z")
    kept[f"{when}-{manifest['run_id'][:8]}"] = out
    for name in sorted(kept)[-keep:]:
        (new / EARLIER / name).mkdir(parents=True)
        for file in KEPT:
            _same_file(kept[name] / file, new / EARLIER / name / file)


def _same_file(old: Path, new: Path) -> None:
    try:
        new.hardlink_to(old)
    except OSError:  # a file system without second names
        shutil.copyfile(old, new)


def _swap(new: Path, out: Path) -> None:
    """Puts `new` in the place of `out` in one step; what was there ends up at `new`."""
    if not out.exists():
        new.rename(out)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(out), _EXCHANGE)
    if done == 0:
        return
    if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(out))
    # A file system without exchange: for a moment only the old copy stands, under another name.
    old = new.with_name("old")
    out.rename(old)
    new.rename(out)
