"""What real shippers leave of span lines: syslog-ng in each of its formats, and systemd's journal."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from logging.handlers import SysLogHandler
from pathlib import Path

import pytest

from support import syslog_ng
from support.backends.cache import REQUIRE, MissingServerError
from support.cases import CASES
from tracebridge import Client
from tracebridge.plugins.registry import FORMATS, load
from tracebridge.records.record import SpanRecord
from tracebridge.replay.envelopes.own import OwnEnvelope
from tracebridge.replay.lines import read_lines
from tracebridge.replay.reader import Found, SpanReader, installed_formats

pytestmark = pytest.mark.server
RECORDS = [record for case in CASES if case.name not in {"huge", "thousand"} for record in case.records("shipped")]
MOST = 60_000  # bytes of a line: below syslog-ng's limit here
REMOTE = "/lib/systemd/systemd-journal-remote"


def missing(reason: str) -> None:
    """Skip, or fail where servers are required."""
    if os.environ.get(REQUIRE):
        pytest.fail(reason)
    pytest.skip(reason)


def read(path: Path, *names: str) -> tuple[Found, list[SpanRecord]]:
    """What is in a file."""
    found, records = Found(), []
    reader = SpanReader(str(path), installed_formats(), found, OwnEnvelope(names=frozenset(names)))
    for line in read_lines(str(path)):
        decoded = reader.read(line)
        records += decoded.records if decoded is not None else []
    reader.finish()
    return found, records


@pytest.fixture(scope="module")
def shipped(tmp_path_factory) -> Iterator[Path]:
    """The folder in which a real syslog-ng has written every case, once with a tag and once without."""
    folder = tmp_path_factory.mktemp("syslog-ng")
    try:
        with syslog_ng.running(folder):
            for ident in ("shop[4711]: ", ""):
                handler = SysLogHandler(str(folder / "log.sock"), socktype=socket.SOCK_DGRAM)
                handler.ident = ident
                logger = logging.getLogger(f"shipped.{bool(ident)}")
                logger.addHandler(handler)
                logger.setLevel(logging.INFO)
                logger.propagate = False
                log = {"stream": "logger", "logger": logger.name, "max_line_bytes": MOST}
                with Client(config={"adapters": {"log": log}}) as client:
                    for record in RECORDS:
                        client.ingest(record)
                logger.removeHandler(handler)
                handler.close()
            lines, deadline = 2 * len(RECORDS), time.monotonic() + 30
            while any(
                len((folder / f"{name}.log").read_bytes().splitlines()) < lines
                if (folder / f"{name}.log").exists()
                else True
                for name in syslog_ng.OUTPUTS
            ):
                assert time.monotonic() < deadline, "syslog-ng has not written every line"
                time.sleep(0.1)
        yield folder
    except MissingServerError as error:
        missing(f"no real syslog-ng on this machine: {error}")


def whole(records: list[SpanRecord]) -> list[tuple[bytes, bytes, int, int]]:
    """IDs and times."""
    return [(one.trace_id, one.span_id, one.start_time_ns, one.end_time_ns) for one in records]


@pytest.mark.parametrize("name", syslog_ng.OUTPUTS)
def test_what_went_through_syslog_ng_with_a_tag_is_read(shipped, name):
    """In its file format, as ISO, as RFC 5424, and as JSON; a line without a tag is never passed over in silence."""
    found, records = read(shipped / f"{name}.log")
    assert whole(records) == whole(RECORDS)
    assert (found.other_lines, found.damaged_lines) == (0, len(RECORDS))


@pytest.mark.parametrize("name", ["file", "iso"])
def test_without_a_tag_syslog_ngs_files_need_to_be_named(shipped, name):
    """An application may write a time and a word as well; the message says the name."""
    assert "--envelope syslog " in read(shipped / f"{name}.log")[0].damage[0].reason
    found, records = read(shipped / f"{name}.log", "syslog")
    assert (whole(records), found.damage) == (whole(RECORDS) * 2, [])


@pytest.mark.parametrize("name", ["protocol", "json", "pairs"])
def test_what_a_daemon_took_for_the_tag_is_told(shipped, name):
    """The beginning of the line is gone."""
    assert "taken for the syslog tag" in read(shipped / f"{name}.log")[0].damage[0].reason


def test_what_syslog_ng_parsed_and_wrote_anew_is_read(shipped):
    """Its json-parser and format-json: keys in another order, every value a text."""
    found, records = read(shipped / "parsed.log")
    assert {one.span_id for one in records} <= {one.span_id for one in RECORDS}
    assert (len(records) > len(RECORDS) // 2, found.other_lines) == (True, 0)


@pytest.fixture(scope="module")
def journal(tmp_path_factory) -> Path:
    """A real journal file that holds every case, made by systemd's own tool."""
    if not Path(REMOTE).exists() or shutil.which("journalctl") is None:
        missing("no systemd-journal-remote or journalctl on this machine (apt-get install systemd-journal-remote)")
    path = tmp_path_factory.mktemp("journal") / "app.journal"
    entries = b""
    for number, record in enumerate(RECORDS):
        line = load(FORMATS, "spanlog")().encode([record]).rstrip(b"\n")
        entries += (
            f"__REALTIME_TIMESTAMP={1_790_000_000_000_000 + number}\n__MONOTONIC_TIMESTAMP={number + 1}\n_BOOT_ID={'a1' * 16}\n"
            f"SYSLOG_IDENTIFIER=shop\n_PID=4711\n_HOSTNAME=host\n"
        ).encode() + b"MESSAGE=" + line + b"\n\n"  # fmt: skip
    subprocess.run([REMOTE, f"--output={path}", "-"], input=entries, check=True, capture_output=True)
    return path


def journalctl(journal: Path, *arguments: str) -> Path:
    """What journalctl prints of the file."""
    out = journal.parent / "out"
    with out.open("wb") as file:
        subprocess.run(
            ["journalctl", f"--file={journal}", "--no-pager", "--quiet", *arguments], stdout=file, check=True
        )
    return out


@pytest.mark.parametrize(
    "arguments", [["-o", "json", "--all"], ["-o", "json-pretty", "--all"], ["-o", "export"], ["-o", "cat", "--all"], ["-o", "short-iso", "--all"], ["-o", "short", "--all"], ["-o", "short-precise", "--all"]],
    ids=lambda arguments: arguments[1],
)  # fmt: skip
def test_what_the_journal_holds_is_read_in_journalctls_formats(journal, arguments):
    """Every case, every field."""
    found, records = read(journalctl(journal, *arguments))
    assert (records == RECORDS, found.damage) == (True, [])


def test_what_journalctl_leaves_out_is_told(journal):
    """Without `--all`, JSON has null for a message above 4,096 bytes."""
    found, records = read(journalctl(journal, "-o", "json"))
    long = [one for one in RECORDS if len(load(FORMATS, "spanlog")().encode([one])) > 4_000]
    assert len(records) + found.damaged_lines == len(RECORDS)
    assert found.damaged_lines >= bool(long)
    assert all("--all" in damage.reason for damage in found.damage)
