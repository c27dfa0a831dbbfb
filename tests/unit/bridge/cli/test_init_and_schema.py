"""`tracebridge init` and `tracebridge schema`."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from support.commands import CliRunner
from tracebridge.cli import main
from tracebridge.cli.init import preset_names
from tracebridge.settings.load import load_settings


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_written_valid_and_known_to_the_schema(preset, tmp_path):
    """What init writes validates, here and with a JSON Schema validator, and nobody else can read it."""
    path = tmp_path / "bridge.yaml"
    result = CliRunner().invoke(main, ["init", preset, "-o", str(path)])
    assert (result.exit_code, result.stdout) == (0, "")
    assert load_settings(path, environ={}).adapters
    assert path.stat().st_mode & 0o777 == 0o600
    schema = json.loads(CliRunner().invoke(main, ["schema"]).stdout)
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(path.read_text()))


def test_init_never_overwrites_unless_told_to(tmp_path):
    """A file that is there stays as it is, exit 1."""
    path = tmp_path / "bridge.yaml"
    path.write_text("mine")
    assert CliRunner().invoke(main, ["init", "zipkin", "-o", str(path)]).exit_code == 1
    assert path.read_text() == "mine"
    assert CliRunner().invoke(main, ["init", "zipkin", "-o", str(path), "--force"]).exit_code == 0
    assert "zipkin" in path.read_text()


def test_init_lists_the_presets_and_corrects_a_slip():
    """Without a name it lists; a near miss is named."""
    assert CliRunner().invoke(main, ["init"]).stdout.split() == preset_names()
    result = CliRunner().invoke(main, ["init", "zipkn"])
    assert result.exit_code == 2
    assert 'did you mean "zipkin"?' in result.stderr
    assert "[unknown-preset]" in result.stderr


def test_the_schema_of_a_span_line_is_printed_too():
    """A validator takes it, and it knows every profile."""
    schema = json.loads(CliRunner().invoke(main, ["schema", "--spanlog"]).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {line.get("title") for line in schema["$defs"].values()} >= {"otel", "ecs", "datadog", "gcp"}
