"""What has to work on every system, as a program: `python -m support.anywhere all SYSTEM`, run in an empty folder, tells what came of each part as JSON.

SYSTEM is one of `support.other_systems`, and then this process lacks what that one lacks; or `here`.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from support.other_systems import become

PACKAGES = ("tracebridge", "tracebridge_adapters", "tracebridge_config")


def modules() -> object:
    """Import every module; return those that failed."""
    failed = {}
    for name in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                try:
                    importlib.import_module(module.name)
                except Exception as error:
                    failed[module.name] = repr(error)
    return failed


class _Receiver(BaseHTTPRequestHandler):
    """Accepts everything."""

    def do_POST(self) -> None:
        """Read the body, and say yes."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202 if "zipkin" in self.path else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def destinations() -> object:
    """Send a trace of two spans, from two threads, to every destination that can be had here; return how many spans each has."""
    from tracebridge import Client

    agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    agent.bind(("127.0.0.1", 0))
    server = HTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    http = f"http://127.0.0.1:{server.server_port}"
    config: Any = {
        "resource": {"attributes": {"service.name": "shop"}},
        "lifecycle": {"flush_on_sigterm": True},
        "open_spans": {"engine": "directory", "url": "./open-spans"},
        "adapters": {
            "memory": {},
            "store": {"path": "./spans.db"},
            "log": {"stream": "file", "path": "./spans.log"},
            "console": {"stream": "stderr"},
            "otlp_file": {"path": "./otlp.jsonl"},
            "zipkin_file": {"path": "./zipkin.jsonl"},
            "otlp_http": {"endpoint": http},
            "zipkin": {"endpoint": f"{http}/api/v2/spans"},
            "jaeger_thrift": {"endpoint": f"udp://127.0.0.1:{agent.getsockname()[1]}"},
        },
    }
    with Client(config=config) as client:
        root = client.start_trace("checkout", trace_id="order-4711")
        other = threading.Thread(
            target=lambda: client.start_span("payment", "order-4711", parent_id=root.span_id).end()
        )
        other.start()
        other.join()
        client.end_trace("order-4711")
        client.start_trace("shared", shared=True).end()
    agent.close()
    lines = Path("spans.log").read_bytes()
    counts = {name: stats.exported + stats.sent for name, stats in client.stats().adapters.items()}
    return {"counts": counts, "lines": lines.count(b"\n"), "carriage returns": lines.count(b"\r")}


def damaged_store() -> object:
    """Begin where a damaged database lies; return the files that are there then."""
    from tracebridge import Client

    Path("damaged.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    config: Any = {"adapters": {"store": {"path": "./damaged.db"}}}
    with Client(config=config) as client:
        client.start_trace("checkout", trace_id="order-4711").end()
        client.flush()
        name = client.get_trace("order-4711").data.spans[0].name
    return {"aside": len(list(Path().glob("damaged.db.damaged-*"))), "read back": name}


def terminated() -> object:
    """Get SIGTERM with a handler of one's own; return what was delivered by then."""
    from tracebridge import Client
    from tracebridge.process.system import send_to_ourselves

    handled = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: handled.set())
    config: Any = {
        "lifecycle": {"flush_on_sigterm": True},
        "adapters": {"otlp_file": {"path": "./terminated.jsonl", "sending_queue": {"flush_interval": "1h"}}},
    }
    client = Client(config=config)
    client.start_trace("checkout").end()
    send_to_ourselves(signal.SIGTERM)
    waited = threading.Event()
    while not handled.is_set():
        waited.wait(0.01)
    lines = Path("terminated.jsonl").read_text().count("\n")
    client.close()
    return lines


def journal() -> object:
    """Let a process with a journal on disk be killed, and the next one deliver what it left; return what went where, or the error."""
    from tracebridge import Client, ConfigError

    config: Any = {"journal": {"directory": "./journal"}, "adapters": {"otlp_file": {"path": "./adopted.jsonl"}}}
    died = """
import os, sys
from support.other_systems import become
if sys.argv[1] != "here": become(sys.argv[1])
from tracebridge import Client
client = Client(config={"journal": {"directory": "./journal"}, "adapters": {"otlp_file": {"path": "./missing/otlp.jsonl"}}})
client.start_trace("left behind").end()
os.kill(os.getpid(), 9)
"""
    try:
        Client(config=config).close()
    except ConfigError as error:
        return str(error)
    subprocess.run([sys.executable, "-c", died, sys.argv[2]], check=False)
    with Client(config=config) as client:
        client.flush()
    return Path("adopted.jsonl").read_text().count("left behind")


def commands() -> object:
    """Run commands over files, one after the other; return each one's exit code and, where it failed, what it said."""
    Path("otlp.yaml").write_text("journal: {directory: ./journals}\nadapters: {memory: {}}\n")
    Path("journals").mkdir()
    Path("given.jsonl").write_text(LINE)
    return {line: _run(line.split()) for line in COMMANDS}


def _run(arguments: list[str]) -> list[object]:
    from support.commands import CliRunner
    from tracebridge.cli.main import main

    done = CliRunner().invoke(main, arguments)
    return [done.exit_code, done.stderr if done.exit_code or arguments[0] == "validate" else ""]


def exec_() -> None:
    """Run what stands behind `python -m support.anywhere exec SYSTEM` by `tracebridge exec`."""
    from tracebridge.cli.main import main

    main(["exec", "--trace", "ci-1", "--", *sys.argv[3:]], prog_name="tracebridge")


COMMANDS = (
    "demo",
    "search --id user123",
    "init otlp --output bridge.yaml",
    "validate bridge.yaml",
    "convert given.jsonl --to zipkin_json -o converted.jsonl",
    "tail --once converted.jsonl",
    "replay given.jsonl --dry-run --state replay.state",
    "stats --config otlp.yaml",
    "drain --config otlp.yaml",
    "dead list --config otlp.yaml",
    "journal list --config otlp.yaml",
    "validate otlp.yaml",
)
LINE = (
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",'
    '"name":"checkout","startTimeUnixNano":"1764045000000000000","endTimeUnixNano":"1764045001000000000"}]}]}]}\n'
)
PROGRAMS = (
    commands,
    destinations,
    damaged_store,
    terminated,
    journal,
    modules,
)  # the last one imports what the others need not

if __name__ == "__main__":
    program, system = sys.argv[1:3]
    if system != "here":
        become(system)
    if program == "exec":
        exec_()
    sys.stdout.write("\n" + json.dumps({each.__name__: each() for each in PROGRAMS}) + "\n")
