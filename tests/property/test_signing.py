"""Laws of signed span lines: however a shipper writes one anew, it verifies; whatever is changed in it, it does not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from support import strategies as otlp
from tracebridge.plugins.signing import Key
from tracebridge.records.record import SpanRecord
from tracebridge_adapters.formats.files.spanlog_lines import SpanlogLines
from tracebridge_adapters.formats.spanlog.writer import Writer

KEY = Key("2026-11", "k3y-" * 10)
KEYS = {KEY.id: KEY}
FORMAT = SpanlogLines()
PROFILES: tuple[Any, ...] = ("otel", "ecs", "datadog", "gcp")
NOT_SIGNED = {  # what others derive or set anew, in the names of the profiles
    "timestamp", "level", "start_time", "duration_ms", "@timestamp", "log.level", "event.start", "spanlog.duration_ms", "time", "severity",
    "transaction.id", "event.outcome", "ecs.version", "dd.trace_id", "dd.span_id", "dd.service", "dd.env", "dd.version", "trace_sampled",
}  # fmt: skip
MEANT_ALL_THE_SAME = {
    ("trace_flags", "01"),
    ("spanlog.trace_flags", "01"),
    ("event", "span.end"),
    ("event.action", "span.end"),
}
"""What is left out means just this."""
looks_odd = st.sampled_from(
    [
        "1.10",
        "007",
        "3",
        "3.0",
        "1e3",
        "-0",
        "true",
        "False",
        "null",
        "None",
        "NaN",
        ".5",
        "+1",
        "2026-11-30",
        "",
        "1_0",
        "t",
    ]
)
some = st.dictionaries(otlp.keys | looks_odd.filter(bool), looks_odd | otlp.values, max_size=5)
few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def records(draw: Any) -> SpanRecord:
    """Any record, with texts that look like something else among its values."""
    from msgspec.structs import replace

    return replace(draw(otlp.records), attributes=draw(some), inputs=draw(st.none() | some), outputs=draw(looks_odd))


def written(record: SpanRecord, profile: Any) -> bytes:
    """Its line."""
    return Writer(profile, key=KEY, max_line_bytes=100_000).encode(record)[:-1]


def fault(line: bytes) -> str:
    """What is wrong with a line; nothing when it verifies."""
    try:
        decoded = FORMAT.decode(line)
    except ValueError as error:
        return str(error) or "no line"
    if not decoded.records:
        return "no span"
    return decoded.proof.fault(KEYS) if decoded.proof is not None else "no signature"


def as_text(value: Any) -> Any:
    """Numbers and truth values made text, all the way down."""
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return json.dumps(value) if isinstance(value, (bool, int, float)) else value


def other_numbers(value: Any) -> Any:
    """Whole numbers as fractions and the other way round, as readers do that know one kind of number."""
    if isinstance(value, dict):
        return {key: other_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [other_numbers(item) for item in value]
    if type(value) is int and abs(value) <= 2**53:
        return float(value)
    return int(value) if type(value) is float and value.is_integer() and abs(value) <= 2**53 else value


def other_order(value: Any) -> Any:
    """Keys in the order of the alphabet, backwards."""
    if isinstance(value, dict):
        return {key: other_order(value[key]) for key in sorted(value, reverse=True)}
    return [other_order(item) for item in value] if isinstance(value, list) else value


@given(record=records(), profile=st.sampled_from(PROFILES), steps=st.sets(st.sampled_from(["order", "numbers", "texts", "added", "ascii", "slashes", "spaces", "set anew"])))  # fmt: skip
@few
def test_whatever_a_shipper_writes_anew_verifies(record: SpanRecord, profile: Any, steps: set[str]) -> None:
    """Order of keys, spelling of numbers, numbers made text, added fields, escapes, blanks, time and level of its own."""
    line = written(record, profile)
    assert fault(line) == ""
    fields = json.loads(line)
    if "order" in steps:
        fields = other_order(fields)
    if "numbers" in steps:
        fields = other_numbers(fields)
    if "texts" in steps:
        fields = as_text(fields)
    if "added" in steps:
        fields |= {"kubernetes": {"pod": "x"}, "offset": 7, "message_": "y", "seq": 9, "writer": "w"}
    if "set anew" in steps:
        fields |= {name: "2026-11-30T00:00:00Z" for name in ("timestamp", "@timestamp", "time") if name in fields}
    text = json.dumps(
        fields, ensure_ascii="ascii" in steps, separators=(", ", " : ") if "spaces" in steps else (",", ":")
    )
    if "slashes" in steps:
        text = text.replace("/", "\\/")
    assert fault(text.encode()) == ""


def places_of(value: Any, *above: Any) -> list[tuple[Any, ...]]:
    """The path of every value in a line that is signed."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    out = [above] if above else []
    for key, item in items:
        if above or key not in NOT_SIGNED:
            out += places_of(item, *above, key)
    return out


def changed(value: Any, how: int) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1 if abs(value) < 2**52 else -value if value else 1
    if isinstance(value, str):
        return [value + "x", value + "0", "0" + value, value[:-1] or "y", value.swapcase() + " "][how]
    if isinstance(value, dict):
        return {**value, "added": 1}
    return [*value, "added"] if isinstance(value, list) else "not null"


@given(record=records(), profile=st.sampled_from(PROFILES), data=st.data())
@few
def test_whatever_is_changed_does_not_verify(record: SpanRecord, profile: Any, data: Any) -> None:
    """One value anywhere: exchanged for another, also for one that spells the same number, or left out.

    A value that no span can have is repaired when a line is read; where that gives what was signed, the span is the one that was signed.
    """
    line = written(record, profile)
    fields = json.loads(line)
    path = data.draw(st.sampled_from(places_of(fields)))
    holder = fields
    for key in path[:-1]:
        holder = holder[key]
    before = holder[path[-1]]
    if data.draw(st.booleans()):
        holder[path[-1]] = changed(before, data.draw(st.integers(0, 4)))
    else:
        assume(not any(path[-1] == key and before == value for key, value in MEANT_ALL_THE_SAME))
        del holder[path[-1]]
    assume(holder != before)
    other = json.dumps(fields).encode()
    assert fault(other) != "" or meaning(other) == meaning(line), path


def meaning(line: bytes) -> list[bytes]:
    """The spans of a line in bytes, without the count of what was repaired."""
    return [
        msgspec.msgpack.encode(msgspec.structs.replace(record, repaired=0)) for record in FORMAT.decode(line).records
    ]


@given(record=records(), profile=st.sampled_from(PROFILES))
@few
def test_another_key_does_not_verify(record: SpanRecord, profile: Any) -> None:
    """Of the same ID, or of another one."""
    line = written(record, profile)
    proof = FORMAT.decode(line).proof
    assert proof is not None
    assert [bool(proof.fault(keys)) for keys in ({}, {"2026-11": Key("2026-11", "o" * 40)}, KEYS)] == [
        True,
        True,
        False,
    ]
