"""A search that is watched: how far it is, what it has found so far, and an end to it whenever somebody wants one."""

from __future__ import annotations

import datetime
import itertools
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from tracebridge.cli.shared.output import echo, terminal
from tracebridge.cli.shared.words import count
from tracebridge.plugins.adapter import Looked, StreamingReader
from tracebridge.reading.destination import Destination
from tracebridge.reading.search import Query
from tracebridge.records.record import SpanRecord


class Answer(NamedTuple):
    """What was found."""

    traces: list[list[SpanRecord]]
    more: bool
    """Whether there may be others."""
    interrupted: bool = False


def answer_of(destination: Destination, query: Query) -> Answer:
    """Return the first `max_results` traces that match. Ctrl-C ends the search, and what was found by then is the answer."""
    if not isinstance(destination.reader, StreamingReader):
        page = destination.reader.search(query)
        return Answer([spans for spans in page.traces if spans], page.token is not None)
    found: list[list[SpanRecord]] = []
    far = Looked(0, 0)
    with _status() as status:

        def looked(now: Looked) -> None:
            nonlocal far
            far = now
            status.update(f"{_so_far(far)}; {len(found):,} found (Ctrl-C shows them)")

        try:
            found.extend(itertools.islice(destination.reader.stream(query, looked), query.max_results + 1))
        except KeyboardInterrupt:
            echo(f"stopped: {_so_far(far)}", err=True)
            return Answer(found[: query.max_results], True, True)
    return Answer(found[: query.max_results], len(found) > query.max_results)


def _status() -> AbstractContextManager[Any]:
    console = terminal(stderr=True)
    return console.status("searching") if console.is_terminal else terminal(stderr=True, quiet=True).status("")


def _so_far(looked: Looked) -> str:
    moment = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(seconds=looked.start_ns // 10**9)
    since = f", back to {moment:%Y-%m-%d %H:%M:%S}" if looked.traces else ""
    return f"looked at {count(looked.traces, 'trace')}{since}"
