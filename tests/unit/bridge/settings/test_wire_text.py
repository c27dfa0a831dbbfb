"""What goes on a wire is checked when the configuration is read, wherever it comes from, and nothing of a secret is told."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.cases import Build
from support.http_server import RecordingServer
from tracebridge import ConfigError
from tracebridge.plugins.adapter import Context
from tracebridge.plugins.options import Secret
from tracebridge.settings.load import load_settings
from tracebridge.settings.wire_text import trimmed, wrong_name, wrong_value
from tracebridge_adapters.mlflow import MlflowOptions
from tracebridge_adapters.zipkin import ZipkinAdapter, ZipkinOptions

CANARY = "c4n4ryS3cret"
FILE = 'adapters: {zipkin: {endpoint: "${URL:-http://h:1}", headers: {authorization: "Bearer ${TOKEN}"}}}\n'


def of_file(tmp_path: Any, text: str, **environ: str) -> Any:
    """The options of the first destination of a file."""
    (tmp_path / "bridge.yaml").write_text(text)
    return next(iter(load_settings(str(tmp_path / "bridge.yaml"), environ=environ).adapters.values())).options


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\t\n", "\ufeff", "\u00a0"])
def test_what_cannot_be_seen_at_the_edges_is_taken_off_with_a_word(tmp_path, caplog, end):
    """A Kubernetes secret that was made with `echo` ends in a line end: it is sent without, and that is said once."""
    options = of_file(tmp_path, FILE, TOKEN=CANARY + end, URL="http://h:9411/api/v2/spans" + end)
    assert (options.headers["authorization"].reveal(), options.endpoint) == (
        f"Bearer {CANARY}",
        "http://h:9411/api/v2/spans",
    )
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"blanks or line ends around the value of adapters.zipkin.{key} are taken off"
        for key in ("endpoint", "headers.authorization")
    ]
    assert CANARY not in caplog.text


def test_such_a_secret_is_delivered(tmp_path):
    """To a server that sees what arrives."""
    server = RecordingServer((202, "", b""))
    options = of_file(tmp_path, FILE, TOKEN=CANARY + "\n", URL=server.url + "\n")
    adapter = ZipkinAdapter(options, Context("zipkin"))
    adapter.send(adapter.encode([Build("wire").span("s")]), 1)
    adapter.close()
    server.stop()
    assert [headers["authorization"] for _, headers, _ in server.requests] == [f"Bearer {CANARY}"]


WRONG = [
    {"authorization": f"Bearer {CANARY}\nx: y"},
    {"authorization": f"Bearer {CANARY}\0"},
    {"authorization": f"Bearer {CANARY}\u20ac"},
    {f"api key {CANARY}": "a"},
    {"schlüssel": CANARY},
    {"": CANARY},
    {"x:": CANARY},
    {"Content-Length": "7"},
    {"transfer-encoding": CANARY},
    {"x-tenant": CANARY, "X-Tenant": CANARY},
]


@pytest.mark.parametrize("kind", ["zipkin", "otlp_http", "otlp_grpc", "jaeger_thrift", "mlflow"])
@pytest.mark.parametrize("headers", WRONG, ids=range(len(WRONG)))
def test_headers_that_cannot_be_sent_are_refused_when_they_are_read(kind, headers):
    """For every adapter that has them, and the report tells neither value nor what may be one."""
    options = {"headers": headers, **({"endpoint": "http://h:14268"} if kind == "jaeger_thrift" else {})}
    with pytest.raises(ConfigError) as caught:
        load_settings({"adapters": {kind: options}}, environ={})
    assert {problem.kind for problem in caught.value.problems} == {"bad-header"}
    assert CANARY not in str(caught.value)


def test_a_file_and_its_variables_are_read_by_the_same_rules(tmp_path):
    """What a variable holds is not told either."""
    with pytest.raises(ConfigError) as caught:
        of_file(tmp_path, FILE, TOKEN=f"{CANARY}\r\nx-evil: 1")
    assert [problem.kind for problem in caught.value.problems] == ["bad-header"]
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"])
@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f'"api-key={CANARY},x-a=1"', "quote"),
        (f"'api-key={CANARY}'", "quote"),
        (f"api key={CANARY}", "letters, digits"),
        (f"schl%C3%BCssel={CANARY}", "letters, digits"),
        (f"api-key={CANARY}%0Ax", "line end"),
        (f"api-key={CANARY}ü", "ASCII"),
    ],
)
def test_opentelemetrys_variables_are_told_at_start(caplog, variable, text, word):
    """As OpenTelemetry asks they are ignored then, with a warning that names the variable and what is wrong."""
    settings = load_settings({"adapters": {"otlp_http": {}}}, environ={variable: text})
    options: Any = settings.adapters["otlp_http"].options
    assert options.headers == {}
    (said,) = [record.getMessage() for record in caplog.records]
    assert (variable in said, word in said, CANARY in said) == (True, True, False)


@pytest.mark.parametrize(
    "make", [lambda h: ZipkinOptions(headers=h), lambda h: MlflowOptions(headers=h)], ids=["zipkin", "mlflow"]
)
def test_options_made_in_code_are_checked_too(make):
    """They have not been read."""
    with pytest.raises(ValueError, match="line end") as caught:
        make({"authorization": Secret(f"{CANARY}\n")})
    assert CANARY not in str(caught.value)


def test_what_mlflow_gets_in_headers_of_its_own_is_checked():
    """Its token, its workspace and its experiment are headers on the wire."""
    for more in ({"token": f"{CANARY}\nx"}, {"workspace": "tëam"}, {"experiment_id": "1\n2"}):
        with pytest.raises(ConfigError) as caught:
            load_settings({"adapters": {"mlflow": more}}, environ={})
        assert CANARY not in str(caught.value)


@given(st.text())
def test_what_passes_can_be_sent(text):
    """By the rules of HTTP: one line of ASCII, with nothing to trim left."""
    bare = trimmed(text)
    assert trimmed(bare) == bare
    if not wrong_value(bare):
        assert bare.isascii()
        assert not set(bare) & set("\r\n\0")
    if not wrong_name(bare):
        assert set(bare) <= set(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")
        assert bare
