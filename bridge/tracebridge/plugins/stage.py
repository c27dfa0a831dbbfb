"""The stage contract: the only file that a stage's author must read.

A stage sees every finished span once, before it is queued, and says what becomes of it: it goes on, changed or not, is dropped, or is held
until the stage can decide. A distribution offers a stage by an entry point of the group `tracebridge.stages` that names a class like
`Stage`; a configuration names it, with its options, in the order in which the stages run:

    stages:
      - redact_customer: {keys: [iban]}

**Who calls.** The client builds the stage at start with its options and a `StageContext`. `process` is called in the application's own
threads, several at once, and the application waits for it: no I/O, no lock that is held for long. The client's own redaction runs after
all stages, so that nothing a stage adds is queued unmasked. After a fork the child builds its own.

**Open spans.** With a journal on disk, a stage is also shown spans that are still open, at their start and what is set on them later,
so that what it masks is never written down (`record.end_cause` is `"unfinished"`, and the record of a change has nothing but the change).
Of these a drop means "do not write it down", a hold means "write it down"; neither is counted.

**Errors.** A stage costs no span. When `process` raises or returns anything else than a verdict, that is counted (`stats().stages`), the
first of its kind is logged with the place (never with the exception's text, which may hold what was not masked yet), and the span goes on
as it came (`on_error: pass`) or becomes a dead letter (`on_error: hold_back`), for stages without which nothing may leave.
One that does not return is named in the log after ten seconds; nothing can stop it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

from tracebridge.plugins.options import option

if TYPE_CHECKING:  # reading a configuration needs this module, and no record
    from tracebridge.records.record import Resource, SpanRecord

HOLD_S = 30.0  # seconds that spans are held when a stage does not say


@dataclass(frozen=True, kw_only=True)
class StageOptions:
    """What every stage's options start with: the client reads these, the stage does not."""

    on_error: Literal["pass", "hold_back"] = option(
        "pass", help="When the stage fails on a span: let it go on as it came, or make it a dead letter."
    )


@dataclass(frozen=True, slots=True)
class StageContext:
    """What the client tells a stage about itself when it builds it."""

    name: str
    """The stage's key in the configuration: `redact_customer` or `redact_customer/second`."""
    resource: Resource
    """The client's own resource."""


class Drop(NamedTuple):
    """The span is dropped, for a reason that is counted (`stats().stages`)."""

    reason: str = ""
    """One of few words, such as `rate`; empty where the stage has one reason only."""


class Hold(NamedTuple):
    """The span is kept back until the stage decides about all spans that are held under the same key.

    It is in the journal, with a directory on the disk, but no destination is given it. `HoldingStage.decide` is asked about a key when a
    span is held with `decide=True`, when `wait_s` has passed since the first of them, when the client closes, and by the next
    process for what a dead one left.
    """

    record: SpanRecord
    """The span, changed or not."""
    key: bytes
    """What is decided about together: a trace ID, most likely. At most 255 bytes."""
    decide: bool = False
    """Whether to ask for the decision at once, about this span too."""
    wait_s: float = HOLD_S
    """Longest time, in seconds, that the first span of a key is held."""


Verdict = "SpanRecord | Drop | Hold | None"
"""What becomes of a span: it goes on as the record returned, is held, or is dropped (`None` is `Drop()`)."""


class Stage(Protocol):
    """One step between a finished span and the queue."""

    Options: ClassVar[type[Any]]
    """The stage's options: a frozen dataclass that derives from `StageOptions`."""

    skips_plain: bool = False
    """Whether spans need not be shown to this stage that hold nothing but plain values within the limits, and no secret under a known key.

    Such spans take a fast path (a third of the cost) when every stage allows it. A stage that samples, counts or adds must not.
    """

    def __init__(self, options: Any, context: StageContext) -> None:
        """Build from an instance of `Options`. No network, no thread."""
        ...

    def process(self, record: SpanRecord) -> SpanRecord | Drop | Hold | None:
        """Return what becomes of one span. Safe from any number of threads.

        Records are frozen: return `msgspec.structs.replace(record, …)` to change one, and change no mapping in place.
        """
        ...


@runtime_checkable
class HoldingStage(Protocol):
    """A stage that answers `Hold`. At most one of a configuration's stages may."""

    def decide(self, key: bytes, records: Sequence[SpanRecord]) -> Sequence[SpanRecord]:
        """Return those of the spans held under a key that are kept, changed or not; the others are dropped.

        Called from the application's threads and from the client's own. When it raises, all are kept.
        """
        ...
