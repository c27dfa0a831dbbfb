"""The calls' short way in C, where the native module is in use: put before the Python methods once, and told of each client's parts.

A method in front (`functions.Method`) does what is usual itself and hands everything else to the Python method, which is complete and the
reference. `Client._native` says what it may do for a client; None there means that every call goes the Python way.
"""

from __future__ import annotations

from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any

from tracebridge.calls.ending import Ending
from tracebridge.calls.roots import REMOTE
from tracebridge.calls.starting import Starting
from tracebridge.ids.random_ids import pop_span_id, shared_ids
from tracebridge.journal.accounts import Accounts
from tracebridge.journal.memory import RECORD_OVERHEAD, MemoryJournal
from tracebridge.native import functions
from tracebridge.records.record import EndCause
from tracebridge.spans.live import LiveTrace
from tracebridge.spans.recent import RecentKeys
from tracebridge.spans.span import KEEP_ERROR, MAX_NAME, Span

if TYPE_CHECKING:
    from tracebridge.calls.core import Core

SHORT: tuple[tuple[type[Any], tuple[str, ...]], ...] = (
    (Starting, ("start_span",)),
    (Ending, ("_end", "end_span", "end_trace")),
    (Span, ("end",)),
)
"""The methods that have a short way, by the class that has them."""


def install() -> None:
    """Put the short way before the Python methods; once in a process, and nothing without the native module."""
    if functions is None:
        return
    functions.prepare_calls(
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
        max_name=MAX_NAME,
        record_overhead=RECORD_OVERHEAD,
    )
    for owner, names in SHORT:
        for name in names:
            python = vars(owner)[name]
            method = functions.Method(python)
            for told in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
                setattr(method, told, getattr(python, told))
            method.__wrapped__ = python
            setattr(owner, name, method)


def parts_of(core: Core) -> object | None:
    """Return what the short way needs of a client; None for one whose spans all go the Python way.

    That is one with a clock of its own (in Python it could run anything in the middle of an end), a journal on disk, stages of its own, or shared spans.
    """
    if functions is None or core._keeps_open or not core._stages.fast_path or core._shares_all:
        return None
    if type(core._ticks) is not BuiltinFunctionType:
        return None
    accounts, reducer = core._accounts, core._reducer
    made: object = functions.Calls(
        traces=core._table.traces,
        accounts=accounts,
        acquire=accounts.acquire,
        release=accounts.release,
        is_inside=accounts.is_inside,
        journal=core._journal,
        known=reducer.known_keys,
        fast_attributes=reducer.fast_attributes,
        fast_payload=reducer.fast_payload,
        ticks=core._ticks,
        text_limit=core._limits.attribute_value_length_limit,
        most_attributes=core._most_attributes,
    )
    return made


install()
