"""The header of a segment: of which version it is, and where what stands in it.

A segment is of the lowest version whose readers understand all that stands in it, so that during a deploy the old and the new take over each other's as far as
they can. Magic and version stay where they are in every version to come.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from dataclasses import dataclass

from tracebridge.journal.settled import SLOT_BYTES

VERSION = 2
"""The newest version that is read and written. 2 brought records of spans that a stage holds."""
OLDEST = 1
MAGIC = b"TBSEGMNT"
_HEADER = struct.Struct("<8sHHIII4sI")  # magic, version, slots, slots' offset, records' offset, salt, mark, checksum
HEADER_BYTES = 64
SLOTS_AT = 2 * HEADER_BYTES


class DamagedError(Exception):
    """A segment's header cannot be read."""


class NewerVersionError(DamagedError):
    """A newer tracebridge wrote the segment."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"a newer tracebridge wrote it (journal version {version}; this one reads {OLDEST} to {VERSION}); upgrade"
        )


@dataclass(frozen=True, slots=True)
class Header:
    """What both copies of a header say."""

    version: int
    slots: int
    """Adapters that have a slot."""
    salt: int
    """Where checksums of this segment begin."""
    mark: bytes
    """Four bytes that stand before every record."""

    @property
    def begin(self) -> int:
        """Where the records begin."""
        return SLOTS_AT + self.slots * 2 * SLOT_BYTES

    def write(self, memory: mmap.mmap) -> None:
        """Write both copies, the second first: a process that dies in between leaves one that is whole and true."""
        data = _HEADER.pack(MAGIC, self.version, self.slots, SLOTS_AT, self.begin, self.salt, self.mark, 0)[:-4]
        data += struct.pack("<I", zlib.crc32(data))
        for at in (HEADER_BYTES, 0):
            memory[at : at + len(data)] = data


def read_header(memory: mmap.mmap) -> Header:
    """Return what the first whole copy says. Raises NewerVersionError, DamagedError."""
    versions = []
    for at in (0, HEADER_BYTES):
        magic, version, slots, slots_at, begin, salt, mark, checksum = _HEADER.unpack_from(memory, at)
        is_whole = zlib.crc32(memory[at : at + _HEADER.size - 4]) == checksum
        if magic == MAGIC and version > VERSION:
            versions.append(version)
            if is_whole:
                raise NewerVersionError(version)
        header = Header(version, slots, salt, mark)
        if magic == MAGIC and is_whole and slots_at == SLOTS_AT and begin == header.begin <= len(memory):
            return header
    if len(versions) == 2 and versions[0] == versions[1]:  # not damage: the rest of a header may be different there
        raise NewerVersionError(versions[0])
    raise DamagedError("both copies of its header are damaged")
