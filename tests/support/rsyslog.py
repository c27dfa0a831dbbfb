"""A real rsyslog as the shipper in the middle: a socket and a growing file in, a file out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.backends.cache import MissingServerError
from support.backends.process import ServerProcess, free_ports

CONFIG = """
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imuxsock" sysSock.use="off")
module(load="imudp")
module(load="imfile")
module(load="mmjsonparse")
input(type="imuxsock" socket="{folder}/log.sock" createPath="on")
input(type="imudp" address="127.0.0.1" port="{port}")
input(type="imfile" file="{folder}/stdout.log" tag="shop[1]:")
template(name="as_json" type="list" option.jsonf="on") {{
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="syslogtag" name="syslogtag" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
}}
action(type="omfile" file="{folder}/out.log" template="RSYSLOG_FileFormat")
action(type="omfile" file="{folder}/out.traditional.log" template="RSYSLOG_TraditionalFileFormat")
action(type="omfile" file="{folder}/out.protocol23.log" template="RSYSLOG_SyslogProtocol23Format")
action(type="omfile" file="{folder}/out.json.log" template="as_json")
template(name="parsed" type="string" string="%$!%\\n")
action(type="mmjsonparse" cookie="")
action(type="omfile" file="{folder}/out.parsed.log" template="parsed")
"""
"""As a team would write it; without `maxMessageSize` rsyslog cuts messages at 8 KiB."""

OUTPUTS = ("out.log", "out.traditional.log", "out.protocol23.log", "out.json.log", "out.parsed.log")


@dataclass
class Rsyslog:
    """A running rsyslog."""

    folder: Path
    udp_port: int
    process: ServerProcess

    @property
    def socket(self) -> str:
        """What /dev/log is elsewhere."""
        return str(self.folder / "log.sock")

    @property
    def stdout(self) -> Path:
        """The file that it tails."""
        return self.folder / "stdout.log"

    def wait_for(self, lines: int, output: str) -> Path:
        """Wait until a file has so many lines, and return its path."""
        path = self.folder / output
        deadline, found = time.monotonic() + 30, -1
        while found < lines:
            assert time.monotonic() < deadline, f"{path} has {found} lines, not {lines}"
            time.sleep(0.1)
            found = path.read_bytes().count(b"\n") if path.exists() else -1
        return path


@contextmanager
def running(folder: Path) -> Iterator[Rsyslog]:
    """Start rsyslog in a folder of its own."""
    if shutil.which("rsyslogd") is None:
        raise MissingServerError("rsyslogd is not installed (apt-get install rsyslog)")
    (port,) = free_ports(1)
    (folder / "rsyslog.conf").write_text(CONFIG.format(folder=folder, port=port))
    (folder / "stdout.log").touch()
    command = ["rsyslogd", "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "rsyslog.pid")]
    process = ServerProcess("rsyslog", command)
    try:
        process.wait_until((folder / "log.sock").exists)
        yield Rsyslog(folder, port, process)
    finally:
        process.stop()
