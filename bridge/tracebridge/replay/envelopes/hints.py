"""What to say of a span line inside a wrapper that is not known: which option would read it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from tracebridge.replay.envelopes.own import GLUED, glued, parsed
from tracebridge.replay.envelopes.prefixes import NAMED
from tracebridge.replay.envelopes.unwrapping import NO_JSON, as_line, decode

_OURS = re.compile(rb"schema[\\\"]+\s*:\s*[\\\"]+spanlog[\\]*/1|resourceSpans[\\\"]+\s*:\s*\[")
"""How a span line reads, however often it was escaped: such a text is not a person's."""
_WORDS = (b"spanlog", b"resourceSpans", b"localEndpoint", b"binaryAnnotations", b"spanID", b"mlflow.traceRequestId")
"""What some format's spans, inside any text, can be told by: a cheap look, for nearly every line has none."""
_without_head = re.compile(rb'\s*"\d{4}-\d\d-\d\dT[\d:.]+Z"\s*,').match
"""A line whose `{"timestamp":` a syslog daemon took for the application's name."""
_BEGINNING = re.compile(rb"\{\s*[\\\"]")
MAX_FIELDS = 10_000  # of one object that are looked through
Reads = Callable[[bytes], bool]
"""Whether a text by itself is read as spans."""


def looks_like_a_span(text: bytes) -> bool:
    """Return whether a span line of ours, or OTLP JSON, is in a text, however wrapped."""
    return (b"spanlog" in text or b"resourceSpans" in text) and _OURS.search(text) is not None


def hint(text: bytes, reads: Reads) -> str:
    """Return where the span line in this text stands and which option reads it; empty for a text without one, or that is one itself."""
    if not any(word in text for word in _WORDS):
        return ""
    if text[:1] == b"{":
        return _in_object(text, reads)
    if not looks_like_a_span(text):
        return ""
    if _without_head(text) is not None:
        return "the beginning of a span line was taken for the syslog tag, and is lost: give the application's handler one (ident)"
    for name, form in NAMED.items():
        found = form.match(text)
        if found is not None and text[found.end() : found.end() + 1] == b"{":
            return f"a span line in a form that applications write as well: where only a shipper writes these lines, --envelope {name} reads them"
    found = _BEGINNING.search(text)
    if found is None:
        return ""
    return f"a span line behind {found.start()} byte{'s' if found.start() != 1 else ''} of other text: where only your own formatter writes those, --prefix REGEX reads it"


def _in_object(text: bytes, reads: Reads) -> str:
    try:
        given = decode(text)
    except NO_JSON:
        parts = list(zip(range(2), glued(text), strict=False)) if looks_like_a_span(text) else []
        if len(parts) > 1 and decodes(parts[0][1]):
            return (
                f"several objects on one line: where only a shipper glues them together, --envelope {GLUED} reads them"
            )
        return ""
    path = next((path for path, held in _fields(given) if _is_line(held, reads)), None)
    if path is None:
        return ""
    return f"a span line is in field `{path}`: where users cannot write into that field, --field {path} reads it"


def decodes(text: bytes) -> bool:
    """Return whether a text is JSON."""
    try:
        decode(text)
    except NO_JSON:
        return False
    return True


def _is_line(held: Any, reads: Reads) -> bool:
    """Return whether a field holds a line of spans, as a text or as an object."""
    line = as_line(held)
    if line is None:
        return False
    line = line.strip()
    return line[:1] in (b"{", b"[") and any(word in line for word in _WORDS) and reads(line)


def _fields(given: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an object and of those inside it, through lists and JSON text, by their names with dots between; the outer ones first."""
    waiting: deque[tuple[str, Any]] = deque([("", given)])
    for _ in range(MAX_FIELDS):
        if not waiting:
            return
        path, held = waiting.popleft()
        if path:
            yield path, held
        held = parsed(held)
        if isinstance(held, dict):
            waiting += [(f"{path}.{name}" if path else name, inner) for name, inner in held.items()]
        elif isinstance(held, list):
            waiting += [(path, each) for each in held if isinstance(each, (dict, list, str))]
