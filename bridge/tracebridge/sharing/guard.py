"""An engine behind a bound: while it fails it is not asked, so that a call costs one timeout now and then, and its errors are counted, and said once."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from tracebridge.masking.foreign import clean
from tracebridge.masking.loggers import logger

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 15.0

T = TypeVar("T")
_log = logger("tracebridge")


class Unavailable(Exception):
    """The engine did not answer, or is not asked because it did not answer a moment ago."""


class Guard:
    """Makes the calls of one engine."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._pause_s = 0.0
        self._resume_at = 0.0
        self.errors = 0
        self.last_error = ""
        self._told: set[str] = set()

    def ask(self, call: Callable[[], T]) -> T:
        """Make a call. Raises Unavailable, and nothing else."""
        if self._pause_s and time.monotonic() < self._resume_at:
            raise Unavailable
        try:
            answer = call()
        except Exception as error:
            self._failed(error)
            raise Unavailable from None
        if self._pause_s:
            with self._lock:
                was_failing, self._pause_s = self._pause_s, 0.0
            if was_failing:
                _log.info("open_spans: %s answers again", self._name)
        return answer

    def _failed(self, error: Exception) -> None:
        words = clean(f"{type(error).__name__}: {error}", 300)
        with self._lock:
            self.errors += 1
            self.last_error = words
            self._pause_s = min(self._pause_s * 2 or FIRST_PAUSE_S, LONGEST_PAUSE_S)
            self._resume_at = time.monotonic() + self._pause_s
            kind = type(error).__name__
            is_new = kind not in self._told
            self._told.add(kind)
        if is_new:
            _log.warning(
                "open_spans: %s fails (%s); spans stay in their process, and changes and ends wait, until it answers; more of this is only counted",
                self._name,
                words,
            )
