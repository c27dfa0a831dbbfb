"""Reading what a dead process left: its finished spans in order, its open spans as *unfinished* ones, and what a stage held.

Nothing is changed but for one segment that is added: the unfinished spans, and those that were held and are kept, written down as finished
records like any other. That makes the reading repeatable: a process that dies while it adopts leaves a folder that the next one reads the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    HELD,
    RESOURCE,
    STARTED,
    TORN,
    VOID,
    Segment,
)
from tracebridge.journal.segment_header import DamagedError, NewerVersionError
from tracebridge.journal.settled import name_hash
from tracebridge.masking.loggers import logger
from tracebridge.process.private_files import is_folder, make_folder, prune, write_private
from tracebridge.records.record import EndCause, Resource, SpanRecord, StatusCode

UNFINISHED = "unfinished: the process ended before the span did"
MOST_SET_ASIDE = 256 * 2**20  # bytes that are kept of what was damaged; the oldest goes first
MOST_FILES_ASIDE = 10_000
_ASIDE = re.compile(r"\d{20}-\d+-[0-9a-f]{8}-\d+(\.seg|-\d+\.bin(\.new)?)")

_log = logger("tracebridge.journal")
_decode_resource = msgspec.msgpack.Decoder(Resource).decode


class _Head(msgspec.Struct, array_like=True):
    """The first fields of a SpanRecord: enough to tell which span it is."""

    trace_id: bytes
    span_id: bytes


_decode_head = msgspec.msgpack.Decoder(_Head).decode


def key_of(body: bytes) -> tuple[bytes, bytes]:
    """Return the trace's and the span's ID out of an encoded record. Raises msgspec.DecodeError."""
    head = _decode_head(body)
    return head.trace_id, head.span_id


def held_in(body: bytes) -> tuple[bytes, bytes]:
    """Return the key that a stage will decide under, and the record, out of a held record's body."""
    end = 1 + body[0]
    return body[1:end], body[end:]


Decide = Callable[[bytes, Sequence[bytes]], Sequence[bytes | None]]
"""From the key and the records that a stage held under it to what is kept of each, None for one that is dropped."""


def keep_all(_: bytes, bodies: Sequence[bytes]) -> Sequence[bytes | None]:
    """Keep everything that was held: no stage here holds."""
    return bodies


@dataclass
class Opened:
    """What a process had not finished with."""

    spans: dict[tuple[bytes, bytes], SpanRecord] = field(default_factory=dict)
    """Open spans."""
    held: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = field(default_factory=dict)
    """Spans that a stage held: its key, and the record."""


@dataclass
class Left:
    """What a dead process left in its folder."""

    folder: Folder
    segments: list[Segment] = field(default_factory=list)
    owed: Counter[bytes] = field(default_factory=Counter)
    """Spans that are still to go to each adapter, by the hash of its name; those that were open are among them."""
    unfinished: int = 0
    """Spans that were open, or held and are kept."""
    is_written: bool = True
    """Whether those stand in a file as unfinished ones; else the records of their starts must stay."""
    damaged: int = 0
    """Stretches, or whole segments, that could not be read and were set aside."""
    torn: int = 0
    """Records that were being written at the end."""

    @property
    def finished(self) -> int:
        """Spans that had ended."""
        return sum(len(segment.offsets) for segment in self.segments) - self.unfinished

    @property
    def size(self) -> int:
        """Bytes that its records take."""
        return sum(segment.at for segment in self.segments)

    def owed_to(self, adapters: Sequence[str]) -> int:
        """Return how many spans these adapters are owed, each counted for itself."""
        return sum(self.owed[name_hash(name)] for name in adapters)

    def by_name(self, adapters: Sequence[str] = ()) -> dict[str, int]:
        """Return what is owed by the adapters' names, as far as the writer or `adapters` tell them; `? (hash)` for the others."""
        return named(self.owed, [*adapters, *self.folder.adapters()])

    def owners_named(self, name: str, adapters: Sequence[str] = ()) -> list[bytes]:
        """Return which of those that are owed something `by_name` calls so, by their hashes."""
        known = [*adapters, *self.folder.adapters()]
        return [key for key in self.owed if name in named({key: 1}, known)]

    def close(self) -> None:
        """Leave the folder as it is, to whoever comes next."""
        for segment in self.segments:
            segment.release()
        self.folder.close()


def named(owed: Mapping[bytes, int], names: Iterable[str]) -> dict[str, int]:
    """Return what is owed by names instead of by their hashes."""
    known = {name_hash(name): name for name in names}
    return {known.get(key, f"? ({key.hex()[:8]})"): spans for key, spans in owed.items() if spans}


def read_folder(
    folder: Folder,
    adapters: Sequence[str],
    between: Callable[[], None] = lambda: None,
    *,
    always: bool = False,
    decide: Decide = keep_all,
) -> Left:
    """Read a dead writer's folder, whose lock is ours. `between` is called between segments, because reading may take seconds.

    `adapters` are those that will deliver from it. Spans that were open are written down as unfinished ones when these are owed something,
    or `always`; `decide` is asked then about what a stage held. Raises NewerVersionError when a newer tracebridge wrote it, OSError.
    """
    left = Left(folder)
    try:
        _read(left, adapters, between, always, decide)
    except BaseException:
        for segment in left.segments:
            segment.release()
        raise
    return left


def _read(left: Left, adapters: Sequence[str], between: Callable[[], None], always: bool, decide: Decide) -> None:
    folder = left.folder
    aside = folder.path.parent / DAMAGED
    opened = Opened()
    resource: Resource | None = None
    owners: set[bytes] = set()
    for path in folder.segments():
        between()
        try:
            segment = Segment.open(path)
        except NewerVersionError:
            raise
        except DamagedError as error:
            left.damaged += 1
            make_folder(aside)
            path.rename(aside / f"{folder.path.name}-{path.name}")
            _log.debug("%s cannot be read (%s); it was set aside in %s", path, error, aside)
            continue
        left.segments.append(segment)
        found = _read_segment(segment, left, opened, aside)
        segment.resource = resource = found or resource or Resource()
        owners.update(_count_owed(segment, adapters, left.owed))
    if left.damaged and is_folder(aside):
        prune(aside, _ASIDE, most_files=MOST_FILES_ASIDE, most_bytes=MOST_SET_ASIDE)
    pending = len(opened.spans) + len(opened.held)
    left.owed.update(dict.fromkeys(owners, pending))
    left.is_written = not pending or not owners
    if pending and (always or left.owed_to(adapters)):
        bodies = [*_kept(opened, decide), *_unfinished(folder, opened)]
        left.owed.subtract(dict.fromkeys(owners, pending - len(bodies)))
        _write_unfinished(left, bodies, resource or Resource(), sorted(owners))


def _count_owed(segment: Segment, adapters: Sequence[str], owed: Counter[bytes]) -> set[bytes]:
    """Count what a segment owes to each adapter; return the adapters that it knows, by the hash of the name."""
    settled = {key: slot.settled for key, slot in segment.written().items()}
    for name in adapters:
        presumed = segment.settled(name)  # what a damaged slot is taken for, too
        if presumed is not None:
            settled[name_hash(name)] = presumed
    for key, one in settled.items():
        owed[key] += one.owes(len(segment.offsets))
    return set(settled)


def _read_segment(segment: Segment, left: Left, opened: Opened, aside: Path) -> Resource | None:
    """Find a segment's finished records, follow which spans are open or held, and return the resource that it names."""
    resource = None
    for kind, at, length in segment.scan():
        segment.at = at + length
        try:
            if kind == FINISHED:
                key = key_of(segment.body(at))
                opened.spans.pop(key, None)
                opened.held.pop(key, None)
                segment.offsets.append(at)
            elif kind == STARTED:
                record = decode_record(segment.body(at))
                opened.spans[record.trace_id, record.span_id] = record
            elif kind == HELD:
                group, body = held_in(segment.body(at))
                opened.held[key_of(body)] = group, body
                opened.spans.pop(key_of(body), None)
            elif kind == CHANGED:
                change = decode_record(segment.body(at))
                before = opened.spans.get((change.trace_id, change.span_id))
                if before is not None:
                    opened.spans[change.trace_id, change.span_id] = merged(before, change)
            elif kind == RESOURCE:
                resource = _decode_resource(segment.body(at))
            elif kind == TORN:
                left.torn += 1
            elif kind != VOID:
                _set_aside(segment, at, length, left, aside)
        except msgspec.DecodeError:  # the checksum agrees, the content does not: written by something else
            _set_aside(segment, at, length, left, aside)
    return resource


def _kept(opened: Opened, decide: Decide) -> list[bytes]:
    """Return what is kept of the spans that a stage held."""
    groups: dict[bytes, list[bytes]] = {}
    for group, body in opened.held.values():
        groups.setdefault(group, []).append(body)
    return [kept for group, bodies in groups.items() for kept in decide(group, bodies) if kept is not None]


def _unfinished(folder: Folder, opened: Opened) -> list[bytes]:
    """Return the spans that were open, as finished records."""
    last_seen_ns = _last_seen_ns(folder)
    return [
        encode_record(
            msgspec.structs.replace(
                record,
                end_time_ns=max(record.end_time_ns, last_seen_ns),
                status=int(StatusCode.ERROR),
                status_message=record.status_message or UNFINISHED,
                end_cause=EndCause.UNFINISHED.value,
            )
        )
        for record in opened.spans.values()
    ]


def _write_unfinished(left: Left, bodies: list[bytes], resource: Resource, owners: Sequence[bytes]) -> None:
    """Add a segment with records of spans that were not finished with; none, when there are none."""
    if not bodies:
        left.is_written = True
        return
    head = encode_record(resource)
    size = sum(len(body) + HEAD_BYTES for body in [head, *bodies])
    segment = Segment.create(None, size + Segment.overhead(len(owners)), owners)
    segment.put(RESOURCE, head)
    segment.resource = resource
    for body in bodies:
        segment.offsets.append(segment.put(FINISHED, body))
    try:
        segment.move_to(left.folder.next_path())  # whole, or not there
        left.is_written = True
    except OSError as error:
        _log.warning("unfinished spans from %s lie in memory until they are delivered: %s", left.folder.path, error)
    left.segments.append(segment)
    left.unfinished = len(bodies)


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
        make_folder(aside)
        write_private(target, segment.raw(at, length))
    except OSError as error:
        _log.warning("cannot set aside %s: %s", target, error)
