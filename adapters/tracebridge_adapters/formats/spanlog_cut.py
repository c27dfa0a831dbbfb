"""Cutting a span line to size, what is missed least first.

Container runtimes split lines at 16 KiB, and one common shipper stops watching a file after a longer line still, so that an
over-long line costs more than itself. Cut in this order, each cut counted under `truncated`: stack traces, outputs,
inputs, long attribute values, events, links, attributes last-in. IDs, times and status are never cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

KEPT_STACK = 1024  # characters of a stack trace that stay, from its end
KEPT_VALUE = 256  # characters of a long attribute value that stay
CUT_MARK = "…"

Encode = Callable[[dict[str, Any]], bytes]


def cut_to_size(fields: dict[str, Any], max_bytes: int, encode: Encode) -> bytes:
    """Return the encoded line, at most `max_bytes` long unless what is never cut is longer itself."""
    kept = dict(fields)
    counts: dict[str, int] = {}
    line = encode(kept)
    for name, step in STEPS:
        if len(line) <= max_bytes:
            break
        cut = step(kept, len(line) - max_bytes)
        if cut:
            counts[name] = counts.get(name, 0) + cut
            kept["truncated"] = counts
            line = encode(kept)
    while len(line) > max_bytes and (removed := _drop_last(kept)):
        counts[removed] = counts.get(removed, 0) + 1
        kept["truncated"] = counts
        line = encode(kept)
    return line


def _stacks(kept: dict[str, Any], _: int) -> int:
    cut = 0
    if len(kept.get("error_stack", "")) > KEPT_STACK:
        kept["error_stack"] = CUT_MARK + kept["error_stack"][-KEPT_STACK:]
        cut += 1
    events = []
    for event in kept.get("events", ()):
        stack = event.get("attributes", {}).get("exception.stacktrace")
        if isinstance(stack, str) and len(stack) > KEPT_STACK:
            attributes = {**event["attributes"], "exception.stacktrace": CUT_MARK + stack[-KEPT_STACK:]}
            events.append({**event, "attributes": attributes})
            cut += 1
        else:
            events.append(event)
    if cut and events:
        kept["events"] = events
    return cut


def _payload(name: str) -> Callable[[dict[str, Any], int], int]:
    def step(kept: dict[str, Any], excess: int) -> int:
        value = kept.get(name)
        if value is None:
            return 0
        if isinstance(value, str) and len(value.encode()) > excess + 2 * KEPT_VALUE:
            keep = len(value.encode()) - excess - KEPT_VALUE
            kept[name] = value.encode()[:keep].decode("utf-8", "ignore") + CUT_MARK
        else:
            del kept[name]
        return 1

    return step


def _long_values(kept: dict[str, Any], _: int) -> int:
    attributes = kept.get("attributes")
    if not attributes:
        return 0
    long = {key for key, value in attributes.items() if isinstance(value, str) and len(value) > KEPT_VALUE}
    if long:
        kept["attributes"] = {
            key: value[:KEPT_VALUE] + CUT_MARK if key in long else value for key, value in attributes.items()
        }
    return len(long)


def _whole(name: str) -> Callable[[dict[str, Any], int], int]:
    def step(kept: dict[str, Any], _: int) -> int:
        return len(kept.pop(name, ()))

    return step


STEPS = (
    ("stacks", _stacks),
    ("outputs", _payload("outputs")),
    ("inputs", _payload("inputs")),
    ("values", _long_values),
    ("events", _whole("events")),
    ("links", _whole("links")),
)


def _drop_last(kept: dict[str, Any]) -> str:
    """Drop the newest attribute, then what else may go; return the name it is counted under, empty when nothing is left."""
    for name in ("attributes", "resource", "tags", "scope"):
        holder = kept.get(name)
        if holder:
            holder = dict(holder)
            holder.popitem()
            if holder:
                kept[name] = holder
            else:
                del kept[name]
            return name
    for name in ("error_stack", "error_message", "opened_at", "trace_state"):
        if kept.pop(name, None) is not None:
            return name
    return ""
