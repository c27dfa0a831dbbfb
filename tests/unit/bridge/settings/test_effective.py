"""Every value with where it is from: file, line, variable or default; nothing secret shown."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tracebridge.settings.effective import Origin, as_yaml, effective
from tracebridge.settings.load import load, load_settings

DEFAULT = Origin()
FILE = """\
resource: {attributes: {service.name: "${SERVICE:-checkout}", region: "${REGION} 1"}}
lifecycle: {max_open: 120m}
adapters:
  otlp_http/main:
    endpoint: http://c:4318
    tls: {insecure_skip_verify: true}
    headers: {authorization: "Bearer ${TOKEN}", plain: value}
  memory:
"""
ENVIRON = {
    "REGION": "eu",
    "TOKEN": "c4n4ry",
    "OTEL_RESOURCE_ATTRIBUTES": "team=blue,region=ignored",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "250",
    "OTEL_EXPORTER_OTLP_HEADERS": "a=b",
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none",
}


@pytest.fixture
def entries(tmp_path: Path) -> dict[str, tuple[Any, Origin]]:
    """The entries of the file above by their dotted path."""
    path = tmp_path / "bridge.yaml"
    path.write_text(FILE)
    return {".".join(e.path): (e.value, e.origin) for e in effective(load(path, environ=ENVIRON))}


@pytest.mark.parametrize(
    ("path", "value", "origin"),
    [
        ("file_format", "1.0", DEFAULT),
        ("resource.attributes.service.name", "checkout", Origin(1, (), given=True)),
        ("resource.attributes.region", "eu 1", Origin(1, ("REGION",), given=True)),
        ("resource.attributes.team", "blue", Origin(0, ("OTEL_RESOURCE_ATTRIBUTES",), given=True)),
        ("lifecycle.max_open", "2h", Origin(2, (), given=True)),
        ("lifecycle.late_children", "30s", DEFAULT),
        ("adapters.otlp_http/main.endpoint", "http://c:4318", Origin(5, (), given=True)),
        ("adapters.otlp_http/main.tls.insecure_skip_verify", True, Origin(6, (), given=True)),
        ("adapters.otlp_http/main.tls.ca_file", None, DEFAULT),
        ("adapters.otlp_http/main.headers.authorization", "***", Origin(7, ("TOKEN",), given=True)),
        ("adapters.otlp_http/main.headers.plain", "***", Origin(7, (), given=True)),
        ("adapters.otlp_http/main.timeout", "250ms", Origin(0, ("OTEL_EXPORTER_OTLP_TIMEOUT",), given=True)),
        ("adapters.otlp_http/main.compression", "none", Origin(0, ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",), given=True)),
        ("adapters.memory.sending_queue.max_batch", 2048, DEFAULT),
    ],
)  # fmt: skip
def test_each_value_says_where_it_is_from(entries: Any, path: str, value: Any, origin: Origin) -> None:
    """A line where the file gave it, the variables that took part, and neither for a default."""
    assert entries[path] == (value, origin)


def test_headers_of_the_file_shut_out_those_of_the_environment(entries: Any) -> None:
    """What is not in force is not shown."""
    assert "adapters.otlp_http/main.headers.a" not in entries


def test_a_mapping_says_code() -> None:
    """Values given in Python have neither file nor line."""
    found = {".".join(e.path): e.origin for e in effective(load({"adapters": {"memory": {}}, "lifecycle": {"strict": True}}, environ={}))}  # fmt: skip
    assert found["lifecycle.strict"].told("x") == "code"
    assert found["lifecycle.on_leak"].told("x") == "default"


def test_origins_as_people_and_programs_read_them() -> None:
    """`file:line, $VARIABLE`, and a kind."""
    origin = Origin(3, ("A", "B"), given=True)
    assert origin.told("b.yaml") == "b.yaml:3, $A, $B"
    assert origin.as_json() == {"kind": "file", "line": 3, "variables": ["A", "B"], "files": []}
    assert Origin(0, ("A",), given=True).as_json() == {
        "kind": "environment",
        "line": None,
        "variables": ["A"],
        "files": [],
    }
    assert DEFAULT.as_json() == {"kind": "default", "line": None, "variables": [], "files": []}


SECRETS: list[Any] = [
    {"zipkin": {"headers": {"authorization": "c4n4ry", "anything": "c4n4ry"}}},
    {"zipkin": {"endpoint": "http://u:c4n4ry@h:1/x"}},
    {"zipkin": {"endpoint": "http://c4n4ry@h:1/x"}},
    {"zipkin": {"endpoint": "http://h:1/x?key=c4n4ry"}},
    {"zipkin": {"endpoint": "http://u:c4n4ry@h:1/x?key=c4n4ry"}},
]
TELLING: list[Any] = [
    {"db.password": "c4n4ry"},
    {"apiKey": "c4n4ry"},
    {"note": "Bearer c4n4ry"},
    {"notes": ["basic c4n4ry"]},
    {"token": ["c4n4ry"]},
]


@pytest.mark.parametrize(
    "config",
    [*({"adapters": a} for a in SECRETS), *({"adapters": {"memory": {}}, "resource": {"attributes": r}} for r in TELLING)],
    ids=json.dumps,
)  # fmt: skip
def test_no_secret_is_shown(config: Any) -> None:
    """Whatever holds it: a header, an address, an attribute with a telling name, a credential under any name."""
    entries = effective(load(config, environ={}))
    assert "c4n4ry" not in as_yaml(entries, "x") + repr(entries) + repr([e.origin.as_json() for e in entries])
    assert "***" in as_yaml(entries, "x")


ODD = {
    "adapters": {
        "zipkin/a b: c": {"endpoint": "http://[::1]:9411/${X}"},
        "log": {"stream": "file", "path": "a # b\t\x7f'\""},
        "otlp_http/0x1": {"timeout": "1h30m", "sending_queue": {"flush_interval": "1500us"}},
    },
    "resource": {
        "attributes": {
            "service.name": "true", "a: b": "- x", "n": 1.5, "neg": -7, "big": 1e300, "yes": "yes", "null": "null", "é": "ü\u2028 🚀",
            "list": ["1", "x, y", ""], "flags": [True, False], "dollar": "$${A} $ $$",
        }
    },
    "redaction": {"deny_values": ["^a: [b]$", "card"], "allow_keys": ["max_token"]},
}  # fmt: skip


def test_what_is_printed_is_a_file_that_means_the_same(tmp_path: Path) -> None:
    """Whatever the values look like, reading the output gives equal settings."""
    loaded = load(ODD, environ={})
    path = tmp_path / "effective.yaml"
    path.write_text(as_yaml(effective(loaded), "code"), "utf-8")
    assert load_settings(path, environ={}) == loaded.settings


@pytest.mark.parametrize("preset", sorted(p.name for p in (files("tracebridge_config") / "presets").iterdir()))
def test_so_it_is_for_every_preset(preset: str, tmp_path: Path) -> None:
    """But for what is masked, an effective preset is the preset."""
    source = str(files("tracebridge_config") / "presets" / preset)
    loaded = load(source, environ={})
    path = tmp_path / preset
    path.write_text(as_yaml(effective(loaded), preset).replace('"***"', '"0"'), "utf-8")
    assert load_settings(path, environ={}) == loaded.settings
