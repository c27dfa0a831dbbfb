"""Zipkin's B3, in one header or several (https://github.com/openzipkin/b3-propagation).

Either form is read, one header before several; which is written is what `b3` and `b3multi` differ in. IDs are taken at any width up to
theirs and in any case, as Zipkin's own older libraries wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Final, NamedTuple

from tracebridge.propagation.context import SAMPLED, RemoteParent
from tracebridge.propagation.formats import OWS, HeaderFormat, Headers, padded, shortest

SINGLE = "b3"
TRACE_ID, SPAN_ID, PARENT_ID, SAMPLED_NAME, FLAGS = (
    f"x-b3-{name}" for name in ("traceid", "spanid", "parentspanid", "sampled", "flags")
)
FIELDS = (SINGLE, TRACE_ID, SPAN_ID, PARENT_ID, SAMPLED_NAME, FLAGS)

_HEX = r"[0-9a-fA-F]"
_trace_id, _span_id = re.compile(_HEX + "{1,32}").fullmatch, re.compile(_HEX + "{1,16}").fullmatch
_single = re.compile(rf"({_HEX}{{1,32}})-({_HEX}{{1,16}})(?:-([01d])(?:-({_HEX}{{1,16}}))?)?").fullmatch


class Decision(NamedTuple):
    """A sampling state: the W3C flags for it, whether it is a debug request, whether it was left to us."""

    flags: int
    debug: bool = False
    deferred: bool = False


DENY, ACCEPT, DEBUG, DEFER = (
    Decision(0),
    Decision(SAMPLED),
    Decision(SAMPLED, debug=True),
    Decision(SAMPLED, deferred=True),
)
_DECISIONS: Final[Mapping[str | None, Decision]] = {"0": DENY, "1": ACCEPT, "d": DEBUG, None: DEFER, "": DEFER}
_OLD: Final[Mapping[str, Decision]] = {**{str(k): v for k, v in _DECISIONS.items()}, "false": DENY, "true": ACCEPT}


def read(headers: Headers) -> RemoteParent | None:
    """Return the context in `b3`, else the one in `X-B3-…`; a decision may come without IDs, half an ID pair counts for nothing."""
    text = headers.get(SINGLE)
    return (_read_single(text.strip(OWS)) if text else None) or _read_several(headers)


def _read_single(text: str) -> RemoteParent | None:
    if text in {"0", "1", "d"}:
        return _context(None, None, _DECISIONS[text], None)
    found = _single(text)
    if found is None:
        return None
    trace_id, span_id = padded(found[1], 32), padded(found[2], 16)
    if trace_id is None or span_id is None:
        return None
    return _context(trace_id, span_id, _DECISIONS[found[3]], found[4])


def _read_several(headers: Headers) -> RemoteParent | None:
    trace_text, span_text, parent, sampled, flags = (headers.get(name, "").strip(OWS) for name in FIELDS[1:])
    decision = DEBUG if flags == "1" else _OLD.get(sampled.lower(), DEFER if not sampled else None)
    if decision is None:
        return None
    if not trace_text and not span_text:
        return None if decision is DEFER else _context(None, None, decision, None)
    trace_id = padded(trace_text, 32) if _trace_id(trace_text) else None
    span_id = padded(span_text, 16) if _span_id(span_text) else None
    if trace_id is None or span_id is None:
        return None
    return _context(trace_id, span_id, decision, parent if _span_id(parent) else None)


def _context(trace_id: str | None, span_id: str | None, decision: Decision, parent: str | None) -> RemoteParent:
    parent_id = None if parent is None else padded(parent, 16)
    flags, debug, deferred = decision
    return RemoteParent(trace_id, span_id, flags, debug=debug, deferred=deferred, parent_id=parent_id, format="b3")


def write_single(context: RemoteParent, headers: MutableMapping[str, str]) -> None:
    """Put `b3: traceid-spanid-state[-parentid]`; a trace of 64 bits has 16 digits, for services that know no more."""
    state = "d" if context.debug else "1" if context.flags & SAMPLED else "0"
    text = f"{shortest(context.trace_id or '')}-{context.span_id}-{state}"
    headers[SINGLE] = f"{text}-{context.parent_id}" if context.parent_id else text


def write_several(context: RemoteParent, headers: MutableMapping[str, str]) -> None:
    """Put `X-B3-TraceId`, `X-B3-SpanId` and what belongs to them; a debug request stands in `X-B3-Flags` alone."""
    headers[TRACE_ID] = shortest(context.trace_id or "")
    headers[SPAN_ID] = context.span_id or ""
    if context.parent_id:
        headers[PARENT_ID] = context.parent_id
    if context.debug:
        headers[FLAGS] = "1"
    else:
        headers[SAMPLED_NAME] = "1" if context.flags & SAMPLED else "0"


SINGLE_FORMAT = HeaderFormat("b3", FIELDS, read, write_single)
MULTI_FORMAT = HeaderFormat("b3multi", FIELDS, read, write_several)
