"""`python -m benchmarks.faults.handover [ENGINE …]`: kill -9 of whoever starts, changes or ends shared spans, at random points, and count what arrives.

In each run three processes share an engine: one starts spans, one sets an attribute on each, one ends them. Each writes down what was acknowledged, by a
call that returned. One of the three, by chance, is killed at an instant, by chance; the others go on, and the next run's processes take over what it left. At the
end everybody has ended, and one process delivers what dead ones left, in their journals and at the engine.

Kept: every span whose start was acknowledged arrives; every change and end that was acknowledged is in it; each arrives once, but for those that a kill found in
the middle of a call. Exit status: 0 when all was kept, 1 when not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracebridge import Client
from tracebridge.sharing import exchange

ENGINES = ("directory", "redis", "postgresql")
LEASE_S, LOOK_S = 2.0, 0.25
MOST_CALLS = 60  # that are acknowledged before a kill


class Ledger:
    """Lines that several processes append, each whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def add(self, *words: str) -> None:
        os.write(self._file, (" ".join(words) + "\n").encode())

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.path.read_text().splitlines()]


class Stage:
    """The folder, the engine and the ledger of all runs on one engine."""

    def __init__(self, engine: str, url: str, folder: Path) -> None:
        self.engine, self.url, self.folder = engine, url, folder
        self.ledger = Ledger(folder / "ledger")

    def client(self, **more: Any) -> Client:
        return Client(
            config={
                "adapters": {"otlp_file": {"path": str(self.folder / f"spans-{os.getpid()}.jsonl"), "sending_queue": {"flush_interval": "10ms"}}},
                "journal": {"directory": str(self.folder / "journal")},
                "open_spans": {"engine": self.engine, "url": self.url, "timeout": "10s"},
                **more,
            }
        )  # fmt: skip

    def starts(self, client: Client, seen: set[str]) -> None:
        span = client.start_trace("handed over", shared=True)
        if span.trace_id in seen or client.stats().open_spans.kept_local:
            return
        self.ledger.add("started", span.trace_id, span.span_id)
        time.sleep(0.002)

    def changes(self, client: Client, seen: set[str]) -> None:
        for _, trace_id, span_id in self._new("started", seen):
            client.shared_span(trace_id, span_id).set_attribute("changed", True)
            self.ledger.add("changed", trace_id, span_id)

    def ends(self, client: Client, seen: set[str]) -> None:
        for _, trace_id, span_id in self._new("changed", seen):
            self.ledger.add("ending", trace_id, span_id)
            client.end_span(trace_id, span_id, attributes={"ended": True})
            self.ledger.add("ended", trace_id, span_id)

    def _new(self, what: str, seen: set[str]) -> list[list[str]]:
        lines = self.ledger.lines()
        done = {"started": "changed", "changed": "ended"}[what]
        gone = {line[1] for line in lines if line[0] == done}
        found = [line for line in lines if line[0] == what and line[1] not in gone and line[1] not in seen]
        seen.update(line[1] for line in found)
        if not found:
            time.sleep(0.002)
        return found[:50]


def one_run(stage: Stage, chance: random.Random) -> str:
    """Do one run; return who was killed."""
    roles: dict[str, Callable[[Client, set[str]], None]] = {
        "starter": stage.starts,
        "worker": stage.changes,
        "ender": stage.ends,
    }
    victim, after = chance.choice(list(roles)), chance.randint(MOST_CALLS // 20, MOST_CALLS)
    before = len(stage.ledger.lines())
    stop = stage.folder / "stop"
    stop.unlink(missing_ok=True)
    pids = {name: _forked(stage, role, stop) for name, role in roles.items()}
    end = time.monotonic() + 120
    while len(stage.ledger.lines()) - before < after and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.01))
    os.kill(pids[victim], signal.SIGKILL)
    time.sleep(0.05)
    stop.touch()
    for name, pid in pids.items():
        _, status = os.waitpid(pid, 0)
        if status and name != victim:
            raise RuntimeError(f"the {name} ended with {os.waitstatus_to_exitcode(status)}")
    return victim


def _forked(stage: Stage, role: Callable[[Client, set[str]], None], stop: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        seen: set[str] = set()
        with stage.client() as client:
            while not stop.exists():
                role(client, seen)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def finish(stage: Stage) -> None:
    """End what is left, and deliver everything, in a process of its own."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            with stage.client() as client:
                while {line[1] for line in stage.ledger.lines() if line[0] == "started"} - {
                    line[1] for line in stage.ledger.lines() if line[0] == "changed"
                }:
                    stage.changes(client, set())
                while {line[1] for line in stage.ledger.lines() if line[0] == "changed"} - {
                    line[1] for line in stage.ledger.lines() if line[0] == "ended"
                }:
                    stage.ends(client, set())
                end = time.monotonic() + LEASE_S + 3
                while time.monotonic() < end:  # claims of the dead run out
                    time.sleep(0.2)
                    client._look_elsewhere()
                client.flush(120)
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("the last process failed")


def judge(stage: Stage) -> dict[str, int]:
    """Return what was told and what arrived."""
    told: dict[str, set[str]] = {}
    for what, trace_id, _ in stage.ledger.lines():
        told.setdefault(what, set()).add(trace_id)
    arrived: Counter[str] = Counter()
    changed, ended, orphaned = set(), set(), 0
    for path in stage.folder.glob("spans-*.jsonl"):
        for line in path.read_text().splitlines():
            for resource in json.loads(line)["resourceSpans"]:
                for span in (span for scope in resource["scopeSpans"] for span in scope["spans"]):
                    keys = {each["key"]: each["value"] for each in span["attributes"]}
                    arrived[span["traceId"]] += 1
                    if "changed" in keys:
                        changed.add(span["traceId"])
                    if "ended" in keys:
                        ended.add(span["traceId"])
                    orphaned += keys.get("tracebridge.end_cause", {}).get("stringValue") == "orphaned"
    started = told.get("started", set())
    return {
        "acknowledged": len(started),
        "lost spans": len(started - set(arrived)),
        "lost changes": len(told.get("changed", set()) - changed),
        "lost ends": len(told.get("ended", set()) - ended),
        "doubles": sum(count - 1 for count in arrived.values()),
        "orphaned": orphaned,
    }


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"of {', '.join(ENGINES)}; default: all")
    parser.add_argument("--runs", type=int, default=300, help="on each engine; default 300")
    parser.add_argument("--seed", default=str(time.time_ns()))
    arguments = parser.parse_args()
    exchange.LOOK_EVERY_S = LOOK_S
    exchange.Exchange.__init__.__kwdefaults__["lease_s"] = LEASE_S
    print(f"seed {arguments.seed}")
    kept = True
    for name in arguments.engines or ENGINES:
        chance = random.Random(f"{arguments.seed} {name}")
        folder = Path(tempfile.mkdtemp(prefix="tracebridge-handover-"))
        server, url = server_of(name, folder)
        try:
            stage = Stage(name, url, folder)
            killed = Counter(one_run(stage, chance) for _ in range(arguments.runs))
            finish(stage)
            found = judge(stage)
        finally:
            if server is not None:
                server.stop()
        kept &= not any(found[what] for what in ("lost spans", "lost changes", "lost ends", "orphaned"))
        print(name, dict(killed), found, flush=True)
        shutil.rmtree(folder)
    return 0 if kept else 1


def server_of(name: str, folder: Path) -> tuple[Any, str]:
    """Start an engine's server, if it has one; return it and its address."""
    if name == "directory":
        return None, str(folder / "open")
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    from support.backends.servers import START

    server = START[name]()
    return server, server.url


if __name__ == "__main__":
    sys.exit(main())
