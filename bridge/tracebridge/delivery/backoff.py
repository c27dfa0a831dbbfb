"""How long a destination that is failing is left alone."""

from __future__ import annotations

import random

from tracebridge.errors import Misconfigured, Retryable
from tracebridge.plugins.options import RetryOnFailure

MISCONFIGURED_FACTOR = 5.0  # a misconfigured destination is tried this much more slowly
LONGEST_RETRY_AFTER_S = 3600.0  # a server that asks for more is asked again all the same

_jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing


def pause_s(retry: RetryOnFailure, error: BaseException, attempt: int) -> float:
    """Return how many seconds to wait after the failure number `attempt`, counted from 0: doubled each time, with jitter."""
    pause = min(retry.max_interval, retry.initial_interval * 2.0 ** min(attempt, 30))
    pause *= 0.5 + _jitter.random()  # a fleet that lost its back-end together must not return together
    return max(pause * (MISCONFIGURED_FACTOR if isinstance(error, Misconfigured) else 1.0), asked_s(error))


def asked_s(error: BaseException) -> float:
    """Return for how many seconds the destination itself wants to be left alone; 0 when it did not say."""
    if isinstance(error, Retryable) and error.after_s is not None:
        return min(error.after_s, LONGEST_RETRY_AFTER_S)
    return 0.0
