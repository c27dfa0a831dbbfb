"""A span that is too large for Jaeger's datagram, made to fit: its largest parts are left out, and it says so.

Left out are the largest tags, logs and references (of those below 1 KiB the last ones first), of the span, and of its process if it must be; at
last the names are cut. How many went is counted under OpenTelemetry's `otel.dropped_*_count`; which tags went stands in `tracebridge.stripped`.
"""

from __future__ import annotations

from typing import Any

from tracebridge_adapters.formats import jaeger_structs as j

STRIPPED = "tracebridge.stripped"
MAX_SHOWN = 256  # bytes of the list of what went
MAX_NAME = 256  # characters that are left of a name that must be cut
MARKS_SIZE = 768  # bytes that the marks themselves may take in either protocol
PROTECTED = {"error", "otel.status_code", "span.kind"}  # what the span is shown by, when they are as small as ours
PROTECTED_SIZE = 64  # bytes
SMALL = 1024  # bytes; below it a tag's size says nothing about its worth
CUT_MARK = "…"
COUNTS = {
    "tags": "otel.dropped_attributes_count",
    "logs": "otel.dropped_events_count",
    "references": "otel.dropped_links_count",
}


def fit(batch: j.Batch, excess: int, protocol: j.Protocol) -> None:
    """Make the batch's only span (and its process, if need be) smaller by `excess` bytes, as far as there is anything to take."""
    (span,) = batch.spans
    excess = _strip(span, ("tags", "logs", "references"), excess + MARKS_SIZE, protocol)
    if excess > 0:
        excess -= _cut(span, "operationName")
    if excess > 0 and batch.process is not None:
        excess = _strip(batch.process, ("tags",), excess + MARKS_SIZE, protocol)
        if excess > 0:
            _cut(batch.process, "serviceName")


def _strip(holder: Any, lists: tuple[str, ...], excess: int, protocol: j.Protocol) -> int:
    """Leave out the largest items of these lists until `excess` bytes are gone; return how many are still to go."""
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
    return excess


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
        tags.append(j.Tag(STRIPPED, j.STRING, _shortened(", ".join(shown), MAX_SHOWN)))
    holder.tags = tags


def _cut(holder: Any, name: str) -> int:
    """Cut a name; return how many bytes that saved."""
    given = getattr(holder, name)
    short = _shortened(given, MAX_NAME)
    setattr(holder, name, short)
    return len(given.encode()) - len(short.encode())


def _shortened(text: str, most_bytes: int) -> str:
    """Return text of at most so many bytes of UTF-8."""
    data = text.encode()
    if len(data) <= most_bytes:
        return text
    return data[: most_bytes - len(CUT_MARK.encode())].decode("utf-8", "ignore") + CUT_MARK
