"""Redis and PostgreSQL from the system's packages, each on a free port of loopback in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from support.backends.cache import MissingServerError
from support.backends.process import ServerProcess, free_ports

POSTGRES_USER = "postgres"  # initdb and the server refuse to run as root


class Redis:
    """A running Redis that keeps what it is told on disk every second; it wants a password."""

    def __init__(self) -> None:
        if shutil.which("redis-server") is None:
            raise MissingServerError("redis-server is not installed (apt-get install redis-server)")
        (self.port,) = free_ports(1)
        self.folder = Path(tempfile.mkdtemp(prefix="tracebridge-redis-"))
        self.url = f"redis://:redis-secret@127.0.0.1:{self.port}/0"
        self.process = self._started()

    def _started(self, *more: str) -> ServerProcess:
        options = {
            "bind": "127.0.0.1", "port": str(self.port), "dir": str(self.folder), "appendonly": "yes", "appendfsync": "everysec", "save": "",
            "requirepass": "redis-secret",
        }  # fmt: skip
        command = ["redis-server", *(word for key, value in options.items() for word in (f"--{key}", value)), *more]
        process = ServerProcess("redis", command, folder=self.folder)
        process.wait_until(lambda: _answers(self.port, b"PING\r\n", b"NOAUTH"))
        return process

    def kill(self) -> None:
        """End it with `kill -9`; what it had written stays."""
        self.process.signal(signal.SIGKILL)
        self.process.wait()

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.process.signal(number)

    def restart(self, *more: str) -> None:
        """Start it anew on the same port, over the same files."""
        self.process = self._started(*more)

    def empty(self) -> None:
        """Delete what it has written; only while it is down."""
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)

    def stop(self) -> None:
        """Stop it, and delete its folder."""
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgresql:
    """A running PostgreSQL with one database, `spans`, whose user wants a password."""

    def __init__(self) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or [
            Path(shutil.which("postgres") or "/none")
        ]
        if not programs[-1].exists():
            raise MissingServerError("postgres is not installed (apt-get install postgresql)")
        self._programs = programs[-1].parent
        (self.port,) = free_ports(1)
        self.folder = Path(tempfile.mkdtemp(prefix="tracebridge-postgresql-"))
        self._as_user = ["runuser", "-u", POSTGRES_USER, "--"] if os.geteuid() == 0 else []
        if self._as_user:
            shutil.chown(self.folder, POSTGRES_USER, POSTGRES_USER)
        self._data = self.folder / "data"
        secret = self.folder / "secret"
        secret.write_text("postgres-secret")
        if self._as_user:
            shutil.chown(secret, POSTGRES_USER, POSTGRES_USER)
        self._run(
            "initdb",
            "-D",
            str(self._data),
            "-U",
            "tracer",
            "-A",
            "scram-sha-256",
            f"--pwfile={secret}",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        )
        self.url = f"postgresql://tracer:postgres-secret@127.0.0.1:{self.port}/postgres"
        self.process = self._started()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as_user, str(self._programs / program), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr[-2000:]}")

    def _started(self) -> ServerProcess:
        options = {
            "port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "60",
            "shared_buffers": "16MB",
        }  # fmt: skip
        command = [*self._as_user, str(self._programs / "postgres"), "-D", str(self._data)]
        command += [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        process = ServerProcess("postgresql", command, folder=self.folder)
        process.wait_until(self._is_ready)
        return process

    def _is_ready(self) -> bool:
        done = subprocess.run(
            [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)],
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def kill(self) -> None:
        """End it with `kill -9`; its data stay. What it had started ends by itself, a moment later."""
        self.process.signal(signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + 120
        while any(_works_in(each, self._data) for each in Path("/proc").glob("[0-9]*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        (self._data / "postmaster.pid").unlink(
            missing_ok=True
        )  # the number may be that of a process which was not waited for

    def send(self, number: int) -> None:
        """Send a signal to every process of it."""
        for each in Path("/proc").glob("[0-9]*"):
            if _works_in(each, self._data):
                os.kill(int(each.name), number)

    def restart(self) -> None:
        """Start it anew on the same port, over the same files."""
        self.process = self._started()

    def stop(self) -> None:
        """Stop it, and delete its folder."""
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink() == folder
    except OSError:
        return False


def _answers(port: int, said: bytes, wanted: bytes) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(said)
        return wanted in connection.recv(1000)
