"""What each adapter has settled in a segment, as the segment's head says it: two copies of 512 bytes for each adapter, written in turn.

A copy is: hash of the adapter's name (8), generation (4), taken (4), number of gaps (4), the gaps, zeros, CRC-32 (4). The newest whole copy
counts, so that a torn write costs one step and not all.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

_SLOT = struct.Struct("<8sIII")
SLOT_BYTES = 512  # room for the gaps that the most requests in flight can leave
MAX_GAPS = (SLOT_BYTES - _SLOT.size - 4) // 8

Range = tuple[int, int]
"""Records of one segment by number, from and up to (not including)."""

Owner = str | bytes
"""An adapter by its name, or by the hash of a name that this configuration may not know."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What one adapter has settled in a segment: everything before `taken`, except the gaps."""

    taken: int = 0
    gaps: tuple[Range, ...] = ()

    @classmethod
    def of(cls, taken: int, gaps: Iterable[Range]) -> Settled:
        """Return it with gaps in order and neighbours joined."""
        joined: list[Range] = []
        for start, end in sorted(gaps):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return cls(taken, tuple(joined))

    def owed(self, count: int) -> list[Range]:
        """Return the records, of `count`, that are not settled, in order."""
        rest = [gap for gap in self.gaps if gap[0] < gap[1]]
        return [*rest, (self.taken, count)] if self.taken < count else rest

    def owes(self, count: int) -> int:
        """Return how many records, of `count`, are not settled."""
        return sum(end - start for start, end in self.owed(count))

    def merged_with(self, other: Settled) -> Settled:
        """Return what is settled in both: what either of two adapters is owed, one adapter is."""
        taken = min(self.taken, other.taken)
        most = max(self.taken, other.taken)
        return Settled.of(most, [*self.gaps, *other.gaps, (taken, most)])


@dataclass(frozen=True, slots=True)
class Slot:
    """The newest whole copy of what one adapter has settled."""

    number: int
    generation: int
    settled: Settled


def pack_slot(adapter: Owner, generation: int, settled: Settled, salt: int) -> bytes:
    """Return one copy."""
    taken, gaps = settled.taken, settled.gaps
    if len(gaps) > MAX_GAPS:  # more than the slot can say: the rest counts as not settled
        taken, gaps = gaps[MAX_GAPS][0], gaps[:MAX_GAPS]
    head = _SLOT.pack(name_hash(adapter), generation, taken, len(gaps))
    body = (head + b"".join(struct.pack("<II", *gap) for gap in gaps)).ljust(SLOT_BYTES - 4, b"\0")
    return body + struct.pack("<I", zlib.crc32(body, salt))


def read_slots(data: bytes, salt: int) -> dict[bytes, Slot]:
    """Return the newest whole copies in a segment's head, by hash of the adapter's name."""
    newest: dict[bytes, Slot] = {}
    for at in range(0, len(data), SLOT_BYTES):
        raw = data[at : at + SLOT_BYTES]
        name, generation, taken, count = _SLOT.unpack_from(raw)
        if not generation or zlib.crc32(raw[:-4], salt) != int.from_bytes(raw[-4:], "little"):
            continue
        if name not in newest or generation > newest[name].generation:
            gaps = tuple(struct.iter_unpack("<II", raw[_SLOT.size : _SLOT.size + 8 * count]))
            newest[name] = Slot(at // (2 * SLOT_BYTES), generation, Settled(taken, gaps))
    return newest


def name_hash(adapter: Owner) -> bytes:
    """Return 8 bytes that stand for an adapter's name."""
    return adapter if isinstance(adapter, bytes) else blake2b(adapter.encode(), digest_size=8).digest()
