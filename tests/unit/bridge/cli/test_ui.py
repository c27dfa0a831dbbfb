"""`tracebridge ui`: a process that prints its address, answers, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.commands import CliRunner
from tracebridge import Client
from tracebridge.cli import main

WAIT_S = 120


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """A store with one trace, named by the environment."""
    path = tmp_path / "store.db"
    monkeypatch.setenv("TRACEBRIDGE_STORE", str(path))
    with Client(config={"adapters": {"store": {"path": str(path)}}}) as client:
        client.start_trace("order", trace_id="order/1?#").end()
    return path


@contextmanager
def running(*arguments: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process of its own."""
    command = [sys.executable, "-c", "from tracebridge.cli import main; main()", "ui", *arguments]
    process = subprocess.Popen(
        command, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def get(address: str) -> str:
    """The text at an address, whose fragment stays here."""
    with urllib.request.urlopen(address.partition("#")[0], timeout=WAIT_S) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_answers_and_ends_when_it_is_told_to(store, number):
    """For programs: one JSON object; Ctrl-C and SIGTERM are no failure."""
    with running("--json", "--port", "0") as process:
        told = json.loads(process.stdout.readline())
        assert "<title>Tracebridge</title>" in get(told["url"])
        assert json.loads(get(f"{told['url']}api/traces"))["traces"][0]["id"] == "order/1?#"
        process.send_signal(number)
        rest, complaints = process.communicate(timeout=WAIT_S)
        assert (process.returncode, rest, complaints, told["destinations"]) == (0, "", "ended\n", ["store"])
        assert told["url"].startswith(f"http://127.0.0.1:{told['port']}/")


def test_a_trace_id_is_where_the_address_leads(store):
    """No character of it is the address's own."""
    with running("--no-browser", "order/1?#") as process:
        address = process.stdout.readline().strip()
        assert address.endswith("/#/trace/order%2F1%3F%23")
        assert process.stdout.readline() == "reads store; Ctrl-C ends it\n"
        assert "<title>Tracebridge</title>" in get(address)


def test_a_browser_is_opened_with_an_address_that_does_not_have_the_token(store, tmp_path):
    """Command lines can be read by others; the address leads to the page once."""
    note = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {note}.part && mv {note}.part {note}\n')
    browser.chmod(0o755)
    with running(BROWSER=f"{browser} %s") as process:
        token = process.stdout.readline().split("/")[3]
        while not note.exists():
            assert process.poll() is None
            time.sleep(0.01)
        opened = note.read_text().strip()
        assert ("/once/" in opened, token in opened) == (True, False)
        assert "<title>Tracebridge</title>" in get(opened)


def test_a_port_that_is_taken_is_said_to_be_so(store):
    """Exit code 1, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(main, ["ui", "--port", str(taken.getsockname()[1])])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be had: Address already in use; --port 0 takes one that is free" in result.stderr


def test_a_destination_that_is_not_configured_is_named(store):
    """With those that are."""
    result = CliRunner().invoke(main, ["ui", "--from", "zipkin"])
    assert result.exit_code == 2
    assert "'zipkin' cannot be read; these can: store" in result.stderr
