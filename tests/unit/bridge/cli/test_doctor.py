"""`tracebridge doctor` as people and programs run it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import CliRunner
from support.plain_server import Answer, PlainServer
from tracebridge.cli import main


@pytest.fixture
def server() -> Iterator[PlainServer]:
    """A server that takes everything."""
    running = PlainServer()
    yield running
    running.stop()


@pytest.fixture
def refused() -> Iterator[str]:
    """An address where nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def file(tmp_path: Path, server: PlainServer, refused: str) -> Path:
    """A configuration with one destination that is well, one that is not, and one that is this process's stdout."""
    path = tmp_path / "bridge.yaml"
    path.write_text(
        f"adapters:\n  otlp_http/good: {{endpoint: '{server.url}', ui: 'http://ui/{{trace_id}}'}}\n"
        f"  zipkin/bad: {{endpoint: '{refused}'}}\n  log: {{}}\n"
    )
    return path


def test_each_destination_is_told_with_what_to_do(file: Path) -> None:
    """A mark, the steps, the cause in brackets and the advice; the span of a log goes to stderr; exit 1."""
    result = CliRunner().invoke(main, ["doctor", "--config", str(file)])
    assert result.exit_code == 1
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert [line[:1] for line in lines if "otlp_http/good" in line or "zipkin/bad" in line] == ["✓", "✗"]
    assert next(line for line in lines if line.endswith("[refused]")).startswith("✗ nothing listens at 127.0.0.1:")
    assert [line for line in lines if line.startswith("→ is the server started")]
    assert [line for line in lines if line.startswith("http://ui/")]
    assert "spanlog" not in result.stdout
    assert '"span_name":"tracebridge doctor"' in result.stderr


def test_as_json(file: Path) -> None:
    """The same as one object on stdout, and nothing else there."""
    result = CliRunner().invoke(main, ["doctor", "--config", str(file), "--json"])
    outcome = json.loads(result.stdout)
    assert (result.exit_code, outcome["healthy"]) == (1, False)
    good, bad, log = outcome["destinations"]
    assert (good["name"], good["healthy"], [step["step"] for step in good["steps"]]) == (
        "otlp_http/good",
        True,
        ["resolve", "connect", "send"],
    )
    assert (bad["problem"]["cause"], bad["steps"][0]["step"]) == ("refused", "resolve")
    assert (log["target"], log["healthy"]) == ("stdout", True)


def test_one_of_several(file: Path) -> None:
    """--only leaves the others alone; exit 0 when that one is well."""
    result = CliRunner().invoke(main, ["doctor", "--config", str(file), "--only", "otlp_http/good"])
    assert (result.exit_code, "zipkin/bad" in result.stdout) == (0, False)
    assert CliRunner().invoke(main, ["doctor", "--config", str(file), "--only", "nobody"]).exit_code == 2


def test_a_wrong_configuration_is_told_first(tmp_path: Path) -> None:
    """Exit 78, before anything is connected to."""
    (tmp_path / "bridge.yaml").write_text("adapters: {zipkim: {}}")
    assert CliRunner().invoke(main, ["doctor", "--config", str(tmp_path / "bridge.yaml")]).exit_code == 78


def test_a_servers_words_cannot_steer_the_terminal(tmp_path: Path, server: PlainServer) -> None:
    """Escape sequences in an answer are shown as spaces."""
    server.answer = Answer(400, "text/plain", b"\x1b[31mred\x07")
    (tmp_path / "bridge.yaml").write_text(f"adapters: {{zipkin: {{endpoint: '{server.url}'}}}}")
    result = CliRunner().invoke(main, ["doctor", "--config", str(tmp_path / "bridge.yaml")])
    assert "[31mred" in result.stdout
    assert "\x1b" not in result.stdout


def test_as_a_process_stdout_holds_the_findings_only(file: Path) -> None:
    """Also where the log writes to the real stdout."""
    command = [
        sys.executable,
        "-c",
        "from tracebridge.cli import main; main()",
        "doctor",
        "--config",
        str(file),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["healthy"] is False
    assert '"span_name":"tracebridge doctor"' in done.stderr


def test_help_has_an_example() -> None:
    """--help shows the command in use."""
    assert "  tracebridge doctor --config bridge.yaml" in CliRunner().invoke(main, ["doctor", "--help"]).stdout


def test_without_a_configuration_nothing_is_written_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store that spans would go to is the user's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    result = CliRunner().invoke(main, ["doctor"])
    assert (result.exit_code, result.stdout, list(tmp_path.iterdir())) == (78, "", [])
    assert "--config" in result.stderr
