"""Calls that mean nothing: counted, each kind said once with the place of the call, and raised when the settings are strict."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Any

from tracebridge.errors import ClosedError, InvalidParameterError, TracebridgeError, misuse
from tracebridge.journal.accounts import Accounts
from tracebridge.masking.loggers import logger
from tracebridge.process.exits import is_ending
from tracebridge.records.values import Reducer
from tracebridge.settings.model import LifecycleSettings, Settings

log = logger("tracebridge")

_OURS = frozenset(
    {"tracebridge", "tracebridge_adapters", "contextlib", "threading"}
)  # the last two stand around calls of ours
_SHOWN = (
    str,
    int,
    float,
    Enum,
)  # kinds of values that a message quotes; of others it tells the type, because they may hold secrets


class Misuse:
    """What every part of the client says a wrong call with."""

    _accounts: Accounts
    _reducer: Reducer
    _settings: Settings

    @property
    def _lifecycle(self) -> LifecycleSettings:
        return self._settings.lifecycle

    def _refuse(self, what: str, message: str, error: type[TracebridgeError] = InvalidParameterError) -> None:
        """Count a misuse of ours and say the first of its kind. Raises `error` when `lifecycle.strict` is true."""
        self._warn(what, message)
        if self._lifecycle.strict:
            raise misuse(error, message)

    def _refuse_after_close(self, what: str, message: str) -> None:
        """Do the same for a call after `close()`; only count it while the process ends, because then the program did not close."""
        if is_ending():
            self._accounts.note_misuse(what)
        else:
            self._refuse(what, message, ClosedError)

    def _warn(self, what: str, message: str) -> None:
        """Count something that went wrong through no fault of the call, and say the first of its kind at WARNING with the place."""
        if self._accounts.note_misuse(what):
            place = caller()
            log.warning("%s%s", message, f" (called at {place}; more of this is only counted)" if place else "")

    def _told(self, given: Any) -> str:
        """Return a value that a call was given as a message shows it: short ones in quotes, of others the type."""
        if issubclass(type(given), _SHOWN):
            return repr(self._reducer.show(given))
        return f"a {type(given).__name__}"


def caller() -> str:
    """Return `file:line` of the innermost code that is not ours; empty in a thread of ours."""
    frame = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in _OURS:
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""
