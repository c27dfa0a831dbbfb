"""The log pipeline end to end: application, log lines, a real rsyslog, files, `replay`, real Jaeger and Zipkin."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from support import readback
from support.backends.cache import REQUIRE, MissingServerError
from support.cases import CASES
from support.rsyslog import OUTPUTS, Rsyslog, running
from tracebridge import Client
from tracebridge.records.record import SpanRecord

pytestmark = pytest.mark.server
MOST = 60_000  # bytes of a line: below rsyslog's limit of 64 KiB
FITTING = [case for case in CASES if case.name not in {"huge", "thousand"}]


@pytest.fixture
def rsyslog(tmp_path) -> Iterator[Rsyslog]:
    """A real rsyslog, its own for each test."""
    try:
        with running(tmp_path) as server:
            yield server
    except MissingServerError as error:
        if os.environ.get(REQUIRE):
            pytest.fail(f"rsyslog is required here: {error}")
        pytest.skip(f"no real rsyslog on this machine: {error}")


def replay(config: dict[str, Any], *paths: Path) -> dict[str, Any]:
    """Run the command as a person would."""
    folder = paths[0].parent
    (folder / "bridge.yaml").write_text(yaml.safe_dump(config))
    command = [str(Path(sys.executable).parent / "tracebridge"), "replay", *map(str, paths), "--config", str(folder / "bridge.yaml")]  # fmt: skip
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)
    assert isinstance(outcome, dict)
    return outcome


def by_hex(records: Sequence[SpanRecord], expected: Any) -> dict[str, Any]:
    """Expected values by span ID."""
    return {record.span_id.hex(): expected(record) for record in records}


def emit(records: Sequence[SpanRecord], **options: Any) -> None:
    """Send records through the log adapter, as a client of the application does."""
    with Client(config={"adapters": {"log": {"max_line_bytes": MOST, **options}}}) as client:
        for record in records:
            client.ingest(record)


@pytest.fixture
def syslog_logger(rsyslog) -> Iterator[str]:
    """A standard logger that writes to rsyslog's socket, as the documents say."""
    handler = SysLogHandler(rsyslog.socket, socktype=socket.SOCK_DGRAM)
    handler.ident = "shop[4711]: "
    logger = logging.getLogger("spans.for.rsyslog")
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    yield logger.name
    logger.removeHandler(handler)
    handler.close()


@pytest.mark.parametrize("output", OUTPUTS)
def test_what_went_through_syslog_is_in_jaeger_and_zipkin_as_if_sent_directly(
    rsyslog, syslog_logger, jaeger, zipkin, salt, output
):
    """Every case, every field, in each of rsyslog's own file formats, among ordinary log lines."""
    every = [case.records(salt) for case in FITTING]
    logging.getLogger(syslog_logger).info("an ordinary line")
    for records in every:
        emit(records, stream="logger", logger=syslog_logger)
    spans = sum(map(len, every))
    path = rsyslog.wait_for(spans + 1, output)
    config = {"adapters": {"zipkin": {"endpoint": zipkin.spans_url}, "otlp_http": {"endpoint": jaeger.otlp_http}}}
    outcome = replay(config, path)
    assert (outcome["spans"], outcome["delivered"], outcome["other_lines"]) == (spans, spans, 1)
    for records in every:
        assert readback.jaeger_says(jaeger, records) == by_hex(records, readback.expected_of_jaeger)
        assert readback.zipkin_says(zipkin, records) == by_hex(records, readback.expected_of_zipkin)


def test_what_went_to_stdout_and_through_a_tailing_rsyslog_is_in_jaeger(rsyslog, jaeger, salt):
    """The application knows nothing of syslog: its standard output is a file that rsyslog tails."""
    records = FITTING[0].records(salt)
    emit(records, stream="file", path=str(rsyslog.stdout))
    path = rsyslog.wait_for(len(records), "out.log")
    assert replay({"adapters": {"otlp_http": {"endpoint": jaeger.otlp_http}}}, path)["delivered"] == len(records)
    assert readback.jaeger_says(jaeger, records) == by_hex(records, readback.expected_of_jaeger)


def test_a_message_above_the_shippers_limit_is_damage_with_its_place(rsyslog, tmp_path, salt):
    """What rsyslog cut is counted, never guessed."""
    (record, *_) = FITTING[0].records(salt)
    record = msgspec.structs.replace(record, attributes={f"text.{n}": "x" * 50_000 for n in range(3)})
    emit([record], stream="file", path=str(rsyslog.stdout), max_line_bytes=200_000)
    path = rsyslog.wait_for(1, "out.log")
    outcome = subprocess.run(
        [str(Path(sys.executable).parent / "tracebridge"), "replay", str(path), "--dry-run", "--json", "--strict"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome.returncode == 1
    counts = json.loads(outcome.stdout)
    assert counts["spans"] == 0
    assert counts["damaged_lines"] >= 1
