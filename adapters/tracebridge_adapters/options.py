"""Options that several adapters share: attribute names, the network, reading back, and the address of a trace in a UI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tracebridge.plugins.options import DeliveryOptions, Duration, Proxy, Secret, TlsOptions, Url, option
from tracebridge.settings.wire_text import wrong_name, wrong_value

Dialect = Literal["openinference", "mlflow", "genai"]
"""Under which names a destination shows inputs, outputs and span types; see `tracebridge_adapters.dialects`."""

PLACE = "{trace_id}"


@dataclass(frozen=True, slots=True)
class Access:
    """How a server is reached, whatever it is asked: wires and readers take it as one value."""

    headers: Mapping[str, str | Secret]
    timeout_s: float
    tls: TlsOptions
    proxy: str | None

    def with_headers(self, headers: Mapping[str, str | Secret]) -> Access:
        """Return the same with other headers."""
        return replace(self, headers=headers)


@dataclass(frozen=True, kw_only=True)
class NamingOptions(DeliveryOptions):
    """What an adapter needs to know to name what the destination has no field for."""

    dialect: Dialect = option(
        "openinference", help="Names for inputs, outputs and span type; mlflow for an MLflow server."
    )


@dataclass(frozen=True, kw_only=True)
class HttpOptions(DeliveryOptions):
    """What every adapter that speaks HTTP, and so gRPC, needs to know of the network."""

    headers: dict[str, Secret] = option(
        factory=dict,
        help="Headers of every request; over gRPC, the metadata of every call.",
        examples=[{"authorization": "Bearer ${env:TOKEN}"}],
    )
    timeout: Duration = option(10.0, help="Longest wait for one answer.", minimum=0.001)
    tls: TlsOptions = option(factory=TlsOptions, help="TLS towards this destination.")
    proxy: Proxy | None = option(
        None,
        help="HTTP proxy on the way, with user and password where it wants them; `environment` for the one that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name.",
        examples=["http://proxy.example:3128"],
    )

    @property
    def access(self) -> Access:
        """How the destination is reached."""
        return Access(self.headers, self.timeout, self.tls, self.proxy)


@dataclass(frozen=True, kw_only=True)
class ReadableOptions(NamingOptions, HttpOptions):
    """What an adapter needs to know to read back, and to lead a person to a trace."""

    compression: Literal["gzip", "none"] = option("gzip", help="Whether bodies are compressed.")
    query_endpoint: Url | None = option(
        None,
        help="Base address of the system's query API; makes show, search and get_trace work. Asked with the same headers and TLS.",
        examples=["http://localhost:16686"],
    )
    ui: Url | None = option(
        None,
        help="Address of a trace in the system's own UI, with {trace_id} for its 32 hex digits.",
        examples=["http://localhost:16686/trace/{trace_id}"],
    )

    def __post_init__(self) -> None:
        """Refuse headers that cannot be sent, a template without its place, and an address that paths cannot be added to."""
        check_headers(self.headers)
        if self.ui is not None and PLACE not in self.ui:
            raise ValueError(f"ui must have {PLACE} where the ID of the trace belongs")
        if self.query_endpoint is not None and "?" in self.query_endpoint:
            raise ValueError("query_endpoint must be a base address, without a ?")


def check_headers(headers: Mapping[str, str | Secret]) -> None:
    """Raise ValueError for headers that HTTP cannot carry; a file's have been read by the same rules. The value is not told."""
    for name, value in headers.items():
        wrong = wrong_name(name) or wrong_value(value.reveal() if isinstance(value, Secret) else value)
        if wrong:
            raise ValueError(f"header {name!r}: {wrong}")


def link_of(template: str | None, trace_id: bytes) -> str | None:
    """Return the address of a trace in the UI; None without a template.

    >>> link_of("http://ui/trace/{trace_id}", bytes(15) + b"\\x0a")
    'http://ui/trace/0000000000000000000000000000000a'
    """
    return None if template is None else template.replace(PLACE, trace_id.hex())
