"""`tracebridge relay` and `tracebridge stats --relay` without a broker; with one: tests/integration/test_relay.py."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from support.backends.process import free_ports
from support.commands import CliRunner
from tracebridge.cli import main
from tracebridge.journal.accounts import AdapterStats
from tracebridge.relay.counts import PartitionStats, RelayStats


def run(*arguments: str) -> Result:
    """Run one command."""
    return CliRunner().invoke(main, list(arguments))


def test_without_a_configuration_it_asks_for_one(monkeypatch):
    """The embedded store, which other commands then take, has no topics."""
    monkeypatch.delenv("TRACEBRIDGE_CONFIG", raising=False)
    result = run("relay")
    said = "which topics? Name a YAML file with `relay` and `adapters` by --config, or by TRACEBRIDGE_CONFIG\n"
    assert (result.exit_code, result.stdout, result.stderr) == (78, "", said)


def test_a_configuration_without_a_receiver_is_told_what_to_add(tmp_path):
    """The exit code is that of a wrong configuration."""
    path = tmp_path / "bridge.yaml"
    path.write_text("adapters: {memory: {}}\n")
    result = run("relay", "--config", str(path))
    assert (result.exit_code, result.stdout) == (78, "")
    assert 'add a receiver, such as `relay: {kafka: {brokers: ["kafka-1:9092"]}}`' in result.stderr


def test_a_relay_that_finds_no_broker_says_so_and_ends_on_sigterm(tmp_path):
    """It waits for the broker as a service does; its figures say what is the matter; it ends in time, with 0."""
    pytest.importorskip("confluent_kafka", reason="confluent-kafka has wheels for this Python")
    (port,) = free_ports(1)
    path, status = tmp_path / "bridge.yaml", tmp_path / "status.json"
    path.write_text(f'adapters: {{memory: {{}}}}\nrelay: {{kafka: {{brokers: ["127.0.0.1:{port}"]}}}}\n')
    command = [Path(sys.executable).with_name("tracebridge"), "relay", "--config", path, "--status", status]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while "trouble" not in (told := json.loads(status.read_bytes()) if status.exists() else {}) or not told["trouble"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, list(told["trouble"])) == (0, ["connection"])
    assert f"127.0.0.1:{port} group tracebridge: _TRANSPORT" in said


def figures(**more: Any) -> RelayStats:
    """Figures of a relay that is behind and waits."""
    values: dict[str, Any] = {
        "time_unix_s": time.time(),
        "messages": 1_200,
        "spans": 12_000,
        "dead_letters": {"empty": 2},
        "unsettled": 400,
        "waiting_for": "zipkin",
        "trouble": {"commit": "not committed: REBALANCE_IN_PROGRESS"},
        "partitions": {"spans/0": PartitionStats(1_000, 1_100, 1_500, 500), "spans/1": PartitionStats(None, 7, 7, 0)},
        "adapters": {"zipkin": AdapterStats(11_600, 0, 400, {"rejected": 3})},
    }
    return RelayStats(**{**values, **more})


def test_stats_shows_the_lag_of_each_partition(tmp_path):
    """And on one line what is to be known of all of them."""
    path = tmp_path / "status.json"
    path.write_text(json.dumps(figures().to_dict()))
    result = run("stats", "--relay", str(path))
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()[:3]] == [
        ["partition", "committed", "read", "end", "lag"],
        ["spans/0", "1,000", "1,100", "1,500", "500"],
        ["spans/1", "7", "7", "0"],
    ]
    assert result.stdout.splitlines()[3:] == [
        "1,200 messages, 12,000 spans; lag 500 over 2 partitions; 400 spans unsettled; 2 without spans (empty); "
        "zipkin: 11,600 acknowledged, 3 dropped (rejected); waiting for zipkin; not committed: REBALANCE_IN_PROGRESS"
    ]
    shown = json.loads(run("stats", "--relay", str(path), "--json").stdout)
    assert (shown["lag"], shown["partitions"]["spans/0"]["lag"]) == (500, 500)


def test_figures_that_are_old_are_an_exit_code_of_1(tmp_path):
    """What a probe wants to know: whether the relay still runs."""
    path = tmp_path / "status.json"
    path.write_text(json.dumps(figures(time_unix_s=time.time() - 192).to_dict()))
    result = run("stats", "--relay", str(path))
    assert result.exit_code == 1
    assert f"{path} is 3m12s old: the relay has ended, or hangs" in result.stderr


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]"])
def test_a_file_without_figures_is_a_clear_error(tmp_path, content):
    """Exit code 1, and the path."""
    path = tmp_path / "status.json"
    if content is not None:
        path.write_bytes(content)
    result = run("stats", "--relay", str(path))
    assert result.exit_code == 1
    assert str(path) in result.stderr
