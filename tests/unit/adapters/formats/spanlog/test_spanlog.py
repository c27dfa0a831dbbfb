"""Span lines, field by field: the profiles, the cutting order, the extra lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from ecs_logging import StructlogFormatter

import tracebridge_config
from support.cases import CASES, T0, Build
from tracebridge.journal.base import decode_record, encode_record
from tracebridge.plugins.format import Decoded
from tracebridge.records.record import EndCause, Event, Kind, Link, Resource, Scope, SpanRecord, StatusCode
from tracebridge_adapters.formats.files.spanlog_lines import SpanlogLines
from tracebridge_adapters.formats.files.spanlog_writers import writer_of
from tracebridge_adapters.formats.spanlog.schema import schema_text

FORMAT = SpanlogLines()
TRACE, SPAN, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "53995c3f42cd8ad8"
PROFILES: tuple[Any, ...] = ("otel", "ecs", "datadog", "gcp", "otlp_json")


def sample(**fields: Any) -> SpanRecord:
    """A span of a shop: 12.5 ms, with an attribute of each plain type."""
    return SpanRecord(
        bytes.fromhex(TRACE),
        bytes.fromhex(SPAN),
        fields.pop("parent_id", bytes.fromhex(PARENT)),
        "GET /cart",
        T0 + 1,
        T0 + 12_500_001,
        kind=int(Kind.SERVER),
        status=fields.pop("status", int(StatusCode.OK)),
        attributes=fields.pop("attributes", {"http.method": "GET", "http.status_code": 200, "cached": False}),
        custom_trace_id="cart-7",
        resource=Resource({"service.name": "shop", "service.version": "1.2", "deployment.environment.name": "prod"}),
        **fields,
    )


def line_of(record: SpanRecord, profile: Any = "otel", **choices: Any) -> dict[str, Any]:
    """The record's line, parsed by the standard library."""
    (text,) = writer_of(profile, **choices).encode(record).decode().splitlines()
    parsed: dict[str, Any] = json.loads(text)
    return parsed


OTEL = {
    "timestamp": "2026-09-21T14:13:20.012500001Z",
    "level": "info",
    "event": "span.end",
    "schema": "spanlog/1",
    "trace_id": TRACE,
    "span_id": SPAN,
    "parent_span_id": PARENT,
    "trace_flags": "01",
    "custom_trace_id": "cart-7",
    "service": "shop",
    "span_name": "GET /cart",
    "span_kind": "server",
    "start_time": "2026-09-21T14:13:20.000000001Z",
    "start_time_unix_nano": "1790000000000000001",
    "end_time_unix_nano": "1790000000012500001",
    "duration_ms": 12.5,
    "duration_ns": 12_500_000,
    "span_status": "ok",
    "attributes": {"http.method": "GET", "http.status_code": 200, "cached": False},
    "resource": {"service.name": "shop", "service.version": "1.2", "deployment.environment.name": "prod"},
}


def test_the_line_is_what_the_table_says_in_its_order():
    """Every field of a common span, IDs before anything that may be long."""
    line = line_of(sample())
    assert line == OTEL
    assert list(line) == list(OTEL)


def test_absent_means_absent():
    """No nulls, no empty containers, for a span that has nothing."""
    assert line_of(SpanRecord(b"t" * 16, b"s" * 8, None, "", 0, 0)) == {
        "timestamp": "1970-01-01T00:00:00.000000000Z",
        "level": "info",
        "event": "span.end",
        "schema": "spanlog/1",
        "trace_id": "74" * 16,
        "span_id": "73" * 8,
        "trace_flags": "01",
        "service": "unknown_service",
        "span_name": "",
        "span_kind": "internal",
        "start_time": "1970-01-01T00:00:00.000000000Z",
        "start_time_unix_nano": "0",
        "end_time_unix_nano": "0",
        "duration_ms": 0.0,
        "duration_ns": 0,
        "span_status": "unset",
        "resource": {},
    }


def test_what_is_at_its_default_is_absent_after_a_journal_too():
    """Texts and containers that came out of MessagePack are equal to the defaults, not the same objects."""
    record = decode_record(encode_record(sample(tags={"a": "b"})))
    assert line_of(record) == {**OTEL, "tags": {"a": "b"}}


def test_falsy_payloads_are_there():
    """Only None means not set."""
    falsy: list[Any] = [0, False, "", [], {}, None]
    assert [line_of(sample(inputs=value)).get("inputs", "absent") for value in falsy] == [
        0, False, "", [], {}, "absent",
    ]  # fmt: skip


def test_the_ecs_line_has_ecs_names_and_its_own_prefix_for_the_rest():
    """Renames, event.outcome, labels without nested objects, transaction.id for a root only."""
    attributes = {"http.method": "GET", "retry": True, "ids": [1, 2], "user": {"id": 7}}
    assert line_of(sample(attributes=attributes, span_type="TOOL"), "ecs") == {
        "@timestamp": OTEL["timestamp"],
        "log.level": "info",
        "event.action": "span.end",
        "spanlog.schema": "spanlog/1",
        "trace.id": TRACE,
        "span.id": SPAN,
        "parent.id": PARENT,
        "spanlog.trace_flags": "01",
        "spanlog.custom_trace_id": "cart-7",
        "service.name": "shop",
        "message": "GET /cart",
        "spanlog.span_kind": "server",
        "event.start": OTEL["start_time"],
        "spanlog.start_time_unix_nano": OTEL["start_time_unix_nano"],
        "spanlog.end_time_unix_nano": OTEL["end_time_unix_nano"],
        "spanlog.duration_ms": 12.5,
        "event.duration": 12_500_000,
        "spanlog.span_status": "ok",
        "labels": {"http.method": "GET", "retry": True},
        "spanlog.resource": OTEL["resource"],
        "spanlog.span_type": "TOOL",
        "spanlog.attributes": {"ids": [1, 2], "user": {"id": 7}},
        "event.outcome": "success",
        "ecs.version": "8.17.0",
    }
    assert line_of(sample(parent_id=None), "ecs")["transaction.id"] == SPAN


ECS_FIELDS = set(
    "@timestamp labels message tags log.level event.action event.start event.end event.duration event.outcome trace.id span.id transaction.id "
    "service.name error.type error.message error.stack_trace ecs.version".split()
)
"""Those of the ECS field reference (8.17: base, log, event, tracing, service, error, ecs) that a span can use."""


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_no_ecs_line_has_a_field_that_ecs_does_not_know_outside_its_prefix(case):
    """Custom fields stand under a name of their own, as ECS asks; `parent.id` is what Elastic's APM calls a parent."""
    for record in case.records("ecs"):
        own = {key for key in line_of(record, "ecs") if not key.startswith("spanlog.")}
        assert own - ECS_FIELDS <= {"parent.id"}


def test_the_datadog_line_adds_decimal_ids_and_the_unified_tags():
    """dd.trace_id is the low 64 bits; duration and error.* are Datadog's standard attributes."""
    line = line_of(sample(), "datadog")
    assert line == {
        **{key: value for key, value in OTEL.items() if key != "duration_ns"},
        "duration": 12_500_000,
        "dd.trace_id": str(int(TRACE[16:], 16)),
        "dd.span_id": str(int(SPAN, 16)),
        "dd.service": "shop",
        "dd.env": "prod",
        "dd.version": "1.2",
    }


def test_the_gcp_line_has_the_special_fields_of_cloud_logging():
    """Severity in capitals, the trace as the project's resource name when the project is told."""
    renamed = {
        "time": OTEL["timestamp"],
        "severity": "INFO",
        "message": "GET /cart",
        "logging.googleapis.com/trace": f"projects/shop-1/traces/{TRACE}",
        "logging.googleapis.com/spanId": SPAN,
        "logging.googleapis.com/trace_sampled": True,
    }
    gone = {"timestamp", "level", "span_name", "trace_id", "span_id"}
    assert line_of(sample(), "gcp", project="shop-1") == {
        **{key: value for key, value in OTEL.items() if key not in gone},
        **renamed,
    }
    assert line_of(sample(), "gcp")["logging.googleapis.com/trace"] == TRACE
    (back,) = FORMAT.decode(writer_of("gcp", project="shop-1").encode(sample())).records
    assert back == sample()


def test_the_otlp_line_begins_as_the_collectors_connector_wants_it():
    """resourceSpans first, the flat IDs behind."""
    text = writer_of("otlp_json").encode(sample())
    assert text.startswith(b'{"resourceSpans":[{')
    flat = json.loads(text)
    del flat["resourceSpans"]
    assert flat == {key: OTEL[key] for key in list(OTEL)[: list(OTEL).index("end_time_unix_nano")]}


def test_errors_are_flat_for_stores_that_group_by_them_and_the_stack_stands_once():
    """The last exception's type, message and stack; its event keeps the rest."""
    exception = {"exception.type": "ValueError", "exception.message": "boom", "exception.stacktrace": "Traceback …"}
    record = sample(
        status=int(StatusCode.ERROR),
        status_message="ValueError: boom",
        events=(Event("exception", T0 + 2, {"exception.type": "KeyError"}), Event("exception", T0 + 3, exception)),
    )
    line = line_of(record)
    told = ("level", "span_status", "status_message", "error_type", "error_message", "error_stack", "events")
    assert {key: line[key] for key in told} == {
        "level": "error",
        "span_status": "error",
        "status_message": "ValueError: boom",
        "error_type": "ValueError",
        "error_message": "boom",
        "error_stack": "Traceback …",
        "events": [
            {
                "time_unix_nano": "1790000000000000002",
                "name": "exception",
                "attributes": {"exception.type": "KeyError"},
            },
            {
                "time_unix_nano": "1790000000000000003",
                "name": "exception",
                "attributes": {"exception.type": "ValueError", "exception.message": "boom"},
            },
        ],
    }
    assert FORMAT.decode(writer_of("otel").encode(record)).records == [record]


def test_a_span_that_nobody_ended_is_a_warning():
    """Unless its status is an error already."""
    cause = EndCause.ABANDONED.value
    assert line_of(sample(end_cause=cause))["level"] == "warning"
    assert line_of(sample(end_cause=cause, status=int(StatusCode.ERROR)))["level"] == "error"
    assert line_of(sample(end_cause=cause), "gcp")["severity"] == "WARNING"


@pytest.mark.parametrize(("choice", "parent", "has"), [
    ("always", PARENT, True), ("always", None, True), ("root", PARENT, False), ("root", None, True), ("off", None, False),
])  # fmt: skip
def test_the_resource_stands_where_it_was_chosen_to(choice, parent, has):
    """Without it the reader says what it does not know."""
    record = sample(parent_id=None if parent is None else bytes.fromhex(parent))
    line = writer_of("otel", resource=choice).encode(record)
    assert ("resource" in json.loads(line)) is has
    decoded = FORMAT.decode(line)
    assert decoded.notes == ([] if has else ["no resource on the line: only the service's name is known"])
    assert decoded.records[0].resource == (record.resource if has else Resource({"service.name": "shop"}))


# ---------------------------------------------------------------------- size


def big(**fields: Any) -> SpanRecord:
    """A span with 6,000 characters in each place that can be cut."""
    text = "x" * 6_000
    return sample(
        inputs=text,
        outputs=text,
        attributes={"long": text, "short": 1},
        links=(Link(b"l" * 16, b"l" * 8, attributes={"long": text}),),
        events=(
            Event("note", T0, {"long": text}),
            Event("exception", T0, {"exception.type": "E", "exception.stacktrace": text}),
        ),
        **fields,
    )


@pytest.mark.parametrize(("limit", "cut"), [
    (40_000, {}),
    (35_000, {"stacks": 1}),
    (30_000, {"stacks": 1, "outputs": 1}),
    (24_000, {"stacks": 1, "outputs": 1, "inputs": 1}),
    (18_000, {"stacks": 1, "outputs": 1, "inputs": 1, "values": 1}),
    (12_000, {"stacks": 1, "outputs": 1, "inputs": 1, "values": 1, "events": 1}),
    (6_000, {"stacks": 1, "outputs": 1, "inputs": 1, "values": 1, "events": 1, "links": 1}),
])  # fmt: skip
def test_a_line_is_cut_in_the_stated_order_and_says_so(limit, cut):
    """Stack traces, outputs, inputs, long values, events but the last exception, links; each counted."""
    line = writer_of("otel", max_line_bytes=limit).encode(big())
    assert len(line) <= limit
    assert json.loads(line).get("truncated", {}) == cut
    assert json.loads(line)["error_type"] == "E"


def test_attributes_are_dropped_last_in():
    """The first stay, because they were set first."""
    attributes = {f"key.{n:03}": n for n in range(1_000)}
    line = line_of(sample(attributes=attributes), max_line_bytes=5_000)
    kept = line["attributes"]
    assert list(kept) == list(attributes)[: len(kept)]
    assert line["truncated"] == {"attributes": 1_000 - len(kept)}
    assert len(kept) > 200


def test_a_text_payload_keeps_as_much_as_fits():
    """Its beginning, with a mark at the end."""
    line = line_of(sample(outputs="ü\n" * 10_000), max_line_bytes=8_000)
    assert line["outputs"].startswith("ü\nü\n")
    assert line["outputs"].endswith("…")
    assert len(writer_of("otel", max_line_bytes=8_000).encode(sample(outputs="ü\n" * 10_000))) > 6_000


def test_names_and_messages_are_capped_and_marked():
    """1,024 characters, whatever the size of the line."""
    line = line_of(sample(status_message="y" * 2_000))
    assert line["status_message"] == "y" * 1_023 + "…"
    assert line["truncated"] == {"names": 1}


def test_what_was_cut_is_told_to_the_reader():
    """In words, for a person."""
    decoded = FORMAT.decode(writer_of("otel", max_line_bytes=12_000).encode(big()))
    assert decoded.notes == [
        "1 stack traces cut",
        "1 outputs cut",
        "1 inputs cut",
        "1 long attribute values cut",
        "1 events cut",
    ]


# ---------------------------------------------------------------------- the other lines


def test_other_lines_tell_when_things_happened_and_no_reader_makes_spans_of_them():
    """span.start, span.event and trace.end, in order, with their own times; only span.end holds a span."""
    record = sample(parent_id=None, tags={"team": "blue"}, events=(Event("retry", T0 + 5, {"n": 1}),))
    writer = writer_of("otel", extra_lines=["span.start", "span.event", "trace.end"])
    lines = writer.encode(record).splitlines()
    told = [json.loads(line) for line in lines]
    assert [(line["event"], line["timestamp"][-12:]) for line in told] == [
        ("span.start", ".000000001Z"[-12:].rjust(12, "0")),
        ("span.event", "0.000000005Z"),
        ("span.end", "0.012500001Z"),
        ("trace.end", "0.012500001Z"),
    ]
    assert (told[1]["event_name"], told[1]["attributes"]) == ("retry", {"n": 1})
    assert (told[3]["duration_ns"], told[3]["span_status"], told[3]["tags"]) == (12_500_000, "ok", {"team": "blue"})
    assert [len(FORMAT.decode(line).records) for line in lines] == [0, 0, 1, 0]


def test_a_child_does_not_end_its_trace():
    """trace.end is the root's."""
    text = writer_of("otel", extra_lines=["trace.end"]).encode(sample())
    assert text.count(b"\n") == 1


# ---------------------------------------------------------------------- the schema


def shipped() -> Any:
    """The schema as it is shipped."""
    return (Path(tracebridge_config.__file__).parent / "spanlog.schema.json").read_text()


def test_the_shipped_schema_is_what_the_writer_writes():
    """Regenerate it with `print(schema_text(), end="")` of tracebridge_adapters.formats.spanlog.schema."""
    assert shipped() == schema_text()


@pytest.mark.parametrize("profile", PROFILES[:-1])
def test_every_case_is_valid_and_has_no_field_that_the_schema_does_not_know(profile):
    """In each profile, and with every extra line."""
    schema = json.loads(shipped())
    validator = jsonschema.Draft202012Validator(schema)
    (known,) = [line["properties"] for line in schema["$defs"].values() if line.get("title") == profile]
    writer = writer_of(profile, extra_lines=["span.start", "span.event", "trace.end"], max_line_bytes=15_000)
    numbering = writer.numbering("0a1b2c3d")
    for case in CASES[:-2]:
        for record in case.records("schema"):
            for line in writer.encode(record).splitlines(keepends=True):
                parsed = json.loads(line[:-2] + numbering % 7)
                validator.validate(parsed)
                assert parsed.keys() <= known.keys()


@pytest.mark.parametrize("change", [
    {"trace_id": "0" * 32}, {"trace_id": None}, {"span_id": SPAN[:-1]}, {"schema": "spanlog/2"},
    {"start_time_unix_nano": None, "end_time_unix_nano": "x", "start_time": "soon"},
])  # fmt: skip
def test_a_line_without_an_id_or_a_time_is_refused(change):
    """What a span cannot be without."""
    with pytest.raises(ValueError, match=r"^not a spanlog/1 line: "):
        FORMAT.decode(json.dumps({**OTEL, **change}).encode())


@pytest.mark.parametrize("text", ["!", "a", "\u00e4\u00e4\u00e4\u00e4"])
def test_bytes_that_are_not_base64_cost_their_value_and_not_the_span(text):
    """They are the text that stands there, at any depth, and are counted; a user's own mapping that looks like them stays."""
    own = {"$object": {"$base64": "mine"}}
    changes = {
        "attributes": {"a": {"$base64": text}, "b": [{"$base64": "AQI="}], "c": own},
        "inputs": {"x": [{"$base64": text}]},
    }
    decoded = FORMAT.decode(json.dumps({**OTEL, **changes}).encode())
    (record,) = decoded.records
    assert (record.attributes, record.inputs, record.repaired) == (
        {"a": text, "b": [b"\x01\x02"], "c": {"$base64": "mine"}}, {"x": [text]}, 2,
    )  # fmt: skip
    assert "field $base64 was not as it was written" in decoded.notes


@pytest.mark.parametrize(("change", "expected"), [
    ({"tags": ["prod"]}, {}),
    ({"seq": 7.0, "duration_ns": 74105.0}, {}),
    ({"dropped_attributes": "3"}, {"dropped_attributes": 3}),
    ({"trace_id": TRACE.upper()}, {}),
    ({"end_time_unix_nano": T0 + 5}, {"end_time_ns": T0 + 5}),
    ({"end_time_unix_nano": None, "duration_ns": 7}, {"end_time_ns": T0 + 8}),
    ({"start_time_unix_nano": None}, {"start_time_ns": T0 + 1}),
    ({"span_kind": "SERVER"}, {"kind": int(Kind.SERVER)}),
    ({"span_kind": "other"}, {"kind": 0}),
    ({"span_status": "fine"}, {"status": 0}),
    ({"attributes": []}, {"attributes": {}}),
    ({"attributes": '{"a":1}'}, {"attributes": {"a": 1}}),
    ({"events": {}}, {"events": ()}),
    ({"links": [{"trace_id": "x", "span_id": SPAN}]}, {"links": ()}),
    ({"trace_flags": "1"}, {"flags": 1}),
    ({"span_name": None}, {"name": ""}),
    ({"parent_span_id": ""}, {"parent_id": None}),
    ({"parent_span_id": None}, {"parent_id": None}),
    ({"seq": -1}, {}),
    ({"resource": None}, {"resource": Resource({"service.name": "shop"})}),
    ({"debug": 1}, {"debug": True}),
    ({"parent_is_remote": "true"}, {"parent_is_remote": True}),
    ({"status_message": None, "error_stack": None}, {}),
])  # fmt: skip
def test_a_field_that_a_shipper_changed_is_read_in_the_nearest_way_and_counted(change, expected):
    """Only what a span cannot be without is required; each field is named."""
    (whole,) = FORMAT.decode(json.dumps(OTEL).encode()).records
    decoded = FORMAT.decode(json.dumps({**OTEL, **change}).encode())
    (back,) = decoded.records
    odd = [note for note in decoded.notes if note.endswith("was not as it was written")]
    assert back == msgspec.structs.replace(whole, **expected, repaired=len(odd))
    assert len(odd) <= 2


@pytest.mark.parametrize(
    "change", [{"event": {"original": "x"}}, {"event": None}, {"event": "parsed"}, {"level": 7}, {"timestamp": None}]
)
def test_a_field_that_stores_set_anew_is_not_needed(change):
    """Logstash keeps the line under `event.original`."""
    decoded = FORMAT.decode(json.dumps({**OTEL, **change}).encode())
    assert [one.span_id.hex() for one in decoded.records] == [SPAN]


def test_a_line_whose_every_value_is_text_is_read():
    """syslog-ng's json-parser makes it so."""
    record = sample()
    line = {
        name: value if isinstance(value, (str, dict, list)) else json.dumps(value)
        for name, value in line_of(record, "otel").items()
    }
    (back,) = FORMAT.decode(json.dumps(line).encode()).records
    assert (back.trace_id, back.span_id, back.start_time_ns, back.end_time_ns) == (
        record.trace_id, record.span_id, record.start_time_ns, record.end_time_ns
    )  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES)
def test_a_line_with_escaped_solidi_is_read(profile):
    """What rsyslog's mmjsonparse writes with `%$!%`."""
    line = writer_of(profile).encode(sample()).rstrip()
    escaped = json.dumps(json.loads(line), separators=(", ", ": ")).replace("/", "\\/").encode()
    assert b"spanlog\\/1" in escaped
    assert FORMAT.looks_right(escaped)
    assert FORMAT.decode(escaped).records == FORMAT.decode(line).records


@pytest.mark.parametrize(
    "change", [{"labels": []}, {"spanlog.attributes": [1]}, {"spanlog.attributes": 7, "labels": 7}]
)
def test_an_ecs_line_with_odd_labels_is_read_without_them(change):
    """As any other field of the wrong type."""
    line = line_of(sample(), "ecs")
    (back,) = FORMAT.decode(json.dumps({**line, **change}).encode()).records
    assert back.span_id == sample().span_id


def nested(record: SpanRecord, **change: Any) -> bytes:
    """An ECS line as Elastic's own library nests it."""
    line = line_of(record, "ecs")
    text = StructlogFormatter()(None, "info", {**line, "event": line["message"]})
    return json.dumps({**json.loads(text), **change}).encode()


def test_a_nested_ecs_line_is_read_and_what_cannot_be_told_is_said():
    """Fields that the shipper added beside ours do no harm; a mapping among attributes becomes names with dots."""
    record = sample(
        attributes={"http.method": "GET", "n": [1, 2.5], "m": {"k": 1, "l": {"deep": b"x"}}}, inputs={"a.b": 1}
    )
    added = {"agent": {"type": "filebeat"}, "host": {"name": "web-1"}, "message": "GET /cart"}
    decoded = FORMAT.decode(nested(record, **added))
    (back,) = decoded.records
    assert back.attributes == {"http.method": "GET", "n": [1, 2.5], "m.k": 1, "m.l.deep": b"x"}
    assert back.inputs == {"a": {"b": 1}}
    assert (back.resource, back.custom_trace_id, back.start_time_ns) == (record.resource, "cart-7", T0 + 1)
    assert len(decoded.notes) == 1


def test_a_line_of_which_only_the_top_was_nested_is_read_too():
    """Logstash's de_dot leaves alone what is inside."""
    line = line_of(sample(), "ecs")
    top: dict[str, Any] = {}
    for name, value in line.items():
        first, dot, rest = name.partition(".")
        top.setdefault(first, {}).update({rest: value}) if dot else top.update({name: value})
    assert FORMAT.decode(json.dumps(top).encode()).records == [sample()]


@pytest.mark.parametrize(
    "change",
    [
        {"trace": {}},
        {"trace": "x"},
        {"trace.id": TRACE},
        {"labels": {"a.b": 1, "a": {"b": 2}}},
        {"spanlog": {"schema": "spanlog/1"}},
        {"spanlog": {"schema": {"x": 1}}},
    ],
)
def test_a_nested_line_that_is_nearly_ours_is_refused(change):
    """A field that is missing, of the wrong type, or there twice."""
    with pytest.raises(ValueError, match=r"^not a spanlog/1 line: "):
        FORMAT.decode(nested(sample(), **change))


def test_an_object_that_only_looks_like_a_marked_value_is_left_alone():
    """Another writer's `$float` of something else."""
    (back,) = FORMAT.decode(
        json.dumps({**OTEL, "inputs": [{"$float": []}, {"$base64": 1}, {"$object": 2}]}).encode()
    ).records
    assert back.inputs == [{"$float": []}, {"$base64": 1}, {"$object": 2}]


def test_every_case_comes_back_in_every_exact_profile():
    """The one list of cases."""
    for profile in PROFILES[:-1]:
        writer = writer_of(profile)
        for case in CASES:
            records = case.records("back")
            assert [FORMAT.decode(writer.encode(record)).records[0] for record in records] == records


FULL = SpanRecord(
    bytes.fromhex(TRACE), bytes.fromhex(SPAN), bytes.fromhex(PARENT), "name", 2, 1, kind=2, status=2, attributes={"b": b"\x00", "f": 1.5},
    span_type="LLM", custom_trace_id="mine", status_message="bad", inputs=[None, 1], outputs={"$float": "nan"},
    events=(Event("exception", 3, {"exception.stacktrace": "stack"}, 1),), links=(Link(b"l" * 16, b"m" * 8, "a=b", {"k": 1}, 2, 3),),
    tags={"t": "u"}, id_scheme="hash", trace_state="c=d", flags=3, parent_is_remote=True, debug=True, shared=True,
    end_cause=EndCause.LEAKED.value, opened_at="app.py:7", dropped_attributes=1, dropped_events=2, dropped_links=3, truncated=4,
    redacted=5, repaired=6, experiment_id="0", scope=Scope("s", "1", {"k": 1}), resource=Resource({"service.name": "s"}, "https://schema"),
    custom_span_id="my-span", span_id_scheme="hash",
)  # fmt: skip


def test_every_field_of_a_record_has_a_place_on_the_line():
    """A record with nothing at its default comes back; a field that is new must be put here, and on the line."""
    plain = SpanRecord(b"", b"", None, "", 0, 0)
    assert [name for name in FULL.__struct_fields__ if getattr(FULL, name) == getattr(plain, name)] == []
    for profile in PROFILES[:-1]:
        assert FORMAT.decode(writer_of(profile).encode(FULL)) == Decoded([FULL])


def test_user_data_forges_nothing():
    """A name with a line break and a second object in it stays a name; the separators that readers split at are escaped."""
    name = 'x"}\n{"schema":"spanlog/1","event":"span.end"}\u2028\x85\x1b[31m'
    text = writer_of("otel").encode(Build("forge").span(name, attributes={name: name}))
    assert (text.count(b"\n"), len(text.decode().splitlines())) == (1, 1)
    assert FORMAT.decode(text).records[0].name == name


def test_lines_that_name_the_same_resource_share_it_and_others_do_not():
    """What is made of a resource is made once; numbers that Python compares as equal are told apart."""
    given = [Resource({"service.name": "shop", "n": value}) for value in (1, True, 1.0, 1)]
    records = [SpanRecord(b"\x01" * 16, b"\x02" * 8, None, "s", 1, 2, resource=resource) for resource in given]
    read = [FORMAT.decode(FORMAT.encode([record])).records[0].resource for record in records]
    assert [repr(resource) for resource in read] == [repr(resource) for resource in given]
    assert read[0] is read[3]
