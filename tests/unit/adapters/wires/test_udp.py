"""The UDP wire against real sockets: one datagram each, refusals seen, addresses tried and asked for anew."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tracebridge.errors import Retryable, TooLarge
from tracebridge_adapters.wires import udp
from tracebridge_adapters.wires.udp import UdpWire, local_ip


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    """A bound UDP socket on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def port_of(sock: socket.socket) -> int:
    """The port a socket is bound to."""
    port: int = sock.getsockname()[1]
    return port


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return port_of(sock)


def wire_to(port: int, host: str = "127.0.0.1") -> UdpWire:
    """A wire to a port on this machine."""
    return UdpWire(f"udp://{host}:{port}", default_port=6831, timeout_s=1.0)


def test_every_body_is_one_datagram(receiver):
    """Nothing is split, joined or changed, up to what an agent reads."""
    wire = wire_to(port_of(receiver))
    for body in (b"one", b"", b"x" * 65_000):
        wire.post(body)
        assert receiver.recv(70_000) == body
    wire.close()


def test_an_agent_that_is_down_on_this_machine_is_seen_with_the_first_datagram():
    """Loopback brings the ICMP answer before send returns, so that not even one batch is lost."""
    wire = wire_to(free_port())
    with pytest.raises(Retryable, match=r"udp://127\.0\.0\.1:\d+: refused; is the agent running there\?"):
        wire.post(b"spans")
    wire.close()


def test_an_agent_that_comes_back_is_found_again():
    """After a refusal the next datagram goes out on a new socket."""
    port = free_port()
    wire = wire_to(port)
    with pytest.raises(Retryable):
        wire.post(b"lost")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", port))
        receiver.settimeout(5)
        wire.post(b"arrived")
        assert receiver.recv(100) == b"arrived"
        wire.post(b"again")
        assert receiver.recv(100) == b"again"
    with pytest.raises(Retryable, match="refused"):
        wire.post(b"gone")
    wire.close()


def test_an_address_that_refuses_is_passed_over_for_the_next(receiver, monkeypatch):
    """`localhost` is often IPv6 first, where an old agent does not listen."""
    good = (socket.AF_INET, socket.SOCK_DGRAM, 0, "", ("127.0.0.1", port_of(receiver)))
    bad = (socket.AF_INET, socket.SOCK_DGRAM, 0, "", ("127.0.0.1", free_port()))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: [bad, good])
    wire = wire_to(1, host="agent.example")
    wire.post(b"spans")
    assert receiver.recv(100) == b"spans"
    wire.close()


def test_the_host_is_asked_for_anew_now_and_then(receiver, monkeypatch):
    """An agent that moved is found within 30 s, although nothing ever failed."""
    asked = []
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: asked.append(args) or resolve(*args, **options))
    wire = wire_to(port_of(receiver))
    wire.post(b"1")
    wire.post(b"2")
    monkeypatch.setattr(udp, "RESOLVE_EVERY_S", 0.0)
    wire._fresh_until = 0.0
    wire.post(b"3")
    assert (len(asked), [receiver.recv(9) for _ in range(3)]) == (2, [b"1", b"2", b"3"])
    wire.close()


def test_a_datagram_that_the_system_does_not_take_is_too_large(receiver):
    """70,000 bytes fit no datagram; delivery splits them."""
    wire = wire_to(port_of(receiver))
    for _ in range(2):
        with pytest.raises(TooLarge, match="a datagram of 70000 bytes"):
            wire.post(b"x" * 70_000)
    wire.close()


def test_a_host_that_nobody_knows_is_waited_for():
    """A name may be known later: the spans wait, the message names the host."""
    wire = wire_to(6831, host="no-such-host.invalid")
    with pytest.raises(Retryable, match=r"no-such-host\.invalid:6831: the host is not known"):
        wire.post(b"spans")
    wire.close()


def test_the_default_port_is_used_when_the_address_has_none():
    """`udp://host` is the agent's usual port."""
    assert UdpWire("udp://host", default_port=6832, timeout_s=1).shown_url == "udp://host:6832"


def test_this_machines_address_is_known_or_left_out():
    """It is an address of one of its own interfaces."""
    ip = local_ip()
    if ip is not None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((ip, 0))
