"""One server process: started on free ports in a folder of its own, awaited, and stopped by its own handle."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import urllib3

START_TIMEOUT_S = 400.0  # a server of many modules on a machine with other work
LOG_LINES_SHOWN = 40

http = urllib3.PoolManager(retries=False, timeout=60)


def free_ports(count: int) -> list[int]:
    """Return so many free TCP ports on loopback."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class ServerProcess:
    """A running server. `log_tail` is for the report of a test that failed."""

    def __init__(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        self.name = name
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"tracebridge-{name}-"))
        self._log = (self.folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **(env or {})},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def group(self) -> int:
        """The process group that holds the server and whatever it started."""
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until the probe says yes; raise with the log's end when the server dies or takes too long."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self._process.returncode}:\n{self.log_tail()}")
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                if ready():
                    return
            time.sleep(0.2)
        tail = self.log_tail()
        self.stop()
        raise RuntimeError(f"{self.name} was not ready after {START_TIMEOUT_S:g}s:\n{tail}")

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the process and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def wait(self) -> int:
        """Wait until the process has ended, and close its log; return its code."""
        code = self._process.wait(START_TIMEOUT_S)
        self._log.close()
        return code

    def log_tail(self) -> str:
        """Return the last lines of the server's log."""
        text = (self.folder / "server.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-LOG_LINES_SHOWN:])

    def stop(self) -> None:
        """End the process and everything it started, and remove its folder."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def answers(url: str) -> Callable[[], bool]:
    """Return a probe: does this address answer 200?"""
    return lambda: http.request("GET", url).status == 200
