"""The JSON Schema and the presets: equal to the classes, valid, and agreeing with the reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, get_args, get_type_hints, is_typeddict

import jsonschema
import pytest
import yaml

from tracebridge import ConfigError
from tracebridge.settings.load import load_settings
from tracebridge.settings.shipped import shipped_schema, shipped_types
from tracebridge_config import types

CONFIG = files("tracebridge_config")
PRESETS = sorted(entry.name for entry in (CONFIG / "presets").iterdir())


ANEW = (
    "an option, an adapter or a stage has changed; write what is made of them anew: "
    "python -m tracebridge.settings.shipped config/tracebridge_config/bridge.schema.json"
)


@pytest.fixture(scope="module")
def schema() -> Any:
    """The shipped schema."""
    return json.loads((CONFIG / "bridge.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def validator(schema: Any) -> Any:
    """A validator that is not ours."""
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_shipped_schema_is_what_the_classes_say() -> None:
    """After a change of options: `python -m tracebridge.settings.shipped config/tracebridge_config/bridge.schema.json`."""
    assert shipped_schema() == (CONFIG / "bridge.schema.json").read_text("utf-8"), ANEW


def test_the_shipped_types_are_what_the_classes_say() -> None:
    """Written by the same command as the schema."""
    assert shipped_types() == (CONFIG / "types.py").read_text("utf-8"), ANEW


def keys_in(options: Any) -> dict[str, Any]:
    """The keys of a typed mapping, nested ones too."""
    found = get_type_hints(options)
    inner = {key: [part for part in get_args(hint) if is_typeddict(part)] for key, hint in found.items()}
    return {key: keys_in(parts[0]) if parts else None for key, parts in inner.items()}


def test_the_types_have_the_keys_of_the_schema(schema: Any) -> None:
    """What an editor completes in a mapping in code is what it completes in the file."""

    def keys_of_schema(one: Any) -> dict[str, Any]:
        return {
            key: keys_of_schema(inner) if "properties" in inner else None
            for key, whole in one["properties"].items()
            if key != "adapters" and (inner := whole.get("items", whole)) is not None
        }

    assert {key: inner for key, inner in keys_in(types.Config).items() if key != "adapters"} == keys_of_schema(schema)
    for name in ("zipkin", "otlp_http", "otel_exporter", "store"):
        made = getattr(types, name.title().replace("_", "") + "Config")
        assert keys_in(made) == keys_of_schema(schema["$defs"][name])


def test_the_presets_are_the_documented_seven() -> None:
    """One for each way to begin."""
    assert PRESETS == [
        "fan-out.yaml",
        "jaeger-agent.yaml",
        "jaeger.yaml",
        "log.yaml",
        "mlflow.yaml",
        "otlp.yaml",
        "zipkin.yaml",
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_right_for_the_reader_and_for_an_editor(name: str, validator: Any) -> None:
    """With no variable set, and commented."""
    text = (CONFIG / "presets" / name).read_text("utf-8")
    path = CONFIG / "presets" / name
    assert load_settings(str(path), environ={}).adapters
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []
    assert text.startswith("# yaml-language-server: $schema=../bridge.schema.json\n# ")


WRONG: list[Any] = [
    {"lifecycle": {"strict": "yes"}},
    {"lifecycle": {"max_open": 10}},
    {"lifecycle": {"max_open": "soon"}},
    {"limits": {"attribute_count_limit": 0}},
    {"limits": {"payload_length_limit": "many"}},
    {"limts": {}},
    {"adapters": {"zipkim": {}}},
    {"adapters": {"zipkin": {"endpiont": "http://x"}}},
    {"adapters": {"zipkin": {"endpoint": "localhost:9411"}}},
    {"adapters": {"zipkin": {"compression": "gzp"}}},
    {"adapters": {"zipkin": {"headers": {"a": 1}}}},
    {"adapters": {"zipkin": {"sending_queue": {"max_in_flight": 65}}}},
    {"adapters": {}},
    {"resource": {"attributes": {"a": None}}},
    {"redaction": {"deny_keys": "ssn"}},
    {"relay": {"kafka": {}}},
    {"relay": {"kafka": {"brokers": ["k:1"], "topics": {"spans": "protobuf"}}}},
    {"relay": {"rabbit": {}}},
]


@pytest.mark.parametrize("given", WRONG, ids=json.dumps)
def test_editor_and_reader_refuse_the_same(given: Any, validator: Any) -> None:
    """What the schema underlines, `validate` reports."""
    config = {"adapters": {"memory": {}}, **given}
    assert not validator.is_valid(config)
    with pytest.raises(ConfigError):
        load_settings(config, environ={})


RIGHT: list[Any] = [
    {},
    {"lifecycle": None, "limits": {}},
    {"lifecycle": {"max_open": "1h30m", "late_children": 0}},
    {"limits": {"payload_length_limit": "1.5MiB"}},
    {"limits": {"payload_length_limit": 4096}},
    {"adapters": {"zipkin/eu": None, "zipkin/e": {}, "zipkin/e u": {}, "otlp_http/a/b": {"tls": {"ca_file": None}}}},
    {"resource": {"attributes": {"service.name": "x", "a": [1, 2], "b": True}}},
    {"relay": None},
    {"relay": {"kafka": {"brokers": ["k:1"], "topics": {"otlp_spans": "auto"}, "sasl": {}}}},
]


@pytest.mark.parametrize("given", RIGHT, ids=json.dumps)
def test_editor_and_reader_accept_the_same(given: Any, validator: Any) -> None:
    """What `validate` takes, the schema does not underline."""
    config = {"adapters": {"memory": {}}, **given}
    assert [error.message for error in validator.iter_errors(config)] == []
    assert load_settings(config, environ={})


def test_a_reference_may_stand_for_any_scalar(validator: Any) -> None:
    """An editor does not underline `${VAR}` where a number or a choice is wanted."""
    config = {
        "lifecycle": {"strict": "${STRICT:-false}", "max_open": "${env:OPEN}", "on_leak": "${ON_LEAK}"},
        "limits": {"attribute_count_limit": "${COUNT}"},
        "adapters": {"zipkin": {"endpoint": "${SCHEME:-http}://h:1"}},
    }
    assert [error.message for error in validator.iter_errors(config)] == []


def properties_of(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key that an editor can complete."""
    for name, inner in schema.get("properties", {}).items():
        yield name, inner
        yield from properties_of(inner)


def test_every_key_is_explained(schema: Any) -> None:
    """Each has a description, each value an example; each adapter is described too."""
    keys = [*properties_of(schema), *(pair for one in schema["$defs"].values() for pair in properties_of(one))]
    assert len(keys) > 80
    assert [name for name, inner in keys if not inner.get("description")] == []
    assert [name for name, inner in keys if not inner.get("examples") and "properties" not in inner] == []
    assert [
        n for n, one in schema["properties"]["adapters"]["patternProperties"].items() if not one["description"]
    ] == []


def test_defaults_and_examples_in_the_schema_are_valid(schema: Any, validator: Any) -> None:
    """Every one is written as a person would write it in the file."""
    for _, inner in [*properties_of(schema), *(p for one in schema["$defs"].values() for p in properties_of(one))]:
        one = validator.evolve(schema={**inner, "$defs": schema["$defs"]})
        shown = [*([inner["default"]] if "default" in inner else []), *inner.get("examples", [])]
        assert [error.message for value in shown for error in one.iter_errors(value)] == []
