"""The time of a whole answer is bounded, whatever part of it a server sends slowly."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tracebridge.errors import Misconfigured, Retryable
from tracebridge.plugins.options import TlsOptions
from tracebridge_adapters.options import Access
from tracebridge_adapters.wires.http import HttpWire

Talk = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Talk], str]]:
    """Listen on loopback and let a test talk to each connection; returns the address."""
    listeners = []

    def start(talk: Talk) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=run, args=(connection,), daemon=True).start()

        def run(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                talk(connection)

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        listener.close()


def wire(url: str, timeout_s: float = 0.3) -> HttpWire:
    """A wire without compression."""
    return HttpWire(
        url, Access({}, timeout_s, TlsOptions(), None), compression="none", content_type="x/y", on_500="reject"
    )


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
    ],
    ids=["status line", "a header", "headers", "informational answers", "body", "chunks", "a chunk's head"],
)
def test_a_slow_answer_is_left_at_the_timeout(serve, first, drip):
    """A byte now and then holds nobody beyond the timeout."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(first)
        while True:
            connection.sendall(drip)
            time.sleep(0.03)

    one = wire(serve(talk))
    started = time.monotonic()
    with pytest.raises(Retryable, match="took longer than"):
        one.post(b"body")
    assert time.monotonic() - started < 30
    one.close()


def read_request(connection: socket.socket) -> None:
    """Read one whole request; its body may come in a packet of its own."""

    def more() -> bytes:
        data = connection.recv(65_536)
        if not data:
            raise ConnectionResetError("the client has closed it")
        return data

    head = b""
    while b"\r\n\r\n" not in head:
        head += more()
    head, _, body = head.partition(b"\r\n\r\n")
    (length,) = re.findall(rb"(?im)^content-length: *(\d+)", head)
    while len(body) < int(length):
        body += more()


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 199 Whatever\r\nA: b\r\n\r\n",
    ],
    ids=["102", "103", "several"],
)
def test_interim_answers_are_passed_over(serve, interim):
    """The answer is the one after them, and the next request of the connection gets its own."""
    connections = []

    def talk(connection: socket.socket) -> None:
        connections.append(connection)
        for body in (b"one", b"two"):
            read_request(connection)
            connection.sendall(interim + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + body)
        connection.recv(65_536)

    one = wire(serve(talk), timeout_s=30)
    assert [(answer.status, answer.body) for answer in (one.post(b"1"), one.post(b"2"))] == [
        (200, b"one"),
        (200, b"two"),
    ]
    assert len(connections) == 1
    one.close()


def test_a_switch_of_protocols_is_no_fault_of_the_spans(serve):
    """Nobody asked for it: a person has to look, and nothing more is read from that connection."""
    connections = []

    def talk(connection: socket.socket) -> None:
        connections.append(connection)
        while connection.recv(65_536):
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            )

    one = wire(serve(talk), timeout_s=30)
    for _ in range(2):
        with pytest.raises(Misconfigured, match=r"answered 101 Switching Protocols, .*; is this the right port"):
            one.post(b"1")
    assert len(connections) == 2
    one.close()


def test_each_answer_of_a_kept_connection_has_its_own_time(serve):
    """Three answers that take a third of the timeout each, and more than it together, come over one connection."""
    connections = []

    def talk(connection: socket.socket) -> None:
        connections.append(connection)
        while connection.recv(65_536):
            time.sleep(1.4)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    one = wire(serve(talk), timeout_s=4.0)
    assert [one.post(b"body").body for _ in range(3)] == [b"ok"] * 3
    assert len(connections) == 1
    one.close()
