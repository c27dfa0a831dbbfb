"""The way through an HTTP proxy: the tunnel that it opens (CONNECT; RFC 9110, 9.3.6), and what it means that it does not."""

from __future__ import annotations

import re
import socket

from tracebridge.doctor.findings import Trouble
from tracebridge.plugins.proxies import HttpProxy

MAX_HEAD = 16_384  # bytes of a proxy's answer
_ADVICE = "check proxy: its host and port as this machine sees them"
_STATUS = re.compile(rb"HTTP/1\.\d (\d{3})")


class TunnelRefusedError(OSError):
    """The proxy answered, and opened no tunnel."""

    def __init__(self, status: int) -> None:
        super().__init__(f"it answered {status} to CONNECT")
        self.status = status


def authorization_line(proxy: HttpProxy) -> bytes:
    """Return the header line with a proxy's credentials; empty without any."""
    given = proxy.authorization
    return b"" if given is None else f"Proxy-Authorization: {given.reveal()}\r\n".encode()


def open_tunnel(connection: socket.socket, proxy: HttpProxy, target: str) -> None:
    """Have a proxy, to which `connection` leads, connect it to `host:port`. Raises TunnelRefusedError, or OSError when it speaks no HTTP."""
    place = target.encode("idna")
    connection.sendall(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (place, place, authorization_line(proxy)))
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):  # what follows is the server's
        head += byte
        if len(head) > MAX_HEAD or not head.startswith(b"HTTP/1."[: len(head)]):
            break
    status = _STATUS.match(head)
    if status is None:
        raise ConnectionError("it does not answer as an HTTP proxy")
    if not status[1].startswith(b"2"):
        raise TunnelRefusedError(int(status[1]))


def off_the_way(trouble: Trouble, proxy: HttpProxy) -> Trouble:
    """Return what keeps us from a proxy itself."""
    return Trouble("proxy-unreachable", f"the way leads through the proxy {proxy}: {trouble.message}", _ADVICE)


def tunnel_trouble(error: OSError, proxy: HttpProxy, target: str) -> Trouble:
    """Return why a proxy opened no tunnel."""
    if isinstance(error, TunnelRefusedError):
        return refusal(error.status, f"the proxy {proxy} opens no tunnel to {target}: {error}", proxy)
    said = "no answer" if isinstance(error, TimeoutError) else error.strerror or error
    message = f"{proxy} takes connections but is not an HTTP proxy: {said}"
    return Trouble("proxy-unreachable", message, "check proxy: is this the port of an HTTP proxy?")


def refusal(status: int, said: str, proxy: HttpProxy) -> Trouble:
    """Return what the status of a proxy's answer means."""
    if status == 407:
        if proxy.authorization is None:
            advice = 'it wants credentials; write them into the address: proxy: "http://USER:${env:PROXY_PASSWORD}@host:port"'
        else:
            advice = "it does not accept the user and password of its address; are they right, whole and still valid? (%40 for an @ in them)"
        return Trouble("proxy-credentials", said, advice)
    if status in {502, 503, 504}:
        advice = "the proxy does not get to the server: check the endpoint as the proxy sees it; localhost is the proxy's own machine there"
        return Trouble("proxy-target", said, advice)
    advice = "proxies let programs through to some hosts and ports only (often 443); its owner can tell"
    return Trouble("proxy-denied", said, advice)
