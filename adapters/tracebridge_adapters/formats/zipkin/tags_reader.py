"""What OpenTelemetry puts into Zipkin's tags and annotations, read back: status, links, dropped counts, events with attributes."""

from __future__ import annotations

from typing import Any

import msgspec

from tracebridge.records.known_keys import KnownKeys
from tracebridge.records.record import Event, Link, StatusCode
from tracebridge.records.values import Reducer, Tally
from tracebridge_adapters.formats.shared.non_otlp import ERROR_KEY, STATUS_KEY
from tracebridge_adapters.formats.zipkin.tags import DROPPED, LINK_PREFIX, as_text

_MAX_COUNT_DIGITS = 9  # of a number of dropped things; longer digits are not such a count
_NO_LIMIT = 2**40  # limits are the client's, and act when it takes a record in
reducer = Reducer(text_limit=_NO_LIMIT, payload_limit=_NO_LIMIT, keys=KnownKeys(lambda _: False))
"""Makes any JSON value one that a record can hold: integers beyond 64 bits become text."""


def id_from_hex(given: Any, size: int) -> bytes | None:
    """Return an ID of up to so many bytes, left-padded with zeros; None for anything else, and for zero."""
    if not isinstance(given, str) or not 0 < len(given) <= size * 2:
        return None
    try:
        read = bytes.fromhex(given.zfill(size * 2))
    except ValueError:
        return None
    return read if len(read) == size and any(read) else None


def status_of(tags: dict[str, Any]) -> tuple[int, str]:
    """Take the status out of tags: OK/ERROR in any spelling, or any `error` tag but "false". Returns (code, message)."""
    said = str(tags.pop(STATUS_KEY, "")).removeprefix("STATUS_CODE_").upper()
    error = tags.get(ERROR_KEY)
    if said == "ERROR" or (said != "OK" and error is not None and str(error).lower() != "false"):
        tags.pop(ERROR_KEY, None)
        return int(StatusCode.ERROR), "" if error is None else as_text(error)
    return int(StatusCode.OK if said == "OK" else StatusCode.UNSET), ""


def links_of(tags: dict[str, Any]) -> list[Link]:
    """Take the links out of tags, in their order; what cannot be read as a link stays a tag."""
    start = len(LINK_PREFIX)
    found = [key for key in tags if key.startswith(LINK_PREFIX) and _is_count(key[start:])]
    links = []
    for key in sorted(found, key=lambda key: int(key[start:])):
        link = _link(str(tags[key]))
        if link is not None:
            del tags[key]
            links.append(link)
    return links


def _link(text: str) -> Link | None:
    try:
        trace_hex, span_hex, rest = text.split("|", 2)
        front, dropped = rest.rsplit("|", 1)
        trace_state, json_text = front.split("|", 1)
        attributes = reducer.attributes(msgspec.json.decode(json_text, type=dict[str, Any]), Tally())
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    trace_id, span_id = id_from_hex(trace_hex, 16), id_from_hex(span_hex, 8)
    if trace_id is None or span_id is None or not _is_count(dropped):
        return None
    return Link(trace_id, span_id, trace_state, attributes, int(dropped))


def dropped_of(tags: dict[str, Any]) -> dict[str, Any]:
    """Take the counts of what was dropped out of tags."""
    return {field: int(str(tags.pop(key))) for key, field in DROPPED.items() if _is_count(str(tags.get(key, "")))}


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MAX_COUNT_DIGITS


def event_from(text: str, time_us: int) -> Event:
    """Return the event that an annotation's text stands for: `"name": {attributes}`, or a bare name."""
    if text.startswith('"') and text.endswith("}"):
        name, colon, attributes = text.partition('": {')
        if colon:
            try:
                return Event(
                    msgspec.json.decode(name + '"', type=str),
                    time_us * 1000,
                    reducer.attributes(msgspec.json.decode("{" + attributes, type=dict[str, Any]), Tally()),
                )
            except (ValueError, RecursionError):
                pass
    return Event(text, time_us * 1000)
