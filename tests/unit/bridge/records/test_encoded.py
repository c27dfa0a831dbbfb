"""Records as bytes, decoded when they are looked at."""

from __future__ import annotations

from tracebridge.journal.base import Claim, Run, decode_record, encode_record, readable
from tracebridge.native import functions
from tracebridge.records.encoded import EncodedRecords
from tracebridge.records.record import Resource, Scope, SpanRecord

RESOURCE = Resource({"service.name": "shop"})
RECORDS = [SpanRecord(b"t" * 16, bytes([n] * 8), None, f"span {n}", n, n + 1) for n in range(1, 4)]
SHOWN = [SpanRecord(b"t" * 16, bytes([n] * 8), None, f"span {n}", n, n + 1, resource=RESOURCE) for n in range(1, 4)]


def _claim(*data: bytes) -> Claim:
    return Claim([Run(list(data))], 0, len(data), 0.0, len(data), len(data))


def test_they_are_a_sequence_of_records() -> None:
    """Each has the resource of all; a slice stays bytes."""
    encoded = EncodedRecords(tuple(map(encode_record, RECORDS)), RESOURCE)
    assert (len(encoded), list(encoded), encoded[-1]) == (3, SHOWN, SHOWN[2])
    assert (type(encoded[1:]), list(encoded[1:])) == (EncodedRecords, SHOWN[1:])


def test_a_claim_is_read_alike_as_bytes_and_as_records() -> None:
    """Records that are what they should be stay bytes where there is a native module."""
    claim = _claim(*map(encode_record, RECORDS))
    encoded = readable(claim, RESOURCE, encoded=True)
    assert type(encoded) is (list if functions is None else EncodedRecords)
    assert list(encoded) == list(readable(claim, RESOURCE)) == SHOWN


def test_damage_is_left_out_of_both() -> None:
    """One record that cannot be read does not hide the others."""
    claim = _claim(encode_record(RECORDS[0]), b"\x93\x01\x02", encode_record(RECORDS[1]))
    assert readable(claim, RESOURCE, encoded=True) == SHOWN[:2]


def test_records_of_other_sources_are_grouped() -> None:
    """By resource and scope, in the order in which the first of each came; a source that is named is the same as one that is not."""
    library, other = Scope("library"), Resource({"service.name": "other"})
    given = [
        SpanRecord(b"t" * 16, bytes([n] * 8), None, f"span {n}", 1, 2, scope=scope, resource=resource)
        for n, scope, resource in (
            (1, None, None),
            (2, library, other),
            (3, library, None),
            (4, Scope(), RESOURCE),
            (5, None, other),
        )
    ]
    records = readable(_claim(*map(encode_record, given)), RESOURCE, encoded=True)
    assert [record.name for record in records] == [f"span {n}" for n in range(1, 6)]
    assert [record.resource for record in records] == [RESOURCE, other, RESOURCE, RESOURCE, other]
    if isinstance(records, EncodedRecords):
        found = [
            (group.resource, group.scope, [decode_record(data).name for data in group.data])
            for group in records.groups()
        ]
        assert found == [
            (RESOURCE, None, ["span 1", "span 4"]),
            (RESOURCE, library, ["span 3"]),
            (other, library, ["span 2"]),
            (other, None, ["span 5"]),
        ]
