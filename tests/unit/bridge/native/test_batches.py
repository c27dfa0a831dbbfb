"""Encoding in the native module beside everything else that a process does at the same time."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType

import pytest

from tracebridge import native
from tracebridge.journal.base import encode_record
from tracebridge.native import functions
from tracebridge.records.encoded import EncodedRecords
from tracebridge.records.record import Resource
from tracebridge_adapters import encoders

pytestmark = pytest.mark.skipif(functions is None, reason=f"the native module is {native.state}")

ATTRIBUTES = {"http.route": "/orders/{id}", "n": 7, "ok": True, "score": 1 / 3, "list": ["a", None]}
DATA = tuple(
    encode_record([b"t" * 16, n.to_bytes(8, "big"), None, "span", 10**18, 10**18 + n, 1, 1, ATTRIBUTES])
    for n in range(1, 200)
)
RECORDS = EncodedRecords(DATA, Resource({"service.name": "shop"}))
ENCODE = encoders.zipkin_json("openinference", "tracebridge.trace_id")
EXPECTED = ENCODE(list(RECORDS))


def test_other_threads_run_meanwhile() -> None:
    """A long batch is worked through without the interpreter's lock."""
    ticks = []
    stop = threading.Event()

    def tick() -> None:
        while not stop.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    many = DATA * 10_000
    begun = time.monotonic()
    assert functions.sources(many) == ()
    ended = time.monotonic()
    stop.set()
    thread.join()
    assert len([at for at in ticks if begun < at < ended]) > 5


def test_many_threads_encode_at_once() -> None:
    """Nothing is shared between two calls."""
    bodies: list[bytes] = []

    def encode() -> None:
        bodies.extend([ENCODE(RECORDS) for _ in range(10)])

    threads = [threading.Thread(target=encode) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [EXPECTED] * 80


def test_a_signal_handler_may_encode_in_the_middle_of_it() -> None:
    """Whatever the handler interrupts goes on as if there had been none."""
    inside: list[bytes] = []

    def handler(_number: int, _frame: FrameType | None) -> None:
        inside.append(ENCODE(RECORDS))

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.002)
    try:
        outside = []
        while len(inside) < 5:
            outside.append(ENCODE(RECORDS))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert {*inside, *outside} == {EXPECTED}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from 3.12 on: forking with threads
def test_a_fork_in_the_middle_of_it_leaves_a_child_that_can_encode() -> None:
    """No lock of the native module's is left behind, because it has none."""
    stop = threading.Event()

    def encode() -> None:
        while not stop.is_set():
            functions.sources(DATA * 100)

    thread = threading.Thread(target=encode)
    thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(ENCODE(RECORDS) != EXPECTED)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        thread.join()


def test_what_was_given_is_let_go() -> None:
    """A batch, its records and its answer are freed with the last reference."""
    data = tuple(bytes(bytearray(each)) for each in DATA)
    counts = [sys.getrefcount(data[0])]
    for _ in range(100):
        functions.sources(list(data))
        ENCODE(EncodedRecords(data, RECORDS.resource))
    counts.append(sys.getrefcount(data[0]))
    assert counts[0] == counts[1]
