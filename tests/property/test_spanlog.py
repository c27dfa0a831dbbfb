"""Laws of span lines: what is written is read back in every profile that promises it, what is cut is marked, and nothing breaks a line."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from ecs_logging import StructlogFormatter
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import tracebridge_config
from support import strategies as otlp
from tracebridge.records.record import EndCause, Event, Link, Resource, Scope, SpanRecord
from tracebridge_adapters.formats.files.spanlog_lines import SpanlogLines
from tracebridge_adapters.formats.files.spanlog_writers import writer_of
from tracebridge_adapters.formats.spanlog.nested import NOTE
from tracebridge_adapters.log import DEFAULT_MAX_LINE_BYTES, MIN_LINE_BYTES

EXACT = ("otel", "ecs", "datadog", "gcp")
fewer = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
"""Records are large, and there are five profiles."""
PROFILES: tuple[Any, ...] = (*EXACT, "otlp_json")
FORMAT = SpanlogLines()

floats = st.floats(allow_nan=False) | st.just(math.nan)
scalars = otlp.texts | otlp.numbers | floats | st.booleans()
marks = st.sampled_from(["$base64", "$float", "$object", "exception.stacktrace", "a"])
values = st.recursive(
    scalars | st.binary(max_size=20),
    lambda inner: (
        st.lists(st.none() | inner, max_size=4) | st.dictionaries(otlp.texts | marks, st.none() | inner, max_size=3)
    ),
    max_leaves=10,
)
attributes = st.dictionaries(otlp.texts | marks, values, max_size=5)
names = otlp.texts | st.just("exception")
events = st.builds(Event, names, otlp.times, attributes, otlp.counts)
exceptions = st.builds(
    lambda at, **said: Event("exception", at, {f"exception.{key}": text for key, text in said.items()}),
    otlp.times, type=otlp.texts, message=otlp.texts, stacktrace=otlp.texts,
)  # fmt: skip
records = st.builds(
    SpanRecord,
    trace_id=otlp.trace_ids,
    span_id=otlp.span_ids,
    parent_id=st.none() | otlp.span_ids,
    name=otlp.texts,
    start_time_ns=otlp.times,
    end_time_ns=otlp.times,
    kind=st.integers(0, 5),
    status=st.integers(0, 2),
    status_message=otlp.texts,
    attributes=attributes,
    inputs=st.none() | values,
    outputs=st.none() | values,
    span_type=st.sampled_from(["UNKNOWN", "LLM", ""]),
    events=st.lists(events | exceptions, max_size=3).map(tuple),
    links=st.lists(st.builds(Link, otlp.trace_ids, otlp.span_ids, otlp.texts, attributes, otlp.counts, otlp.counts), max_size=3).map(tuple),
    tags=st.dictionaries(otlp.texts, otlp.texts, max_size=2),
    custom_trace_id=st.none() | otlp.texts.filter(bool),
    id_scheme=st.sampled_from([None, "hash"]),
    custom_span_id=st.none() | otlp.texts.filter(bool),
    trace_state=otlp.texts,
    flags=st.integers(0, 255),
    parent_is_remote=st.booleans(),
    debug=st.booleans(),
    shared=st.booleans(),
    end_cause=st.sampled_from([cause.value for cause in EndCause]),
    opened_at=otlp.texts,
    dropped_attributes=otlp.counts,
    dropped_events=otlp.counts,
    dropped_links=otlp.counts,
    truncated=otlp.counts,
    redacted=otlp.counts,
    repaired=otlp.counts,
    experiment_id=otlp.texts,
    scope=st.none() | st.builds(Scope, otlp.texts, otlp.texts, attributes),
    resource=st.builds(
        Resource, st.builds(lambda name, rest: {**rest, "service.name": name}, otlp.texts.filter(bool), attributes), otlp.texts
    ),
)  # fmt: skip


def exact(value: Any) -> Any:
    """A value, or a record, that is equal only to one of the same types: 1, 1.0 and True are not; NaN is equal to itself."""
    if isinstance(value, msgspec.Struct):
        return [exact(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, (list, tuple)):
        return type(value)(exact(item) for item in value)
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    return (type(value).__name__, repr(value))


@cache
def schema() -> Any:
    """A validator of the schema that is shipped."""
    text = (Path(tracebridge_config.__file__).parent / "spanlog.schema.json").read_text()
    return jsonschema.Draft202012Validator(json.loads(text))


@pytest.mark.parametrize("profile", EXACT)
@fewer
@given(record=records)
def test_decoding_what_was_encoded_gives_the_record_back(profile, record):
    """decode(encode(record)) == record, every field with its type, and the line is what the schema says."""
    line = writer_of(profile).encode(record)
    decoded = FORMAT.decode(line)
    (back,) = decoded.records
    assert (decoded.notes, exact(back)) == ([], exact(record))
    schema().validate(json.loads(line))


@fewer
@given(record=otlp.records)
def test_the_otlp_profile_gives_back_what_otlp_can_say(record):
    """As OTLP JSON does: every field but tags and Zipkin's flags."""
    (back,) = FORMAT.decode(writer_of("otlp_json").encode(record)).records
    assert exact(back) == exact(record)


@pytest.mark.parametrize("profile", PROFILES)
@fewer
@given(record=records)
def test_the_line_survives_any_json_library_on_the_way(profile, record):
    """Parsed and written again by another library, as structlog and shippers do, with fields added."""
    line = writer_of(profile).encode(record)
    given_fields = json.loads(line)
    added = {**given_fields, "hostname": "web-1", "kubernetes": {"pod_name": "p"}, "stream": "stdout"}
    (back,) = FORMAT.decode(json.dumps(added).encode()).records
    assert exact(back) == exact(FORMAT.decode(line).records[0])


def apart(given: dict[str, Any]) -> bool:
    """Whether no name is the beginning of another one: `a` and `a.b` cannot both be nested."""
    return not any(other.startswith(f"{name}.") for name in given for other in given)


dotted = st.lists(st.sampled_from(["a", "b", "", "$x", "é"]), min_size=1, max_size=3).map(".".join)
flat = st.dictionaries(dotted, scalars | st.binary(max_size=9) | st.lists(scalars, max_size=3), max_size=5).filter(
    apart
)
flat_records = st.builds(
    lambda record, own, more: msgspec.structs.replace(
        record, attributes=own, inputs=None, outputs=None, tags=dict.fromkeys(own, "t"),
        events=tuple(msgspec.structs.replace(event, attributes=more) for event in record.events if event.name != "exception"),
        links=tuple(msgspec.structs.replace(link, attributes=own) for link in record.links),
        scope=record.scope and msgspec.structs.replace(record.scope, attributes=more),
        resource=Resource({**more, "service.name": "shop"}),
    ),
    records, flat, flat,
)  # fmt: skip


@fewer
@given(record=flat_records)
def test_an_ecs_line_nested_by_elastics_library_gives_the_record_back(record):
    """Its formatter makes objects of all names with dots, at every depth; where there were no mappings, nothing is lost."""
    line = json.loads(writer_of("ecs").encode(record))
    nested = StructlogFormatter()(None, "info", {**line, "event": line["message"]})
    assert "trace.id" not in json.loads(nested)
    decoded = FORMAT.decode(nested.encode())
    assert (decoded.notes, exact(decoded.records[0])) == ([NOTE], exact(record))


big_texts = st.builds(lambda text, n: text * n, otlp.texts.filter(bool), st.integers(1, 300))
big_attributes = st.dictionaries(otlp.texts, values | big_texts | st.lists(big_texts, max_size=3), max_size=8)
big_records = st.builds(
    SpanRecord,
    trace_id=otlp.trace_ids,
    span_id=otlp.span_ids,
    parent_id=st.none() | otlp.span_ids,
    name=otlp.texts | big_texts,
    start_time_ns=otlp.times,
    end_time_ns=otlp.times,
    status_message=otlp.texts | big_texts,
    attributes=big_attributes,
    inputs=st.none() | values | big_texts,
    outputs=st.none() | values | big_texts,
    events=st.lists(st.builds(Event, names | big_texts, otlp.times, big_attributes), max_size=3).map(tuple),
    links=st.lists(st.builds(Link, otlp.trace_ids, otlp.span_ids, big_texts, attributes), max_size=2).map(tuple),
    custom_trace_id=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=512),
    trace_state=otlp.texts | big_texts,
    tags=st.dictionaries(otlp.texts, big_texts, max_size=2),
    opened_at=otlp.texts | big_texts,
    scope=st.none() | st.builds(Scope, big_texts, otlp.texts, big_attributes),
    resource=st.builds(Resource, st.builds(lambda n, rest: {**rest, "service.name": n}, otlp.texts | big_texts, big_attributes)),
)  # fmt: skip


WORST = SpanRecord(
    trace_id=b"t" * 16,
    span_id=b"s" * 8,
    parent_id=b"p" * 8,
    name="\0" * 5_000,
    start_time_ns=1,
    end_time_ns=2,
    status_message="\x01" * 5_000,
    span_type="\x02" * 5_000,
    custom_trace_id="\x03" * 512,
    scope=Scope("\x04" * 5_000, "", {}),
    resource=Resource({"service.name": "\x05" * 5_000}),
)


@pytest.mark.parametrize("profile", PROFILES)
@fewer
@given(record=big_records, limit=st.sampled_from([MIN_LINE_BYTES, DEFAULT_MAX_LINE_BYTES]))
@example(record=WORST, limit=MIN_LINE_BYTES)
def test_a_line_keeps_to_its_size_and_what_was_cut_is_marked(profile, record, limit):
    """At most so many bytes, number included; IDs, times and status are whole; a line without a mark is the whole span.

    An OTLP line names the caller's ID twice, so that hundreds of control characters in one, six bytes each, are not bounded.
    """
    writer = writer_of(profile, max_line_bytes=limit)
    line = writer.encode(record)[:-2] + writer.numbering("0a1b2c3d") % 2**40
    custom = record.custom_trace_id or ""
    escapes = len(json.dumps(custom, ensure_ascii=False)) - len(custom) - 2
    assert len(line) <= limit + (2 * escapes if profile == "otlp_json" else 0)
    decoded = FORMAT.decode(line)
    (back,) = decoded.records
    never_cut = (
        "trace_id",
        "span_id",
        "parent_id",
        "start_time_ns",
        "end_time_ns",
        "kind",
        "status",
        "custom_trace_id",
    )
    assert [getattr(back, name) for name in never_cut] == [getattr(record, name) for name in never_cut]
    whole = FORMAT.decode(writer_of(profile).encode(record)).records[0]
    if not decoded.notes:
        assert exact(back) == exact(whole)
        return
    if profile == "otlp_json":  # tags stand among its attributes, and take others' names when those are cut
        return
    for key, value in back.attributes.items():
        given_value = whole.attributes[key]
        assert exact(value) == exact(given_value) or (isinstance(value, str) and given_value.startswith(value.removesuffix("…"))) or (
            isinstance(value, bytes) and given_value.startswith(value)
        )  # fmt: skip


hostile = st.recursive(
    otlp.broken_texts | st.integers() | st.floats() | st.none() | st.binary(max_size=9) | st.sampled_from(EndCause),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(otlp.broken_texts, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("profile", PROFILES)
@fewer
@given(
    attributes=st.dictionaries(otlp.broken_texts, hostile, max_size=4),
    payload=hostile,
    words=otlp.broken_texts,
    tags=st.dictionaries(otlp.broken_texts, otlp.broken_texts, max_size=3),
    instants=st.tuples(st.integers(), st.integers(), st.integers()),
)
def test_no_value_breaks_or_forges_a_line(profile, attributes, payload, words, tags, instants):
    """Line breaks, control characters, separators, surrogates, odd numbers: one line, one JSON object, our own fields."""
    start, end, at = instants
    record = SpanRecord(
        b"t" * 16, b"s" * 8, None, words, start, end, status=2, status_message=words, attributes=attributes, inputs=payload,
        outputs=payload, span_type=words, events=(Event(words, at, attributes),), tags=tags, custom_trace_id=words,
        links=(Link(b"t" * 16, b"s" * 8, words, attributes),), scope=Scope(words),
        resource=Resource({"service.name": words, **attributes}),
    )  # fmt: skip
    text = writer_of(profile, extra_lines=["span.start", "span.event", "trace.end"]).encode(record).decode()
    assert len(text.splitlines()) == text.count("\n") == 4
    assert all(char >= " " or char == "\n" for char in text)
    assert not any("\x80" <= char <= "\x9f" for char in text)
    for line in text.splitlines():
        assert msgspec.json.decode(line) == json.loads(line, parse_constant=pytest.fail)
        assert b"t".hex() * 16 in line


@fewer
@given(junk=st.binary(max_size=60) | st.builds(lambda text: b'{"schema":"spanlog/1",' + text, st.binary(max_size=40)))
def test_junk_is_refused_with_a_clear_error(junk):
    """A reader returns records or raises ValueError, whatever the bytes."""
    with pytest.raises(ValueError, match=r"^not a spanlog/1 line: "):
        FORMAT.decode(junk)


@pytest.mark.parametrize("profile", PROFILES)
@fewer
@given(record=records, data=st.data())
def test_a_line_that_was_cut_or_damaged_never_becomes_another_span(profile, record, data):
    """Every prefix is an error; a damaged byte gives an error or a record with IDs, never a crash."""
    line = writer_of(profile).encode(record).rstrip()
    with pytest.raises(ValueError, match=r"^not a spanlog/1 line: "):
        FORMAT.decode(line[: data.draw(st.integers(0, len(line) - 1))])
    damaged = bytearray(line)
    damaged[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = FORMAT.decode(bytes(damaged)).records
    except ValueError as error:
        assert str(error).startswith("not a spanlog/1 line: ")
    else:
        assert all((len(back.trace_id), len(back.span_id)) == (16, 8) for back in read)


junk: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        [],
        {},
        "",
        0,
        -1,
        1.5,
        True,
        "x",
        [[]],
        {"a": {"b": []}},
        {"$float": []},
        {"$base64": "!"},
        "0" * 32,
        10**30,
    ]
)


def replaced(value: Any, data: Any) -> Any:
    """A JSON value with something else somewhere in it."""
    inside = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not inside or data.draw(st.integers(0, 4)) == 0:
        return data.draw(junk)
    at = data.draw(st.sampled_from(inside))
    out = value.copy()
    out[at] = replaced(value[at], data)
    return out


@pytest.mark.parametrize("profile", PROFILES)
@fewer
@given(record=records, data=st.data())
def test_a_line_with_something_else_in_it_is_read_or_refused(profile, record, data):
    """Any field, at any depth, of any other type: a record, or ValueError."""
    line = replaced(json.loads(writer_of(profile).encode(record)), data)
    try:
        read = FORMAT.decode(json.dumps(line).encode()).records
    except ValueError as error:
        assert str(error).startswith("not a spanlog/1 line: ")
    else:
        assert all(isinstance(back.name, str) and len(back.trace_id) == 16 for back in read)
