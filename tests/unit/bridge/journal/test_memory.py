"""The journal in memory: what one claim costs those who append meanwhile."""

from __future__ import annotations

import tracemalloc

from tracebridge.journal.accounts import Accounts
from tracebridge.journal.memory import MemoryJournal

MANY = 100_000
A_CLAIM = 512


def test_a_claim_takes_no_more_of_a_segment_than_it_hands_out():
    """Callers wait for the lock that it holds, so a long backlog must not make it longer."""
    journal = MemoryJournal(Accounts(), max_bytes=2**30)
    for _ in range(MANY):
        journal.append(b"a record")
    tracemalloc.start()
    [run] = journal.read(10, A_CLAIM, 2**20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(run.records) == A_CLAIM
    assert peak < 8 * MANY / 10  # bytes; a pointer to each record that waits would take 8 × MANY
