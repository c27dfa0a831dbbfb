"""The calls' short way in C, where the native module is in use: put before the Python methods once, and told of each client's parts.

A method in front (`functions.Method`) does what is usual itself and hands everything else to the Python method, which is complete and the
reference. `Client._native` says what it may do for a client; None there means that every call goes the Python way.
"""

from __future__ import annotations

import zlib
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any

from tracebridge.calls.core import Core
from tracebridge.calls.ending import Ending
from tracebridge.calls.misuse import log
from tracebridge.calls.roots import REMOTE, Roots
from tracebridge.calls.starting import Starting
from tracebridge.ids.random_ids import pop_span_id, shared_ids
from tracebridge.journal.accounts import Accounts
from tracebridge.journal.memory import RECORD_OVERHEAD, MemoryJournal
from tracebridge.native import functions
from tracebridge.propagation.context import RANDOM, SAMPLED
from tracebridge.records.record import EndCause
from tracebridge.spans.live import ENDED_SPANS_REMEMBERED, LiveTrace
from tracebridge.spans.place import show_place
from tracebridge.spans.recent import RecentKeys
from tracebridge.spans.span import KEEP_ERROR, MAX_NAME, Span

if TYPE_CHECKING:
    from tracebridge.journal.base import Journal
    from tracebridge.journal.open_spans import OpenSpans

SHORT: tuple[tuple[type[Any], tuple[str, ...]], ...] = (
    (Roots, ("_begin_trace",)),
    (Starting, ("start_trace", "start_span")),
    (Ending, ("_end", "end_span", "end_trace")),
    (Span, ("end",)),
)
"""The methods that have a short way, by the class that has them."""


def install() -> bool:
    """Put the short way before the Python methods; return whether it is there."""
    if functions is None:
        return False
    try:
        functions.prepare_calls(
            core=Core,
            span=Span,
            trace=LiveTrace,
            recent=RecentKeys,
            accounts=Accounts,
            memory=MemoryJournal,
            keep_error=KEEP_ERROR,
            finished=EndCause.FINISHED,
            remote=REMOTE,
            pop_span_id=pop_span_id,
            more_span_ids=shared_ids.more_span_ids,
            show_place=show_place,
            own_flags=SAMPLED,
            random_flags=SAMPLED | RANDOM,
            spans_remembered=ENDED_SPANS_REMEMBERED,
            max_name=MAX_NAME,
            record_overhead=RECORD_OVERHEAD,
        )
    except TypeError as error:  # such as a msgspec that lays out its structs in another way
        log.warning("the calls run without the native module: %s", error)
        return False
    for owner, names in SHORT:
        for name in names:
            python = vars(owner)[name]
            method = functions.Method(python)
            for told in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
                setattr(method, told, getattr(python, told))
            method.__wrapped__ = python
            setattr(owner, name, method)
    return True


def parts_of(core: Core) -> object | None:
    """Return what the short way needs of a client; None for one whose spans all go the Python way.

    That is one with a clock of its own (in Python it could run anything in the middle of an end), stages of its own, or shared spans.
    """
    if not INSTALLED or not core._stages.fast_path or core._shares_all:
        return None
    if type(core._ticks) is not BuiltinFunctionType or type(core._wall) is not BuiltinFunctionType:
        return None
    accounts, reducer, journal = core._accounts, core._reducer, core._journal
    open_spans = _prepared(journal) if journal.keeps_open else None
    if journal.keeps_open and open_spans is None:
        return None
    made: object = functions.Calls(  # type: ignore[union-attr]  # it is installed
        traces=core._table.traces,
        closed=core._table.closed,
        finished=core._table.finished,
        wire=core._ids.wire,
        random=core._ids.random,
        wall=core._wall,
        accounts=accounts,
        acquire=accounts.acquire,
        release=accounts.release,
        is_inside=accounts.is_inside,
        journal=journal,
        known=reducer.known_keys,
        fast_attributes=reducer.fast_attributes,
        fast_payload=reducer.fast_payload,
        ticks=core._ticks,
        places={} if open_spans is None else open_spans.places,
        held=set() if open_spans is None else open_spans.held,
        text_limit=core._limits.attribute_value_length_limit,
        most_attributes=core._most_attributes,
        hashes=core._ids.hashes,
        begins=core._head is None and core._ids.generate is None,
        keeps_open=journal.keeps_open,
        commits=journal.commits,
    )
    return made


def _prepared(journal: Journal) -> OpenSpans | None:
    """Tell the native module of the journal on disk; return the open spans of this one, None where they go the Python way."""
    from tracebridge.journal import disk, segment

    if not isinstance(journal, disk.DiskJournal):
        return None
    try:
        functions.prepare_disk(  # type: ignore[union-attr]  # it is installed
            journal=disk.DiskJournal,
            segment=segment.Segment,
            crc32=zlib.crc32,
            head_bytes=segment.HEAD_BYTES,
            finished=segment.FINISHED,
            started=segment.STARTED,
            max_body=segment.MAX_BODY,
        )
    except TypeError as error:
        log.warning("spans for a journal on disk go without the native module: %s", error)
        return None
    return journal.open_spans


INSTALLED = install()
