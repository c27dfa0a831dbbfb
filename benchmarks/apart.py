"""Peers that bring too much for everybody's environment: each in one of its own, made by `python -m benchmarks.apart NAME`.

They make the traces of `realistic`: ten spans each, values that are new. Those that cannot take the caller's ID get it as an attribute.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks import realistic, sink
from benchmarks.harness import ROOT, Case, Goal, Make, Missing, Run, in_child

PEERS = {
    "ddtrace": "ddtrace==4.16.0",
    "sentry-sdk": "sentry-sdk==2.75.0",
    "elastic-apm": "elastic-apm==6.26.2",
    "logfire": "logfire==5.4.0",
    "langfuse": "langfuse==5.0.4",
}
"""What pip installs, by the peer's name."""


def home(peer: str) -> Path:
    """Return the environment of a peer, which may not be there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tracebridge-benchmarks"
    return cache / f"{PEERS[peer].replace('==', '-')}-python-{sys.version_info.major}.{sys.version_info.minor}"


def install(peer: str) -> None:
    """Make the environment of a peer anew."""
    venv.create(home(peer), with_pip=True, clear=True)
    subprocess.run([str(home(peer) / "bin" / "pip"), "install", "-q", PEERS[peer]], check=True)
    (home(peer) / "done").touch()


def _us_a_span(peer: str) -> float:
    """Let a peer trace in a process of its own and return what it says."""
    command = [str(home(peer) / "bin" / "python"), "-m", "benchmarks.apart_child", peer, str(sink.ports()["http"])]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{peer} failed:\n{done.stderr}")
    return float(json.loads(done.stdout.splitlines()[-1])["us_a_span"])


def _peer(name: str) -> Make:
    def make() -> Run:
        if not (home(name) / "done").exists():
            raise Missing(f"python -m benchmarks.apart {name}")
        return lambda: _us_a_span(name)

    return make


def mine() -> float:
    """µs of the calling thread's CPU that a span of ours costs in such a process."""
    run = realistic.mine(realistic.SPANS_OF_TRACE)
    run()
    return run()


def _mine() -> Run:
    return lambda: float(in_child(f"{__name__}:mine"))


CASES = (
    Case(
        "traces-of-ten-apart",
        {"tracebridge": _mine, **{name: _peer(name) for name in PEERS}},
        Goal(1 / 10, "ddtrace"),
        "ten spans a trace, values that are new; each in a process and an environment of its own, delivering to a receiver that keeps nothing",
        rounds=3,
    ),
)


def main() -> None:
    """Install the peers that are named."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.apart", description="Install peers, each in an environment of its own."
    )
    parser.add_argument("peers", nargs="+", choices=(*PEERS, "all"), help="which, for example: ddtrace")
    chosen = parser.parse_args().peers
    for peer in PEERS if "all" in chosen else chosen:
        print(f"{PEERS[peer]} into {home(peer)}", flush=True)
        install(peer)


if __name__ == "__main__":
    main()
