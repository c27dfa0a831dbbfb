"""Spans of py_zipkin (1.2): a transport handler for `zipkin_span`.

    with zipkin_span("shop", "checkout", transport_handler=client.source("py_zipkin"), sample_rate=100, encoding=Encoding.V2_JSON):

py_zipkin hands over encoded batches; v1 JSON, v2 JSON and v2 protobuf are read, whichever `encoding` says. Its own encoders decide what is in
them: IDs of 64 or 128 bits, shared spans, endpoints and annotations come in as they would have gone to a Zipkin. What v1 does not say,
where a local span was made, is taken from the rest of its batch when that names one place.
"""

from __future__ import annotations

import msgspec

from tracebridge.errors import ConfigError
from tracebridge.plugins.format import Decoded
from tracebridge.plugins.source import Intake
from tracebridge.records.record import Resource, Scope
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.zipkin import json_reader as zipkin_json_reader
from tracebridge_adapters.formats.zipkin import protobuf_reader as zipkin_proto_reader

try:
    from py_zipkin.transport import BaseTransportHandler
except ImportError as error:
    raise ConfigError("the source \"py_zipkin\" needs py-zipkin: pip install 'tracebridge[py-zipkin]'") from error

_NO_SCOPE = Scope("")
_PROTOBUF = b"\x0a"  # ListOfSpans.spans, the only field of a batch


class PyZipkinSource(BaseTransportHandler):
    """A transport handler; one serves any number of `zipkin_span`s, as a firehose handler too."""

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self._intake = intake

    def get_max_payload_bytes(self) -> int | None:
        """Return None: a batch of any size is taken."""
        return None

    def send(self, payload: bytes | str) -> None:
        """Take one encoded batch, in the thread that ended the root."""
        try:
            decoded = _decoded(payload)
        except Exception:
            self._intake.reject("neither Zipkin JSON nor protobuf", payload)
            return
        for note in [*decoded.notes, *decoded.damage]:
            self._intake.reject("not a whole Zipkin span", ValueError(note))
        services = [record.resource for record in decoded.records if _says_where(record.resource)]
        alone = services[0] if services and all(one is services[0] for one in services) else None
        for record in decoded.records:
            resource = record.resource if _says_where(record.resource) else alone or record.resource
            scope = record.scope or _NO_SCOPE
            self._intake.ingest(msgspec.structs.replace(record, scope=scope, resource=resource))


def _says_where(resource: Resource | None) -> bool:
    return resource is not None and bool(resource.attributes)


def _decoded(payload: bytes | str) -> Decoded:
    if isinstance(payload, bytes) and payload[:1] == _PROTOBUF:
        return zipkin_proto_reader.decode(payload, take_apart)
    return zipkin_json_reader.decode(payload, take_apart)
