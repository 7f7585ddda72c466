"""Put first on PYTHONPATH, this forbids a process and its threads every socket but local ones.

Python's own calls end the process with NETWORK and a line that says which call it was; the kernel
kills it where native code (DuckDB, Polars, Arrow) asks for an internet socket behind Python's back.
"""

import ctypes
import os
import platform
import socket
import struct
import sys

NETWORK = 97
KERNEL = platform.machine() in ("x86_64", "aarch64") and sys.platform == "linux"

_LOCAL = (socket.AF_UNIX,)
_CALLS = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg")
_NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_ESCAPES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "pty.spawn")


def _refuse(call: str) -> None:
    os.write(2, f"forbidden here: {call}\n".encode())
    os._exit(NETWORK)


def _watch(event: str, arguments: tuple) -> None:
    if event == "socket.__new__" and arguments[1] not in _LOCAL:
        if _asks_for_ipv6():
            raise OSError("no IPv6 here")
        _refuse(f"socket({arguments[1]})")
    if event in _CALLS and arguments[0].family not in _LOCAL:
        _refuse(event)
    if event in _NAMES or event in _ESCAPES:
        _refuse(event)


def _asks_for_ipv6() -> bool:
    """urllib3, which Great Expectations imports, tries to bind ::1 at import and contacts nobody.

    It is told that there is none, which it takes for an answer.
    """
    frame = sys._getframe(2)
    while frame and frame.f_code.co_filename == socket.__file__:
        frame = frame.f_back
    return (
        frame is not None
        and frame.f_code.co_name == "_has_ipv6"
        and frame.f_globals.get("__name__") == "urllib3.util.connection"
    )


def _forbid_in_the_kernel() -> None:
    """A seccomp filter, inherited and irrevocable: an internet socket kills the process."""
    number, arch = {"x86_64": (41, 0xC000003E), "aarch64": (198, 0xC00000B7)}[platform.machine()]
    load, equal, give = 0x20, 0x15, 0x06
    kill, allow = 0x80000000, 0x7FFF0000
    nr_at, arch_at, domain_at = 0, 4, 16
    steps = [
        (load, 0, 0, arch_at),
        (equal, 1, 0, arch),
        (give, 0, 0, kill),
        (load, 0, 0, nr_at),
        (equal, 0, 4, number),
        (load, 0, 0, domain_at),
        (equal, 1, 0, socket.AF_INET),
        (equal, 0, 1, socket.AF_INET6),
        (give, 0, 0, kill),
        (give, 0, 0, allow),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    program = Program(len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, by_filter = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(
        set_seccomp, by_filter, ctypes.byref(program), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "no seccomp here")


sys.addaudithook(_watch)
if KERNEL:
    _forbid_in_the_kernel()
