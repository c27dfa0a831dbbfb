"""Where settings come from, and which source is stronger."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tracebridge import ConfigError, Settings
from tracebridge.settings.load import load_settings
from tracebridge.settings.model import ResourceSettings

MINIMAL: dict[str, Any] = {"adapters": {"memory": {}}}


def options_of(settings: Settings, name: str) -> Any:
    """Return an adapter's options."""
    return settings.adapters[name].options


def test_defaults_are_the_documented_ones() -> None:
    """A file that says nothing but where to send gets every default."""
    settings = load_settings(MINIMAL, environ={})
    assert (
        settings.trace_ids.scheme,
        settings.trace_ids.attribute,
        settings.trace_ids.on_duplicate,
    ) == ("auto", "tracebridge.trace_id", "error")
    lifecycle = settings.lifecycle
    assert (
        lifecycle.strict,
        lifecycle.max_open,
        lifecycle.on_leak,
        lifecycle.late_children,
        lifecycle.shutdown_timeout,
    ) == (False, 3600, "report", 30, 5)
    limits = settings.limits
    assert (
        limits.attribute_count_limit,
        limits.attribute_value_length_limit,
        limits.payload_length_limit,
        limits.event_count_limit,
        limits.link_count_limit,
    ) == (128, 65536, 2**20, 128, 128)
    assert (settings.journal.bound, settings.journal.on_full) == (64 * 2**20, "drop_oldest")
    assert (settings.redaction.keys, settings.redaction.action) == ("default", "mask")


def test_a_file_and_the_same_mapping_are_the_same(tmp_path: Path) -> None:
    """Configuration in code has the keys, the forms and the outcome of the file."""
    file = tmp_path / "bridge.yaml"
    file.write_text(
        "lifecycle: {max_open: 2h, late_children: 0}\n"
        "limits: {payload_length_limit: 512KiB}\n"
        "adapters: {otlp_http/main: {headers: {a: b}, timeout: 250ms}, memory: }\n"
    )
    mapping = {
        "lifecycle": {"max_open": "2h", "late_children": 0},
        "limits": {"payload_length_limit": "512KiB"},
        "adapters": {"otlp_http/main": {"headers": {"a": "b"}, "timeout": "250ms"}, "memory": None},
    }
    settings = load_settings(file, environ={})
    assert load_settings(mapping, environ={}) == settings
    assert list(settings.adapters) == ["otlp_http/main", "memory"]
    assert (
        settings.lifecycle.max_open,
        settings.lifecycle.late_children,
        settings.limits.payload_length_limit,
    ) == (7200, 0, 512 * 1024)
    assert settings.adapters["otlp_http/main"].type == "otlp_http"


def test_settings_are_taken_as_they_are() -> None:
    """Settings that are checked already are not read again."""
    settings = load_settings(MINIMAL, environ={})
    assert load_settings(settings, environ={}) is settings


def test_an_argument_is_stronger_than_the_named_file(tmp_path: Path) -> None:
    """TRACEBRIDGE_CONFIG counts only when nothing is given."""
    file = tmp_path / "bridge.yaml"
    file.write_text("adapters: {zipkin: {}}")
    environ = {"TRACEBRIDGE_CONFIG": str(file)}
    assert list(load_settings(environ=environ).adapters) == ["zipkin"]
    assert list(load_settings(MINIMAL, environ=environ).adapters) == ["memory"]


def test_without_any_configuration_there_is_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first program a person writes already keeps its traces, here or where TRACEBRIDGE_STORE says."""
    monkeypatch.chdir(tmp_path)
    assert options_of(load_settings(environ={}), "store").path == "./tracebridge.db"
    elsewhere = str(tmp_path / "else.db")
    assert elsewhere == options_of(load_settings(environ={"TRACEBRIDGE_STORE": elsewhere}), "store").path


@pytest.mark.parametrize(
    ("attributes", "environ", "expected"),
    [
        ({}, {}, {}),
        ({}, {"OTEL_SERVICE_NAME": "env"}, {"service.name": "env"}),
        ({"service.name": "file"}, {"OTEL_SERVICE_NAME": "env"}, {"service.name": "file"}),
        ({}, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,team=x%20y"}, {"service.name": "a", "team": "x y"}),
        ({}, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a", "OTEL_SERVICE_NAME": "b"}, {"service.name": "b"}),
        ({"team": "file"}, {"OTEL_RESOURCE_ATTRIBUTES": "team=env,zone=1"}, {"team": "file", "zone": "1"}),
        ({}, {"OTEL_SERVICE_NAME": ""}, {}),
        ({}, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=,team=x"}, {"team": "x"}),
        (None, {"OTEL_SERVICE_NAME": "env"}, {"service.name": "env"}),
    ],
)
def test_resource_attributes(attributes: Any, environ: dict[str, str], expected: Any) -> None:
    """The file is stronger than OTEL_SERVICE_NAME, which is stronger than OTEL_RESOURCE_ATTRIBUTES."""
    settings = load_settings({**MINIMAL, "resource": {"attributes": attributes}}, environ=environ)
    assert expected == settings.resource.attributes
    made = Settings(resource=ResourceSettings(attributes=attributes or {}))
    assert expected == load_settings(made, environ=environ).resource.attributes


@pytest.mark.parametrize(
    ("propagation", "named", "expected"),
    [
        ({}, "", (["tracecontext", "baggage"], ["tracecontext", "baggage"])),
        ({}, "b3, jaeger,b3", (["b3", "uber"], ["b3", "uber"])),
        ({"inject": ["b3multi"]}, "tracecontext", (["tracecontext"], ["b3multi"])),
        ({}, "none", ([], [])),
        (None, "xray", (["xray"], ["xray"])),
    ],
)
def test_header_formats(propagation: Any, named: str, expected: Any) -> None:
    """OTEL_PROPAGATORS names them by OpenTelemetry's names, both ways, where the file leaves them out."""
    settings = load_settings({**MINIMAL, "propagation": propagation}, environ={"OTEL_PROPAGATORS": named})
    assert (settings.propagation.extract, settings.propagation.inject) == expected


def test_an_unknown_propagator_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """As OpenTelemetry asks; where nothing known is left, the default stays."""
    assert load_settings(MINIMAL, environ={"OTEL_PROPAGATORS": "b3,ottrace"}).propagation.extract == ["b3"]
    assert load_settings(MINIMAL, environ={"OTEL_PROPAGATORS": "ottrace"}).propagation.extract[0] == "tracecontext"
    assert [record.message.partition(" is not")[0] for record in caplog.records] == [
        "OTEL_PROPAGATORS names a propagator that"
    ] * 2


OTLP = "OTEL_EXPORTER_OTLP_"


@pytest.mark.parametrize(
    ("kind", "given", "environ", "key", "expected"),
    [
        ("otlp_http", {}, {}, "endpoint", "http://localhost:4318"),
        ("otlp_http", {}, {OTLP + "ENDPOINT": "http://c:1/p"}, "endpoint", "http://c:1/p/v1/traces"),
        ("otlp_http", {}, {OTLP + "TRACES_ENDPOINT": "http://c:1/v1/traces"}, "endpoint", "http://c:1/v1/traces"),
        (
            "otlp_http",
            {},
            {OTLP + "TRACES_ENDPOINT": "http://t/v1/traces", OTLP + "ENDPOINT": "http://c"},
            "endpoint",
            "http://t/v1/traces",
        ),
        ("otlp_http", {"endpoint": "http://f:1"}, {OTLP + "ENDPOINT": "http://c"}, "endpoint", "http://f:1"),
        ("otlp_grpc", {}, {OTLP + "ENDPOINT": "http://c:4317"}, "endpoint", "http://c:4317"),
        ("otlp_http", {}, {OTLP + "TIMEOUT": "250"}, "timeout", 0.25),
        ("otlp_http", {"timeout": "3s"}, {OTLP + "TIMEOUT": "250"}, "timeout", 3),
        ("otlp_http", {}, {OTLP + "COMPRESSION": "none"}, "compression", "none"),
        ("otlp_http", {}, {OTLP + "PROTOCOL": "http/json"}, "encoding", "json"),
        ("zipkin", {}, {OTLP + "ENDPOINT": "http://c:4317"}, "endpoint", "http://localhost:9411/api/v2/spans"),
        ("store", {}, {"TRACEBRIDGE_STORE": "./x.db"}, "path", "./x.db"),
        ("store", {"path": "./y.db"}, {"TRACEBRIDGE_STORE": "./x.db"}, "path", "./y.db"),
    ],
)
def test_the_environment_fills_what_an_adapter_leaves_out(
    kind: str, given: Any, environ: dict[str, str], key: str, expected: Any
) -> None:
    """File > variable for traces > general variable > default."""
    settings = load_settings({"adapters": {kind: given}}, environ=environ)
    assert expected == getattr(options_of(settings, kind), key)


def test_headers_and_certificates_come_from_the_environment_too(tmp_path: Path) -> None:
    """Header values are percent-decoded and secret; what the file says about TLS stays."""
    ours, theirs = tmp_path / "file.pem", tmp_path / "env.pem"
    ours.touch()
    theirs.touch()
    environ = {
        OTLP + "HEADERS": "authorization=Bearer%20t0p,x=1",
        OTLP + "CERTIFICATE": str(theirs),
        OTLP + "CLIENT_CERTIFICATE": "/env/cert.pem",
    }
    settings = load_settings({"adapters": {"otlp_http": {"tls": {"cert_file": str(ours)}}}}, environ=environ)
    options = options_of(settings, "otlp_http")
    assert {k: v.reveal() for k, v in options.headers.items()} == {"authorization": "Bearer t0p", "x": "1"}
    assert (options.tls.ca_file, options.tls.cert_file) == (str(theirs), str(ours))
    assert "t0p" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (OTLP + "ENDPOINT", "c4n4ry:4318"),
        (OTLP + "TIMEOUT", "c4n4ry"),
        (OTLP + "COMPRESSION", "c4n4ry"),
        (OTLP + "HEADERS", "c4n4ry"),
        ("OTEL_RESOURCE_ATTRIBUTES", "c4n4ry"),
    ],
)
def test_a_variable_that_cannot_be_used_is_ignored_with_a_warning(
    variable: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As OpenTelemetry asks; the warning names the variable, not its value."""
    expected = load_settings({"adapters": {"otlp_http": {}}}, environ={})
    assert expected == load_settings({"adapters": {"otlp_http": {}}}, environ={variable: value})
    assert variable in caplog.text
    assert "c4n4ry" not in caplog.text


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("TRUE", True), ("false", False), ("1", False), ("", False)]
)
def test_otel_sdk_disabled(value: str, expected: bool) -> None:
    """Only `true`, in any case, switches tracing off, also for Settings made in code."""
    environ = {"OTEL_SDK_DISABLED": value}
    assert expected is load_settings(MINIMAL, environ=environ).disabled
    assert expected is load_settings(load_settings(MINIMAL, environ={}), environ=environ).disabled


def test_os_environ_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `environ`, the process's own is read."""
    monkeypatch.setitem(os.environ, "OTEL_SERVICE_NAME", "from the process")
    assert load_settings(MINIMAL).resource.attributes["service.name"] == "from the process"


def test_in_code_references_are_text() -> None:
    """Python has its own ways to read variables; a secret with a dollar sign stays whole."""
    settings = load_settings({"adapters": {"zipkin": {"headers": {"a": "$${X}"}}}}, environ={"X": "x"})
    assert options_of(settings, "zipkin").headers["a"].reveal() == "$${X}"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"adapters": {"memory": object()}}, "wrong-type"),
        ({"adapters": {"memory": {"sending_queue": {1, 2}}}}, "wrong-type"),
        ({"adapters": {1: {}}}, "bad-key"),
        ({}, "missing-key"),
        ({"adapters": []}, "wrong-type"),
        ({"adapters": {"memory": {}}, "file_format": "0.3"}, "wrong-value"),
        ({"adapters": {"memory": {}}, "disabled": True}, "unknown-key"),
        ({"adapters": {"memory": {}}, "lifecycle": {"max_open": "9" * 400 + "h"}}, "out-of-range"),
        ({"adapters": {"memory": {}}, "lifecycle": {"max_open": "1000000h"}}, "out-of-range"),
        ({"adapters": {"memory": {}}, "limits": {"payload_length_limit": "9" * 400 + "GB"}}, "bad-size"),
        ({"adapters": {"memory": {}}, "limits": {"payload_length_limit": "99999999GB" * 2}}, "bad-size"),
        ({"adapters": {"memory": {}}, "limits": {"payload_length_limit": 2**63}}, "out-of-range"),
        ({"adapters": {"memory": {}}, "limits": {"event_count_limit": 10**30}}, "wrong-type"),
        ({"adapters": {"memory": {}}, "redaction": {"deny_values": ["("]}}, "conflict"),
        ({"adapters": {"memory": {}}, "resource": {"attributes": {"service.name": 7}}}, "conflict"),
        ({"adapters": {"memory": {}}, "resource": {"attributes": {"a": None}}}, "wrong-type"),
        ({"adapters": {"memory": {}}, "resource": {"attributes": {"a": [1, "b"]}}}, "wrong-type"),
    ],
)
def test_what_code_can_get_wrong(given: Any, kind: str) -> None:
    """Values that YAML could not say are problems like any other."""
    with pytest.raises(ConfigError) as caught:
        load_settings(given, environ={})
    assert kind in [problem.kind for problem in caught.value.problems]


def test_a_mapping_that_holds_itself_is_refused() -> None:
    """Endless nesting ends."""
    endless: dict[str, Any] = {"adapters": {"memory": {}}}
    endless["resource"] = endless
    with pytest.raises(ConfigError, match="too-large"):
        load_settings(endless, environ={})
