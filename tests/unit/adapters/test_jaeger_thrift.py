"""The `jaeger_thrift` adapter: datagrams and bodies, what counts as sent, what is refused, whose host is named."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.http_server import RecordingServer
from tracebridge import Client
from tracebridge.errors import Ambiguous, ConfigError, Misconfigured, Rejected, Retryable, TooLarge
from tracebridge.plugins.adapter import Context, Sent
from tracebridge.plugins.options import Secret
from tracebridge.records.record import Resource, SpanRecord
from tracebridge_adapters.dialects import take_apart
from tracebridge_adapters.formats.jaeger import thrift_reader as jaeger_thrift_reader
from tracebridge_adapters.formats.jaeger.thrift import Framing, encode
from tracebridge_adapters.jaeger_thrift import JaegerThriftAdapter, JaegerThriftOptions

OWN = Resource({"service.name": "shop"})


@pytest.fixture
def agent() -> Iterator[socket.socket]:
    """A bound UDP socket that plays the agent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 2**20)
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def address(sock: socket.socket) -> str:
    """Where the agent listens."""
    return f"udp://127.0.0.1:{sock.getsockname()[1]}"


def record(number: int = 1, **fields: Any) -> SpanRecord:
    """A span of 5 ms."""
    return SpanRecord(
        b"t" * 16, number.to_bytes(8, "big"), None, f"span {number}", 10**18, 10**18 + 5_000_000,
        **{"resource": OWN, **fields},
    )  # fmt: skip


def received(sock: socket.socket, protocol: Any = "compact") -> list[SpanRecord]:
    """The records of the next datagram."""
    return jaeger_thrift_reader.decode(sock.recv(70_000), take_apart, protocol, as_message=True).records


def sent(adapter: JaegerThriftAdapter, *records: SpanRecord) -> Sent:
    """What sending these spans of one process answers."""
    (part,) = adapter.encode(records)
    return adapter.send(part.body, len(part.records))


@pytest.mark.parametrize("protocol", ["compact", "binary"])
def test_a_batch_is_one_datagram_that_nobody_confirms(agent, protocol):
    """The agent gets the whole call; the spans count as sent, not as exported."""
    adapter = JaegerThriftAdapter(JaegerThriftOptions(endpoint=address(agent), protocol=protocol), Context("j", OWN))
    assert sent(adapter, record(1), record(2)) == Sent(confirmed=False)
    assert [span.name for span in received(agent, protocol)] == ["span 1", "span 2"]
    adapter.close()


def test_more_than_a_datagram_holds_arrives_in_several(agent):
    """Batches are split until they fit, one resource each, and a span that fits none is stripped and says so."""
    other = Resource({"service.name": "other"})
    spans = [record(n, attributes={"text": "x" * 1_000}, resource=OWN if n % 2 else other) for n in range(1, 201)]
    spans.append(record(201, attributes={"big": "y" * 100_000, "small": "z"}))
    config = {
        "adapters": {"jaeger_thrift": {"endpoint": address(agent)}},
        "limits": {"attribute_value_length_limit": 200_000},
    }
    with Client(config=config) as client:
        for span in spans:
            client.ingest(span)
        assert client.flush(60)
        account = client.stats().adapters["jaeger_thrift"]
        assert (account.sent, account.exported, dict(account.dropped)) == (201, 0, {})
    arrived: dict[int, tuple[str, Any]] = {}
    while len(arrived) < 201:
        for span in received(agent):
            arrived[int.from_bytes(span.span_id, "big")] = (span.resource.service_name, span.attributes)
    assert arrived.pop(201) == ("shop", {"small": "z", "tracebridge.stripped": "big"})
    assert arrived == {n: ("shop" if n % 2 else "other", {"text": "x" * 1_000}) for n in range(1, 201)}


def test_a_collector_gets_one_batch_by_post():
    """Binary Thrift under its own content type, with the configured headers; an answer counts as exported."""
    server = RecordingServer((202, "text/plain", b""))
    options = JaegerThriftOptions(endpoint=server.url, headers={"authorization": Secret("Bearer x")})
    adapter = JaegerThriftAdapter(options, Context("j", OWN))
    assert sent(adapter, record()) == Sent()
    adapter.close()
    ((path, headers, body),) = server.requests
    assert (path, headers["Content-Type"], headers["authorization"]) == (
        "/api/traces", "application/vnd.apache.thrift.binary", "Bearer x",
    )  # fmt: skip
    assert [span.name for span in jaeger_thrift_reader.decode(body, take_apart).records] == ["span 1"]
    server.stop()


@pytest.mark.parametrize(
    ("status", "error"), [(400, Rejected), (413, TooLarge), (500, Ambiguous), (503, Retryable), (404, Misconfigured)]
)
def test_a_collectors_refusal_says_what_to_do(status, error):
    """A 400 is the data's fault, a 500 may be a full queue or the data's fault, a 404 is a person's to mend."""
    server = RecordingServer((status, "text/plain", b"no"))
    adapter = JaegerThriftAdapter(JaegerThriftOptions(endpoint=server.url), Context("j", OWN))
    with pytest.raises(error, match=f"HTTP {status}"):
        sent(adapter, record())
    adapter.close()
    server.stop()


def test_our_own_process_is_named_and_a_foreign_one_is_not(agent):
    """`hostname` and `ip` belong to this host: a span that came from elsewhere keeps what it says."""
    adapter = JaegerThriftAdapter(JaegerThriftOptions(endpoint=address(agent)), Context("j", OWN))
    foreign = Resource({"service.name": "far", "hostname": "far-host"})
    for resource in (OWN, foreign):
        sent(adapter, record(resource=resource))
    (own,), (far,) = received(agent), received(agent)
    assert own.resource.attributes["hostname"] == socket.gethostname()
    assert far.resource == foreign
    adapter.close()


def test_the_resources_own_host_comes_first(agent):
    """OpenTelemetry's host.name and host.ip are what Jaeger calls hostname and ip."""
    own = Resource({"service.name": "shop", "host.name": "pod-7", "host.ip": ["10.1.1.7"]})
    adapter = JaegerThriftAdapter(JaegerThriftOptions(endpoint=address(agent)), Context("j", own))
    sent(adapter, record(resource=own))
    (span,) = received(agent)
    assert (span.resource.attributes["hostname"], span.resource.attributes["ip"]) == ("pod-7", "10.1.1.7")
    adapter.close()


def test_an_agent_that_is_down_is_waited_for():
    """A refusal is no loss: delivery keeps the spans and tries again."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        endpoint = address(sock)
    adapter = JaegerThriftAdapter(JaegerThriftOptions(endpoint=endpoint), Context("j", OWN))
    with pytest.raises(Retryable, match="refused"):
        sent(adapter, record())
    adapter.close()


def test_nothing_is_lost_while_the_agent_restarts():
    """What ended while nobody listened arrives once somebody does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    retry = {"initial_interval": "20ms", "max_interval": "50ms"}
    adapter = {
        "endpoint": f"udp://127.0.0.1:{port}",
        "retry_on_failure": retry,
        "sending_queue": {"flush_interval": "1ms"},
    }
    with Client(config={"adapters": {"jaeger_thrift": adapter}}) as client:
        for number in range(1, 11):
            client.ingest(record(number))
        deadline = time.monotonic() + 60
        while not client.stats().adapters["jaeger_thrift"].last_error and time.monotonic() < deadline:
            time.sleep(0.01)
        account = client.stats().adapters["jaeger_thrift"]
        assert (account.sent, account.queued) == (0, 10)
        assert "refused; is the agent running there?" in account.last_error
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
            agent.bind(("127.0.0.1", port))
            agent.settimeout(60)
            assert client.flush(60)
            arrived: list[str] = []
            while len(arrived) < 10:
                arrived += [span.name for span in received(agent)]
    assert arrived == [f"span {number}" for number in range(1, 11)]


def test_spans_of_several_processes_become_a_batch_each():
    """Equal resources go together, and no span is given another's process."""
    adapter = JaegerThriftAdapter(JaegerThriftOptions(), Context("j", OWN))
    far = Resource({"service.name": "far"})
    records = [record(1), record(2, resource=far), record(3, resource=Resource({"service.name": "shop"}))]
    parts = adapter.encode(records)
    read = [jaeger_thrift_reader.decode(part.body, take_apart, "compact", as_message=True).records for part in parts]
    assert [list(part.records) for part in parts] == [[records[0], records[2]], [records[1]]]
    assert [[(r.name, r.resource.attributes["service.name"]) for r in batch] for batch in read] == [
        [("span 1", "shop"), ("span 3", "shop")],
        [("span 2", "far")],
    ]
    adapter.close()


def test_a_batch_of_several_processes_cannot_be_encoded():
    """The format refuses it, and never mislabels."""
    with pytest.raises(ValueError, match="one process"):
        encode(
            [record(), record(resource=Resource({"service.name": "other"}))],
            lambda record: dict(record.attributes),
            Framing("binary", False, 1000),
        )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"headers": {"x-tenant": "blue"}}, "headers, compression, tls and proxy are for HTTP"),
        ({"compression": "gzip"}, "headers, compression, tls and proxy are for HTTP"),
        ({"endpoint": "tcp://host:6831"}, "udp://host:port"),
        ({"max_packet_size": "70KB"}, "65000"),
        ({"protocol": "json"}, "compact"),
    ],
)
def test_what_cannot_work_is_refused_at_start(options, words):
    """With the place and the reason."""
    with pytest.raises(ConfigError, match=words):
        Client(config={"adapters": {"jaeger_thrift": options}})


def test_headers_beside_an_agent_are_for_reading_back():
    """The query API may want them; the agent takes none."""
    options = JaegerThriftOptions(
        query_endpoint="http://localhost:16686", headers={"authorization": Secret("Bearer x")}
    )
    adapter = JaegerThriftAdapter(options, Context("j", OWN))
    assert adapter.link(b"t" * 16) == f"http://localhost:16686/trace/{(b't' * 16).hex()}"
    adapter.close()


def test_without_a_query_endpoint_a_link_needs_a_template():
    """Nobody can guess where the UI is."""
    for ui, link in ((None, None), ("http://ui/{trace_id}", f"http://ui/{(b't' * 16).hex()}")):
        adapter = JaegerThriftAdapter(JaegerThriftOptions(ui=ui), Context("j", OWN))
        assert (adapter.reader, adapter.link(b"t" * 16)) == (None, link)
        adapter.close()
