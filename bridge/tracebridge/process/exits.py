"""The process around the clients: its exit, its forks, and SIGTERM."""

from __future__ import annotations

import atexit
import contextlib
import signal
import sys
import threading
import weakref
from _thread import start_new_thread
from types import FrameType
from typing import Any, Literal, Protocol

from tracebridge.masking.loggers import logger
from tracebridge.process.system import at_fork, send_to_ourselves
from tracebridge.process.threads import background

_log = logger("tracebridge")


class Resident(Protocol):
    """What lives in a process and has to hear of its forks and its end."""

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Deliver what is queued."""
        ...

    def close(self, timeout_s: float | None = None) -> None:
        """Deliver what is queued, and end."""
        ...

    def _wind_down(self, timeout_s: float) -> None:
        """Deliver what is queued, and be ready for the process to die at any instant."""
        ...

    def _after_fork_in_child(self) -> None:
        """Start over in a forked child."""
        ...


_residents: weakref.WeakSet[Resident] = weakref.WeakSet()


def register(resident: Resident) -> None:
    """Close it at exit, and tell it of forks. Held weakly."""
    _residents.add(resident)
    _hook_multiprocessing()


_exit: Literal["far", "begun", "over"] = "far"
"""How far the end of this process has come. From its beginning on no thread can be started (Python 3.12), so signals wait for its end."""


def is_ending() -> bool:
    """Return whether the end of this process has begun, so that its clients were closed without a word of the program."""
    return _exit != "far"


def _close_all() -> None:
    global _exit  # noqa: PLW0603 - there is one process
    _exit = "begun"
    try:
        for resident in list(_residents):
            try:
                resident.close()
            except Exception:  # a bug of ours must not keep the others from delivering
                _log.exception("closing a client at the end of the process failed")
    except KeyboardInterrupt:  # somebody is there, and in a hurry
        _log.warning("interrupted while delivering; what is still queued in memory is lost")
    finally:
        _exit = "over"
        Terminator.after_exit()


def _after_fork() -> None:
    global _exit  # noqa: PLW0603 - there is one process
    _exit = "far"
    Terminator.after_fork_in_child()
    for resident in list(_residents):
        try:
            resident._after_fork_in_child()
        except Exception:
            _log.exception("a client could not start over in this forked process")
    _hook_multiprocessing()


_multiprocessing_hooked = False


def _hook_multiprocessing() -> None:
    """Close at the end of a multiprocessing child: it leaves by `os._exit`, past every atexit hook, but not past its own."""
    global _multiprocessing_hooked  # noqa: PLW0603 - what it says is as global as the registry of multiprocessing
    process: Any = sys.modules.get("multiprocessing.process")
    util: Any = sys.modules.get("multiprocessing.util")
    if process is None or util is None:
        return
    if process.parent_process() is not None:  # we are in such a child, and it is running
        util.Finalize(None, _close_all, exitpriority=0)
    if not _multiprocessing_hooked:  # a child begins by forgetting its finalizers and then calls this
        _multiprocessing_hooked = True
        util.register_after_fork(_residents, lambda _: util.Finalize(None, _close_all, exitpriority=0))


atexit.register(_close_all)
at_fork(after_in_child=_after_fork)


class Terminator:
    """Delivers on SIGTERM, within a bound, and then lets the signal take the course that it had before.

    The handler itself only starts a thread, because the main thread may hold a lock of ours when the signal comes, or one of
    threading's (hence `start_new_thread`); the thread sends the signal once more when it has finished, and that one is handed on.
    A program may send it as its very last act (uvicorn does) and be exiting by then: the exit delivers, and hands it on.
    """

    _installed: Terminator | None = None

    def __init__(self) -> None:
        self._timeout_s = 0.0
        self._flushing = False
        self._flushed = False
        self._before: Any = signal.SIG_DFL

    @classmethod
    def install(cls, timeout_s: float) -> None:
        """Install the handler, once; only a main thread can, others are told so in the log."""
        if threading.current_thread() is not threading.main_thread():
            _log.warning("flush_on_sigterm needs the client to be made in the main thread; SIGTERM is left as it was")
            return
        terminator = cls._installed
        if terminator is None:
            terminator = cls._installed = cls()
        current = signal.getsignal(signal.SIGTERM)
        if current != terminator._handle:
            terminator._before = current
            signal.signal(signal.SIGTERM, terminator._handle)
        terminator._timeout_s = max(terminator._timeout_s, timeout_s)

    @classmethod
    def after_fork_in_child(cls) -> None:
        """Forget that the parent was flushing."""
        if cls._installed is not None:
            cls._installed._flushing = cls._installed._flushed = False

    @classmethod
    def after_exit(cls) -> None:
        """Hand on the signal that came before or while everything was closed."""
        if cls._installed is not None and cls._installed._flushing:
            cls._installed._hand_on(signal.SIGTERM, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._flushed or _exit == "over":
            if _exit != "begun":
                self._hand_on(number, frame)
        elif not self._flushing:  # an impatient second signal changes nothing: what we do has its bound
            self._flushing = True
            if _exit == "far":
                start_new_thread(self._flush, ())

    def _hand_on(self, number: int, frame: FrameType | None) -> None:
        self._flushing = self._flushed = False
        before = self._before
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)

    def _flush(self) -> None:
        """Deliver; where nothing else handles the signal the process ends now, so its open spans end too."""
        ends = self._before == signal.SIG_DFL
        threads = [
            background(r._wind_down if ends else r.flush, arguments=(self._timeout_s,)) for r in list(_residents)
        ]
        with contextlib.suppress(RuntimeError):  # no thread can start any more: the exit has begun, and closes them
            for thread in threads:
                thread.start()
        for thread in threads:
            if thread.ident is not None:
                thread.join(self._timeout_s + 1.0)
        if self._flushing:  # else the exit was quicker, and has handed it on
            self._flushed = True
            send_to_ourselves(signal.SIGTERM)
