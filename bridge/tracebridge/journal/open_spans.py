"""Where a disk journal keeps the records of spans that are open, or held by a stage: what comes back after a crash.

A span has one record from when it was opened and one for each change since. When their segment is to go, or when they have become
many, they are written anew as one record. One that has ended and is held has a last record that says all. Everything here happens under the journal's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import islice

import msgspec

from tracebridge.journal.base import decode_record, encode_record
from tracebridge.journal.segment import HEAD_BYTES, HELD, STARTED, Segment
from tracebridge.records.record import SpanRecord

MOST_CHANGES = 32  # records of one open span before they are written anew as one
CARRIED_AT_ONCE = 512  # spans moved out of an old segment under one lock

Place = tuple[Segment, int]
"""Segment and offset."""
Put = Callable[[int, bytes], Place | None]
"""Writes a record of a kind; None when room is short."""


class OpenSpans:
    """The records of the spans that are open, in the order of their segments."""

    def __init__(self, put: Put) -> None:
        self.places: dict[Hashable, list[Place]] = {}
        """By the key under which the span is known, the record of its start first."""
        self.held: set[Hashable] = set()
        """The keys of those that are held."""
        self.lost = 0
        """How many open spans would not be known after a crash, because there was no room for them."""
        self._put = put

    def begin(self, key: Hashable, data: bytes, kind: int = STARTED) -> None:
        """Write down a span as it is now, forgetting what was written of it before."""
        self.places.pop(key, None)  # what is written last stands last
        place = self._put(kind, data)
        if place is None:
            self.lost += 1
        else:
            self.places[key] = [place]

    def change(self, key: Hashable, kind: int, data: bytes) -> None:
        """Write down what was set on a span that is open."""
        places = self.places.get(key)
        if places is None:
            return
        if len(places) > MOST_CHANGES:
            self.begin(key, _as_one([*_bodies(places), data]))
        elif (place := self._put(kind, data)) is not None and self.places.get(key) is places:
            places.append(place)

    def hold(self, key: Hashable, data: bytes) -> None:
        """Write down a span that has ended and is held."""
        before = self.places.get(key, ())
        self.begin(key, data, HELD)
        if key in self.places:
            self.held.add(key)
            for segment, at in before:  # else it came back as unfinished after it was dropped
                segment.invalidate(at)

    def done(self, key: Hashable) -> None:
        """Forget where a span's records stand: its finished record says all."""
        self.places.pop(key, None)
        self.held.discard(key)

    def invalidate(self, key: Hashable) -> None:
        """Take back what was written of a span: it is not to come back."""
        for segment, at in self.places.pop(key, ()):
            segment.invalidate(at)
        self.held.discard(key)

    def begins_in(self, segment: Segment) -> bool:
        """Return whether the oldest of the records stands there."""
        return bool(self.places) and next(iter(self.places.values()))[0][0] is segment

    def carry(self, oldest: Segment, room: int, most: int | None = CARRIED_AT_ONCE) -> bool:
        """Write anew what stands in the oldest segment, for at most `room` bytes; return whether nothing is left there.

        Without `most` the segment is gone already, and what does not fit is counted as lost.
        """
        moved = []
        for key, places in islice(self.places.items(), most):
            if places[0][0] is not oldest:
                break
            moved.append(key)
        for key in moved:
            held = key in self.held
            bodies = _bodies(self.places[key])[-1:] if held else _bodies(self.places[key])
            size = sum(map(len, bodies)) + HEAD_BYTES
            if size > room and most is not None:
                return False
            if size > room or not all(bodies):  # or somebody has written into our file
                self.done(key)
                self.lost += 1
                continue
            room -= size
            self.begin(key, bodies[0] if held else _as_one(bodies), HELD if held else STARTED)
        return most is None or len(moved) < most


def _bodies(places: list[Place]) -> list[bytes]:
    return [segment.body(at) for segment, at in places]


def _as_one(bodies: list[bytes]) -> bytes:
    """Return the record of a start with the changes since, as one record."""
    if len(bodies) == 1:
        return bodies[0]
    record = decode_record(bodies[0])
    for body in bodies[1:]:
        record = merged(record, decode_record(body))
    return encode_record(record)


def merged(record: SpanRecord, change: SpanRecord) -> SpanRecord:
    """Return an open span's record with what was set on it since."""
    return msgspec.structs.replace(
        record,
        end_time_ns=max(record.end_time_ns, change.end_time_ns),
        status_message=change.status_message or record.status_message,
        attributes={**record.attributes, **change.attributes},
        span_type=record.span_type if change.span_type == "UNKNOWN" else change.span_type,
        inputs=record.inputs if change.inputs is None else change.inputs,
        outputs=record.outputs if change.outputs is None else change.outputs,
        events=(*record.events, *change.events),
        links=(*record.links, *change.links),
        tags={**record.tags, **change.tags},
        truncated=record.truncated + change.truncated,
        redacted=record.redacted + change.redacted,
        repaired=record.repaired + change.repaired,
    )
