"""Span lines on their way out: streams, files, loggers as applications configure them, numbering."""

from __future__ import annotations

import io
import json
import logging
import logging.handlers
import os
import queue
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog
from pythonjsonlogger.json import JsonFormatter

from support.cases import Build
from tracebridge import Client, ConfigError, Link
from tracebridge.cli.demo import run_batch
from tracebridge.errors import Misconfigured, Retryable
from tracebridge.plugins.adapter import Context, Sent
from tracebridge.records.record import SpanRecord, StatusCode
from tracebridge.testing import records as records_of
from tracebridge_adapters.formats.files.spanlog_lines import SpanlogLines
from tracebridge_adapters.log import TEXT_PROFILES, LogAdapter, LogOptions

PROFILES: tuple[Any, ...] = ("otel", "ecs", "datadog", "gcp", "otlp_json")
FORMAT = SpanlogLines()


def adapter(**options: Any) -> LogAdapter:
    """An adapter with these options."""
    return LogAdapter(LogOptions(**options), Context("log"))


def records(count: int = 2) -> list[SpanRecord]:
    """Some spans, the last of them an error."""
    build = Build("log")
    spans = [build.span(f"span {n}", attributes={"n": n, "float": 2.0}) for n in range(1, count)]
    return [*spans, build.span("broken", status=int(StatusCode.ERROR))]


def send(one: LogAdapter, spans: list[SpanRecord]) -> None:
    """Send a batch and insist on the answer."""
    assert one.send(one.encode(spans), len(spans)) == Sent()


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a file, parsed."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(autouse=True)
def plain_structlog():
    """No test leaves structlog configured."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


# ---------------------------------------------------------------------- streams and files


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_lines_go_to_the_stream_as_it_is_now(stream, capsys):
    """A captured or replaced stream too; nothing goes to the other one."""
    send(adapter(stream=stream), records())
    captured = capsys.readouterr()
    written, other = (captured.out, captured.err) if stream == "stdout" else (captured.err, captured.out)
    assert [FORMAT.decode(line.encode()).records[0] for line in written.splitlines()] == records()
    assert other == ""


def test_each_line_is_one_write(tmp_path):
    """Over a socket that keeps writes apart: so writers of up to 4,096 bytes never mix on a pipe."""
    program = (
        "from tracebridge import Client\n"
        "client = Client(config={'adapters': {'log': {}}})\n"
        "root = client.start_trace('root', inputs='x' * 9000)\n"
        "for n in range(5): client.start_span(f'span {n}', root.trace_id).end()\n"
        "root.end(); client.close()\n"
    )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            subprocess.run([sys.executable, "-c", program], stdout=theirs.fileno(), cwd=tmp_path, check=True)
        writes = list(iter(lambda: ours.recv(65_536), b""))
    assert [json.loads(line)["seq"] for line in writes] == [1, 2, 3, 4, 5, 6]


def test_processes_that_share_a_pipe_never_mix_lines_of_4096_bytes(tmp_path):
    """As the workers of one container do; every line is whole, and each process's numbers have no gap."""
    program = (
        "from tracebridge import Client\n"
        "client = Client(config={'adapters': {'log': {'max_line_bytes': 4096}}})\n"
        "root = client.start_trace('root')\n"
        "for n in range(200): client.start_span('s', root.trace_id, attributes={'text': 'x' * (n * 37 % 5000)}).end()\n"
        "root.end(); client.close()\n"
    )
    read, write = os.pipe()
    workers = [subprocess.Popen([sys.executable, "-c", program], stdout=write, cwd=tmp_path) for _ in range(3)]
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        lines = pipe.read().splitlines(keepends=True)
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    numbers: dict[str, list[int]] = {}
    for line in lines:
        assert len(line) <= 4096
        parsed = json.loads(line)
        numbers.setdefault(parsed["writer"], []).append(parsed["seq"])
    assert list(numbers.values()) == [list(range(1, 202))] * 3


def test_a_file_is_private_and_its_lines_are_numbered(tmp_path):
    """Created 0600; 1, 2, 3 for one adapter; another one counts for itself, under another name."""
    path = tmp_path / "spans.log"
    first, second = (adapter(stream="file", path=str(path)) for _ in range(2))
    send(first, records())
    send(second, records(1))
    send(first, records(1))
    first.close()
    second.close()
    lines = lines_of(path)
    writers = [line["writer"] for line in lines]
    assert [line["seq"] for line in lines] == [1, 2, 1, 3]
    assert writers[0] == writers[1] == writers[3] != writers[2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_forked_child_counts_for_itself(tmp_path):
    """Its lines have a writer of their own: no number comes twice."""
    path = tmp_path / "spans.log"
    program = (
        "import os, sys\n"
        "from tracebridge import Client\n"
        f"client = Client(config={{'adapters': {{'log': {{'stream': 'file', 'path': {str(path)!r}}}}}}})\n"
        "client.start_trace('parent').end(); client.flush()\n"
        "child = os.fork()\n"
        "client.start_trace('child' if child == 0 else 'parent').end(); client.close()\n"
        "if child: os.waitpid(child, 0)\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
    seen = [(line["writer"], line["seq"]) for line in lines_of(path)]
    assert len(set(seen)) == 3
    assert sorted(seq for _, seq in seen) == [1, 1, 2]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_numbered_and_bounded(profile, tmp_path):
    """Under its own names, within max_line_bytes with the number in it, and read back."""
    path = tmp_path / "spans.log"
    one = adapter(stream="file", path=str(path), profile=profile, max_line_bytes=4_096)
    spans = [Build("p").span("long", attributes={"text": "x" * 9_000}), Build("q").span("short", attributes={"a": 1})]
    send(one, spans)
    one.close()
    raw = path.read_bytes().splitlines(keepends=True)
    key = "spanlog.seq" if profile == "ecs" else "seq"
    assert [json.loads(line)[key] for line in raw] == [1, 2]
    assert all(len(line) <= 4_096 for line in raw)
    decoded = [FORMAT.decode(line) for line in raw]
    assert [item.notes for item in decoded] == [["1 long attribute values cut"], []]
    assert decoded[1].records == [spans[1]]


class Failing:
    """A wire that takes so many lines and then none, until it is mended."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.lines: list[bytes] = []

    def write(self, data: bytes) -> None:
        if len(self.lines) >= self.takes:
            raise Retryable("full")
        self.lines.append(data)


def test_a_batch_that_comes_again_goes_on_where_it_stopped():
    """No line twice, no number left out."""
    wire = Failing(3)
    one = adapter()
    one._emitter = lambda: wire.write
    body = one.encode(records(5))
    with pytest.raises(Retryable):
        one.send(body, 5)
    wire.takes = 100
    assert one.send(body, 5) == Sent()
    send(one, records(1))
    assert [json.loads(line)["seq"] for line in wire.lines] == [1, 2, 3, 4, 5, 6]


def test_a_closed_stdout_is_a_mistake_of_the_setup(monkeypatch):
    """Spans wait, and one line says why."""
    monkeypatch.setattr(sys, "stdout", None)
    one = adapter()
    with pytest.raises(Misconfigured, match="stdout"):
        one.send(one.encode(records()), 2)


def test_secrets_are_masked_as_everywhere(tmp_path):
    """Redaction happens before any destination, and the line says how often."""
    path = tmp_path / "spans.log"
    client = Client(config={"adapters": {"log": {"stream": "file", "path": str(path)}}})
    client.start_trace("login", inputs={"password": "hunter2"}, attributes={"api_key": "s3cret", "user": "u"}).end()
    client.close()
    (line,) = lines_of(path)
    assert (line["inputs"], line["attributes"]["api_key"], line["redacted"]) == (
        {"password": "[redacted]"},
        "[redacted]",
        2,
    )
    assert "hunter2" not in path.read_text()


def test_what_a_client_wrote_comes_back_as_what_it_delivered(tmp_path):
    """One traced batch, with an error in it, to memory and as lines in every profile: the very same records."""
    exact = PROFILES[:-1]
    files = {
        f"log/{profile}": {"stream": "file", "path": str(tmp_path / profile), "profile": profile} for profile in exact
    }
    with Client(
        config={"adapters": {"memory": {}, **files}, "resource": {"attributes": {"service.name": "shop"}}}
    ) as client:
        run_batch(client, "user123_batch_20261125_ab12cd34")
        with client.trace("odd", inputs={"nan": float("nan"), "$float": "nan"}, tags={"team": "blue"}) as root:
            root.set_outputs(b"\xff")
            root.add_link(Link("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", {"why": "retry"}))
        client.flush()
        delivered = records_of(client)
    assert len(delivered) == 16
    for profile in exact:
        back = [FORMAT.decode(line) for line in (tmp_path / profile).read_bytes().splitlines()]
        assert [item.notes for item in back] == [[]] * 16
        assert repr([item.records[0] for item in back]) == repr(list(delivered))  # as text: NaN does not equal itself


@pytest.mark.parametrize("options", [
    {"stream": "file"}, {"path": "x"}, {"stream": "logger"}, {"logger": "x"}, {"project": "p"}, {"max_line_bytes": 100},
    {"extra_lines": ["span.middle"]}, {"profile": "splunk"},
])  # fmt: skip
def test_options_that_contradict_each_other_are_refused(options):
    """Before anything runs."""
    with pytest.raises(ConfigError):
        Client(config={"adapters": {"log": options}})


# ---------------------------------------------------------------------- the standard library's loggers


@pytest.fixture
def spans_logger():
    """A logger of its own, taken down afterwards."""
    logger = logging.getLogger("test.spans")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield logger
    logger.handlers.clear()


def test_a_plain_formatter_prints_the_line_itself(spans_logger):
    """At the line's own level."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    spans_logger.addHandler(handler)
    send(adapter(stream="logger", logger="test.spans"), records())
    (level, first), (error, second) = (line.split(" ", 1) for line in out.getvalue().splitlines())
    assert (level, error) == ("INFO", "ERROR")
    assert [FORMAT.decode(line.encode()).records[0] for line in (first, second)] == records()


@pytest.mark.parametrize("profile", PROFILES)
def test_python_json_logger_merges_the_fields_into_its_own(spans_logger, profile):
    """No JSON within JSON, in any profile, and the span comes back."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s"))
    spans_logger.addHandler(handler)
    send(adapter(stream="logger", logger="test.spans", profile=profile), records())
    lines = out.getvalue().splitlines()
    assert {"asctime", "levelname"} <= json.loads(lines[0]).keys()
    assert [FORMAT.decode(line.encode()).records[0] for line in lines] == records()


def test_a_queue_handler_hands_the_line_over(spans_logger):
    """Formatted in the sending thread, as QueueHandler does."""
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    spans_logger.addHandler(logging.handlers.QueueHandler(waiting))
    send(adapter(stream="logger", logger="test.spans"), records(1))
    assert FORMAT.decode(waiting.get_nowait().getMessage().encode()).records == records(1)


def test_structlogs_processor_formatter_takes_the_line_as_foreign(spans_logger):
    """Standard-library records of others come through it as events."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[
        structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer(),
    ]))  # fmt: skip
    spans_logger.addHandler(handler)
    send(adapter(stream="logger", logger="test.spans"), records(1))
    assert FORMAT.decode(json.loads(out.getvalue())["event"].encode()).records == records(1)


# ---------------------------------------------------------------------- structlog


def test_fields_go_to_the_applications_structlog_as_keywords():
    """With its own processors: time and level are theirs."""
    with structlog.testing.capture_logs() as captured:
        send(adapter(stream="structlog"), records())
    first, second = captured
    assert (first["event"], first["log_level"], second["log_level"]) == ("span.end", "info", "error")
    assert (first["span_name"], first["attributes"], first["seq"]) == ("span 1", {"n": 1, "float": 2.0}, 1)
    assert "timestamp" not in first


def test_a_configuration_that_came_later_holds():
    """No bound logger is kept: a second configure, and capture_logs after it, see the lines."""
    one = adapter(stream="structlog")
    structlog.configure(cache_logger_on_first_use=True)
    with structlog.testing.capture_logs() as before:
        send(one, records(1))
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    with structlog.testing.capture_logs() as after:
        send(one, records(1))
    assert (len(before), len(after)) == (1, 1)


@pytest.mark.parametrize("profile", PROFILES)
def test_structlog_over_the_standard_library_takes_every_profile(spans_logger, profile):
    """render_to_log_kwargs passes fields as `extra`, where `message` or `name` would be a KeyError."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    spans_logger.addHandler(handler)
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.stdlib.render_to_log_kwargs,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    send(adapter(stream="structlog", logger="test.spans", profile=profile), records(1))
    line = json.loads(out.getvalue())
    text = line["message"] if profile in TEXT_PROFILES else json.dumps(line)
    assert FORMAT.decode(text.encode()).records == records(1)


@pytest.mark.parametrize("profile", PROFILES)
def test_structlogs_json_renderer_writes_lines_that_come_back(profile):
    """Through json.dumps, with structlog's own timestamp and level."""
    out = io.StringIO()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(out),
    )
    send(adapter(stream="structlog", profile=profile), records())
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    texts = [line["event"] if profile in TEXT_PROFILES else json.dumps(line) for line in lines]
    assert [FORMAT.decode(text.encode()).records[0] for text in texts] == records()


def test_profiles_that_go_as_text_are_those_that_clash_with_logging():
    """Any field that `logging` keeps for itself would be a KeyError."""
    kept = {*logging.LogRecord("", 0, "", 0, "", (), None).__dict__, "message", "asctime"}
    for profile in PROFILES:
        one = adapter(profile=profile)
        fields = json.loads(one.encode(records(1)))
        assert (not kept.isdisjoint(fields) or "resourceSpans" in fields) == (profile in TEXT_PROFILES)


def test_a_logger_of_the_applications_own_is_found_by_its_place(monkeypatch):
    """`module:logger`."""
    out = io.BytesIO()
    logger = structlog.wrap_logger(structlog.BytesLogger(out), processors=[structlog.processors.JSONRenderer(serializer=lambda fields, **_: json.dumps(fields).encode())])  # fmt: skip
    monkeypatch.setitem(sys.modules, "an_application", type(sys)("an_application"))
    monkeypatch.setattr(sys.modules["an_application"], "span_logger", logger, raising=False)
    send(adapter(stream="structlog", logger="an_application:span_logger"), records(1))
    assert FORMAT.decode(out.getvalue()).records == records(1)


@pytest.mark.parametrize("name", ["no.such.module:logger", "json:no_such_logger"])
def test_a_logger_that_is_not_there_is_a_mistake_of_the_setup(name):
    """Named; the spans wait."""
    one = adapter(stream="structlog", logger=name)
    with pytest.raises(Misconfigured, match=f"logger '{name}'"):
        one.send(one.encode(records(1)), 1)
