"""Span lines as a file format: every profile in, the `otel` profile out."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.formats.files import spanlog_otlp
from tracebridge_adapters.formats.spanlog.line import END, SCHEMA, Line
from tracebridge_adapters.formats.spanlog.nested import NOTE, is_nested
from tracebridge_adapters.formats.spanlog.reader import notes_of, read, read_otel, record_of
from tracebridge_adapters.formats.spanlog.signing import proof_of
from tracebridge_adapters.formats.spanlog.tolerance import notes_of_odd, without_broken_bytes
from tracebridge_adapters.formats.spanlog.values import NoBase64Error
from tracebridge_adapters.formats.spanlog.writer import Writer

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_MARK = f'schema":"{SCHEMA}"'.encode()
_ANY_MARK = re.compile(rb'schema"\s*:\s*"spanlog\\?/(\d{1,9})"')
"""The same of any version, as other writers may spell it: with spaces, and with a solidus that is escaped (RFC 8259 section 7)."""
_OTLP, _DATADOG = b'"resourceSpans"', b'"dd.trace_id"'


def _refuse_twice(line: bytes, shown: Line) -> None:
    """Raise ValueError when an object of the line names a key twice: readers differ in which of the two they believe.

    A few counts tell nearly every line from one that has to be looked at: one that is twice ours, or that has such a key of a user's.
    """
    links = len(shown.links)  # have IDs of their own
    if (
        line.count(b'"trace_id"') > 1 + links
        or line.count(b'span_id"') > 3 + links  # parent_span_id and custom_span_id
        or line.count(b'"span_name"') > 1
        or line.count(b'_time_unix_nano"') > 2
    ):
        json.loads(line, object_pairs_hook=_pairs)


def _of_another_version(line: bytes) -> str:
    """Return what to say of a line that names another version of the schema; empty when it does not."""
    for found in _ANY_MARK.finditer(line):
        written = f"spanlog/{int(found[1])}"
        if written != SCHEMA:
            return f"another version of tracebridge wrote it ({written}); upgrade"
    return ""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        raise ValueError("a key stands twice")
    return out


class SpanlogLines:
    """`tracebridge.plugins.format.Format` for `spanlog/1`. A line that was not cut gives the very record back, but for what OTLP cannot say.

    Reads every profile: `otel`, `ecs`, `datadog`, `gcp`, `otlp_json`. Lines of other events (`span.start`, …) hold no span.
    """

    data_versions: ClassVar[range] = range(1, 2)
    """The versions of a line that are read; the last is written."""

    def __init__(self, trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> None:
        self._trace_id_attribute = trace_id_attribute
        self._writer = Writer()

    def looks_right(self, line: bytes) -> bool:
        """Whether the line is an object that names the schema, in any profile and of any version."""
        return line[:1] == b"{" and (_MARK in line or (b"spanlog" in line and _ANY_MARK.search(line) is not None))

    def decode(self, line: bytes) -> Decoded:
        """Return the span of one line, with notes on what was cut. Raises ValueError when it is none of ours, or says a thing twice."""
        try:
            decoded = None if _OTLP in line or _DATADOG in line else self._as_written(line)
            return self._as_shipped(line) if decoded is None else decoded
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError) as error:
            raise ValueError(f"not a {SCHEMA} line: {_of_another_version(line) or error}") from error

    def _as_written(self, line: bytes) -> Decoded | None:
        """Return what a line in the `otel` profile holds; None for one that is not exactly as it was written."""
        shown = read_otel(line)
        if shown is None:
            return None
        _refuse_twice(line, shown)
        if shown.event != END:
            return Decoded([])
        try:
            return self._decoded(record_of(shown), shown, notes_of(shown))
        except ValueError:
            return None

    def _as_shipped(self, line: bytes) -> Decoded:
        """Return what a line in any profile holds, as a shipper left it. Raises ValueError."""
        given = _decode(line)
        try:
            return self._read(line, given, [])
        except NoBase64Error:
            broken: list[str] = []
            return self._read(line, without_broken_bytes(given, broken), broken)

    def _read(self, line: bytes, given: dict[str, Any], broken: list[str]) -> Decoded:
        """Return what these fields of a line hold; `broken` names what was mended in them already."""
        shown, odd = read(given)
        odd = [*broken, *odd]
        notes = notes_of_odd(odd) + ([NOTE] if is_nested(given) else [])
        if "resourceSpans" in given and shown.event == END:
            held = spanlog_otlp.decode(line, self._trace_id_attribute)
            if held.damage and not held.records:
                raise ValueError("; ".join(held.damage))
            notes = notes_of(shown, has_resource=True) + notes
            return msgspec.structs.replace(held, notes=notes, writer=shown.writer, seq=shown.seq)
        _refuse_twice(line, shown)
        if shown.event != END:
            return Decoded([])
        record = record_of(shown)
        if odd:
            record = msgspec.structs.replace(record, repaired=record.repaired + len(odd))
        return self._decoded(record, shown, notes_of(shown) + notes)

    @staticmethod
    def _decoded(record: SpanRecord, shown: Line, notes: list[str]) -> Decoded:
        return Decoded([record], notes, writer=shown.writer, seq=shown.seq, proof=proof_of(shown))

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return one line a record, uncut and unnumbered."""
        return b"".join([self._writer.encode(record) for record in records])
