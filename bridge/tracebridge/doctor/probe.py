"""The way to a server, step by step with the system's own calls: name, connection, TLS, and what is spoken at the other end.

An adapter says that it could not send; this says how far one gets. Nothing of the configuration but the address, the TLS files and the
proxy is used, so that no credential is sent but the proxy's own, to the proxy.
"""

from __future__ import annotations

import contextlib
import email.utils
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from tracebridge.doctor.findings import Step, Trouble
from tracebridge.doctor.tunnel import authorization_line, off_the_way, open_tunnel, tunnel_trouble
from tracebridge.plugins.options import TlsOptions
from tracebridge.plugins.proxies import HttpProxy

ALERT_WAIT_S = 0.25
DEFAULT_PORTS = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379, "postgresql": 5432, "postgres": 5432}
_DATE = re.compile(rb"^date:\s*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_SELF_SIGNED, _OUT_OF_DATE, _WRONG_NAME = {18, 19, 20, 21, 2, 27}, {9, 10}, {62, 63, 64}  # X509_V_ERR_* of OpenSSL
_CLIENT_CERTIFICATE = (
    "CERTIFICATE_REQUIRED",
    "ALERT_HANDSHAKE_FAILURE",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNKNOWN_CA",
    "ALERT_CERTIFICATE",
)
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "PACKET_LENGTH_TOO_LONG",
)
_CHECK_TLS = "check tls (does the server want a client certificate?) and the server's own settings"
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"  # and empty SETTINGS (RFC 9113, 3.4)

Spoken = Literal["http", "http2", "tls", "nothing"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a destination is."""

    scheme: str
    """`http`, `https`, `udp`, or empty for any other protocol over TCP."""
    host: str
    port: int
    proxy: HttpProxy | None = field(default=None, repr=False)
    """What leads there."""
    forwarded: bool = field(default=False, repr=False)
    """Whether requests are handed to the proxy instead of going through a tunnel that it opens."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PortAnswer:
    """What a server answered to a question without credentials."""

    spoken: Spoken
    ahead_s: float | None = None
    """By how many seconds its clock is ahead of ours, at least; None when it did not say."""
    trouble: Trouble | None = None
    """Why TLS ended after its handshake."""


def address_of(url: str) -> Address | None:
    """Return the address of a URL; None when it has none.

    >>> address_of("https://me:x@host/path"), address_of("udp://h:6831")
    (Address(scheme='https', host='host', port=443), Address(scheme='udp', host='h', port=6831))
    """
    parts = urlsplit(url if "://" in url else f"//{url}")
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    return Address(parts.scheme, parts.hostname, port) if parts.hostname and port else None


def reach(address: Address, tls: TlsOptions | None, timeout_s: float, steps: list[Step]) -> Trouble | None:
    """Resolve, connect and shake hands, noting each step that worked; return why the next one did not."""
    started = time.perf_counter()
    first = address.proxy or address
    try:
        found = socket.getaddrinfo(first.host, first.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "not a host name"
        message = f"the name {first.host} cannot be resolved: {reason}"
        advice = "check the host in the endpoint; in a container use the service's name there"
        return _on_the_way(address, Trouble("name-resolution", message, advice))
    steps.append(_step("resolve", str(found[0][4][0]), started))
    if address.scheme == "udp":
        return None
    started = time.perf_counter()
    try:
        connection = socket.create_connection((first.host, first.port), timeout_s)
    except ConnectionRefusedError:
        advice = "is the server started, and is this its port? (OTLP: 4318 HTTP, 4317 gRPC; Zipkin: 9411; MLflow: 5000); in a container localhost is the container itself"
        return _on_the_way(address, Trouble("refused", f"nothing listens at {first}", advice))
    except OSError as error:
        message = (
            f"{first} cannot be reached: {'no answer' if isinstance(error, TimeoutError) else error.strerror or error}"
        )
        advice = "check the address, the network and any firewall in between"
        return _on_the_way(address, Trouble("unreachable", message, advice))
    steps.append(_step("connect", str(first) if address.proxy is None else f"the proxy {first}", started))
    started = time.perf_counter()
    with connection:
        if address.proxy is not None and not address.forwarded:
            try:
                open_tunnel(connection, address.proxy, str(address))
            except OSError as error:
                return tunnel_trouble(error, address.proxy, str(address))
            steps.append(_step("tunnel", str(address), started))
            started = time.perf_counter()
        if address.scheme != "https":
            return None
        try:
            with _context(tls, "h2", "http/1.1").wrap_socket(connection, server_hostname=address.host) as secured:
                steps.append(_step("tls", secured.version() or "", started))
        except OSError as error:
            return tls_trouble(error, address)
    return None


def listen(address: Address, tls: TlsOptions | None, timeout_s: float) -> PortAnswer:
    """Ask without any credential what kind of server answers: as HTTP/1.1, then as HTTP/2 over TLS, or TLS where none is meant."""
    heard, in_time = _ask(address, tls, timeout_s)
    if heard.spoken != "nothing":
        return heard
    if address.scheme == "https":
        return _offer_http2(address, tls, timeout_s) or heard
    if address.scheme == "http" and not address.forwarded and in_time and _shakes_hands(address, timeout_s):
        return PortAnswer("tls")
    return heard


def takes_zipkin(address: Address, tls: TlsOptions | None, timeout_s: float = 5.0) -> bool:
    """Return whether a port takes a list of no Zipkin spans, and does not take everything."""
    answers = []
    for body in (b"[]", b"no spans"):
        headers = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        try:
            with _connected(address, tls, timeout_s, "http/1.1") as connection:
                connection.sendall(_request(address, "POST /api/v2/spans", headers) + body)
                answers.append(connection.recv(12)[9:12])
        except (OSError, UnicodeError):
            return False
    return answers[0] == b"202" != answers[1]


def _request(address: Address, line: str, headers: bytes = b"") -> bytes:
    """Return the head of a request that is the only one on its connection: `line` is its method and path."""
    place = str(address).encode("idna")
    method, _, path = line.encode().partition(b" ")
    if address.forwarded and address.proxy is not None:  # a proxy wants the whole address (RFC 9112, 3.2.2)
        path = b"http://" + place + path
        headers += authorization_line(address.proxy)
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%bConnection: close\r\n\r\n" % (method, path, place, headers)


def _ask(address: Address, tls: TlsOptions | None, timeout_s: float) -> tuple[PortAnswer, bool]:
    """Ask `GET /`; return what was heard, and whether the server said or ended something in time."""
    head = b""
    trouble: Trouble | None = None
    in_time = True
    began = time.time()
    try:
        with _connected(address, tls, timeout_s, "http/1.1") as connection:
            if address.scheme == "https":
                _wait_for_an_alert(connection, timeout_s)
            connection.sendall(_request(address, "GET /"))
            while b"\r\n\r\n" not in head and len(head) < 16_384 and (part := connection.recv(4096)):
                head += part
                if not head.startswith(b"HTTP/"[: len(head)]):
                    break
    except (OSError, UnicodeError) as error:
        in_time = not isinstance(error, TimeoutError)
        if isinstance(error, ssl.SSLError):
            trouble = tls_trouble(error, address)
    return PortAnswer(_spoken(head), _ahead_s(head, began, time.time()), trouble), in_time


def _offer_http2(address: Address, tls: TlsOptions | None, timeout_s: float) -> PortAnswer | None:
    """Offer only HTTP/2, without which a gRPC server ends the connection; None when the server does not take it."""
    taken = False
    try:
        with _connected(address, tls, timeout_s, "h2") as connection:
            taken = isinstance(connection, ssl.SSLSocket) and connection.selected_alpn_protocol() == "h2"
            if not taken:
                return None
            connection.sendall(_HTTP2_PREFACE)
            if connection.recv(9):
                return PortAnswer("http2")
    except TimeoutError:
        return PortAnswer("http2") if taken else None
    except OSError as error:
        if not taken:
            return None
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            return PortAnswer("nothing", trouble=tls_trouble(error, address))
    message = f"{address} ended the connection right after the TLS handshake"
    return PortAnswer("nothing", trouble=Trouble("tls-failed", message, _CHECK_TLS))


def _shakes_hands(address: Address, timeout_s: float) -> bool:
    """Return whether a port for which no TLS is configured speaks it; any certificate will do."""
    try:
        with _way(address, timeout_s) as connection:
            context = _context(TlsOptions(insecure_skip_verify=True), "h2", "http/1.1")
            context.wrap_socket(connection, server_hostname=address.host).close()
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # it wants something else of us, and says so in TLS
    except (OSError, UnicodeError):
        return False
    return True


def _wait_for_an_alert(connection: socket.socket, timeout_s: float) -> None:
    """Give a TLS 1.3 server time to refuse us: it judges the client's certificate after the client's handshake is over."""
    connection.settimeout(min(ALERT_WAIT_S, timeout_s))
    with contextlib.suppress(TimeoutError):
        connection.recv(1)
    connection.settimeout(timeout_s)


def _spoken(head: bytes) -> Spoken:
    """Tell a protocol by its first bytes: HTTP/1, an HTTP/2 SETTINGS frame (RFC 9113, 6.5), a TLS alert, or a server's word about TLS."""
    if head.startswith(b"HTTP/1"):
        plain = head.partition(b"\r\n")[0]
        return "tls" if b" 400" in plain and (b"HTTPS" in head or b"TLS" in head) else "http"
    if len(head) >= 9 and head[3] == 4 and head[5:9] == bytes(4):
        return "http2"
    return "tls" if head[:2] == b"\x15\x03" else "nothing"


def _ahead_s(head: bytes, asked_s: float, heard_s: float) -> float | None:
    """Return by how much the server's date misses the time between question and answer, which may be long.

    Servers make the date in quiet moments: where an answer takes long, its date may be as old as that again.
    """
    found = _DATE.search(head)
    if found is None:
        return None
    try:
        told = email.utils.parsedate_to_datetime(found[1].decode("ascii", "replace").strip()).timestamp()
    except (TypeError, ValueError):
        return None
    return max(0.0, told - heard_s) + min(0.0, told + 1 - asked_s + (heard_s - asked_s))  # a date is cut to the second


def _way(address: Address, timeout_s: float) -> socket.socket:
    """Return a connection to a server, or to the proxy that takes its requests."""
    first = address.proxy or address
    connection = socket.create_connection((first.host, first.port), timeout_s)
    try:
        if address.proxy is not None and not address.forwarded:
            open_tunnel(connection, address.proxy, str(address))
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _connected(address: Address, tls: TlsOptions | None, timeout_s: float, protocol: str) -> Iterator[socket.socket]:
    with _way(address, timeout_s) as connection:
        if address.scheme != "https":
            yield connection
            return
        with _context(tls, protocol).wrap_socket(connection, server_hostname=address.host) as secured:
            yield secured


def _context(tls: TlsOptions | None, *protocols: str) -> ssl.SSLContext:
    """Return what the adapter uses too, offering these protocols (ALPN, RFC 7301).

    Raises OSError for a file that cannot be read, SSLError for one that is not a certificate.
    """
    context = ssl.create_default_context(cafile=_expanded(tls.ca_file) if tls else None)
    context.set_alpn_protocols(list(protocols))
    if tls is not None and tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls is not None and tls.cert_file:
        context.load_cert_chain(str(_expanded(tls.cert_file)), _expanded(tls.key_file))
    return context


def _expanded(path: str | None) -> str | None:
    return None if path is None else str(Path(path).expanduser())


def tls_trouble(error: OSError, address: Address) -> Trouble:
    """Return what a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        message = f"the certificate of {address} is not accepted: {error.verify_message}"
        if error.verify_code in _OUT_OF_DATE:
            return Trouble(
                "tls-out-of-date", message, "renew the server's certificate; or is the clock of this machine wrong?"
            )
        if error.verify_code in _WRONG_NAME:
            return Trouble(
                "tls-wrong-name",
                message,
                "use the name that the certificate is made out to as the host of the endpoint",
            )
        if error.verify_code in _SELF_SIGNED:
            return Trouble("tls-untrusted", message, "name the authority that signed it: tls: {ca_file: ./ca.pem}")
        return Trouble("tls-failed", message, "check the server's certificate")
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        if any(mark in reason for mark in _NOT_TLS):
            return Trouble(
                "tls-not-spoken",
                f"{address} does not speak TLS",
                "write http:// instead of https://, or use the server's TLS port",
            )
        if any(mark in reason for mark in _CLIENT_CERTIFICATE):
            message = f"{address} does not accept the connection without a client certificate that it trusts"
            return Trouble(
                "client-certificate", message, "name one: tls: {cert_file: ./client.pem, key_file: ./client.key}"
            )
        message = f"TLS with {address} failed: {reason.replace('_', ' ').lower() or error}"
        return Trouble(
            "tls-failed",
            message,
            _CHECK_TLS,
        )
    if isinstance(error, TimeoutError):
        message = f"{address} takes connections and does not answer the TLS handshake"
        return Trouble("no-answer", message, "is this its TLS port? http:// is for a port without TLS")
    if isinstance(error, ConnectionError):
        message = f"{address} ended the connection during the TLS handshake"
        return Trouble("tls-not-spoken", message, "is this its TLS port? http:// is for a port without TLS")
    return Trouble(
        "tls-failed", f"the TLS files cannot be used: {error.strerror or error}", "check the paths under tls"
    )


def _on_the_way(address: Address, trouble: Trouble) -> Trouble:
    return trouble if address.proxy is None else off_the_way(trouble, address.proxy)


def _step(name: Literal["resolve", "connect", "tunnel", "tls"], detail: str, started: float) -> Step:
    return Step(name, detail, (time.perf_counter() - started) * 1000)
