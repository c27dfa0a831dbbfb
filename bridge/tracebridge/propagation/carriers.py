"""Carriers: what headers are read from and written to, whatever library it belongs to.

A getter turns a carrier into pairs of a header name and a value; a setter writes headers into one. `getter_of` and `setter_of` know the common
carriers by their looks:

    a mapping of names to values     dict, requests, httpx, urllib3, werkzeug, starlette, aiohttp, email messages
    a WSGI environ or Django META    a mapping with REQUEST_METHOD: only its HTTP_… keys are headers, the rest may be the process's own environment
    the environment of a process     os.environ, `Environment()`: TRACEPARENT for traceparent
    a list of pairs                  ASGI (bytes, bytes), Kafka (str, bytes), gRPC metadata and http.client (str, str)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Pairs = Iterable[tuple[Any, Any]]
Getter = Callable[[Any], Pairs]
"""From a carrier to (name, value): text or bytes, names in any case, several values as several pairs or a list."""
Setter = Callable[[Any, Mapping[str, str], frozenset[str]], None]
"""Write headers into a carrier, in place of those that it has under the same names, and remove the other names given: what stays of an
earlier context would be half of one and half of the other."""


LAMBDA_XRAY = "_X_AMZN_TRACE_ID"  # AWS Lambda, "Defined runtime environment variables"


class Environment(dict[str, str]):
    """The environment of a process to be started: a copy of this process's, or of the mapping given, that `inject` writes TRACEPARENT into.

    `subprocess.run(command, env=client.inject(span, Environment()))`
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        super().__init__(os.environ if variables is None else variables)


# ---------------------------------------------------------------------- reading


def getter_of(carrier: Any) -> Getter:
    """Return how headers are read from this carrier."""
    if isinstance(carrier, (Environment, type(os.environ))):
        return from_environment
    if isinstance(carrier, Mapping) and "REQUEST_METHOD" in carrier:
        return from_wsgi
    if hasattr(carrier, "items"):
        return from_mapping
    return from_kafka if isinstance(carrier, (list, tuple)) and _is_kafka(carrier) else from_pairs


def from_mapping(carrier: Any) -> Pairs:
    """Read anything with `items()`; one that has a name several times yields it several times."""
    items: Pairs = carrier.items()
    return items


def from_pairs(carrier: Any) -> Pairs:
    """Read an iterable of pairs; anything else is passed over."""
    for pair in carrier or ():
        if isinstance(pair, (tuple, list)) and len(pair) == 2:
            yield pair[0], pair[1]


def from_kafka(carrier: Any) -> Pairs:
    """Read the headers of a Kafka message: of several of one name the last counts (Kafka's `Headers.lastHeader`)."""
    return {_text(name).lower(): value for name, value in from_pairs(carrier)}.items()


def _is_kafka(carrier: Any) -> bool:
    """Return whether these are pairs of (str, bytes)."""
    first = next((pair for pair in carrier if isinstance(pair, (tuple, list)) and len(pair) == 2), ("", ""))
    return isinstance(first[0], str) and isinstance(first[1], bytes)


def from_wsgi(carrier: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Read the HTTP_… keys of a WSGI environ (PEP 3333) or a CGI environment (RFC 3875)."""
    for key, value in carrier.items():
        if type(key) is str and key.startswith("HTTP_"):
            yield key[5:].replace("_", "-"), value


def from_environment(carrier: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Read environment variables: names in capitals, underscores for dashes. AWS Lambda puts X-Ray's header into one that begins with an underscore."""
    for key, value in carrier.items():
        if key != LAMBDA_XRAY:
            yield key.replace("_", "-"), value
        elif key[1:] not in carrier:
            yield key[1:].replace("_", "-"), value


def headers_in(pairs: Pairs, names: frozenset[str], prefixes: tuple[str, ...]) -> dict[str, str]:
    """Return the headers of these names and prefixes, as `tracebridge.propagation.formats.Headers` has them."""
    found: dict[str, str] = {}
    for key, value in pairs:
        if key not in names:
            key = _text(key).lower()  # noqa: PLW2901 - the same name, as we spell it
            if key not in names and not (prefixes and key.startswith(prefixes)):
                continue
        text = value if value.__class__ is str else _text(value)
        found[key] = f"{found[key]},{text}" if key in found else text
    return found


def _text(value: Any) -> str:
    """Return a name or value as text: HTTP's bytes are UTF-8 where they can be, else Latin-1. Anything else is not a header."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        raw = bytes(value)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")
    if isinstance(value, (list, tuple)):
        return ",".join(map(_text, value))
    return ""


# ---------------------------------------------------------------------- writing


def setter_of(carrier: Any) -> Setter:
    """Return how headers are written into this carrier; raises TypeError for one that cannot be written to."""
    if isinstance(carrier, (Environment, type(os.environ))):
        return into_environment
    if hasattr(carrier, "__setitem__") and hasattr(carrier, "items"):
        return into_mapping
    if isinstance(carrier, list):
        first = next((pair for pair in carrier if isinstance(pair, (tuple, list)) and len(pair) == 2), ("", ""))
        if isinstance(first[0], bytes):
            return into_byte_pairs
        return into_kafka if isinstance(first[1], bytes) else into_pairs
    raise TypeError(
        f"headers cannot be written into a {type(carrier).__name__}; give a dict, a list of pairs, an Environment, or a setter"
    )


def into_mapping(carrier: Any, headers: Mapping[str, str], others: frozenset[str]) -> None:
    """Write into a dict or any mutable mapping of header names to text."""
    for key in [key for key in carrier if (name := _text(key).lower()) in headers or name in others]:
        if key in carrier:  # a mapping without regard to case may show a name several times
            del carrier[key]
    for name, value in headers.items():
        carrier[name] = value


def into_environment(carrier: Any, headers: Mapping[str, str], others: frozenset[str]) -> None:
    """Write environment variables: TRACEPARENT, TRACESTATE, BAGGAGE, X_B3_TRACEID …"""
    for name in others:
        carrier.pop(_variable(name), None)
    for name, value in headers.items():
        carrier[_variable(name)] = value


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def into_pairs(carrier: list[Any], headers: Mapping[str, str], others: frozenset[str]) -> None:
    """Write (str, str): http.client, gRPC metadata."""
    _into_list(carrier, list(headers.items()), headers, others)


def into_kafka(carrier: list[Any], headers: Mapping[str, str], others: frozenset[str]) -> None:
    """Write (str, bytes): the headers of a Kafka message."""
    _into_list(carrier, [(name, value.encode()) for name, value in headers.items()], headers, others)


def into_byte_pairs(carrier: list[Any], headers: Mapping[str, str], others: frozenset[str]) -> None:
    """Write (bytes, bytes): ASGI, httpx's raw headers."""
    _into_list(carrier, [(name.encode(), value.encode()) for name, value in headers.items()], headers, others)


def _into_list(carrier: list[Any], new: list[Any], headers: Mapping[str, str], others: frozenset[str]) -> None:
    def is_old(pair: Any) -> bool:
        name = _text(pair[0]).lower() if isinstance(pair, (tuple, list)) and pair else ""
        return name in headers or name in others

    carrier[:] = [pair for pair in carrier if not is_old(pair)] + new
