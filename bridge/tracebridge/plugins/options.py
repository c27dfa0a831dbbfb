"""The vocabulary in which options are declared, by the core and by every adapter.

An options class is a frozen dataclass. A field's name is its YAML key (a field `class_` stands for the key `class`), its annotation is one of the types below (or
str, int, float, bool, Literal, list[T], dict[str, T], another options class, or T | None), and `option()` gives its
default and its help. From that one declaration come parsing, errors, `tracebridge adapters NAME` and the JSON
Schema. A `__post_init__` may raise ValueError for options that contradict each other; it becomes a
located error like any other.

    @dataclass(frozen=True, kw_only=True)
    class ParcelOptions(DeliveryOptions):
        endpoint: Url = option("http://localhost:7000", help="Where parcels are posted.")
        timeout: Duration = option(10.0, help="Longest wait for one answer.", minimum=0.001)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

Duration = Annotated[float, "duration"]
"""Seconds as a float; written `10s`, `250ms`, `5m`, `1h` in YAML (a bare 0 is allowed)."""

Age = Annotated[float, "age"]
"""A duration of which `never` is one, as infinity: an age that nothing reaches."""

Size = Annotated[int, "size"]
"""Bytes as an int; written `512MiB`, `64KiB`, `1GB` or a bare number in YAML."""

Ratio = Annotated[float, "ratio"]
"""A number from 0 to 1; written `0.1` or `10%` in YAML."""

Url = Annotated[str, "url"]
"""An address with a scheme and a host. `option(schemes=…)` says which schemes are allowed."""

Proxy = Annotated[str, "proxy"]
"""The address of an HTTP proxy, `http://host:port`, whose user info is a secret; or `environment`, which has HTTP_PROXY and its like obeyed."""

FilePath = Annotated[str, "path"]
"""A path, relative to the process's working folder; `~` is expanded by the user of the value."""

ClassPath = Annotated[str, "class"]
"""`pkg.mod:Name`: a class or function that the user names; imported only when it is used."""

Function = Annotated[Any, "function"]
"""`pkg.mod:name`, imported only when it is used, or, in a configuration given in code, the function itself."""

IdScheme = Annotated[str, "scheme"]
"""The name of an ID scheme: `auto`, or an entry point of `tracebridge.id_schemes`."""

HeaderFormatName = Annotated[str, "header_format"]
"""The name of a header format: `baggage`, `correlation`, or an entry point of `tracebridge.header_formats`."""

EngineName = Annotated[str, "engine"]
"""The name of an engine of open spans: an entry point of `tracebridge.open_spans`."""

Location = Annotated[str, "location"]
"""Where something is kept: a path, or an address, whose user info and query are secrets."""

AttributeValue = Annotated[Any, "attribute"]
"""What an OpenTelemetry attribute can hold: text, a number, true or false, or a list of one of these."""


class Secret(str):
    """A string that does not show itself: `repr` and every report print `***`. Use `.reveal()` where it is sent."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Hide the value."""
        return "Secret('***')"

    def __str__(self) -> str:
        """Hide the value."""
        return "***"

    def __format__(self, spec: str) -> str:
        """Hide the value in f-strings too."""
        return format("***", spec)

    def reveal(self) -> str:
        """Return the value itself, as a plain str."""
        return str.__str__(self)


class PrivateUrl(str):
    """An address with user info or a query. It is used like any other; its `repr` leaves both out."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Hide what may be a secret."""
        scheme, _, rest = self.partition("://")
        host = rest.rpartition("@")[2].partition("?")[0]
        return repr(f"{scheme}://{host}")


REQUIRED: Any = dataclasses.MISSING
"""The default of an option that must be given."""


def option(
    default: Any = REQUIRED,
    *,
    help: str,
    factory: Any = dataclasses.MISSING,
    examples: Sequence[Any] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    schemes: Sequence[str] = (),
    read: bool = False,
) -> Any:
    """Declare one option: its default, its help (one sentence), and what values make sense.

    `factory` replaces `default` for lists, mappings and nested options. `minimum` and `maximum` are inclusive and in
    the unit of the field's type (seconds, bytes). `schemes` restricts a `Url`. `read` says that a `FilePath` names a file that is only read, so that it has
    to be there at start.
    """
    metadata = {
        "help": help,
        "examples": tuple(examples),
        "minimum": minimum,
        "maximum": maximum,
        "schemes": tuple(schemes),
        "read": read,
    }
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class SendingQueue:
    """How delivery groups spans for this destination."""

    max_batch: int = option(2048, help="Most spans in one request.", minimum=1)
    max_in_flight: int = option(
        1, help="Requests under way at once; above 1 first sends may overtake each other.", minimum=1, maximum=64
    )
    flush_interval: Duration = option(
        1.0, help="Longest time that a finished span waits for others, to be sent with them.", minimum=0
    )


@dataclass(frozen=True, kw_only=True)
class RetryOnFailure:
    """How delivery waits when this destination is failing."""

    initial_interval: Duration = option(
        1.0,
        help="Pause before a failed batch is tried again; each further one is twice as long, with jitter.",
        minimum=0.001,
    )
    max_interval: Duration = option(30.0, help="Longest pause between two tries.", minimum=0.001)
    max_elapsed_time: Duration = option(0.0, help="Give a batch up after this long; 0 means never.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class DeliveryOptions:
    """What every adapter's options start with: delivery reads these, the adapter does not."""

    sending_queue: SendingQueue = option(factory=SendingQueue, help="How spans are grouped into requests.")
    retry_on_failure: RetryOnFailure = option(factory=RetryOnFailure, help="How a failing destination is retried.")


@dataclass(frozen=True, kw_only=True)
class TlsOptions:
    """TLS towards one destination. Verification is on unless it is switched off here."""

    ca_file: FilePath | None = option(
        None, help="PEM file of the authorities to trust instead of the system's.", examples=["./ca.pem"], read=True
    )
    cert_file: FilePath | None = option(
        None, help="PEM file of the client certificate.", examples=["./client.pem"], read=True
    )
    key_file: FilePath | None = option(
        None, help="PEM file of the client certificate's private key.", examples=["./client.key"], read=True
    )
    insecure_skip_verify: bool = option(False, help="Accept any certificate. For tests only.")

    def __post_init__(self) -> None:
        """Refuse a key without its certificate."""
        if self.key_file and not self.cert_file:
            raise ValueError("key_file needs cert_file")
