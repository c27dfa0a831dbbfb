"""The ends of real servers and workers, with the files and commands of docs/exits.md: all that was traced has arrived."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ill_server import OK, IllServer
from support.pages import PAGES, blocks

PAGE = PAGES / "exits.md"
COMMANDS = [
    line.removeprefix("$ ")
    for block in blocks(PAGE)
    if block.language == "console"
    for line in block.text.splitlines()
    if line.startswith("$ ")
]
SERVERS = [command for command in COMMANDS if not command.startswith("celery")]
NEEDS_OPTION = [command for command in SERVERS if command.startswith(("flask", "python"))]
REQUESTS = 40


@pytest.fixture
def server() -> Iterator[IllServer]:
    """The far end; a request takes a while, so that an end that does not wait for it is found out."""

    def slow(number: int, names: list[str]) -> Any:
        time.sleep(0.1)
        return OK

    running = IllServer(slow)
    yield running
    running.stop()


Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, server: IllServer) -> Folder:
    """Make a folder with the page's files and a configuration of which only an end delivers."""

    def make(**lifecycle: Any) -> Path:
        for block in blocks(PAGE):
            if block.title:
                (tmp_path / block.title).write_text(block.text)
        queue = {"flush_interval": "1h", "max_batch": 1000}
        config = {
            "lifecycle": {"shutdown_timeout": "30s", **lifecycle},
            "adapters": {"otlp_http": {"endpoint": server.url, "encoding": "json", "sending_queue": queue}},
        }
        (tmp_path / "bridge.yaml").write_text(json.dumps(config))
        return tmp_path

    return make


def started(command: str, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    """Start one of the page's commands, by this Python."""
    program, *arguments = shlex.split(command)
    python = [sys.executable] if program == "python" else [str(Path(sys.executable).parent / program)]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [*python, *arguments, *more], cwd=folder, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": "."}
        )


def ended(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> None:
    """Ask a process to end, and wait for it."""
    process.send_signal(number)
    try:
        process.wait(90)
    finally:
        process.kill()


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def where(command: str, port: int) -> list[str]:
    """How a server is told its address."""
    if command.startswith(("gunicorn", "hypercorn")):
        return ["--bind", f"127.0.0.1:{port}"]
    return [f"127.0.0.1:{port}"] if command.startswith("python") else ["--port", str(port)]


def ask(port: int, item: int, folder: Path) -> None:
    """Ask the server, from the moment that it answers on."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{item}", timeout=60) as answer:
                assert answer.read() == b"ok"
                return
        except OSError as error:
            assert time.monotonic() < deadline, (error, (folder / "log").read_text())
            time.sleep(0.05)


def served(command: str, folder: Path, number: signal.Signals = signal.SIGTERM) -> None:
    """Let a server answer some requests, and end it."""
    port = free_port()
    process = started(command, folder, *where(command, port))
    try:
        for item in range(REQUESTS):
            ask(port, item, folder)
    finally:
        ended(process, number)


@pytest.mark.parametrize("command", SERVERS)
def test_a_server_that_ends_has_delivered(command, folder, server):
    """Every request's two spans, once, with what the page says to write for it."""
    made = folder(flush_on_sigterm=True) if command in NEEDS_OPTION else folder()
    served(command, made)
    assert server.arrived == Counter({"work": REQUESTS, "GET": REQUESTS}), (made / "log").read_text()


@pytest.mark.parametrize("command", NEEDS_OPTION)
def test_ctrl_c_ends_a_development_server_in_peace(command, folder, server):
    """It needs no option."""
    made = folder()
    served(command, made, signal.SIGINT)
    assert server.arrived == Counter({"work": REQUESTS, "GET": REQUESTS}), (made / "log").read_text()


def test_uvicorn_without_the_middleware_delivers_with_the_option(folder, server):
    """It restores our handler and raises the signal as its last act, when the interpreter is already on its way out."""
    made = folder(flush_on_sigterm=True)
    (made / "service.py").write_text(
        (made / "service.py").read_text().replace("TraceAsgi(application, client)", "application")
    )
    served("uvicorn service:app --lifespan off", made)
    assert server.arrived == Counter({"work": REQUESTS}), (made / "log").read_text()


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("celery")])
def test_a_celery_worker_that_ends_has_delivered(command, folder, server):
    """Every task's span, once, of processes that are recycled, too; the broker is a folder."""
    made = folder()
    (made / "queue").mkdir()
    send = f"from tasks import work\nfor number in range({REQUESTS}): work.delay(number)"
    subprocess.run([sys.executable, "-c", send], cwd=made, check=True, timeout=60)
    alone = ["--without-mingle", "--without-gossip", "--without-heartbeat"]  # or it waits for other workers to answer
    process = started(command, made, "--loglevel", "INFO", *alone)
    try:
        deadline = time.monotonic() + 90
        while (made / "log").read_text().count(" succeeded in ") < REQUESTS and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        ended(process)
    assert server.arrived == Counter({"work": REQUESTS}), (made / "log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="AWS's runtime client is for Linux")
def test_a_frozen_lambda_function_has_delivered_what_it_answered(folder, server):
    """Stopped between invocations, and killed in the end: each invocation's span was sent before its answer."""
    from support.lambda_api import LambdaApi

    api = LambdaApi("function.handler", folder())
    try:
        for number in range(10):
            assert api.invoke(number, {"number": number}) == b'"ok"'
            assert server.arrived == Counter({"work": number + 1})
    finally:
        api.stop()
