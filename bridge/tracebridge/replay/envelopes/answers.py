"""JSON documents that hold many lines: answers of log stores, batches that agents send, and plain lists of objects.

As with single lines (`objects`), each form is a type with its store's own marks, and a document is of that form or it is not.

Sources, as of November 2026: the API references of Amazon CloudWatch Logs, Grafana Loki, Elasticsearch and Splunk; opentelemetry-proto 1.11,
`logs.proto`, in its JSON mapping.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct, field

from tracebridge.replay.envelopes.objects import CloudWatch, Elasticsearch, Splunk
from tracebridge.replay.envelopes.unwrapping import NO_JSON, as_line

_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Answer(Struct):
    """A document that holds lines."""

    MARK: ClassVar[bytes]
    """What stands in each of them: a cheap look, for nearly every line is none."""

    def lines(self) -> Iterable[Any]:
        """Return the lines: text, or objects that an agent parsed."""
        raise NotImplementedError


class CloudWatchEvents(Answer):
    """Amazon CloudWatch Logs, `get-log-events` and `filter-log-events`."""

    MARK = b'"ingestionTime"'
    events: list[CloudWatch]

    def lines(self) -> Iterable[Any]:  # noqa: D102 - as `Answer` says
        return [event.message for event in self.events]


class InsightsField(Struct, forbid_unknown_fields=True):
    """One column of one row."""

    field: str
    value: str


class CloudWatchResults(Answer):
    """Amazon CloudWatch Logs Insights, `get-query-results`."""

    MARK = b'"@message"'
    results: list[list[InsightsField]]
    statistics: dict[str, Any]
    status: str

    def lines(self) -> Iterable[Any]:  # noqa: D102 - as `Answer` says
        return [column.value for row in self.results for column in row if column.field == "@message"]


class SubscribedEvent(Struct):
    """One event."""

    id: str
    timestamp: int
    message: str


class CloudWatchSubscription(Answer):
    """Amazon CloudWatch Logs, what a subscription delivers to Lambda, Kinesis and Firehose."""

    MARK = b'"DATA_MESSAGE"'
    messageType: Literal["DATA_MESSAGE"]
    logGroup: str
    logStream: str
    logEvents: list[SubscribedEvent]

    def lines(self) -> Iterable[Any]:  # noqa: D102 - as `Answer` says
        return [event.message for event in self.logEvents]


class LokiStream(Struct, forbid_unknown_fields=True):
    """The lines of one set of labels, each with its time and, since Loki 3, its metadata."""

    stream: dict[str, str]
    values: list[list[Any]]

    def lines(self) -> Iterable[Any]:
        """Return the lines."""
        return [entry[1] for entry in self.values if len(entry) > 1]


class LokiData(Struct):
    """What a query found."""

    resultType: Literal["streams"]
    result: list[LokiStream]


class LokiAnswer(Answer):
    """Grafana Loki, `/loki/api/v1/query_range` and `query`."""

    MARK = b'"streams"'
    status: Literal["success"]
    data: LokiData

    def lines(self) -> Iterable[Any]:  # noqa: D102 - as `Answer` says
        return [line for stream in self.data.result for line in stream.lines()]


class LokiPush(Answer, forbid_unknown_fields=True):
    """Grafana Loki, what agents send to `/loki/api/v1/push`."""

    MARK = b'"streams"'
    streams: list[LokiStream]

    def lines(self) -> Iterable[Any]:  # noqa: D102 - as `Answer` says
        return [line for stream in self.streams for line in stream.lines()]


class Hit(Elasticsearch):
    """What was found, with the document as it was stored."""

    source: dict[str, Any] = field(name="_source")


class Hits(Struct):
    """What was found."""

    hits: list[Hit]


class ElasticsearchAnswer(Answer):
    """Elasticsearch and OpenSearch, `_search`."""

    MARK = b'"_source"'
    took: int
    timed_out: bool
    hits: Hits

    def lines(self) -> Iterable[Any]:  # noqa: D102 - as `Answer` says
        return [hit.source for hit in self.hits.hits]


class SplunkResult(Splunk):
    """One event."""

    raw: str = field(name="_raw")


class SplunkResults(Answer):
    """Splunk, the results of a search as one document."""

    MARK = b'"_raw"'
    preview: bool
    results: list[SplunkResult]

    def lines(self) -> Iterable[Any]:  # noqa: D102 - as `Answer` says
        return [result.raw for result in self.results]


class SplunkExport(Answer):
    """Splunk, `search/jobs/export`: one of these a line."""

    MARK = b'"_raw"'
    preview: bool
    result: SplunkResult

    def lines(self) -> Iterable[Any]:  # noqa: D102 - as `Answer` says
        return [self.result.raw]


class LogRecord(Struct):
    """One record. Its body is a text, or the object that a parser made of it."""

    body: dict[str, Any] | None = None


class ScopeLogs(Struct):
    """The records of one scope."""

    logRecords: list[LogRecord] = []


class ResourceLogs(Struct):
    """The records of one resource."""

    scopeLogs: list[ScopeLogs] = []


class OtlpLogs(Answer):
    """OTLP logs, as the Collector's file and Kafka exporters write them."""

    MARK = b'"resourceLogs"'
    resourceLogs: list[ResourceLogs]

    def lines(self) -> Iterable[Any]:  # noqa: D102 - as `Answer` says
        groups = [scope for resource in self.resourceLogs for scope in resource.scopeLogs]
        return [any_value(record.body) for scope in groups for record in scope.logRecords]


FORMS: tuple[type[Answer], ...] = (
    OtlpLogs, CloudWatchEvents, CloudWatchResults, CloudWatchSubscription, LokiAnswer, LokiPush, ElasticsearchAnswer, SplunkResults, SplunkExport,
)  # fmt: skip
_DECODERS = [(form.MARK, msgspec.json.Decoder(form).decode) for form in FORMS]


def lines_of(text: bytes) -> list[bytes]:
    """Return the lines that a document holds; none for a text that is no such document."""
    if text[:1] == b"[" and text[-1:] == b"]":
        return list(_objects(text))
    if text[:1] != b"{":
        return []
    for mark, decode in _DECODERS:
        if mark in text:
            try:
                found = decode(text).lines()
            except NO_JSON:  # or another form
                continue
            return [line.rstrip(b"\r\n") for each in found if (line := as_line(each))]
    return []


def _objects(text: bytes) -> Iterator[bytes]:
    """Yield the objects of a list: what `gcloud logging read` and `jq --slurp` print, and agents post."""
    try:
        for each in _decode_list(text):
            if (line := bytes(each))[:1] == b"{":
                yield line
    except NO_JSON:
        return


def any_value(given: Any) -> Any:
    """Return the value that OTLP's AnyValue holds, in plain JSON; None for what is none."""
    for kind, value in given.items() if isinstance(given, dict) else ():
        if kind in _PLAIN:
            return value
        if kind == "intValue":
            return int(value) if isinstance(value, str) and _is_int(value) else value
        held = value.get("values") if isinstance(value, dict) else None
        held = held if isinstance(held, list) else []
        if kind == "arrayValue":
            return [any_value(each) for each in held]
        if kind == "kvlistValue":
            pairs = [each for each in held if isinstance(each, dict) and isinstance(each.get("key"), str)]
            return {pair["key"]: any_value(pair.get("value")) for pair in pairs}
    return None


_PLAIN = frozenset(["stringValue", "boolValue", "doubleValue", "bytesValue"])
_is_int = re.compile(r"-?[0-9]{1,20}").fullmatch
