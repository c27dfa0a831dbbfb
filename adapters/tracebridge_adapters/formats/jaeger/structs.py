"""Jaeger's Thrift structs (jaeger-idl 0.11, `jaeger.thrift` and `agent.thrift`), as tables that Apache Thrift reads and writes.

Apache's own compiler would make ten times as much code of the IDL; its runtime needs the field numbers only, and writes them in C.
Needs `pip install 'tracebridge[jaeger]'`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Literal

from tracebridge.errors import ConfigError

try:
    from thrift.protocol.TBase import TBase
    from thrift.protocol.TBinaryProtocol import TBinaryProtocol, TBinaryProtocolAccelerated
    from thrift.protocol.TCompactProtocol import TCompactProtocol, TCompactProtocolAccelerated
    from thrift.Thrift import TMessageType, TType
    from thrift.transport.TTransport import TMemoryBuffer
except ImportError as error:
    raise ConfigError(f"Jaeger's Thrift needs thrift ({error}): pip install 'tracebridge[jaeger]'") from error

Protocol = Literal["compact", "binary"]

STRING, DOUBLE, BOOL, LONG, BINARY = range(5)  # TagType
CHILD_OF, FOLLOWS_FROM = range(2)  # SpanRefType
EMIT_BATCH = "emitBatch"  # the agent's one-way call

_PROTOCOLS: dict[Protocol, Any] = {"compact": TCompactProtocolAccelerated, "binary": TBinaryProtocolAccelerated}
if find_spec("thrift.protocol.fastbinary") is None:  # the accelerated ones look for it anew with every message
    _PROTOCOLS = {"compact": TCompactProtocol, "binary": TBinaryProtocol}


def _text(number: int, name: str) -> tuple[Any, ...]:
    return (number, TType.STRING, name, "UTF8", None)


def _plain(number: int, kind: int, name: str) -> tuple[Any, ...]:
    return (number, kind, name, None, None)


def _list(number: int, name: str, struct: Any) -> tuple[Any, ...]:
    return (number, TType.LIST, name, (TType.STRUCT, [struct, struct.thrift_spec], False), None)


def _struct(number: int, name: str, struct: Any) -> tuple[Any, ...]:
    return (number, TType.STRUCT, name, [struct, struct.thrift_spec], None)


class Tag(TBase):  # type: ignore[misc]  # Apache Thrift ships no types, here and below
    """A key and a value, in the field that `vType` names."""

    __slots__ = ("key", "vBinary", "vBool", "vDouble", "vLong", "vStr", "vType")
    thrift_spec = (
        None,
        _text(1, "key"),
        _plain(2, TType.I32, "vType"),
        _text(3, "vStr"),
        _plain(4, TType.DOUBLE, "vDouble"),
        _plain(5, TType.BOOL, "vBool"),
        _plain(6, TType.I64, "vLong"),
        (7, TType.STRING, "vBinary", "BINARY", None),
    )

    def __init__(self, key: str = "", vType: int = STRING, vStr: str | None = None) -> None:
        self.key, self.vType, self.vStr = key, vType, vStr
        self.vDouble: float | None = None
        self.vBool: bool | None = None
        self.vLong: int | None = None
        self.vBinary: bytes | None = None


class Log(TBase):  # type: ignore[misc]
    """An event: microseconds and fields."""

    __slots__ = ("fields", "timestamp")
    thrift_spec = (None, _plain(1, TType.I64, "timestamp"), _list(2, "fields", Tag))

    def __init__(self, timestamp: int = 0, fields: list[Tag] | None = None) -> None:
        self.timestamp, self.fields = timestamp, fields or []


class SpanRef(TBase):  # type: ignore[misc]
    """A reference to another span; IDs are signed 64-bit halves."""

    __slots__ = ("refType", "spanId", "traceIdHigh", "traceIdLow")
    thrift_spec = (
        None,
        _plain(1, TType.I32, "refType"),
        _plain(2, TType.I64, "traceIdLow"),
        _plain(3, TType.I64, "traceIdHigh"),
        _plain(4, TType.I64, "spanId"),
    )

    def __init__(self, refType: int = CHILD_OF, traceIdLow: int = 0, traceIdHigh: int = 0, spanId: int = 0) -> None:
        self.refType, self.traceIdLow, self.traceIdHigh, self.spanId = refType, traceIdLow, traceIdHigh, spanId


class Span(TBase):  # type: ignore[misc]
    """A span; times are microseconds, `parentSpanId` 0 says root, `flags` 1 sampled and 2 debug."""

    __slots__ = (
        "duration", "flags", "logs", "operationName", "parentSpanId", "references", "spanId", "startTime", "tags", "traceIdHigh",
        "traceIdLow",
    )  # fmt: skip
    thrift_spec = (
        None,
        _plain(1, TType.I64, "traceIdLow"),
        _plain(2, TType.I64, "traceIdHigh"),
        _plain(3, TType.I64, "spanId"),
        _plain(4, TType.I64, "parentSpanId"),
        _text(5, "operationName"),
        _list(6, "references", SpanRef),
        _plain(7, TType.I32, "flags"),
        _plain(8, TType.I64, "startTime"),
        _plain(9, TType.I64, "duration"),
        _list(10, "tags", Tag),
        _list(11, "logs", Log),
    )

    def __init__(
        self,
        traceIdLow: int = 0,
        traceIdHigh: int = 0,
        spanId: int = 0,
        parentSpanId: int = 0,
        operationName: str = "",
        flags: int = 0,
        startTime: int = 0,
        duration: int = 0,
        tags: list[Tag] | None = None,
        references: list[SpanRef] | None = None,
        logs: list[Log] | None = None,
    ) -> None:
        self.traceIdLow, self.traceIdHigh, self.spanId, self.parentSpanId = (
            traceIdLow,
            traceIdHigh,
            spanId,
            parentSpanId,
        )
        self.operationName, self.flags, self.startTime, self.duration = operationName, flags, startTime, duration
        self.tags, self.references, self.logs = tags, references, logs


class Process(TBase):  # type: ignore[misc]
    """Who made the spans."""

    __slots__ = ("serviceName", "tags")
    thrift_spec = (None, _text(1, "serviceName"), _list(2, "tags", Tag))

    def __init__(self, serviceName: str = "", tags: list[Tag] | None = None) -> None:
        self.serviceName, self.tags = serviceName, tags or []


class Batch(TBase):  # type: ignore[misc]
    """Spans of one process."""

    __slots__ = ("process", "spans")
    thrift_spec = (None, _struct(1, "process", Process), _list(2, "spans", Span))

    def __init__(self, process: Process | None = None, spans: list[Span] | None = None) -> None:
        self.process, self.spans = process, spans or []


class EmitBatch(TBase):  # type: ignore[misc]
    """The arguments of the agent's `emitBatch`."""

    __slots__ = ("batch",)
    thrift_spec = (None, _struct(1, "batch", Batch))

    def __init__(self, batch: Batch | None = None) -> None:
        self.batch = batch


def write(struct: Any, protocol: Protocol) -> bytes:
    """Return a struct's bytes. Raises UnicodeEncodeError for text that UTF-8 cannot carry."""
    transport = TMemoryBuffer()
    struct.write(_PROTOCOLS[protocol](transport))
    written: bytes = transport.getvalue()
    return written


def _message_start(protocol: Protocol) -> bytes:
    transport = TMemoryBuffer()
    _PROTOCOLS[protocol](transport).writeMessageBegin(EMIT_BATCH, TMessageType.ONEWAY, 0)
    written: bytes = transport.getvalue()
    return written


_MESSAGE_START = {"compact": _message_start("compact"), "binary": _message_start("binary")}


def write_message(batch: Batch, protocol: Protocol) -> bytes:
    """Return the one-way call `emitBatch(batch)`, as an agent takes it in one datagram."""
    return _MESSAGE_START[protocol] + write(EmitBatch(batch), protocol)


def read(struct: Any, data: bytes, protocol: Protocol) -> Any:
    """Fill a struct from bytes and return it. Raises ValueError for bytes of another kind."""
    try:
        # a string cannot be longer than what is there: a damaged length must not ask for gigabytes
        struct.read(
            _PROTOCOLS[protocol](TMemoryBuffer(data), string_length_limit=len(data), container_length_limit=len(data))
        )
    except Exception as error:  # Thrift raises what it happens to: EOFError, TypeError, its own
        raise ValueError(f"not Thrift {protocol}: {str(error) or type(error).__name__}") from error
    return struct


def read_message(data: bytes, protocol: Protocol) -> Batch:
    """Return the batch of an `emitBatch` call. Raises ValueError for anything else."""
    try:
        transport = TMemoryBuffer(data)
        name, _, _ = _PROTOCOLS[protocol](transport).readMessageBegin()
        start = transport.cstringio_buf.tell()
    except Exception as error:
        raise ValueError(f"not Thrift {protocol}: {str(error) or type(error).__name__}") from error
    if name != EMIT_BATCH:
        raise ValueError(f"not Thrift {protocol}: a call of {str(name)[:40]!r} instead of emitBatch")
    batch: Batch = read(EmitBatch(), data[start:], protocol).batch
    return batch
