"""`tracebridge trace`: a trace's root from a shell, one process for its start and another for its end."""

from __future__ import annotations

import json
from pathlib import Path

from support.commands import CliRunner
from tracebridge.cli.main import main

CONFIG = """
open_spans: {engine: directory, url: %s}
adapters: {zipkin_file: {path: %s}}
"""


def test_a_root_is_started_ended_and_delivered(tmp_path: Path) -> None:
    """What `start` prints is the traceparent of the span that arrives."""
    config, out = tmp_path / "bridge.yaml", tmp_path / "out.jsonl"
    config.write_text(CONFIG % (tmp_path / "open-spans", out))
    root = ["--config", str(config), "--trace", "ci-1234"]
    started = CliRunner().invoke(main, ["trace", "start", *root, "--name", "pipeline"])
    ended = CliRunner().invoke(main, ["trace", "end", *root, "--flush"])
    (span,) = json.loads(out.read_text())
    assert (started.exit_code, ended.exit_code) == (0, 0)
    assert (span["name"], f"00-{span['traceId']}-{span['id']}-01") == ("pipeline", started.stdout.strip())
