"""Laws: the native module makes, of the journal's bytes, the very bytes that the Python code makes of the records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from support import strategies
from tracebridge.journal.base import decode_record, encode_record
from tracebridge.native import functions, state
from tracebridge.records.encoded import EncodedRecords
from tracebridge.records.record import Event, Link, Resource, Scope, SpanRecord
from tracebridge_adapters import encoders
from tracebridge_adapters.formats.spanlog.writer import Writer
from tracebridge_adapters.options import Dialect

pytestmark = pytest.mark.skipif(functions is None, reason=f"the native module is {state}")

ENCODERS = {
    "otlp_protobuf": encoders.otlp_protobuf,
    "otlp_json": encoders.otlp_json,
    "zipkin_json": encoders.zipkin_json,
}
RESOURCES = st.sampled_from(
    [
        Resource(),
        Resource({"service.name": "shop"}),
        Resource(
            {"service.name": "shop", "host.ip": "10.0.0.1", "n": 1.5, "http.route": "/", "error": "no"},
            "https://schema",
        ),
        Resource({"service.name": "shop"}, "https://zipkin.io/zipkin-api/"),
    ]
)
NAMES = st.sampled_from(["tracebridge.trace_id", "order.id", "input.value", "tracebridge.span_type"])
DIALECTS = st.sampled_from(get_args(Dialect))
KEYS = strategies.texts | st.sampled_from(
    ["http.route", "order.id", "input.value", "error", "server.address", "mlflow.spanType", "tracebridge.span_id", "n"]
)
VALUES = strategies.values | st.none() | st.floats() | st.decimals(-(10**9), 10**9, places=3).map(float)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=6)
TYPES = st.sampled_from(["UNKNOWN", "LLM", "CHAT_MODEL", "CHAIN", "AGENT", "MY_OWN", ""])
COUNTS = st.sampled_from([0, 0, 0, 1, 2**31, 2**63 - 1])
TIMES = strategies.times | st.integers(10**18, 10**18 + 3000) | st.sampled_from([0, 999, 1000])
PAYLOADS = st.none() | VALUES | st.dictionaries(KEYS, VALUES, max_size=3) | st.lists(VALUES, max_size=3)
OPTIONAL = st.none() | strategies.texts.filter(bool)
OWN = st.builds(
    SpanRecord,
    trace_id=strategies.trace_ids,
    span_id=strategies.span_ids,
    parent_id=st.none() | strategies.span_ids,
    name=strategies.texts,
    start_time_ns=TIMES,
    end_time_ns=TIMES,
    kind=st.integers(0, 5),
    status=st.integers(0, 2),
    attributes=ATTRIBUTES,
    span_type=TYPES,
    custom_trace_id=OPTIONAL,
    id_scheme=OPTIONAL,
    custom_span_id=OPTIONAL,
    span_id_scheme=OPTIONAL,
    status_message=st.just("") | strategies.texts,
    inputs=PAYLOADS,
    outputs=PAYLOADS,
    tags=st.dictionaries(KEYS, strategies.texts, max_size=2),
    events=st.lists(st.builds(Event, strategies.texts, strategies.times, ATTRIBUTES, COUNTS), max_size=2).map(tuple),
    links=st.lists(
        st.builds(Link, strategies.trace_ids, strategies.span_ids, strategies.texts, ATTRIBUTES, COUNTS, COUNTS), max_size=2
    ).map(tuple),
    trace_state=st.just("") | strategies.texts,
    flags=st.integers(0, 2**33),
    parent_is_remote=st.booleans(),
    debug=st.sampled_from([False, False, True]),
    shared=st.sampled_from([False, False, True]),
    dropped_attributes=COUNTS,
    dropped_events=COUNTS,
    dropped_links=COUNTS,
    redacted=st.sampled_from([0, 0, 0, 3]),
    experiment_id=st.just("") | strategies.texts,
    scope=st.none() | st.sampled_from([Scope(), Scope("library", "1"), Scope("library", "1", {"n": 1})]),
    resource=st.none() | st.none() | RESOURCES,
)  # fmt: skip
"""Spans as the journal keeps them: most have few of the rare fields."""
COMMON = st.builds(
    lambda *fields: list(fields),
    strategies.trace_ids, strategies.span_ids, st.none() | strategies.span_ids, strategies.texts, TIMES, TIMES, st.integers(0, 5),
    st.integers(0, 2), ATTRIBUTES, TYPES, OPTIONAL,
)  # fmt: skip
"""The short arrays that `tracebridge.calls.ending` writes."""


LINES = {
    "span_lines": Writer(),
    "span_lines, short": Writer(max_line_bytes=400, resource="root"),
    "span_lines, bare": Writer(resource="off"),
    "span_lines, ecs": Writer("ecs"),
}


def both(name: str, data: Sequence[bytes], resource: Resource, dialect: Any, attribute: str) -> tuple[bytes, bytes]:
    """Return what each side makes of a batch."""
    encode = ENCODERS[name](dialect, attribute) if name in ENCODERS else encoders.span_lines(LINES[name])
    records = EncodedRecords(tuple(data), resource, functions.sources(data))
    return encode(records), encode(list(records))


@given(
    data=st.lists((OWN | COMMON).map(encode_record), min_size=1, max_size=4),
    resource=RESOURCES,
    dialect=DIALECTS,
    attribute=NAMES,
)
def test_both_sides_make_the_same_bytes(data: list[bytes], resource: Resource, dialect: Any, attribute: str) -> None:
    """Whatever spans are in a batch, in every dialect; and all spans that a client writes are read by the native module."""
    assert functions.sources(data) is not None
    for name in (*ENCODERS, *LINES):
        native, python = both(name, data, resource, dialect, attribute)
        assert native == python


@given(record=strategies.records | strategies.hostile_records)
def test_what_the_native_module_reads_can_be_decoded(record: SpanRecord) -> None:
    """No record is read that the Python code could not read."""
    try:
        data = encode_record(record)
    except Exception:  # no client writes it
        return
    if functions.sources([data]) is not None:
        assert encode_record(decode_record(data)) == data


@given(data=OWN.map(encode_record), at=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 40))
@example(encode_record([b"t" * 16, b"s" * 8, None, "name", 1, 2]) + b"\xc0", 0, 0x96, 0)
@example(encode_record([b"t" * 16, b"s" * 8, None, "name", 1, 2]), 0, 0xDD, 0)
def test_damage_is_never_plain_where_it_cannot_be_read(data: bytes, at: int, byte: int, cut: int) -> None:
    """What the native module would encode, the Python code can decode, and both make the same of it."""
    damaged = bytearray(data[: len(data) - cut])
    if damaged:
        damaged[at % len(damaged)] = byte
    if functions.sources([bytes(damaged)]) is None:
        return
    decode_record(bytes(damaged))
    assume(not _has_a_key_twice(bytes(damaged)))
    for name in (*ENCODERS, *LINES):
        native, python = both(name, [bytes(damaged)], Resource({"service.name": "shop"}), "openinference", "order.id")
        assert native == python


def _has_a_key_twice(data: bytes) -> bool:
    """Whether a mapping in these bytes names a key twice, which no encoder of ours writes."""
    return len(encode_record(msgspec.msgpack.decode(data))) < len(data) and data != encode_record(decode_record(data))


@given(
    number=st.floats()
    | st.decimals(-(10**12), 10**12).map(float)
    | st.integers(-(10**16), 10**16).map(lambda n: n / 1000)
)
@example(0.1)
@example(-0.0)
@example(1e15)
@example(999999999999999.0)
@example(0.0001)
@example(math.nan)
def test_numbers_are_written_alike(number: float) -> None:
    """In JSON, where a number has many spellings."""
    data = [encode_record([b"t" * 16, b"s" * 8, None, "name", 10**18, 10**18, 1, 0, {"n": number, "l": [number]}])]
    for name in (*ENCODERS, *LINES):
        native, python = both(name, data, Resource(), "openinference", "order.id")
        assert native == python


@pytest.mark.parametrize("name", ENCODERS)
def test_common_spans_never_need_the_python_code(name: str) -> None:
    """Texts, numbers, truth values and bytes, payloads and one's own ID are encoded in the native module alone."""
    fields = SpanRecord(
        b"t" * 16, b"s" * 8, b"p" * 8, "name", 10**18, 10**18 + 5_000_000, attributes={"a": "ä\n", "b": 7, "c": 0.25, "d": True, "e": b"\x00", "f": [1, None]},
        span_type="LLM", custom_trace_id="order 7", inputs={"q": "?", "n": [1.5, {}]}, outputs="text",
    )  # fmt: skip
    data = encode_record(fields)
    function = getattr(functions, f"{name}_spans")
    naming = (0, b"id", b"id.scheme")
    shared = (naming, (b"", b"}", b"}", (), (), True)) if name == "zipkin_json" else naming
    assert type(function((data,), (None,), shared)) is bytes


def test_common_lines_never_need_the_python_code() -> None:
    """The same for span lines, whose common spans have no type of their own."""
    fields = [b"t" * 16, b"s" * 8, b"p" * 8, "name", 10**18, 10**18 + 5_000_001, 1, 2, {"a": "x", "b": 7, "c": 0.25, "d": [1, None]}, "UNKNOWN", "order 7"]  # fmt: skip
    assert type(functions.span_lines((encode_record(fields),), (None,), Writer().shared_of(Resource()))) is bytes
