"""Random span and trace IDs that user code cannot disturb.

A private generator seeded from the operating system: `random.seed()` in an application never repeats IDs, and it
costs a tenth of `secrets`. Forked children are seeded anew.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tracebridge.native import functions
from tracebridge.process.system import at_fork

_SEED_BITS = 256
BLOCK = 256  # span IDs made at a time: half the cost of making each when it is wanted
_ZERO = bytes(8)
_cut = struct.Struct("8s" * BLOCK).unpack


def _pairs_of(block: bytes) -> list[tuple[bytes, str]]:
    """Return a block of bytes as span IDs, none of them zero.

    Cut by `struct`: half the cost of slicing each ID out of the bytes and out of their digits.
    """
    fresh = list(zip(_cut(block), block.hex(" ", 8).split(), strict=True))
    return [pair for pair in fresh if pair[0] != _ZERO] if _ZERO in block else fresh


pairs_of: Callable[[bytes], list[tuple[bytes, str]]] = _pairs_of if functions is None else functions.span_ids


class RandomIds:
    """Makes IDs that are never zero. Safe from any number of threads: each step on the shared state is one operation."""

    def __init__(self) -> None:
        self._random = random.Random(random.SystemRandom().getrandbits(_SEED_BITS))  # noqa: S311 - IDs are not secrets
        self._span_ids: list[tuple[bytes, str]] = []
        self.pop_span_id = self._span_ids.pop
        """Take a prepared span ID, (8 bytes, 16 hex digits); raises IndexError when `more_span_ids` is due."""

    def more_span_ids(self) -> tuple[bytes, str]:
        """Prepare a block of span IDs and return one of them."""
        fresh = pairs_of(self._random.getrandbits(64 * BLOCK).to_bytes(8 * BLOCK, "big"))
        first = fresh.pop()
        self._span_ids.extend(fresh)
        return first

    def span_id(self) -> tuple[bytes, str]:
        """Return 8 bytes, and their 16 hex digits."""
        try:
            return self.pop_span_id()
        except IndexError:
            return self.more_span_ids()

    def trace_id(self) -> bytes:
        """Return 16 bytes."""
        return (self._random.getrandbits(128) or 1).to_bytes(16, "big")

    @contextmanager
    def replaced(self, generator: Any) -> Iterator[None]:
        """Take IDs from another generator within this block (anything with `getrandbits`): for tests."""
        before, self._random = self._random, generator
        self._span_ids.clear()
        try:
            yield
        finally:
            self._random = before
            self._span_ids.clear()

    def reseed(self) -> None:
        """Start over from the operating system's entropy, forgetting what was prepared."""
        self._random.seed(random.SystemRandom().getrandbits(_SEED_BITS))
        self._span_ids.clear()


shared_ids = RandomIds()
"""The generator of this process; every client takes its IDs here so that a fork reseeds one thing."""

pop_span_id = shared_ids.pop_span_id
"""`shared_ids.pop_span_id`, for the hot path: the list behind it stays the same for the process's life."""

at_fork(after_in_child=shared_ids.reseed)
