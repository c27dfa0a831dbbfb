"""What shippers wrap lines in comes off; what an application merely says stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracebridge.replay.envelopes import Unwrapper

SPAN = b'{"timestamp":"2026-01-01T00:00:00.000000000Z","schema":"spanlog/1","span_name":"a \\"b\\" {c}"}'
TEXT = SPAN.decode()


def dumps(**fields: object) -> bytes:
    """One JSON object."""
    return json.dumps(fields).encode()


ENVELOPES = {
    "cri": b"2026-01-02T03:04:05.678901234Z stdout F " + SPAN,
    "cri with an offset": b"2026-01-02T03:04:05.678901234+01:00 stderr F " + SPAN,
    "docker json-file": dumps(log=TEXT + "\n", stream="stdout", time="2026-01-02T03:04:05Z"),
    "docker json-file, newline stripped by an agent": dumps(log=TEXT, stream="stdout", time="2026-01-02T03:04:05Z"),
    "fluent bit": dumps(log=TEXT, stream="stdout", kubernetes={"pod_name": "shop-1"}),
    "fluentd": dumps(container_id="ab", container_name="/shop", source="stdout", log=TEXT),
    "fluent bit, merged": dumps(log="x", log_processed=json.loads(SPAN), kubernetes={}),
    "rfc 5424": b'<134>1 2026-01-02T03:04:05.003Z host shop 4711 ID47 [origin ip="1.2.3.4" x="a\\]b"][b] ' + SPAN,
    "rfc 5424 without data": b"<134>1 2026-01-02T03:04:05.003+01:00 host shop - - - \xef\xbb\xbf" + SPAN,
    "rfc 3164": b"<13>Jan  2 03:04:05 host shop[4711]: " + SPAN,
    "rsyslog file format": b"2026-01-02T03:04:05.123456+01:00 host shop[4711]: " + SPAN,
    "rsyslog traditional file format": b"Jan 22 03:04:05 host shop: " + SPAN,
    "rsyslog, no space after the tag": b"Jan 22 03:04:05 host shop:" + SPAN,
    "rsyslog json": dumps(msg=TEXT, syslogtag="shop:", fromhost="h"),
    "syslog priority alone": b"<134>" + SPAN,
    "journald export": b"MESSAGE=" + SPAN,
    "journald json": dumps(MESSAGE=TEXT, __REALTIME_TIMESTAMP="1", _PID="4711"),
    "journald json, not utf-8": dumps(MESSAGE=list(SPAN), __REALTIME_TIMESTAMP="1"),
    "filebeat": dumps(**{"@timestamp": "x", "message": TEXT, "agent": {"type": "filebeat"}}),
    "vector": dumps(message=TEXT, source_type="file", file="/x"),
    "cloud logging text": dumps(textPayload=TEXT, logName="projects/p/logs/x", insertId="1"),
    "cloudwatch insights": dumps(**{"@message": TEXT, "@timestamp": "x"}),
    "cloudwatch": dumps(message=TEXT, ingestionTime=1, timestamp=1),
    "loki": dumps(labels={"app": "shop"}, line=TEXT, timestamp="x"),
    "splunk": dumps(_raw=TEXT, _time="x", sourcetype="json"),
    "docker compose": b"shop-1  | " + SPAN,
    "kubectl --prefix": b"[pod/shop-7f/app] " + SPAN,
    "--timestamps": b"2026-01-02T03:04:05.678901234Z " + SPAN,
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_the_envelope_comes_off(name):
    """What is left is the very line."""
    inner = Unwrapper().unwrap(ENVELOPES[name])
    assert inner is not None
    assert (json.loads(inner) if "merged" in name else inner) == (json.loads(SPAN) if "merged" in name else SPAN)


def test_cloud_logging_gives_an_object_back_as_a_line():
    """`jsonPayload` is the parsed line."""
    inner = Unwrapper().unwrap(dumps(jsonPayload=json.loads(SPAN), insertId="1"))
    assert json.loads(inner or b"") == json.loads(SPAN)


def test_what_cloud_logging_took_out_of_the_line_is_put_back():
    """Its agent moves the special fields into the entry."""
    inner = Unwrapper().unwrap(dumps(jsonPayload={"a": 1}, insertId="1", trace="projects/p/traces/t", spanId="s"))
    assert json.loads(inner or b"") == {
        "logging.googleapis.com/trace": "projects/p/traces/t", "logging.googleapis.com/spanId": "s", "a": 1
    }  # fmt: skip


def test_envelopes_inside_envelopes_come_off_one_by_one():
    """A container runtime's line that an agent shipped."""
    unwrapper = Unwrapper()
    outer = dumps(message=ENVELOPES["cri"].decode(), agent={"type": "filebeat"})
    assert unwrapper.unwrap(unwrapper.unwrap(outer) or b"") == SPAN


@pytest.mark.parametrize(
    "line",
    [
        b"INFO the client sent " + SPAN,
        b"user said: " + SPAN,
        dumps(level="info", event=TEXT),
        dumps(level="info", message=TEXT),
        dumps(msg=TEXT, level="info", name="app"),
        dumps(log=TEXT, level="info"),
        dumps(line=TEXT),
        dumps(message=TEXT, agent="Mozilla/5.0", input="x"),
        dumps(log=TEXT, time="2026-01-02T03:04:05Z"),
        b'"' + SPAN + b'"',
        b"2026-01-02 03:04:05,123 INFO shop got " + SPAN,
        b"2026-01-02 03:04:05,123 " + SPAN,
        b"2026-01-02T03:04:05Z INFO shop: " + SPAN,
        b"2026-01-02 03:04:05,123 INFO shop: " + SPAN,
        SPAN,
    ],
)
def test_a_span_that_an_application_quotes_is_no_span(line):
    """Otherwise whoever makes an application log a text could forge one."""
    inner = Unwrapper().unwrap(line)
    assert inner is None or not inner.startswith(b"{")


def test_parts_of_a_line_that_the_container_runtime_split_are_joined():
    """CRI marks them with P, and the streams do not mix."""
    unwrapper = Unwrapper()
    head = b"2026-01-02T03:04:05.678901234Z "
    assert unwrapper.unwrap(head + b"stdout P " + SPAN[:10]) == b""
    assert unwrapper.unwrap(head + b"stderr F other") == b"other"
    assert unwrapper.unwrap(head + b"stdout P " + SPAN[10:30]) == b""
    assert unwrapper.unwrap(head + b"stdout F " + SPAN[30:]) == SPAN
    assert unwrapper.unwrap(head + b"stdout F next") == b"next"


def test_parts_of_a_line_that_docker_split_are_joined():
    """Only the last part ends in a newline."""
    unwrapper = Unwrapper()

    def line(text: str) -> bytes:
        return dumps(log=text, stream="stdout", time="x")

    assert unwrapper.unwrap(line(TEXT[:16])) == b""
    assert unwrapper.unwrap(line(TEXT[16:] + "\n")) == SPAN
    assert unwrapper.unwrap(line("next\n")) == b"next"


def test_a_whole_line_is_never_glued_to_a_part_without_its_end():
    """An agent that strips newlines makes every line look like a part."""
    unwrapper = Unwrapper()
    assert unwrapper.unwrap(dumps(log="words", stream="stdout", time="x")) == b""
    assert unwrapper.unwrap(dumps(log=TEXT, stream="stdout", time="x")) == SPAN


@given(
    st.binary(max_size=200) | st.text(max_size=100).map(lambda text: json.dumps({"log": text, "stream": text}).encode())
)
def test_no_bytes_crash_the_unwrapping(line):
    """Whatever a log file holds."""
    inner = Unwrapper().unwrap(line)
    assert inner is None or isinstance(inner, bytes)


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"log":' * 50_000, b"<1" * 50_000, b"[pod/" + b"x" * 500_000])
def test_deep_and_long_lines_are_answered_quickly(line):
    """No recursion, no backtracking."""
    assert Unwrapper().unwrap(line) is None
