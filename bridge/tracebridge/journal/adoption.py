"""Reading what a dead process left: its finished spans in order, and its open spans as *unfinished* ones.

Nothing is changed but for one segment that is added: the unfinished spans, written down as finished records like any
other. That makes the reading repeatable: a process that dies while it adopts leaves a folder that the next one reads the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tracebridge.journal.base import decode_record, encode_record
from tracebridge.journal.folder import DAMAGED, STATS, Folder
from tracebridge.journal.open_spans import merged
from tracebridge.journal.segment import (
    CHANGED,
    FINISHED,
    HEAD_BYTES,
    RESOURCE,
    STARTED,
    TORN,
    VOID,
    DamagedError,
    NewerVersionError,
    Segment,
)
from tracebridge.process.private_files import prune, write_private
from tracebridge.records.record import EndCause, Resource, SpanRecord, StatusCode

UNFINISHED = "unfinished: the process ended before the span did"
MOST_SET_ASIDE = 256 * 2**20  # bytes that are kept of what was damaged; the oldest goes first
MOST_FILES_ASIDE = 10_000

_log = logging.getLogger("tracebridge.journal")
_decode_resource = msgspec.msgpack.Decoder(Resource).decode


class ForeignError(Exception):
    """None of the adapters that are owed something in a folder is configured here."""


class _Head(msgspec.Struct, array_like=True):
    """The first fields of a SpanRecord: enough to tell which span it is."""

    trace_id: bytes
    span_id: bytes


_decode_head = msgspec.msgpack.Decoder(_Head).decode


def key_of(body: bytes) -> tuple[bytes, bytes]:
    """Return the trace's and the span's ID out of an encoded record. Raises msgspec.DecodeError."""
    head = _decode_head(body)
    return head.trace_id, head.span_id


@dataclass
class Left:
    """What a dead process left in its folder."""

    folder: Folder
    segments: list[Segment] = field(default_factory=list)
    unfinished: int = 0
    """Spans that were open."""
    damaged: int = 0
    """Stretches, or whole segments, that could not be read and were set aside."""
    torn: int = 0
    """Records that were being written at the end."""

    @property
    def finished(self) -> int:
        """Spans that had ended."""
        return sum(len(segment.offsets) for segment in self.segments) - self.unfinished


def read_folder(folder: Folder, adapters: list[str], between: Callable[[], None] = lambda: None) -> Left:
    """Read a dead writer's folder, whose lock is ours. `between` is called between segments, because reading may take seconds.

    Raises NewerVersionError when a newer tracebridge wrote it, ForeignError when it is another configuration's, OSError.
    """
    left = Left(folder)
    try:
        _read(left, adapters, between)
    except BaseException:
        for segment in left.segments:
            segment.release()
        raise
    return left


def _read(left: Left, adapters: list[str], between: Callable[[], None]) -> None:
    folder = left.folder
    aside = folder.path.parent / DAMAGED
    opened: dict[tuple[bytes, bytes], SpanRecord] = {}
    resource: Resource | None = None
    known = []
    for path in folder.segments():
        between()
        try:
            segment = Segment.open(path)
        except NewerVersionError:
            raise
        except DamagedError as error:
            left.damaged += 1
            aside.mkdir(mode=0o700, exist_ok=True)
            path.rename(aside / f"{folder.path.name}-{path.name}")
            _log.debug("%s cannot be read (%s); it was set aside in %s", path, error, aside)
            continue
        left.segments.append(segment)
        known.append(any(segment.settled(name) is not None for name in adapters))
        found = _read_segment(segment, left, opened, aside)
        segment.resource = resource = found or resource or Resource()
    if left.damaged and aside.exists():
        prune(aside, most_files=MOST_FILES_ASIDE, most_bytes=MOST_SET_ASIDE)
    if known and not any(known):
        raise ForeignError("it holds spans for other adapters than those of this configuration")
    if opened:
        _write_unfinished(left, list(opened.values()), resource or Resource(), adapters)


def _read_segment(
    segment: Segment, left: Left, opened: dict[tuple[bytes, bytes], SpanRecord], aside: Path
) -> Resource | None:
    """Find a segment's finished records, follow which spans are open, and return the resource that it names."""
    resource = None
    for kind, at, length in segment.scan():
        segment.at = at + length
        try:
            if kind == FINISHED:
                opened.pop(key_of(segment.body(at)), None)
                segment.offsets.append(at)
            elif kind == STARTED:
                record = decode_record(segment.body(at))
                opened[record.trace_id, record.span_id] = record
            elif kind == CHANGED:
                change = decode_record(segment.body(at))
                before = opened.get((change.trace_id, change.span_id))
                if before is not None:
                    opened[change.trace_id, change.span_id] = merged(before, change)
            elif kind == RESOURCE:
                resource = _decode_resource(segment.body(at))
            elif kind == TORN:
                left.torn += 1
            elif kind != VOID:
                _set_aside(segment, at, length, left, aside)
        except msgspec.DecodeError:  # the checksum agrees, the content does not: written by something else
            _set_aside(segment, at, length, left, aside)
    return resource


def _write_unfinished(left: Left, records: list[SpanRecord], resource: Resource, adapters: list[str]) -> None:
    """Add a segment with the spans that were open, as finished records."""
    last_seen_ns = _last_seen_ns(left.folder)
    bodies = [
        encode_record(
            msgspec.structs.replace(
                record,
                end_time_ns=max(record.end_time_ns, last_seen_ns),
                status=int(StatusCode.ERROR),
                status_message=record.status_message or UNFINISHED,
                end_cause=EndCause.UNFINISHED.value,
            )
        )
        for record in records
    ]
    head = encode_record(resource)
    size = sum(len(body) + HEAD_BYTES for body in [head, *bodies])
    owing = [name for segment in left.segments for name in adapters if segment.settled(name) is not None]
    names = list(dict.fromkeys(owing))
    segment = Segment.create(None, size + Segment.overhead(len(names)), names)
    segment.put(RESOURCE, head)
    segment.resource = resource
    for body in bodies:
        segment.offsets.append(segment.put(FINISHED, body))
    try:
        segment.move_to(left.folder.next_path())  # whole, or not there
    except OSError as error:
        _log.warning("unfinished spans from %s lie in memory until they are delivered: %s", left.folder.path, error)
    left.segments.append(segment)
    left.unfinished = len(records)


def _last_seen_ns(folder: Folder) -> int:
    """Return when the dead process last wrote its numbers, in Unix nanoseconds: it lived at least until then."""
    try:
        return (folder.path / STATS).stat().st_mtime_ns
    except OSError:
        return 0


def _set_aside(segment: Segment, at: int, length: int, left: Left, aside: Path) -> None:
    left.damaged += 1
    assert segment.path is not None  # noqa: S101 - what was found on the disk has a path
    target = aside / f"{segment.path.parent.name}-{segment.path.stem}-{at}.bin"
    _log.debug("%s: %d bytes at %d are damaged; set aside as %s", segment.path, length, at, target)
    try:
        aside.mkdir(mode=0o700, exist_ok=True)
        write_private(target, segment.raw(at, length))
    except OSError as error:
        _log.warning("cannot set aside %s: %s", target, error)
