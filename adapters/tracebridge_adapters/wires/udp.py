"""Bytes over UDP: one datagram each, which is never acknowledged.

The only answer that exists is a refusal: an ICMP "port unreachable" reaches a connected socket as ECONNREFUSED. On loopback it is there
before `send` returns, so that an agent that is down is seen with the very datagram; over a network it comes later, to the datagram after.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - what resolving a name imports; see `Adapter` for why it is imported here
import errno
import socket
import threading
import time
from urllib.parse import urlsplit

from tracebridge.errors import DeliveryError, Retryable, TooLarge

RESOLVE_EVERY_S = 30.0  # agents move, and a datagram to an address that is no longer in use fails without a sound
BUFFER = 65_536  # bytes that the socket must be able to send at once; some systems allow 9,216 unless asked


class UdpWire:
    """Sends datagrams to the first address of a host that does not refuse them. Safe from several threads.

    The host is resolved with the first datagram, and anew after every failure and every 30 s. Building does no network.
    """

    def __init__(self, url: str, *, default_port: int, timeout_s: float) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "localhost", parts.port or default_port
        self.shown_url = f"udp://{self._host}:{self._port}"
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._fresh_until = 0.0

    def post(self, data: bytes) -> None:
        """Send one datagram. Raises TooLarge when the system does not take so many bytes, Retryable for every other failure."""
        with self._lock:
            if self._socket is not None and time.monotonic() < self._fresh_until:
                try:
                    _send(self._socket, data)
                except OSError as error:
                    self._drop()
                    raise self._translated(error, len(data)) from error
                return
            self._drop()
            self._send_to_any(data)

    def _send_to_any(self, data: bytes) -> None:
        """Resolve the host and send to its first address that takes the datagram; keep that one."""
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise Retryable(f"{self.shown_url}: the host is not known: {error}") from error
        refused: OSError = OSError(errno.EADDRNOTAVAIL, "the host has no address")
        for family, kind, protocol, _, address in found:
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError as error:  # a system without IPv6
                refused = error
                continue
            try:
                sock.settimeout(self._timeout_s)
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < BUFFER:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
                sock.connect(address)
                _send(sock, data)
            except OSError as error:
                sock.close()
                refused = error
                if error.errno == errno.EMSGSIZE:
                    break
                continue
            self._socket, self._fresh_until = sock, time.monotonic() + RESOLVE_EVERY_S
            return
        raise self._translated(refused, len(data)) from refused

    def _translated(self, error: OSError, size: int) -> DeliveryError:
        if error.errno == errno.EMSGSIZE:
            return TooLarge(f"{self.shown_url}: a datagram of {size} bytes is more than this system or network takes")
        if error.errno == errno.ECONNREFUSED:
            return Retryable(f"{self.shown_url}: refused; is the agent running there?")
        return Retryable(f"{self.shown_url}: {error.strerror or error}")

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def close(self) -> None:
        """Close the socket."""
        with self._lock:
            self._drop()


def _send(sock: socket.socket, data: bytes) -> None:
    sock.send(data)
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # what came back at once; reading it clears it
    if code:
        raise OSError(code, errno.errorcode.get(code, str(code)))


def local_ip() -> str | None:
    """Return the address that this machine would send from, or None when it has no network. Nothing is sent for it.

    Connecting a UDP socket only asks the routing table; the address asked for is one that documentation reserves (RFC 5737).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
            address: str = sock.getsockname()[0]
        except OSError:
            return None
        return address
