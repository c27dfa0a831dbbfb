"""One envelope off a line, and the parts of a line that a runtime split put together again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tracebridge.replay.envelopes.objects import CloudLogging, Form, Journald, Rsyslog, held_lines
from tracebridge.replay.envelopes.prefixes import CRI, KNOWN

MAX_LEVELS = 4  # envelopes inside envelopes
MAX_PARTS = 64 * 2**20  # bytes of one line that came in parts
MAX_SPLIT = 1_000  # lines of which parts are held

decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode
NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_CLOUD_LOGGING = {"trace": "logging.googleapis.com/trace", "spanId": "logging.googleapis.com/spanId"}
"""What Cloud Logging takes out of a line's fields into its own entry (Structured logging, special fields)."""


class LostOnTheWayError(ValueError):
    """A shipper left out the line, and says so."""


class Unwrapper:
    """Takes envelopes off the lines of one file. Holds the parts of lines that a container runtime split."""

    def __init__(self) -> None:
        self._parts: dict[str, bytearray] = {}

    @property
    def waits(self) -> bool:
        """Whether the beginning of a line is held whose end has not come yet."""
        return bool(self._parts)

    def give_up(self) -> list[bytes]:
        """Return the beginnings of lines whose end will not come, and forget them."""
        held = [bytes(part) for part in self._parts.values()]
        self._parts.clear()
        return held

    def unwrap(self, line: bytes) -> bytes | None:
        """Return what is inside the outermost envelope; None when none is known, b"" for a part that has to wait.

        Raises LostOnTheWayError when the envelope says that its line is not in it.
        """
        if line[:1] == b"{":
            return self._from_object(line)
        found = CRI.match(line)
        if found is not None:
            return self._joined(f"cri {found[1]!r}", line[found.end() :], more=found[2] == b"P")
        for prefix in KNOWN:
            found = prefix.match(line)
            if found is not None:
                return line[found.end() :]
        return None

    def _from_object(self, line: bytes) -> bytes | None:
        try:
            given = decode(line)
        except NO_JSON:
            return None
        if not isinstance(given, dict):
            return None
        for form, held in held_lines(given):
            text = _text(form, given, held)
            if text is None:
                continue
            part = form.part
            if part is None:
                return text.rstrip(b"\r\n")
            key, more = part
            if more and is_object(text):  # an agent that strips newlines makes every line look like a part
                self._parts.pop(key, None)
                more = False
            return self._joined(key, text.rstrip(b"\r\n"), more=more)
        return None

    def _joined(self, key: str, text: bytes, *, more: bool) -> bytes:
        """Return a line whose parts are all there, b"" while some are missing."""
        held = self._parts.get(key)
        if held is None:
            if not more:
                return text
            if len(self._parts) >= MAX_SPLIT:
                self._parts.pop(next(iter(self._parts)))
            held = self._parts.setdefault(key, bytearray())
        if len(held) + len(text) <= MAX_PARTS:
            held += text
        if more:
            return b""
        del self._parts[key]
        return bytes(held)


def is_object(text: bytes) -> bool:
    """Return whether a text is a JSON object by itself."""
    if not (text.startswith(b"{") and text.endswith(b"}")):
        return False
    try:
        decode(text)
    except NO_JSON:
        return False
    return True


def as_line(held: Any) -> bytes | None:
    """Return the line that a JSON value is: text, or an object that an agent parsed; None for anything else."""
    if isinstance(held, str):
        return held.encode("utf-8", "surrogatepass")
    return encode(held) if isinstance(held, dict) else None


def _text(form: Form, given: Mapping[str, Any], held: Any) -> bytes | None:
    """Return the line that stands in an object of this form; None when it holds none. Raises LostOnTheWayError."""
    if isinstance(form, CloudLogging) and isinstance(held, dict):
        held = {field: given[key] for key, field in _CLOUD_LOGGING.items() if key in given} | held
    if isinstance(form, Rsyslog) and isinstance(held, str):
        held = held.removeprefix(" ")  # the one behind the tag's colon
    if isinstance(form, Journald):
        if held is None:
            raise LostOnTheWayError("journalctl leaves out messages above 4,096 bytes: write the file anew with --all")
        if isinstance(held, list):
            try:
                return bytes(held)
            except (TypeError, ValueError):
                return None
    return as_line(held)
