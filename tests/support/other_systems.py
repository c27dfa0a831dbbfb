"""A process on Linux that lacks what macOS or Windows lacks, so that paths which only run there can be tried here.

Call `become("windows")` or `become("macos")` before tracebridge is imported. What the standard library and the dependencies need of this system is imported
first: they have Windows code of their own, and are not what is tried. What cannot be had this way stands on docs/systems.md.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

OUR_CODE = ("tracebridge.", "tracebridge_adapters.", "tracebridge_config.")
MODULES = {
    "windows": ("fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"),
    "macos": (),
}
IN_OS = {
    "windows": "O_ACCMODE O_ASYNC O_CLOEXEC O_DIRECT O_DIRECTORY O_DSYNC O_NDELAY O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_RSYNC O_SYNC O_TMPFILE "
    "WNOHANG chown chroot confstr ctermid fchmod fchown fdatasync fork forkpty fpathconf fstatvfs getegid geteuid getgid getgroups getloadavg getpgid getpgrp "
    "getpriority getresgid getresuid getsid getuid getxattr initgroups killpg lchown listxattr lockf login_tty major makedev memfd_create minor mkfifo mknod nice "
    "openpty pathconf pipe2 posix_fadvise posix_fallocate posix_openpt posix_spawn posix_spawnp pread preadv pwrite pwritev readv register_at_fork sched_getaffinity "
    "sched_setaffinity sched_yield sendfile setegid seteuid setgid setgroups setns setpgid setpriority setregid setresuid setreuid setsid setuid setxattr splice "
    "statvfs sync sysconf tcgetpgrp tcsetpgrp ttyname uname unshare wait wait3 wait4 waitid writev",
    "macos": "O_DIRECT O_NOATIME O_PATH O_RSYNC O_TMPFILE eventfd fdatasync getresgid getresuid getxattr listxattr memfd_create pidfd_open pipe2 posix_fadvise "
    "posix_fallocate sched_getaffinity sched_setaffinity setns setresgid setresuid setxattr splice unshare",
}
"""What `os` has here and not there (Python's documentation, "Availability")."""
SIGNALS_THERE = {
    "windows": {"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM"},
    "macos": {name for name in dir(signal) if name.startswith("SIG")} - {"SIGPOLL", "SIGPWR", "SIGRTMAX", "SIGRTMIN", "SIGSTKFLT", "SIGCLD"},
}  # fmt: skip
IN_SIGNAL = {
    "windows": "ITIMER_PROF ITIMER_REAL ITIMER_VIRTUAL alarm getitimer pause pidfd_send_signal pthread_kill pthread_sigmask setitimer siginterrupt "
    "sigpending sigtimedwait sigwait sigwaitinfo",
    "macos": "pidfd_send_signal sigtimedwait sigwaitinfo",
}
ELSEWHERE = {
    "windows": (
        (select, "epoll poll"),
        (socket, "AF_UNIX AF_NETLINK AF_PACKET MSG_DONTWAIT MSG_NOSIGNAL SOCK_CLOEXEC SOCK_NONBLOCK SO_REUSEPORT send_fds recv_fds"),
        (time, "CLOCK_BOOTTIME CLOCK_MONOTONIC CLOCK_MONOTONIC_RAW CLOCK_PROCESS_CPUTIME_ID CLOCK_REALTIME CLOCK_TAI CLOCK_THREAD_CPUTIME_ID clock_getres clock_gettime "
            "clock_gettime_ns clock_settime clock_settime_ns pthread_getcpuclockid tzset"),
    ),
    "macos": ((select, "epoll"), (time, "CLOCK_BOOTTIME CLOCK_TAI"), (socket, "AF_NETLINK AF_PACKET MSG_NOSIGNAL SOCK_CLOEXEC SOCK_NONBLOCK")),
}  # fmt: skip
BINARY = 0o100000
"""What O_BINARY is here: O_LARGEFILE, which changes nothing."""
_NEEDED = (
    "asyncio click concurrent.futures confluent_kafka ctypes email getpass google.protobuf google.rpc.status_pb2 grpc html http.client http.server inspect jaeger_client "
    "logging.handlers mmap msgspec multiprocessing.context multiprocessing.popen_spawn_posix multiprocessing.resource_tracker multiprocessing.synchronize "
    "opentelemetry.sdk.trace.export platform psycopg py_zipkin re2 redis rich.console rich.live rich.progress shutil sqlite3 ssl structlog subprocess tempfile "
    "thrift.Thrift urllib3 uuid webbrowser zoneinfo"
).split()


def become(system: str) -> None:
    """Take away what a system lacks. It cannot be given back: for a process of its own."""
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ImportError:  # an extra that is not there
            continue
    if system == "macos":
        multiprocessing: Any = importlib.import_module("multiprocessing")
        multiprocessing.set_start_method("spawn")
    for name in MODULES[system]:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Refusing(MODULES[system]))
    for name in IN_OS[system].split():
        _take(os, name)
    for name in [name for name in dir(signal) if name.startswith("SIG") and name[3].isalpha()]:
        if name not in SIGNALS_THERE[system]:
            _take(signal, name)
    for name in IN_SIGNAL[system].split():
        _take(signal, name)
    for module, names in ELSEWHERE[system]:
        for name in names.split():
            _take(module, name)
    if system == "windows":
        importlib.import_module("subprocess")._USE_POSIX_SPAWN = False  # type: ignore[attr-defined]  # it has looked before: children start without it from here
        _files_as_on_windows()


class _Refusing(importlib.abc.MetaPathFinder):
    """Says of some modules that they are not there."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """See MetaPathFinder."""
        if fullname in self._names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def _take(module: ModuleType, name: str) -> None:
    if hasattr(module, name):
        delattr(module, name)


def _files_as_on_windows() -> None:
    """What is open is neither renamed nor removed there, nor is anything replaced that is open; bytes need O_BINARY to stay as they are."""
    real: Any = {name: getattr(os, name) for name in ("open", "rename", "replace", "remove", "unlink")}
    os.O_BINARY = BINARY  # type: ignore[attr-defined]
    os.O_NOINHERIT = 0  # type: ignore[attr-defined]

    def opened(path: Any, flags: int, *rest: Any, **named: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.startswith(OUR_CODE) and not flags & BINARY:
            raise AssertionError(f"{caller} opens {path} as text: Windows would change its line ends")
        return real["open"](path, flags & ~BINARY, *rest, **named)

    def refusing(name: str) -> Any:
        def checked(*paths: Any, **named: Any) -> Any:
            for path in paths:
                if not named and _is_open(path):
                    raise PermissionError(13, f"os.{name}: used by a process", str(path))
            if name == "rename" and Path(paths[1]).exists():
                raise FileExistsError(17, "os.rename: there already", str(paths[1]))
            return real[name](*paths, **named)

        return checked

    os.open = opened
    for name in ("rename", "replace", "remove", "unlink"):
        setattr(os, name, refusing(name))


def _is_open(path: Any) -> bool:
    """Return whether this process has a file open."""
    path = Path(path)
    return path.is_file() and any(each.exists() and each.samefile(path) for each in Path("/proc/self/fd").iterdir())
