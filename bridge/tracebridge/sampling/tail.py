"""The decision about a whole trace: its spans wait until its root has ended here, and one that matches has all of them kept.

What is kept so is kept with certainty, and says so: `th:0` on every span, whatever the head had decided. What does not match is as the head decided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from tracebridge.journal.base import decode_record, encode_record
from tracebridge.propagation.context import SAMPLED
from tracebridge.records.record import SpanRecord, StatusCode, Value
from tracebridge.sampling import member
from tracebridge.sampling.decision import TAIL, Decision
from tracebridge.sampling.matching import AttributesFit, text_fits
from tracebridge.sampling.member import Member
from tracebridge.sampling.short_records import ending_of, exchanged, with_ending
from tracebridge.settings.sampling import KeepSettings

ERRORS, SLOWER_THAN, NAMES, ATTRIBUTES = "errors", "slower_than", "names", "attributes"
"""What a trace is kept for: the keys of `sampling.keep`."""
MOST_REMEMBERED = 16_384  # traces that were decided lately, for spans that come late

_ERROR = int(StatusCode.ERROR)
_NANOSECONDS = 1_000_000_000


class Tail:
    """Judges spans, and carries out what is decided about those that wait."""

    def __init__(self, settings: KeepSettings) -> None:
        self.settings = settings
        self._errors = settings.errors
        self._longest = None if settings.slower_than is None else settings.slower_than * _NANOSECONDS
        self._names = [text_fits(name) for name in settings.names]
        self._attributes = AttributesFit(settings.attributes) if settings.attributes else None
        self._young: dict[bytes, Decision] = {}
        self._old: dict[bytes, Decision] = {}

    def wanted(self, name: str, status: int, duration_ns: int, attributes: Mapping[str, Value]) -> str:
        """Return what makes a finished span's trace worth keeping, empty where nothing does."""
        if status == _ERROR and self._errors:
            return ERRORS
        if self._longest is not None and duration_ns > self._longest:
            return SLOWER_THAN
        if self._names and any(fits(name) for fits in self._names):
            return NAMES
        if self._attributes is not None and self._attributes.some(attributes):
            return ATTRIBUTES
        return ""

    def wants(self, record: SpanRecord) -> str:
        """Return what makes a finished record's trace worth keeping, empty where nothing does."""
        return self.wanted(record.name, record.status, record.end_time_ns - record.start_time_ns, record.attributes)

    # ------------------------------------------------------------------ carrying out

    def decided(self, key: bytes, decision: Decision, wanted: str) -> None:
        """Note what is decided about a trace, for all spans that come later."""
        decision.undecided = False
        decision.kept = wanted
        if not decision.delivered:
            decision.reason = TAIL
        if len(self._young) >= MOST_REMEMBERED:
            self._old, self._young = self._young, {}
        self._young[key] = decision

    def recent(self, key: bytes) -> Decision | None:
        """Return what was decided lately about a trace."""
        return self._young.get(key) or self._old.get(key)

    def kept(self, data: bytes, decision: Decision) -> bytes:
        """Return a record of a trace that is kept, encoded: sampled, with certainty."""
        short = with_ending(data, decision.kept_ending) or exchanged(data, decision.ending, decision.kept_ending)
        if short is not None:
            return short
        record = decode_record(data)
        said = member.read(record.trace_state)._replace(threshold=0)
        return encode_record(_restated(record, said))

    def adopted(self, _key: bytes, bodies: Sequence[bytes]) -> list[bytes | None]:
        """Decide about what a dead process held: each record has in it what was decided at its trace's start."""
        records = [decode_record(body) for body in bodies]
        if any(self.wants(record) for record in records):
            return [self.kept(body, NOTHING) for body in bodies]
        return [body if record.flags & SAMPLED else None for record, body in zip(records, bodies, strict=True)]


def delivered(data: bytes, decision: Decision) -> bytes:
    """Return a record of a trace that the head delivers, encoded: with its threshold, and its randomness where that is told."""
    short = with_ending(data, decision.ending)
    if short is not None or data.endswith(decision.ending):
        return short or data
    record = decode_record(data)
    ours, said = member.read(decision.context.trace_state), member.read(record.trace_state)
    stated = said._replace(threshold=ours.threshold, randomness=ours.randomness)
    return data if stated == said and record.flags & SAMPLED else encode_record(_restated(record, stated))


def _restated(record: SpanRecord, said: Member) -> SpanRecord:
    return msgspec.structs.replace(
        record, trace_state=member.put(record.trace_state, said), flags=record.flags | SAMPLED
    )


NOTHING = Decision(True, "", ending=b"\xc1", kept_ending=ending_of("ot=th:0", SAMPLED))
"""Of a record of which nothing is known: its ending is a byte that MessagePack never uses."""

WAITS_FOR_ROOTS = KeepSettings(slower_than=math.inf)
"""Keeps nothing of its own, and has spans wait for their root."""
