"""`tracebridge validate` and `tracebridge adapters`: data on stdout, words on stderr, meaningful exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tracebridge.cli import main

GOOD = "adapters: {memory: {}, zipkin/eu: {}}\n"
BAD = "adapters: {zipkin: {headers: {authorization: c4n4ry}, endpiont: x}}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of a configuration."""
    return tmp_path / "bridge.yaml"


def test_a_right_file(file: Path) -> None:
    """One line, exit 0."""
    file.write_text(GOOD)
    result = CliRunner().invoke(main, ["validate", str(file)])
    assert (0, f"{file}: no problems; 2 destinations: memory, zipkin/eu\n") == (result.exit_code, result.stdout)


def test_a_wrong_file(file: Path) -> None:
    """The report on stderr, nothing on stdout, exit 78, no secret."""
    file.write_text(BAD)
    result = CliRunner().invoke(main, ["validate", str(file)])
    assert (result.exit_code, result.stdout) == (78, "")
    assert 'did you mean "endpoint"? [unknown-key]' in result.stderr
    assert "c4n4ry" not in result.output


def test_json(file: Path) -> None:
    """One object, with the same exit codes."""
    file.write_text(GOOD)
    result = CliRunner().invoke(main, ["validate", "--json", str(file)])
    assert {"file": str(file), "valid": True, "adapters": ["memory", "zipkin/eu"]} == json.loads(result.stdout)
    file.write_text(BAD)
    result = CliRunner().invoke(main, ["validate", "--json", str(file)])
    assert (result.exit_code, result.stderr) == (78, "")
    (problem,) = json.loads(result.stdout)["problems"]
    assert (
        problem["kind"],
        problem["line"],
        problem["column"],
        problem["length"],
        problem["suggestion"],
    ) == ("unknown-key", 1, 55, 8, "endpoint")
    assert "c4n4ry" not in result.stdout


def test_a_missing_file_is_a_wrong_configuration(file: Path) -> None:
    """No traceback: the path, the reason, exit 78."""
    result = CliRunner().invoke(main, ["validate", str(file)])
    assert result.exit_code == 78
    assert "[unreadable-file]" in result.stderr


def test_adapters_as_json() -> None:
    """Names with summaries, and options with types, defaults and help."""
    listed = json.loads(CliRunner().invoke(main, ["adapters", "--json"]).stdout)
    assert {"memory", "zipkin", "otlp_http", "store"} <= {row["name"] for row in listed}
    described = json.loads(CliRunner().invoke(main, ["adapters", "zipkin", "--json"]).stdout)
    (timeout,) = [option for option in described["options"] if option["key"] == "timeout"]
    assert (timeout["type"], timeout["default"], timeout["required"]) == ("duration", "10s", False)
    assert timeout["help"]


def test_a_nested_default_that_an_adapter_changes_is_shown() -> None:
    """The store flushes sooner than others, and its description says so."""
    described = json.loads(CliRunner().invoke(main, ["adapters", "store", "--json"]).stdout)
    assert "200ms" in [o["default"] for o in described["options"] if o["key"] == "sending_queue.flush_interval"]


def test_an_unknown_adapter() -> None:
    """Exit 78 with what was probably meant."""
    result = CliRunner().invoke(main, ["adapters", "zipkn"])
    assert result.exit_code == 78
    assert 'did you mean "zipkin"?' in result.stderr


@pytest.mark.parametrize("name", ["validate", "adapters", "show", "search"])
def test_every_help_has_an_example(name: str) -> None:
    """`--help` shows the command in use."""
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert f"  tracebridge {name}" in result.stdout
    assert "Example" in result.stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    """click's own exit code for a wrong command line."""
    assert CliRunner().invoke(main, ["validat"]).exit_code == 2
