"""What a configuration costs: reading and checking a file of five destinations, and the command that does it."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.harness import Case, Goal, Run, environment, in_thread

FIVE = """\
file_format: "1.0"
resource:
  attributes: {service.name: "${SERVICE_NAME:-checkout}", deployment.environment.name: production}
lifecycle: {max_open: 1h, late_children: 30s}
adapters:
  zipkin: {endpoint: http://localhost:9411/api/v2/spans}
  otlp_http/jaeger: {endpoint: http://localhost:4318, timeout: 5s}
  otlp_http/mlflow: {endpoint: http://localhost:5000, dialect: mlflow, headers: {x-mlflow-experiment-id: "0"}}
  log: {stream: stdout}
  store: {path: ./tracebridge.db}
"""
LOADS = 50  # a round


def _file() -> tuple[Path, Any]:
    folder = tempfile.TemporaryDirectory(prefix="tracebridge-benchmark-")
    path = Path(folder.name) / "bridge.yaml"
    path.write_text(FIVE)
    return path, folder


def load(read: Callable[[Path], Any]) -> Run:
    """Milliseconds that one reading of the file takes."""
    path, folder = _file()
    read(path)

    def one_round() -> None:
        assert folder
        for _ in range(LOADS):
            read(path)

    return in_thread(one_round, LOADS * 1000)


def load_ours() -> Run:
    """Read, substituted and checked, with positions."""
    from tracebridge.settings.load import load_settings

    return load(load_settings)


def load_yaml() -> Run:
    """PyYAML's safe load of the same bytes."""
    import yaml

    return load(lambda path: yaml.safe_load(path.read_bytes()))


def command(*arguments: str) -> Run:
    """Milliseconds of processor that a whole process takes; `FILE` stands for the file. On an idle machine that is its time."""
    path, folder = _file()
    line = [sys.executable, *(str(path) if part == "FILE" else part for part in arguments)]

    def run() -> float:
        assert folder
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(line, check=True, capture_output=True, env=environment())
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3

    run()
    return run


def validate() -> Run:
    """`tracebridge validate`, as its script starts it."""
    return command("-c", "from tracebridge.cli import main; main()", "validate", "FILE")


def imports() -> Run:
    """The libraries that any such command would import."""
    return command("-c", "import yaml, rich")


YAML, IMPORTS = "yaml.safe_load", "import yaml, rich"

CASES = (
    Case("configuration", {"tracebridge": load_ours, YAML: load_yaml}, Goal(3, YAML), "the same file", "ms CPU a file"),
    Case("validate", {"tracebridge": validate, IMPORTS: imports}, Goal(3, IMPORTS), "", "ms CPU a process"),
)
