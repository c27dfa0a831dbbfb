"""Bytes over gRPC: one unary call, its status judged by the OTLP specification's retry rules."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from tracebridge.errors import ConfigError, DeliveryError, Misconfigured, Rejected, Retryable, TooLarge
from tracebridge.masking.foreign import clean
from tracebridge.plugins.options import Secret, TlsOptions
from tracebridge.plugins.proxies import proxy_to
from tracebridge.process.forks import no_fork
from tracebridge.process.suppression import not_traced
from tracebridge.version import VERSION
from tracebridge_adapters.options import Access
from tracebridge_adapters.wires.credentials import MAX_QUOTED, secrets_of, with_authorization
from tracebridge_adapters.wires.refusals import refused_tunnel

RETRYABLE = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
MISCONFIGURED = {"UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "NOT_FOUND"}
NAME = re.compile(r"[0-9a-z_.-]+")
TLS_WORDS = (
    "SSL_ERROR",
    "Ssl handshake",
    "CERTIFICATE_VERIFY",
    "TSI_PROTOCOL_FAILURE",
    "Peer name",
    "Verification Check",
)
ANSWERED_AS_HTTP = ("Received http2 header with status", "Stream removed")  # where gRPC has trailers
REFUSED_TUNNEL = re.compile(r"HTTP proxy returned response code (\d{3})")
NOT_GRPC = ("Failed parsing HTTP/2", "http1.x server")
MAX_RECONNECT_MS = 5_000  # gRPC's own 120,000 would keep a server that is back waiting for two minutes
DEFAULT_PORTS = {"http": 80, "https": 443}  # gRPC's own is 443 for both
FORK_WAIT_S = 0.5  # how long a fork waits for a call: gRPC does not work in a child that is forked in the middle of one


class GrpcWire:
    """Calls one method of one server. The channel is opened with the first call.

    Raises ConfigError when grpcio is not installed.
    """

    def __init__(
        self,
        endpoint: str,
        method: str,
        access: Access,
        *,
        compression: Literal["gzip", "none"],
    ) -> None:
        try:
            import grpc
            from google.rpc import error_details_pb2, status_pb2  # noqa: F401 - what judging an error imports, see `Adapter`
        except ImportError as error:
            raise ConfigError(
                f"the otlp_grpc adapter needs grpcio ({error}): pip install 'tracebridge[grpc]'"
            ) from error
        with contextlib.suppress(ImportError):
            import grpc._channel  # what opening a channel imports, likewise
        self._grpc = grpc
        self._user_agent = f"tracebridge/{VERSION}"
        parts = urlsplit(endpoint)
        self._proxy = proxy_to(endpoint, access.proxy)
        self._host = parts.hostname or ""
        self._secure = parts.scheme == "https"
        address = parts.netloc.rpartition("@")[2]
        self._target = address if parts.port else f"{address.rstrip(':')}:{DEFAULT_PORTS[parts.scheme]}"
        self.shown_url = f"{parts.scheme}://{self._target}"
        self._method = method
        self._timeout_s = access.timeout_s
        sent = with_authorization(access.headers, endpoint)
        self._secrets = secrets_of(sent, endpoint, self._proxy)
        self._metadata = [
            (key.lower(), value.reveal() if isinstance(value, Secret) else value) for key, value in sent.items()
        ]
        self._compression = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
        self._tls = access.tls
        self._lock = threading.Lock()
        self._channel: Any = None
        self._call: Any = None

    def call(self, body: bytes) -> bytes:
        """Send one message and return the answer's bytes.

        Raises Retryable, Rejected, TooLarge or Misconfigured; blocks at most `timeout_s`.
        """
        try:
            with not_traced(), no_fork(FORK_WAIT_S):
                call = self._open()
                answer: bytes = call(
                    body, timeout=self._timeout_s, metadata=self._metadata, compression=self._compression
                )
        except self._grpc.RpcError as error:
            wrong = self._judged(error)
            wrong.status = error.code().name
            raise wrong from error
        except ValueError as error:  # the channel was closed meanwhile
            raise Retryable(f"{self.shown_url}: {error}") from error
        return answer

    def _open(self) -> Any:
        with self._lock:
            if self._call is None:
                options = [
                    ("grpc.primary_user_agent", self._user_agent),
                    ("grpc.max_reconnect_backoff_ms", MAX_RECONNECT_MS),
                    (
                        "grpc.use_local_subchannel_pool",
                        1,
                    ),  # else a connection outlives its adapter, and may go through another one's proxy
                    ("grpc.enable_http_proxy", 0),  # as over HTTP: spans go where the configuration says
                    *self._tunnel(),
                ]
                first = self._target if self._proxy is None else str(self._proxy)
                if self._secure:
                    self._channel = self._grpc.secure_channel(first, self._credentials(), options)
                else:
                    self._channel = self._grpc.insecure_channel(first, options)
                self._call = self._channel.unary_unary(self._method)
            return self._call

    def _tunnel(self) -> list[tuple[str, str]]:
        """Return what leads a channel to a proxy through it to the server.

        gRPC's own `grpc.http_proxy` does the same, but lets the environment's NO_PROXY overrule it, and is younger than the oldest grpcio that we take.
        """
        if self._proxy is None:
            return []
        asked = [
            ("grpc.http_connect_server", self._target),
            ("grpc.default_authority", self._target),
            ("grpc.ssl_target_name_override", self._host),  # whose certificate it is: not the proxy's
        ]
        if self._proxy.authorization is not None:
            asked.append(("grpc.http_connect_headers", f"Proxy-Authorization:{self._proxy.authorization.reveal()}"))
        return asked

    def _credentials(self) -> Any:
        try:
            parts = [
                Path(name).expanduser().read_bytes() if name else None
                for name in (self._tls.ca_file, self._tls.key_file, self._tls.cert_file)
            ]
        except OSError as error:
            raise Misconfigured(f"{self.shown_url}: {error.filename}: {error.strerror}") from error
        return self._grpc.ssl_channel_credentials(*parts)

    def _judged(self, error: Any) -> DeliveryError:
        code = error.code().name
        details = str(error.details() or "")
        said = f"{self.shown_url}: {code}: {self.without_secrets(details)}"
        if code == "RESOURCE_EXHAUSTED":
            if "larger than max" in details or "message larger" in details:
                return TooLarge(said)
            delay_s = retry_delay_s(error.trailing_metadata() or ())
            return Rejected(said) if delay_s is None else Retryable(said, after_s=delay_s)
        refused = REFUSED_TUNNEL.search(details) if self._proxy is not None else None
        if refused is not None:
            said = f"{self.shown_url}: the proxy {self._proxy} answered {refused[1]}"
            return refused_tunnel(said, int(refused[1]))
        if code == "UNAVAILABLE" and any(word in details for word in TLS_WORDS):
            return Misconfigured(f"{said}; check the scheme and tls.ca_file")
        if code == "UNAVAILABLE" and any(word in details for word in NOT_GRPC):
            return Misconfigured(f"{said}; is this a gRPC port, and the scheme right?")
        if code not in RETRYABLE | MISCONFIGURED and any(word in details for word in ANSWERED_AS_HTTP):
            return Misconfigured(f"{said}; a web server answered; is this a gRPC port?")
        if code in RETRYABLE:
            return Retryable(said, after_s=retry_delay_s(error.trailing_metadata() or ()))
        if code in MISCONFIGURED:
            return Misconfigured(f"{said}; check the endpoint and the credentials")
        return Rejected(said)

    def without_secrets(self, text: str) -> str:
        """Return words of the server as a message may quote them."""
        return clean(text, MAX_QUOTED)

    def close(self) -> None:
        """Close the channel."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
            self._channel = self._call = None


def check_headers(names_and_values: Mapping[str, str | Secret]) -> None:
    """Raise ValueError for a header that gRPC cannot send; the message has its name, never its value.

    gRPC itself finds out with the first call and says INTERNAL, which sounds as if the spans were to blame.
    """
    for name, given in names_and_values.items():
        value = given.reveal() if isinstance(given, Secret) else given
        if not NAME.fullmatch(name.lower()) or name.lower().startswith("grpc-") or name.lower().endswith("-bin"):
            raise ValueError(f"header {name!r} has a name that gRPC cannot send (letters, digits, - _ . and no -bin)")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"header {name!r} has a value that gRPC cannot send (printable ASCII)")


def check_tls(endpoint: str, tls: TlsOptions) -> None:
    """Raise ValueError for TLS that gRPC cannot do."""
    if tls.insecure_skip_verify and urlsplit(endpoint).scheme == "https":
        raise ValueError("tls.insecure_skip_verify: gRPC cannot skip verification; name the authority in tls.ca_file")


def retry_delay_s(metadata: Any) -> float | None:
    """Return the seconds that a RetryInfo in `grpc-status-details-bin` asks for, or None."""
    from google.protobuf.message import DecodeError
    from google.rpc import error_details_pb2, status_pb2

    for key, value in metadata:
        if key == "grpc-status-details-bin":
            try:
                status = status_pb2.Status.FromString(value)
            except DecodeError:
                continue
            for detail in status.details:
                info = error_details_pb2.RetryInfo()
                if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
                    return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return None
