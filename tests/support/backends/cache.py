"""Where server binaries are kept: outside the checkout, so that only a new machine pays for them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tracebridge.process.system import HAS_LOCKS, lock

REQUIRE = "TRACEBRIDGE_REQUIRE_SERVERS"


class MissingServerError(Exception):
    """This machine cannot have the server; the message says what is missing."""


def cache_dir() -> Path:
    """Return the cache folder, making it."""
    root = os.environ.get("TRACEBRIDGE_BACKENDS_CACHE")
    base = (
        Path(root)
        if root
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracebridge-backends"
    )
    base.mkdir(parents=True, exist_ok=True)
    return base


@contextlib.contextmanager
def locked(name: str) -> Iterator[Path]:
    """Hold the cache's lock for one server and give its folder, so that two runs never build into each other.

    Raises MissingServerError where a system has no such locks.
    """
    if not HAS_LOCKS:
        raise MissingServerError("servers are had on Linux and macOS alone")
    folder = cache_dir() / name
    folder.mkdir(parents=True, exist_ok=True)
    with (cache_dir() / f"{name}.lock").open("w") as handle:
        lock(handle.fileno(), wait=True)
        yield folder


@contextlib.contextmanager
def go_environment() -> Iterator[dict[str, str]]:
    """Give an environment in which Go keeps modules and compiled packages in the cache folder; one build at a time."""
    with locked("go") as folder:
        own = {"GOMODCACHE": str(folder / "modules"), "GOCACHE": str(folder / "compiled"), "GOFLAGS": "-modcacherw"}
        yield {**own, **os.environ, "CGO_ENABLED": "0"}


def prune() -> None:
    """Delete what only the building of binaries needed: some GB."""
    with locked("go") as folder:
        shutil.rmtree(folder)


def need(*tools: str) -> None:
    """Raise MissingServerError unless every tool is on the PATH."""
    for tool in tools:
        if shutil.which(tool) is None:
            raise MissingServerError(f"{tool} is not installed")


def run(what: str, command: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run one step of fetching, saying so; raise MissingServerError with the end of its output when it fails."""
    print(f"[backends] {what} …", file=sys.stderr, flush=True)
    started = time.monotonic()
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingServerError(f"{what} failed: {(done.stderr or done.stdout)[-2000:]}")
    print(f"[backends] {what}: {time.monotonic() - started:.0f}s", file=sys.stderr, flush=True)
