"""What the fuzzer of the native module does: each case makes data by chance, damages some of it, and compares both sides."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from tracebridge.journal.base import decode_record, encode_record
from tracebridge.native import functions
from tracebridge.records.encoded import EncodedRecords
from tracebridge.records.record import Event, Link, Resource, Scope, SpanRecord
from tracebridge_adapters import encoders
from tracebridge_adapters.formats.spanlog.writer import Writer

Case = Callable[[random.Random], None]
RESOURCES = (
    Resource({"service.name": "shop"}),
    Resource({"service.name": "shop", "host.ip": "10.0.0.1", "http.route": "/"}, "https://schema"),
    Resource({}, "https://zipkin.io/zipkin-api/"),
)
ENCODERS = [
    (make(dialect, attribute))
    for make in (encoders.otlp_protobuf, encoders.otlp_json, encoders.zipkin_json)
    for dialect in ("openinference", "mlflow", "genai")
    for attribute in ("tracebridge.trace_id", "input.value")
] + [encoders.span_lines(Writer()), encoders.span_lines(Writer(max_line_bytes=700, resource="root"))]
WORDS = ("", "a", "http.route", "order.id", "input.value", "error", "server.address", "LLM", "CHAIN", "ä\n\"\\\x00\x7f", "€" * 50, "x" * 127, "y" * 128, "z" * 20_000, "\U0001f600", "tracebridge.span_id")  # fmt: skip
NUMBERS = (0, 1, -1, 127, 128, 255, 256, 2**31, 2**32, 2**53, 2**63 - 1, -(2**63), 2**63, 2**64 - 1)
REALS = (0.0, -0.0, 0.1, 1.5, 1e15, 1e16, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308, float("nan"), float("inf"), float("-inf"), 1 / 3)  # fmt: skip


def value(chance: random.Random, depth: int = 0) -> Any:
    """Any value that a record may have."""
    kind = chance.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return chance.choice(WORDS)
    if kind == 1:
        return chance.choice(NUMBERS) if chance.random() < 0.5 else chance.randrange(-(2**63), 2**64)
    if kind == 2:
        return chance.choice(REALS) if chance.random() < 0.5 else chance.randrange(-(10**9), 10**9) / 1000
    if kind == 3:
        return chance.random() < 0.5
    if kind == 4:
        return chance.randbytes(chance.randrange(20))
    if kind == 5:
        return None
    if kind == 6:
        return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind == 7 and chance.random() < 0.02:
        return _deep(chance.randrange(60))
    return mapping(chance, depth + 1)


def _deep(levels: int) -> Any:
    inner: Any = 1
    for level in range(levels):
        inner = [inner] if level % 2 else {"a": inner}
    return inner


def mapping(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    """Attributes."""
    return {chance.choice(WORDS): value(chance, depth) for _ in range(chance.randrange(7))}


def record(chance: random.Random) -> bytes:
    """A record as the journal keeps it, in the short form or the long one."""
    seldom = lambda make, default: make() if chance.random() < 0.15 else default  # noqa: E731
    word = lambda: chance.choice(WORDS)  # noqa: E731
    start = chance.choice([0, 999, 1000, 10**18])
    fields: list[Any] = [
        chance.randbytes(16), chance.randbytes(8), chance.choice([None, b"p" * 8]), word(), start, start + chance.choice([-1, 0, 1, 999, 10**6]),
        chance.randrange(6), chance.randrange(3), mapping(chance), seldom(word, "UNKNOWN"), seldom(word, None),
    ]  # fmt: skip
    if chance.random() < 0.5:
        return encode_record(fields)
    events = tuple(
        Event(word(), chance.choice(NUMBERS), mapping(chance), chance.randrange(2)) for _ in range(chance.randrange(3))
    )
    links = tuple(
        Link(b"t" * 16, b"s" * 8, word(), mapping(chance), chance.randrange(2), chance.randrange(2**33))
        for _ in range(chance.randrange(3))
    )
    count = lambda: seldom(lambda: chance.choice(NUMBERS), 0)  # noqa: E731
    return encode_record(
        SpanRecord(  # type: ignore[call-arg]  # there are as many as it has
            *fields, "finished", "", seldom(word, ""), seldom(lambda: value(chance), None), seldom(lambda: value(chance), None), seldom(lambda: events, ()),
            seldom(lambda: links, ()), seldom(lambda: {word(): word()}, {}), seldom(word, None), seldom(word, ""), chance.randrange(512),
            chance.random() < 0.1, chance.random() < 0.1, chance.random() < 0.1, count(), count(), count(), count(), count(), count(), seldom(word, ""),
            seldom(lambda: Scope(word(), word(), mapping(chance)), None), seldom(lambda: chance.choice(RESOURCES), None), seldom(word, None), seldom(word, None),
        )
    )  # fmt: skip


def damaged(chance: random.Random, data: bytes) -> bytes:
    """The same with some bytes changed, cut off, doubled or put in."""
    out = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(out) + 1)
        how = chance.randrange(5)
        if how == 0 and at < len(out):
            out[at] = chance.randrange(256)
        elif how == 1:
            del out[at:]
        elif how == 2:
            out[at:at] = chance.randbytes(chance.randrange(1, 5))
        elif how == 3 and at < len(out):
            out[at] = chance.choice(b"\xc0\xc1\xc4\xc6\xc7\xca\xcb\xcf\xd3\xdb\xdd\xdf\x80\x90\xa0\xff")
        else:
            end = chance.randrange(at, len(out) + 1)
            out[at:at] = out[at:end][:50]
    return bytes(out)


def whole_batches(chance: random.Random) -> None:
    """Both sides make the same of a batch."""
    data = tuple(record(chance) for _ in range(chance.randrange(1, 4)))
    if functions.sources(data) is not None:
        _same(chance, data)


def damaged_batches(chance: random.Random) -> None:
    """What the native module would encode can be decoded, and both sides make the same of it."""
    data = damaged(chance, record(chance))
    if functions.sources((data,)) is not None:
        decode_record(data)
        if (
            encode_record(msgspec.msgpack.decode(data)) == data
        ):  # no key stands twice, and no number is longer than it need be
            _same(chance, (data,))


def bytes_that_were_never_checked(chance: random.Random) -> None:
    """Encoding what `sources` has not seen makes wrong bytes at worst."""
    data = chance.randbytes(chance.randrange(100)) if chance.random() < 0.1 else damaged(chance, record(chance))
    naming = (chance.randrange(3), b"id", b"id.scheme")
    source = (b"", b"}", b"", (b"error",), (b"a",), True)
    for function, shared in (
        (functions.otlp_protobuf_spans, naming),
        (functions.otlp_json_spans, naming),
        (functions.zipkin_json_spans, (naming, source)),
        (functions.span_lines, (b'"shop"', b"{}", b"", 1024, 2000)),
    ):
        function((data, data), (None, b"x"), shared)


WRONG = (None, 1, "text", b"bytes", (), (1,), [b""], (b"a", None), (0, b"a", b"b"), (9, b"a", b"b"), (-1, b"", b""), (b"", b"", b"", (), (), 1), (b"", b"", b"", (1,), (2,), 1), (b"", b"", b"", 1, 1), (b"", b"", b"", -1, 2**70), ((0, b"", b""), (b"", b"", b"", (), (), 1)))  # fmt: skip


def wrong_arguments(chance: random.Random) -> None:
    """Arguments of the wrong kind raise."""
    for name in ("sources", "otlp_protobuf_spans", "otlp_json_spans", "zipkin_json_spans", "span_lines"):
        try:
            getattr(functions, name)(*(chance.choice(WRONG) for _ in range(chance.randrange(6))))
        except (TypeError, ValueError, OverflowError):
            continue


def _same(chance: random.Random, data: tuple[bytes, ...]) -> None:
    encode, resource = chance.choice(ENCODERS), chance.choice(RESOURCES)
    records = EncodedRecords(data, resource, functions.sources(data))
    answers = []
    for given in (records, list(records)):
        try:
            answers.append(encode(given))
        except Exception as error:  # numbers that no wire can carry
            answers.append(type(error).__name__.encode())
    assert answers[0] == answers[1], (data, resource, answers)


def cases() -> list[Case]:
    """Every case there is."""
    return [whole_batches, damaged_batches, bytes_that_were_never_checked, wrong_arguments]
