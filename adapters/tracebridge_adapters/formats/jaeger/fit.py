"""A span that is too large for Jaeger's datagram, made to fit: its largest parts are left out, and it says so.

Names of more than a kilobyte are cut; a process that takes more than its share loses its largest tags; then the span loses its largest tags,
logs and references, of those below 1 KiB the last ones first. How many went is counted under OpenTelemetry's `otel.dropped_*_count`; which
tags went stands in `tracebridge.stripped`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracebridge_adapters.formats.jaeger import structs as j
from tracebridge_adapters.formats.shared import non_otlp

STRIPPED = "tracebridge.stripped"
MAX_SHOWN = 256  # bytes of the list of which tags went
MAX_NAME = 1024  # bytes of a name; a longer one is cut
PROCESS_SHARE = 4  # a process may take a fourth of the whole
MARKS_SIZE = 768  # bytes that the marks themselves may take in either protocol
SMALL = 1024  # bytes; below it a tag's size says nothing about its worth
CUT_MARK = "…"
COUNTS = {
    "tags": non_otlp.DROPPED["dropped_attributes"],
    "logs": non_otlp.DROPPED["dropped_events"],
    "references": non_otlp.DROPPED["dropped_links"],
}
PROTECTED = {
    non_otlp.ERROR_KEY,
    non_otlp.STATUS_KEY,
    "span.kind",
    "hostname",
    "ip",
    *COUNTS.values(),
}  # what span and process are shown by
PROTECTED_SIZE = 64  # bytes; a larger tag of such a name is none of these


def fit(process: j.Process, span: j.Span, max_bytes: int, measure: Callable[[], int], protocol: j.Protocol) -> None:
    """Make a span, and its process if need be, so small that both together `measure` at most `max_bytes`, envelope included."""
    span.operationName = _shortened(span.operationName, MAX_NAME)
    process.serviceName = _shortened(process.serviceName, MAX_NAME)
    excess = len(j.write(process, protocol)) - max_bytes // PROCESS_SHARE
    if excess > 0:
        _strip(process, ("tags",), excess + MARKS_SIZE, protocol)
    excess = measure() - max_bytes
    if excess > 0:
        _strip(span, ("tags", "logs", "references"), excess + MARKS_SIZE, protocol)


def _strip(holder: Any, lists: tuple[str, ...], excess: int, protocol: j.Protocol) -> None:
    """Leave out the largest items of these lists until `excess` bytes are gone, or nothing is left to take."""
    parts = [
        (len(j.write(item, protocol)), number, name)
        for name in lists
        for number, item in enumerate(getattr(holder, name) or [])
    ]
    parts.sort(key=lambda part: (part[0] // SMALL, part[1]), reverse=True)
    gone: dict[str, set[int]] = {}
    for size, number, name in parts:
        if excess <= 0:
            break
        if name == "tags" and size < PROTECTED_SIZE and holder.tags[number].key in PROTECTED:
            continue
        gone.setdefault(name, set()).add(number)
        excess -= size
    shown: list[str] = []
    counts = {}
    for name, numbers in gone.items():
        items = getattr(holder, name)
        if name == "tags":
            shown = [item.key for number, item in enumerate(items) if number in numbers]
        counts[COUNTS[name]] = len(numbers)
        setattr(holder, name, [item for number, item in enumerate(items) if number not in numbers])
    if gone:
        _mark(holder, counts, shown)


def _mark(holder: Any, counts: dict[str, int], shown: list[str]) -> None:
    tags = []
    for tag in holder.tags or []:
        if tag.key in counts:  # what had been dropped before; the tag may be shared with other spans
            counts[tag.key] += tag.vLong or 0
        else:
            tags.append(tag)
    for key, count in counts.items():
        tag = j.Tag(key, j.LONG)
        tag.vLong = min(count, 2**63 - 1)
        tags.append(tag)
    if shown:
        tags.append(j.Tag(STRIPPED, j.STRING, _shortened(", ".join(shown[:MAX_SHOWN]), MAX_SHOWN)))
    holder.tags = tags


def _shortened(text: str, most_bytes: int) -> str:
    """Return text of at most so many bytes of UTF-8."""
    data = text.encode()
    if len(data) <= most_bytes:
        return text
    return data[: most_bytes - len(CUT_MARK.encode())].decode("utf-8", "ignore") + CUT_MARK
