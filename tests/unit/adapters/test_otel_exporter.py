"""Somebody else's span exporter as a destination: what it is given, and what its answers mean."""

from __future__ import annotations

import math
import sys
import threading
from typing import Any, ClassVar

import pytest
from opentelemetry import context as otel_context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from support.cases import CASES
from support.otlp_view import ATTRIBUTES, by_id, said
from tracebridge import Client, ConfigError, SpanRecord
from tracebridge.masking.foreign import clean
from tracebridge.records.record import Event
from tracebridge_adapters.formats.readable_spans import readable_spans

SILENT = (otel_context._SUPPRESS_INSTRUMENTATION_KEY, otel_context._SUPPRESS_HTTP_INSTRUMENTATION_KEY)


class Recorder(SpanExporter):
    """Keeps what it is given, and answers as a test says."""

    made: ClassVar[list[Recorder]] = []

    def __init__(self, region: str = "", token: str = "") -> None:
        self.region, self.token = region, token
        self.batches: list[list[str]] = []
        self.answers: list[Any] = []
        self.at_once = 0
        self.most_at_once = 0
        self.closed = False
        self.made.append(self)

    def export(self, spans: Any) -> Any:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.batches.append([span.name for span in spans])
        self.silent = all(otel_context.get_value(key) for key in SILENT)
        answer = self.answers.pop(0) if self.answers else SpanExportResult.SUCCESS
        threading.Event().wait(0.002)
        self.at_once -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def shutdown(self) -> None:
        self.closed = True


def refuses(token: str) -> None:
    """A factory that fails."""
    raise ValueError(f"no such token: {token}")


def no_exporter() -> str:
    """A factory of something else."""
    return "text"


@pytest.fixture
def make(monkeypatch):
    """Make a client whose only destination is a class named in the configuration."""
    monkeypatch.setattr(Recorder, "made", [])
    monkeypatch.setitem(sys.modules, "somebodys.exporters", sys.modules[__name__])
    clients = []

    def build(name: str = "Recorder", args: dict[str, Any] | None = None, **queue: Any) -> Client:
        options = {
            "class": f"somebodys.exporters:{name}",
            "args": args or {},
            "sending_queue": {"flush_interval": "0s", **queue},
            "retry_on_failure": {"initial_interval": "1ms"},
        }
        clients.append(Client(config={"adapters": {"otel_exporter/theirs": options}}))
        return clients[-1]

    yield build
    for client in clients:
        client.close()


def one_trace(client: Client, name: str = "root") -> Any:
    """Trace something; return the adapter's books."""
    client.start_trace(name).end()
    client.flush()
    stats = client.stats()
    assert stats.balance("otel_exporter/theirs") == 0
    return stats.adapters["otel_exporter/theirs"]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_an_exporter_sees_every_field(case):
    """OpenTelemetry's own OTLP encoder says of our spans what our record says; it leaves out W3C flags and links' states."""
    records = case.records("salt")
    message = encode_spans(readable_spans(records, ATTRIBUTES))
    wanted = by_id(records)
    for span in wanted:
        span["flags"] &= 0x300
        span["links"] = [(trace_id, span_id, "", attributes) for trace_id, span_id, _, attributes in span["links"]]
    assert said(TracesData.FromString(message.SerializeToString())) == wanted


def test_numbers_that_json_cannot_say_are_text():
    """NaN and infinities reach an exporter as our own OTLP spells them, wherever they stand: Jaeger's pages break on the numbers."""
    odd = {"loss": math.nan, "all": [1.5, math.inf], "in": {"a": -math.inf}, "fine": 2.5}
    record = SpanRecord(
        b"t" * 16, b"s" * 8, None, "n", 1, 2, attributes=odd, events=(Event("e", 1, {"loss": math.nan}),)
    )
    (span,) = readable_spans([record], lambda record: dict(record.attributes))
    assert dict(span.attributes) == {"loss": "NaN", "all": (1.5, "Infinity"), "in": {"a": "-Infinity"}, "fine": 2.5}
    assert dict(span.events[0].attributes) == {"loss": "NaN"}


def test_flags_states_and_remote_parents_are_in_the_contexts():
    """What OTLP's encoder leaves out is there for exporters that look."""
    (caller, callee) = next(case for case in CASES if case.name == "remote").records("salt")
    (marked, *_) = next(case for case in CASES if case.name == "marks").records("salt")
    spans = readable_spans([caller, callee, marked], ATTRIBUTES)
    assert [span.parent.is_remote if span.parent else None for span in spans] == [None, True, None]
    assert spans[2].context.trace_state.to_header() == "vendor=1,other=2"
    assert spans[0].context.trace_flags.sampled
    assert spans[0].resource is not spans[1].resource


def test_the_class_gets_its_arguments_and_the_spans(make):
    """Nothing but the named class is built, once."""
    client = make(args={"region": "eu"})
    assert one_trace(client).exported == 1
    (exporter,) = Recorder.made
    assert (exporter.region, exporter.batches) == ("eu", [["root"]])
    client.close()
    assert exporter.closed


def test_requests_of_an_exporter_are_nobodys_spans(make):
    """Delivery's threads tell OpenTelemetry's instrumentation to leave them alone; the application's do not."""
    one_trace(make())
    assert Recorder.made[0].silent
    assert not any(otel_context.get_value(key) for key in SILENT)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (SpanExportResult.FAILURE, "Recorder answered FAILURE"),
        (None, "Recorder answered None"),
        (RuntimeError("bad token t0ps3cret"), "Recorder raised RuntimeError: bad token ***"),
    ],
    ids=str,
)
def test_three_failures_make_dead_letters(make, answer, message, caplog):
    """An exporter does not say why; the third failure is the last, and no argument is shown."""
    client = make(args={"region": "t0ps", "token": "t0ps3cret"})
    (exporter,) = Recorder.made
    exporter.answers = [answer, answer, answer]
    books = one_trace(client)
    assert (books.exported, dict(books.dropped), books.last_error) == (0, {"retries_exhausted": 1}, message)
    assert exporter.batches == [["root"]] * 3
    assert [(letter.reason, letter.message) for letter in client.dead_letters()] == [("retries_exhausted", message)]
    assert one_trace(client, "next").exported == 1
    assert "t0ps3cret" not in caplog.text


def test_an_address_in_the_arguments_masks_no_host_in_what_others_say(make):
    """Only its user info and parameters count as secrets; the messages of other destinations stay readable."""
    client = make(args={"region": "https://me:t0ps3cret@collector:4318/v1/traces?key=qu3rys3cret"})
    said = clean("https://collector:4318/v1/traces t0ps3cret qu3rys3cret: Connection refused")
    client.close()
    assert said == "https://collector:4318/v1/traces *** ***: Connection refused"


def test_a_success_on_the_third_try_is_a_success(make):
    """Two failures are forgiven."""
    client = make()
    Recorder.made[0].answers = [SpanExportResult.FAILURE] * 2
    assert one_trace(client).exported == 1


def test_export_is_never_called_twice_at_once(make):
    """As the SDK promises exporters, even with several workers."""
    client = make(max_in_flight=4, max_batch=1)
    for number in range(20):
        client.start_trace(f"{number}").end()
    assert client.flush()
    (exporter,) = Recorder.made
    assert (exporter.most_at_once, len(exporter.batches)) == (1, 20)


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("Missing", {}, 'adapters.otel_exporter/theirs.class: "somebodys.exporters:Missing" cannot be imported'),
        (
            "Recorder",
            {"colour": 1},
            "adapters.otel_exporter/theirs.args: somebodys.exporters:Recorder does not take colour",
        ),
        ("refuses", {"token": "t0ps3cret"}, r"does not take token: ValueError: no such token: \*\*\*$"),
        ("refuses", {}, "cannot be called without arguments"),
        ("no_exporter", {}, "made a str, which is not a span exporter"),
    ],
)
def test_a_wrong_class_is_a_configuration_error(make, name, args, message):
    """Said when the client is built, with what was tried; values of arguments are not repeated."""
    with pytest.raises(ConfigError, match=message):
        make(name, args)
