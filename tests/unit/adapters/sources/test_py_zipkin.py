"""The py_zipkin source: what it would have sent to a Zipkin is what our Zipkin encoder says of the records."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.peers import peer
from tracebridge.records.record import Kind, Scope, StatusCode
from tracebridge_adapters.dialects import attributes_for
from tracebridge_adapters.formats.zipkin import json as zipkin_json

peer("py_zipkin")
from py_zipkin import Encoding  # noqa: E402 - only where it is installed
from py_zipkin import Kind as TheirKind  # noqa: E402
from py_zipkin.encoding import Endpoint, Span, get_encoder  # noqa: E402
from py_zipkin.util import ZipkinAttrs  # noqa: E402
from py_zipkin.zipkin import zipkin_span  # noqa: E402

SHOWN = attributes_for("openinference", "tracebridge.trace_id")
INCOMING = ZipkinAttrs("463ac35c9f6413ad", "a2fb4a1d1a96d312", "0020000000000001", "0", True)


@pytest.fixture
def client(make_client):
    """A client with a memory adapter."""
    return make_client()


def records(client) -> list[Any]:
    """What arrived, oldest start first."""
    assert client.flush()
    return sorted(client.adapter("memory").records, key=lambda record: record.start_time_ns)


def application(handler: Any, encoding: Any, **root: Any) -> None:
    """A service with a server span, a local span and a client call that fails."""
    root = {"kind": TheirKind.SERVER, "sample_rate": 100, "port": 8080, "host": "192.0.2.7", **root}
    with zipkin_span("shop", "GET /cart", transport_handler=handler, encoding=encoding, **root) as server:
        server.update_binary_annotations({"http.path": "/cart", "http.status_code": "200"})
        server.add_annotation("cache miss")
        with zipkin_span("shop", "price"):
            pass
        with zipkin_span("shop", "SELECT", kind=TheirKind.CLIENT) as call:
            call.add_sa_binary_annotation(5432, "orders-db", "192.0.2.9")
            call.update_binary_annotations({"error": "timeout"})


def both_ways(client: Any, encoding: Any, **root: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What py_zipkin hands to a transport, and what our Zipkin JSON says of what arrived; both by start."""
    kept: list[Any] = []
    source = client.source("py_zipkin")

    def tee(payload: Any) -> None:
        kept.append(payload)
        source(payload)

    application(tee, encoding, **root)
    ours = json.loads(zipkin_json.encode(records(client), SHOWN))
    theirs = [span for payload in kept for span in json.loads(payload)] if encoding != Encoding.V2_PROTO3 else []
    return theirs, ours


def by_id(spans: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Spans by ID, trace IDs in full width, an error also under OpenTelemetry's name: what we add on purpose."""
    out = {}
    for span in spans:
        tags = span.get("tags", {})
        more = {"tags": {**tags, "otel.status_code": "ERROR"}} if "error" in tags else {}
        out[span["id"]] = {**span, "traceId": span["traceId"].zfill(32), **more}
    return out


@pytest.mark.parametrize(
    "root",
    [
        {},
        {"use_128bit_trace_id": True},
        {"zipkin_attrs": INCOMING},
        {"zipkin_attrs": INCOMING, "report_root_timestamp": True},
        {"add_logging_annotation": True},
        {"port": 0, "host": "2001:db8::7"},
    ],
    ids=["64 bit", "128 bit", "shared", "joined", "logging", "ipv6"],
)
def test_a_v2_span_goes_out_as_it_came_in(client, root):
    """Every field that py_zipkin writes is what our own encoder writes."""
    theirs, ours = both_ways(client, Encoding.V2_JSON, **root)
    assert by_id(ours) == by_id(theirs)


def test_what_a_record_says(client):
    """Kinds, error, shared, scope and resource in the record's own terms."""
    application(client.source("py_zipkin"), Encoding.V2_JSON, zipkin_attrs=INCOMING)
    server, local, call = records(client)
    assert (server.trace_id.hex(), server.span_id.hex(), server.parent_id.hex()) == (
        "0000000000000000463ac35c9f6413ad",
        "a2fb4a1d1a96d312",
        "0020000000000001",
    )
    assert (server.kind, server.shared, [e.name for e in server.events]) == (Kind.SERVER, True, ["cache miss"])
    assert (call.kind, call.status, call.status_message) == (Kind.CLIENT, StatusCode.ERROR, "timeout")
    assert (local.shared, local.status) == (False, StatusCode.UNSET)
    assert server.resource.attributes == {"service.name": "shop", "host.ip": ["192.0.2.7"], "net.host.port": 8080}
    assert [record.scope for record in (server, local, call)] == [Scope("")] * 3


def encoded(encoding: Any, shared: bool) -> bytes | str:
    """One batch as py_zipkin's own encoder writes it."""
    here, there = Endpoint("shop", "192.0.2.7", None, 8080), Endpoint("orders-db", "192.0.2.9", None, 5432)
    ids = ("463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "0020000000000001")
    server = Span(
        ids[0],
        "get",
        ids[2],
        ids[1],
        TheirKind.SERVER,
        1.25,
        0.5,
        here,
        shared=shared,
        annotations={"miss": 1.5},
        tags={"a": "1"},
    )
    call = Span(ids[0], "select", ids[1], ids[2], TheirKind.CLIENT, 1.5, 0.125, here, there, tags={"error": "timeout"})
    local = Span(ids[0], "price", ids[1], "0000000000000009", TheirKind.LOCAL, 1.375, 0.25, here)
    encoder = get_encoder(encoding)
    return encoder.encode_queue([encoder.encode_span(span) for span in (server, local, call)])


@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
@pytest.mark.parametrize("encoding", [Encoding.V1_JSON, Encoding.V2_PROTO3], ids=["v1", "proto"])
def test_the_other_encodings_say_the_same(make_client, encoding, shared):
    """The same spans, the same records, to the microsecond; v1 has no words for shared and for where a local span was made."""
    said = []
    for each in (Encoding.V2_JSON, encoding):
        client = make_client()
        client.source("py_zipkin")(encoded(each, shared))
        said.append(records(client))
        assert client.stats().rejected == {}
    assert said[1] == said[0]


def test_where_many_spans_were_made_stays_theirs(client):
    """One that does not say is given no place where a batch names several."""
    named = [span(id=f"{n:016x}", localEndpoint={"serviceName": f"s{n}"}) for n in range(1, 4)]
    client.source("py_zipkin")(json.dumps([*named, span(id="00000000000000ff")]))
    assert [record.resource and record.resource.attributes.get("service.name") for record in records(client)] == [
        "s1", "s2", "s3", None,
    ]  # fmt: skip


def test_a_firehose_gets_everything(client):
    """The same object serves where sampling says no."""
    with zipkin_span(
        "shop", "s", firehose_handler=client.source("py_zipkin"), transport_handler=lambda _: None, sample_rate=0.0
    ):
        pass
    assert [record.name for record in records(client)] == ["s"]


def span(**changes: Any) -> dict[str, Any]:
    """A v2 span with something wrong."""
    return {"traceId": "ab", "id": "cd", "name": "odd", "timestamp": 10, "duration": 5, **changes}


@pytest.mark.parametrize(
    ("changes", "repaired"),
    [
        ({"parentId": "cd"}, 1),
        ({"duration": -7}, 0),
        ({"timestamp": 2**70}, 1),
        ({"kind": "ODD"}, 1),
        ({"tags": {"n": 5, "deep": {"er": [1]}, "none": None}}, 1),
        ({"annotations": [7]}, 1),
        ({"localEndpoint": {"serviceName": "s", "ipv4": "999.1.1.1", "port": 70_000}}, 2),
    ],
    ids=str,
)
def test_a_broken_span_arrives_repaired_and_marked(client, changes, repaired):
    """A negative duration is kept, and told by every adapter."""
    client.source("py_zipkin")(json.dumps([span(**changes)]))
    (record,) = records(client)
    assert (record.name, record.repaired) == ("odd", repaired)
    assert record.parent_id is None


def test_what_cannot_be_read_is_counted_and_never_raises(client, caplog):
    """py_zipkin would turn an error of its transport into an error of the request."""
    source = client.source("py_zipkin")
    for payload in (b"", "", b"\xff\xfe", b"\x0c\x00\x00", "{", '"text"', None, 7, b"\x0a\x05\x0a\x10ab"):
        source(payload)
    source(json.dumps([span(traceId="0" * 16), span(id="not hex"), span(name="good"), 5]))
    assert [record.name for record in records(client)] == ["good"]
    assert client.stats().rejected == {
        "py_zipkin: neither Zipkin JSON nor protobuf": 9,
        "py_zipkin: not a whole Zipkin span": 3,
    }
    assert len([r for r in caplog.records if "rejected a span" in r.message]) == 2
