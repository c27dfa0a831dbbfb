"""Random span and trace IDs that user code cannot disturb.

A private generator seeded from the operating system: `random.seed()` in an application never repeats IDs, and it
costs a tenth of `secrets`. Forked children are seeded anew.
"""

from __future__ import annotations

import os
import random

_SEED_BITS = 256


class RandomIds:
    """Makes IDs that are never zero. Safe from any number of threads: `getrandbits` is one step."""

    def __init__(self) -> None:
        self._random = random.Random(random.SystemRandom().getrandbits(_SEED_BITS))  # noqa: S311 - IDs are no secrets
        self.bits = self._random.getrandbits
        """`bits(n)`: n random bits, for the hot path."""

    def reseed(self) -> None:
        """Start over from the operating system's entropy."""
        self._random.seed(random.SystemRandom().getrandbits(_SEED_BITS))

    def trace_id(self) -> bytes:
        """Return 16 bytes."""
        return (self.bits(128) or 1).to_bytes(16, "big")


shared_ids = RandomIds()
"""The generator of this process; every client takes its IDs here so that a fork reseeds one thing."""

random_bits = shared_ids.bits
"""Random bits from `shared_ids`; the generator is reseeded in place, so this stays valid in a child."""

os.register_at_fork(after_in_child=shared_ids.reseed)
