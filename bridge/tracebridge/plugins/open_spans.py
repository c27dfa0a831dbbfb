"""The contract of an engine of shared open spans: the only file that an engine's author must read.

An engine keeps spans that are open for all processes that name it, so that any of them may change and end one. It sees bytes alone: a span is a
list of *parts*, in the order in which the engine took them, which only `tracebridge.sharing` reads. A distribution offers an engine by an entry point of the
group `tracebridge.open_spans` that names a class like `Engine`.

**States.** A span is *open* from its start. The first `end` makes it *ended* and gives its parts to whoever ended it, under a claim: a lease that
runs out. `settle`, by the holder of the claim, makes it *gone*, which is remembered for `REMEMBERED_S`, so that a second end is told from an unknown one.
What is overdue, or ended under a lease that has run out, is for `take`: each goes to exactly one caller. Whoever asks the time asks one clock, the engine's.

**Errors.** Every method may raise whatever it likes, within about `timeout_s`: the caller is bounded by it, counts, and goes on without the engine.
Methods are called from several threads at once. A call that raised may be made again with the same arguments, and must then mean the same: parts begin with an ID of
their own, and an `end` under the same claim gives the parts again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

REMEMBERED_S = 3600.0
"""Seconds for which an engine knows that a span has ended, at least."""

Change = Literal["open", "ended", "unknown"]
"""What a span was when it was changed; only a change of an open one is kept."""


class SpanKey(NamedTuple):
    """Which span: 16 and 8 bytes, as on the wire."""

    trace_id: bytes
    span_id: bytes


class Entry(NamedTuple):
    """A span that is open, or that ended and was not settled."""

    key: SpanKey
    parts: Sequence[bytes]


class Engine(Protocol):
    """Where open spans are kept for several processes."""

    def __init__(self, url: str | None, timeout_s: float) -> None:
        """Build from `open_spans.url`. No network, no file: the first call may take the time. Raises ConfigError for an address that it cannot use."""
        ...

    def start(self, key: SpanKey, part: bytes, *, is_root: bool, max_open_s: float) -> bool:
        """Keep a new span, overdue after `max_open_s`; return False where the span is known already and nothing is kept."""
        ...

    def change(self, key: SpanKey, part: bytes) -> Change:
        """Add a part to a span that is open."""
        ...

    def end(
        self, key: SpanKey, part: bytes, claim: bytes, lease_s: float, *, even_unknown: bool = True
    ) -> list[bytes] | None:
        """End a span with its last part; return all its parts, None where another one has ended it.

        Atomic: of any number of callers exactly one gets the parts. With an empty claim nobody holds it, and `take` has it at once. A span that is
        unknown begins with its end; without `even_unknown` nothing is kept of it, and None is returned.
        """
        ...

    def take(self, claim: bytes, lease_s: float, most: int) -> list[Entry]:
        """Claim at most so many spans that are overdue (they end by this), or ended under a claim that has run out."""
        ...

    def settle(self, keys: Sequence[SpanKey], claim: bytes) -> None:
        """Forget the parts of ended spans that are still held under this claim: a journal has them."""
        ...

    def open(self, trace_id: bytes | None, most: int) -> list[Entry]:
        """Return open spans, oldest first: those of a trace, or with None the roots of all."""
        ...

    def close(self) -> None:
        """Let go of connections. Never called in a forked child for what its parent opened.

        A call that comes later, of a thread that was about to make it, raises ConnectionError: nobody would close what it opens.
        """
        ...
