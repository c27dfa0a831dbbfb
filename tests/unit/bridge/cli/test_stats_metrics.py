"""`stats --prometheus`: the metrics of every process of a journal's directory, printed, written or served."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from prometheus_client.parser import text_string_to_metric_families

from support.commands import CliRunner
from tracebridge import Client
from tracebridge.cli import main


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The journal of a process that was closed while its destination was down."""
    config: dict[str, Any] = {
        "resource": {"attributes": {"service.name": "shop"}},
        "journal": {"directory": str(tmp_path / "spans")},
        "lifecycle": {"shutdown_timeout": "0s"},
        "adapters": {"zipkin": {"endpoint": "http://127.0.0.1:9/api/v2/spans"}},
    }
    with Client(config=config) as client:
        client.start_trace("root").end()
    return tmp_path / "spans"


def run(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["stats", *map(str, arguments)])


def waiting(shown: str) -> list[tuple[str, str, float]]:
    """Service, adapter and number of each queue."""
    return [
        (sample.labels["service"], sample.labels["otel_component_name"], sample.value)
        for family in text_string_to_metric_families(shown)
        for sample in family.samples
        if sample.name == "otel_sdk_processor_span_queue_size"
    ]


def test_what_a_dead_process_left_is_waiting(directory):
    """And the directory's dead letters are counted."""
    done = run("--journal", directory, "--prometheus")
    assert (done.exit_code, waiting(done.output)) == (0, [("shop", "zipkin", 1)])
    assert "\ntracebridge_dead_letters 0\n" in done.output


def test_a_file_for_the_node_exporter_is_written_whole(directory, tmp_path):
    """Readable for its user, and with nothing left beside it."""
    target = tmp_path / "collected" / "tracebridge.prom"
    target.parent.mkdir()
    done = run("--journal", directory, "--prometheus", "--output", target)
    assert (done.exit_code, done.output) == (0, "")
    assert waiting(target.read_text()) == [("shop", "zipkin", 1)]
    assert ([path.name for path in target.parent.iterdir()], target.stat().st_mode & 0o777) == ([target.name], 0o644)


def test_a_file_that_cannot_be_written_is_told(directory, tmp_path):
    """With its name and why."""
    done = run("--journal", directory, "--prometheus", "--output", tmp_path / "missing" / "x.prom")
    assert done.exit_code == 1
    assert "x.prom: cannot be written: No such file or directory" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output", "x.prom"], "--output and --listen are for metrics: add --prometheus"),
        (["--prometheus", "--json"], "choose one form"),
        (["--prometheus", "--watch"], "choose one form"),
        (["--prometheus", "--output", "x", "--listen", "127.0.0.1:0"], "choose one form"),
        (["--prometheus", "--listen", "0.0.0.0:9464"], "listen must be a loopback address with a port"),
    ],
)
def test_forms_that_exclude_one_another(directory, arguments, said):
    """Are told apart before anything is read."""
    done = run("--journal", directory, *arguments)
    assert done.exit_code != 0
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_page_is_served_until_a_signal(directory, number):
    """What is served is as new as the directory."""
    command = [
        sys.executable,
        "-m",
        "tracebridge",
        "stats",
        "--journal",
        directory,
        "--prometheus",
        "--listen",
        "127.0.0.1:0",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stderr is not None
        address = process.stderr.readline().strip()
        with contextlib.closing(urllib.request.urlopen(address, timeout=60)) as answer:
            shown = answer.read().decode()
        process.send_signal(number)
        assert process.wait(60) == 0
    assert waiting(shown) == [("shop", "zipkin", 1)]
