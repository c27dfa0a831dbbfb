"""Values with a form of their own: durations, sizes, addresses, paths, names of classes, attribute values.

Each form is known by the mark of its annotation in `tracebridge.plugins.options`, and says how it is read, how a limit
of it is shown, and which pattern the JSON Schema gives for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from tracebridge.errors import ConfigError
from tracebridge.plugins.options import PrivateUrl
from tracebridge.plugins.proxies import ENVIRONMENT
from tracebridge.plugins.registry import (
    AUTO_SCHEME,
    ID_SCHEMES,
    known_engines,
    known_header_formats,
    known_schemes,
    load,
)
from tracebridge.settings.problems import ProblemKind
from tracebridge.settings.quantities import parse_duration, parse_ratio, parse_size, show_duration, show_size

MAX_INT: Final = 2**63 - 1  # what SQLite, protobuf and the system's calls take
NEVER: Final = "never"
MAX_SECONDS: Final = 100 * 365.25 * 86400  # threads cannot wait for 300 years


class InvalidValue(ValueError):
    """The value is not of the form. `str()` says what it must be, `allowed` lists what it may be where that is a list."""

    def __init__(self, kind: ProblemKind, wanted: str, allowed: Sequence[str] = ()) -> None:
        super().__init__(wanted)
        self.kind = kind
        self.allowed = allowed


@dataclass(slots=True, eq=False, repr=False)
class Form:
    """One kind of text."""

    name: str
    """What people call it."""
    read: Callable[[Any, Mapping[str, Any]], Any]
    """From the value and the option's metadata to what the adapter gets; raises InvalidValue."""
    pattern: str
    """A regular expression for the JSON Schema."""
    show: Callable[[Any], str] = str


def _duration(value: Any, _: Mapping[str, Any]) -> float:
    seconds = parse_duration(value)
    if seconds is None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        wanted = f"a duration with its unit, such as {value}s" if number else "a duration such as 10s, 250ms or 1h"
        raise InvalidValue("bad-duration", wanted)
    if seconds > MAX_SECONDS:
        raise InvalidValue("out-of-range", "a duration of at most 100 years")
    return seconds


def _age(value: Any, metadata: Mapping[str, Any]) -> float:
    return math.inf if value == NEVER else _duration(value, metadata)


def _show_age(seconds: float) -> str:
    return NEVER if seconds == math.inf else show_duration(seconds)


def _size(value: Any, _: Mapping[str, Any]) -> int:
    size = parse_size(value)
    if size is None:
        raise InvalidValue("bad-size", "a size such as 512MiB or 64KiB")
    if size > MAX_INT:
        raise InvalidValue("out-of-range", "a size that fits in 63 bits")
    return size


def _ratio(value: Any, _: Mapping[str, Any]) -> float:
    ratio = parse_ratio(value)
    if ratio is None:
        fraction = isinstance(value, str) and "/" in value
        raise InvalidValue(
            "wrong-value",
            "a number from 0 to 1, or a percentage such as 10%" + (", not a fraction" if fraction else ""),
        )
    if not 0 <= ratio <= 1:
        raise InvalidValue("out-of-range", "from 0 to 1, or from 0% to 100%")
    return ratio


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValue("wrong-type", "text")
    if not value.strip():
        raise InvalidValue("wrong-value", "text with something in it")
    return value


def _url(value: Any, metadata: Mapping[str, Any]) -> str:
    text = _text(value)
    schemes = tuple(metadata.get("schemes") or ("http", "https"))
    wanted = "an address such as " + " or ".join(f"{scheme}://host:port" for scheme in schemes)
    if any(char.isspace() or not char.isprintable() for char in text):
        raise InvalidValue("bad-url", f"{wanted}, without spaces")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InvalidValue("bad-url", f"{wanted}, with a port of 1 to 65535") from None
    if parts.scheme not in schemes:
        raise InvalidValue("bad-url", wanted)
    if not parts.hostname or port == 0:
        raise InvalidValue("bad-url", f"{wanted}, with a host and no port 0")
    if not parts.hostname.isascii():
        raise InvalidValue("bad-url", f"{wanted}, with a host in ASCII (xn--… for a name that has other letters)")
    if "#" in text:  # a fragment is never sent; in a password it would end the address early
        raise InvalidValue("bad-url", f"{wanted}, without a # (%23 in a user name or password)")
    return PrivateUrl(text) if parts.username is not None or parts.query else text


def _proxy(value: Any, _: Mapping[str, Any]) -> str:
    if value == ENVIRONMENT:
        return ENVIRONMENT
    wanted = f"http://host:port, or {ENVIRONMENT}"
    try:
        text = _url(value, {"schemes": ("http",)})
    except InvalidValue as wrong:
        raise InvalidValue(wrong.kind, f"{wrong}, or {ENVIRONMENT}") from None
    parts = urlsplit(text)
    if parts.path.strip("/") or parts.query:
        raise InvalidValue("bad-url", f"{wanted}, without a path")
    return text


def _path(value: Any, _: Mapping[str, Any]) -> str:
    text = _text(value)
    if "\0" in text:
        raise InvalidValue("bad-path", "a path without a NUL character")
    return text


def unreadable(path: str) -> str:
    """Return why a file cannot be read, in the system's words; nothing when it can."""
    from pathlib import Path

    try:
        with Path(path).expanduser().open("rb") as file:
            file.read(1)
    except (OSError, ValueError, RuntimeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def _class(value: Any, _: Mapping[str, Any]) -> str:
    text = _text(value)
    module, colon, name = text.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module.split("."), *name.split(".")]):
        raise InvalidValue("bad-class", "the name of a class as pkg.mod:Name")
    return text


def _function(value: Any, metadata: Mapping[str, Any]) -> Any:
    return value if callable(value) else _class(value, metadata)


def _scheme(value: Any, _: Mapping[str, Any]) -> str:
    text = _text(value)
    if text == AUTO_SCHEME:
        return text
    known = known_schemes()
    if text not in known:
        raise InvalidValue("unknown-scheme", "an ID scheme that is installed", known)
    try:
        load(ID_SCHEMES, text)
    except ConfigError as error:
        raise InvalidValue("broken-scheme", f"an ID scheme that can be used: {error}") from None
    return text


def _header_format(value: Any, _: Mapping[str, Any]) -> str:
    text = _text(value)
    known = known_header_formats()
    if text not in known:
        raise InvalidValue("wrong-value", f"one of {', '.join(known)}", known)
    return text


def _engine(value: Any, _: Mapping[str, Any]) -> str:
    text = _text(value)
    known = known_engines()
    if text not in known:
        raise InvalidValue("wrong-value", f"one of {', '.join(known)}", known)
    return text


def _location(value: Any, metadata: Mapping[str, Any]) -> str:
    text = _path(value, metadata)
    return PrivateUrl(text) if "://" in text else text


def _attribute(value: Any, _: Mapping[str, Any]) -> Any:
    items = value if isinstance(value, list) else [value]
    if any(not isinstance(item, (str, int, float)) for item in items) or len({type(item) for item in items}) > 1:
        raise InvalidValue("wrong-type", "text, a number, true or false, or a list of one of these")
    return value


_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_NUMBER = r"[0-9]+(\.[0-9]+)?"
_DURATION = rf"({_NUMBER}\s*(ns|us|µs|ms|s|m|h|d)\s*)+"
FORMS: Mapping[str, Form] = {
    "duration": Form("duration", _duration, rf"^{_DURATION}$", show_duration),
    "age": Form(f"duration or {NEVER}", _age, rf"^({NEVER}|{_DURATION})$", _show_age),
    "size": Form(
        "size", _size, rf"^{_NUMBER}\s*(B|[kK]B|MB|GB|TB|KiB|MiB|GiB|TiB)?$", lambda size: show_size(int(size))
    ),
    "ratio": Form("ratio", _ratio, rf"^{_NUMBER}\s*%?$", lambda ratio: f"{ratio:g}"),
    "url": Form("address", _url, r"^[a-z][a-z0-9+.-]*://[^\s/]+"),
    "proxy": Form(f"address or {ENVIRONMENT}", _proxy, rf"^({ENVIRONMENT}|http://[^\s/]+/?)$"),
    "location": Form("path or address", _location, r"\S"),
    "engine": Form("engine of open spans", _engine, r"^[A-Za-z0-9_.-]+$"),
    "path": Form("path", _path, r"\S"),
    "attribute": Form("text, number, true | false, or a list of these", _attribute, ""),
    "class": Form("pkg.mod:Name", _class, re.sub("ID", _NAME, r"^ID(\.ID)*:ID(\.ID)*$")),
    "function": Form("pkg.mod:function", _function, re.sub("ID", _NAME, r"^ID(\.ID)*:ID(\.ID)*$")),
    "header_format": Form("header format", _header_format, r"^[A-Za-z0-9_.-]+$"),
    "scheme": Form("ID scheme", _scheme, r"^[A-Za-z0-9_.-]+$"),
}
