"""The metrics of a journal's directory: as text, in a file that is whole at any moment, or on a page on loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tracebridge.cli.shared.output import echo
from tracebridge.errors import ConfigError
from tracebridge.journal.inspect import LEFT, Outside, Writer
from tracebridge.metrics.endpoint import Endpoint
from tracebridge.metrics.prometheus import text
from tracebridge.metrics.table import METRICS, dead_letters
from tracebridge.settings.model import MetricsSettings


def text_of(outside: Outside, dead: int) -> str:
    """Return the metrics of every process of a directory, each with its service and folder, and the number of its dead letters."""
    told = [
        ({"service": str(writer.numbers.get("service", "?")), "process": writer.folder}, _as_of_now(writer))
        for writer in outside.writers()
    ]
    return text(METRICS, told) + text([dead_letters(dead)], [({}, {})])


def _as_of_now(writer: Writer) -> dict[str, Any]:
    """Return the numbers that a process told; of a dead one, what waits is what it left."""
    if writer.state != LEFT:
        return writer.numbers
    if writer.newer:
        return {**writer.numbers, "journal": {**writer.numbers.get("journal", {}), "left_alone": 1}}
    adapters = writer.numbers.get("adapters", {})
    left = {
        name: {**adapters.get(name, {}), "queued": writer.left.get(name, 0)} for name in {**adapters, **writer.left}
    }
    return {**writer.numbers, "open": writer.left_open, "adapters": left}


def write_whole(path: Path, shown: str) -> None:
    """Write a file that readers see whole. All may read it: it holds counts, and Prometheus's node exporter runs as another user."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        partial.write_text(shown, encoding="utf-8")
        partial.chmod(0o644)
        partial.replace(path)
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)


def serve(listen: str, shown: Callable[[], str]) -> None:
    """Serve the metrics at `listen` (HOST:PORT, loopback) until SIGINT or SIGTERM; the address is told on standard error."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        host, port = MetricsSettings(listen=listen).address
        endpoint = Endpoint(host, port, shown)
    except (ConfigError, ValueError) as error:
        raise click.ClickException(f"--{error}" if isinstance(error, ValueError) else str(error)) from None
    echo(f"http://{listen.rpartition(':')[0]}:{endpoint.port}/metrics", err=True)
    with contextlib.suppress(KeyboardInterrupt):
        ended.wait()
    endpoint.close()
