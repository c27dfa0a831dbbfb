"""Finished records as the journal's bytes: each is decoded when it is looked at, for adapters that seldom look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import msgspec

from tracebridge.records.record import Resource, SpanRecord

decode_record = msgspec.msgpack.Decoder(SpanRecord).decode
"""MessagePack, as the journal keeps records, -> SpanRecord."""


class EncodedRecords(Sequence[SpanRecord]):
    """Records of one resource, of which none names a scope or a resource of its own. All of them can be decoded."""

    __slots__ = ("data", "resource")

    def __init__(self, data: tuple[bytes, ...], resource: Resource) -> None:
        self.data = data
        self.resource = resource

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.data)

    @overload
    def __getitem__(self, at: int) -> SpanRecord: ...
    @overload
    def __getitem__(self, at: slice) -> EncodedRecords: ...

    def __getitem__(self, at: int | slice) -> SpanRecord | EncodedRecords:
        """Return one of them, decoded anew, or some of them, as bytes."""
        if isinstance(at, slice):
            return EncodedRecords(self.data[at], self.resource)
        record = decode_record(self.data[at])
        msgspec.structs.force_setattr(record, "resource", self.resource)
        return record
