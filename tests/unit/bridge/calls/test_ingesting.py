"""Records made elsewhere meet the rules that our own spans meet at the call."""

from __future__ import annotations

import msgspec
import pytest

from tracebridge import ConfigError, SpanRecord
from tracebridge.calls.common_record import common_bytes, ending_of
from tracebridge.journal.base import decode_record, encode_record
from tracebridge.records.record import Event, Link, Resource, Scope

PLAIN = SpanRecord(b"\x01" * 16, b"\x02" * 8, None, "s", 10, 20, attributes={"a": 1})


def through(client, record: SpanRecord) -> SpanRecord:
    """What arrives of a record."""
    client.ingest(record)
    assert client.flush()
    assert client.stats().balance("memory") == 0
    return client.adapter("memory").records[-1]


def test_a_plain_record_arrives_as_it_is_with_the_clients_resource(make_client):
    """Where it names none of its own."""
    arrived = through(make_client(resource={"attributes": {"service.name": "here"}}), PLAIN)
    assert arrived == msgspec.structs.replace(PLAIN, resource=Resource({"service.name": "here"}))


def test_a_full_record_arrives_as_it_is(make_client):
    """Nothing is lost on the longer way either."""
    full = msgspec.structs.replace(
        PLAIN,
        attributes={"list": [1, "a", None], "map": {"k": b"\x00"}},
        events=(Event("e", 11, {"n": 1}, 2),),
        links=(Link(b"\x03" * 16, b"\x04" * 8, "k=v", {"n": 1}, 3, 0x301),),
        status=2,
        status_message="broke",
        tags={"team": "blue"},
        inputs={"q": 1},
        outputs=0,
        scope=Scope("lib", "1", {"a": True}, "https://schema"),
        resource=Resource({"service.name": "there", "n": 1}, "https://schema"),
        trace_state="a=b",
        flags=3,
        parent_is_remote=True,
        debug=True,
        shared=True,
    )
    assert through(make_client(), full) == full


def test_records_handed_in_together_arrive_in_their_order_as_each_alone_would(make_client):
    """More than are queued at once, plain ones and odd ones; all are counted."""
    records = [
        msgspec.structs.replace(PLAIN, name=str(n), attributes={"token" if n % 7 == 0 else "n": n}) for n in range(600)
    ]
    alone, together = make_client(), make_client()
    for record in records:
        alone.ingest(record)
    together.ingest_all(records)
    arrived = []
    for client in (alone, together):
        assert client.flush()
        assert (client.stats().ingested, client.stats().balance("memory")) == (600, 0)
        arrived.append(client.adapter("memory").records)
    assert arrived[0] == arrived[1]
    assert [record.name for record in arrived[1]] == [str(n) for n in range(600)]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"attributes": {"token": "x"}}, {"attributes": {"token": "[redacted]"}, "redacted": 1}),
        (
            {"events": (Event("e", 1, {"cookie": "x"}),)},
            {"events": (Event("e", 1, {"cookie": "[redacted]"}),), "redacted": 1},
        ),
        ({"name": "n" * 2000}, {"name": "n" * 1024}),
        ({"name": "lone \ud800"}, {"name": "lone \\ud800", "repaired": 1}),
        ({"attributes": {"big": 2**70}}, {"attributes": {"big": str(2**70)}, "repaired": 1}),
        (
            {"attributes": {f"k{n}": n for n in range(5)}},
            {"attributes": {f"k{n}": n for n in range(4)}, "dropped_attributes": 1},
        ),
        (
            {"resource": Resource({"service.name": "\udfff"})},
            {"resource": Resource({"service.name": "\\udfff"}), "repaired": 1},
        ),
    ],
    ids=lambda given: next(iter(given)),
)
def test_limits_redaction_and_repairs_apply(make_client, changes, wanted):
    """As they do for spans of our own."""
    client = make_client(limits={"attribute_count_limit": 4})
    foreign = msgspec.structs.replace(PLAIN, resource=Resource({"service.name": "x"}))
    arrived = through(client, msgspec.structs.replace(foreign, **changes))
    assert arrived == msgspec.structs.replace(foreign, **wanted)


@pytest.mark.parametrize(
    "record",
    [
        PLAIN,
        msgspec.structs.replace(PLAIN, custom_trace_id="order-7", span_type="LLM"),
        msgspec.structs.replace(PLAIN, scope=Scope("lib"), resource=Resource({"service.name": "x", "n": 1})),
        msgspec.structs.replace(PLAIN, debug=0, flags=True, dropped_links=0.0, resource=Resource({"n": 1})),
    ],
    ids=["bare", "custom ID", "resource and scope", "equals its defaults"],
)
def test_the_bytes_of_a_common_record_are_those_of_the_record(record):
    """Also where a field only equals its default, which the journal could not read back."""
    assert record.resource is None or ending_of(record.resource, record.scope)
    data = common_bytes(record, record.attributes, ending_of(record.resource, record.scope))
    sound = msgspec.structs.replace(record, debug=False, flags=1, dropped_links=0)
    assert [decode_record(data), len(data) <= len(encode_record(sound))] == [sound, True]


@pytest.mark.parametrize("field", ["attributes", "events", "links", "tags", "resource", "scope"])
def test_a_field_of_another_type_costs_the_field_not_the_span(make_client, field, caplog):
    """What is certain about the span arrives, marked; the first such thing is in the log."""
    arrived = through(make_client(), msgspec.structs.replace(PLAIN, **{field: object()}))
    assert (arrived.trace_id, arrived.span_id, arrived.name) == (PLAIN.trace_id, PLAIN.span_id, "s")
    assert arrived.repaired >= 1


def test_a_field_that_claims_to_equal_its_default_is_read_by_its_type(make_client):
    """Whatever comparing it says, or raises."""

    class Hostile:
        def __eq__(self, other):
            raise ValueError("not comparable")

        __hash__ = None

    client = make_client()
    arrived = [through(client, msgspec.structs.replace(PLAIN, **{field: Hostile()})) for field in ("flags", "debug")]
    assert [(one.name, one.flags, one.debug, one.repaired) for one in arrived] == [("s", 1, False, 1)] * 2


def test_a_span_of_a_trace_that_is_open_here_gets_its_custom_id(make_client):
    """So that the whole tree is found by the caller's own ID."""
    client = make_client()
    root = client.start_trace("root", trace_id="order-7")
    foreign = msgspec.structs.replace(PLAIN, trace_id=bytes.fromhex(root.wire_trace_id), parent_id=root._raw_id)
    assert through(client, foreign).custom_trace_id == "order-7"
    root.end()
    assert client.stats().ingested == 1


def test_an_unknown_source_is_told_with_the_known_ones(make_client):
    """With a suggestion where one is near."""
    with pytest.raises(
        ConfigError, match=r'unknown source "jaeger_client"; did you mean "jaeger-client"\?.*opentelemetry'
    ):
        make_client().source("jaeger_client")


def test_an_unknown_option_is_told_with_what_the_source_takes(make_client):
    """Before anything is built."""
    with pytest.raises(
        ConfigError, match="source \"opentelemetry\": got an unexpected keyword argument 'batch'; it takes no options"
    ):
        make_client().source("opentelemetry", batch=3)


def test_what_a_source_rejects_is_logged_by_its_type_only(make_client, caplog):
    """It has passed no redaction."""
    client = make_client()
    client.source("py_zipkin").send(b"password=hunter2")
    client.source("jaeger-client").set_process("shop", [("password", "hunter2")], 10)
    assert [r.message for r in caplog.records] == [
        "source py_zipkin rejected a span: neither Zipkin JSON nor protobuf (a bytes)",
        "source jaeger-client rejected a span: unreadable process tags (a list)",
    ]
