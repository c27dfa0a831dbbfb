"""Finished records as the journal's bytes: each is decoded when it is looked at, for adapters that seldom look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, overload

import msgspec

from tracebridge.records.record import Resource, Scope, SpanRecord

decode_record = msgspec.msgpack.Decoder(SpanRecord).decode
"""MessagePack, as the journal keeps records, -> SpanRecord."""

_decode_source = msgspec.msgpack.Decoder(tuple[Scope | None, Resource | None]).decode
_PAIR = b"\x92"  # what an array of two begins with
_encode = msgspec.msgpack.Encoder(enc_hook=str).encode


class Group(NamedTuple):
    """Records of one resource and scope."""

    resource: Resource
    scope: Scope | None
    data: tuple[bytes, ...]


class EncodedRecords(Sequence[SpanRecord]):
    """Records, all of which can be decoded.

    `resource` is that of those that name none; `sources` are the bytes of each record's own scope and resource, empty where none of them names any.
    """

    __slots__ = ("data", "resource", "sources")

    def __init__(self, data: tuple[bytes, ...], resource: Resource, sources: tuple[bytes, ...] = ()) -> None:
        self.data = data
        self.resource = resource
        self.sources = sources

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
            return EncodedRecords(self.data[at], self.resource, self.sources[at])
        record = decode_record(self.data[at])
        if record.resource is None:
            msgspec.structs.force_setattr(record, "resource", self.resource)
        return record

    def groups(self) -> list[Group]:
        """Return them by resource and scope: those of one resource side by side, otherwise in the order in which the first of each came."""
        if not self.sources:
            return [Group(self.resource, None, self.data)]
        resources: dict[bytes, tuple[Resource, dict[bytes, tuple[Scope | None, list[bytes]]]]] = {}
        known: dict[bytes, list[bytes]] = {}
        for source, data in zip(self.sources, self.data, strict=True):
            members = known.get(source)
            if members is None:
                scope, resource = _decode_source(_PAIR + source) if source else (None, None)
                resource = self.resource if resource is None else resource
                _, scopes = resources.setdefault(_encode(resource), (resource, {}))
                members = known[source] = scopes.setdefault(_encode(scope or Scope()), (scope, []))[1]
            members.append(data)
        return [
            Group(resource, scope, tuple(data))
            for resource, scopes in resources.values()
            for scope, data in scopes.values()
        ]
