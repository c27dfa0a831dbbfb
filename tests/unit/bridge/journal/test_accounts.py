"""The lock under which spans change columns, when several threads want it."""

from __future__ import annotations

import threading

import pytest

from tracebridge.journal import accounts as module
from tracebridge.journal.accounts import Accounts


@pytest.mark.parametrize(
    "naps", [1_000_000, 0], ids=["while the holder is a call that was interrupted", "while it works for long"]
)
def test_a_thread_waits_for_its_turn(monkeypatch, naps):
    """Whoever did not get the lock has it once its holder lets go, and its owner is then the one who waited."""
    monkeypatch.setattr(module, "NAPS", naps)
    accounts = Accounts()
    waiting, seen = threading.Event(), []

    def wait() -> None:
        seen.append(accounts.acquire(blocking=False))
        waiting.set()
        accounts.wait_turn()
        seen.append(accounts.is_inside())
        accounts.release()

    accounts.acquire()
    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(60)
    assert seen == [False]  # nothing more while it is held
    accounts.release()
    thread.join(60)
    assert seen == [False, True]
    assert accounts.acquire(blocking=False)  # it was given back


def test_a_call_of_ours_waits_for_its_turn(client):
    """A span that is started and ended while another thread holds the lock is there once that lets go."""
    root = client.start_trace("r")
    with client._accounts.mutex:
        threads = [threading.Thread(target=call) for call in (lambda: client.start_trace("other"), root.end)]
        for thread in threads:
            thread.start()
            thread.join(0.05)
        assert client.stats().started == 1
    for thread in threads:
        thread.join(60)
    assert (client.stats().started, client.stats().open) == (2, 1)
