"""Make samples of what a version of tracebridge leaves on a disk, as text: `PYTHON tests/support/samples.py FOLDER`.

PYTHON is one that has any version installed, from the first on: this file uses the public calls that all of them have, and needs nothing else of this repository.
`python -m benchmarks.versions samples` runs it with every version; tests/samples/README.md says what is in a sample.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from support.http_server import LocalServer

ROW = 32  # bytes on a line of a binary file
WAIT_S = 60.0

SECOND = 1_000_000_000
START_NS = 1_764_000_000_000_000_001
CUSTOM_ID = "order-Größe-17 ☃"
OTHER_ID = "заказ/18"
RESOURCE = {"service.name": "магазин", "host.name": "sample"}
ATTRIBUTES = {
    "int": 2**63 - 1, "negative": -(2**63), "float": 0.1, "true": True, "list": ["a", 1, 2.5], "nested": {"k": ["ü", None]},
    "empty": "", "日本語": "東京\U0001f5fc", "עברית": "שלום", "lines": "a\nb\u2028c\u0085d", "nul": "a\0b",
}  # fmt: skip
INPUTS = {"order": 17, "λέξεις": ["ένα", "δύο"]}
OUTPUTS = ["完了", None, 3.5]
TAGS = {"team": "blau ☂"}
EVENT = {"text": "повтор", "attempt": 2}
LINK = {"why": "因為"}
LINKED_TRACE, LINKED_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def trace_order(client: Any) -> None:
    """A finished trace with everything that a span can have."""
    from tracebridge import Link, SpanEvent

    root = client.start_trace(
        "order", "CHAIN", INPUTS, ATTRIBUTES, TAGS, start_time_ns=START_NS, trace_id=CUSTOM_ID, kind=2
    )
    pay = client.start_span("pay €", root.trace_id, root.span_id, start_time_ns=START_NS + 1, kind=3)
    pay.add_link(Link(LINKED_TRACE, LINKED_SPAN, LINK))
    pay.add_event(SpanEvent("retry", START_NS + 2, EVENT))
    client.end_span(root.trace_id, pay.span_id, status="ERROR", end_time_ns=START_NS + SECOND)
    client.start_span("plain", root.trace_id, root.span_id, start_time_ns=START_NS + 3).end(end_time_ns=START_NS + 4)
    client.end_trace(root.trace_id, OUTPUTS, {"set at the end": "так"}, "OK", START_NS + 2 * SECOND)


def leave_open(client: Any) -> None:
    """A trace whose spans are open when the process dies, one of them changed since."""
    root = client.start_trace("open order", attributes={"n": 1}, trace_id=OTHER_ID, start_time_ns=START_NS)
    client.start_span("open child", root.trace_id, root.span_id, start_time_ns=START_NS + 1)
    root.set_attribute("set later", "später")


def _configuration(adapters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resource": {"attributes": RESOURCE}, "adapters": adapters, **more}


# ---------------------------------------------------------------------- children: processes of the version


def child_journal(folder: str, port: str) -> None:
    """Deliver nothing to one destination, have another refuse all, and be killed with spans open."""
    from tracebridge import Client

    refuses = {"endpoint": f"http://127.0.0.1:{port}", "sending_queue": {"flush_interval": "10ms"}}
    away = {"endpoint": "http://127.0.0.1:9", "sending_queue": {"flush_interval": "10ms"}}
    adapters = {"otlp_http/refuses": refuses, "otlp_http/away": away}
    client = Client(config=_configuration(adapters, journal={"directory": folder}))
    trace_order(client)
    end = time.monotonic() + WAIT_S
    while sum(client.stats().adapters["otlp_http/refuses"].dropped.values()) < 3 and time.monotonic() < end:
        time.sleep(0.05)
    leave_open(client)
    time.sleep(1.5)  # the numbers are written every second
    os.kill(os.getpid(), signal.SIGKILL)


def child_held(folder: str, _: str) -> None:
    """Have a stage hold spans of a trace whose root is open, and be killed. Versions without one raise."""
    from tracebridge import Client

    away = {"otlp_http/away": {"endpoint": "http://127.0.0.1:9"}}
    sampling = {"ratio": 0, "keep": {"errors": True}}
    client = Client(config=_configuration(away, journal={"directory": folder}, sampling=sampling))
    root = client.start_trace("held order", trace_id="held-1", start_time_ns=START_NS)
    client.start_span("held €", root.trace_id, root.span_id, start_time_ns=START_NS + 1).end(
        status="ERROR", end_time_ns=START_NS + SECOND
    )
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)


def child_store(folder: str, _: str) -> None:
    """Write the embedded store."""
    from tracebridge import Client

    with Client(config=_configuration({"store": {"path": f"{folder}/store.db"}})) as client:
        trace_order(client)
        client.start_trace("second", trace_id=OTHER_ID, start_time_ns=START_NS).end(end_time_ns=START_NS + 5)


def child_lines(folder: str, _: str) -> None:
    """Write span lines."""
    from tracebridge import Client

    log = {"stream": "file", "path": f"{folder}/spans.log", "profile": "otel"}
    with Client(config=_configuration({"log": log})) as client:
        trace_order(client)


def child_shared(folder: str, _: str) -> None:
    """Leave shared spans open in the engine `directory`. Versions without it raise."""
    from tracebridge import Client

    shared = {"engine": "directory", "url": folder}
    client = Client(config=_configuration({"memory": {}}, open_spans=shared))
    root = client.start_trace("shared €", trace_id=OTHER_ID, attributes={"n": 1}, start_time_ns=START_NS, shared=True)
    root.set_attribute("set later", "später")
    client.start_span("shared child", root.trace_id, root.span_id, start_time_ns=START_NS + 1, shared=True)
    os.kill(os.getpid(), signal.SIGKILL)


CHILDREN = {"journal": child_journal, "held": child_held, "store": child_store, "lines": child_lines, "shared": child_shared}  # fmt: skip


# ---------------------------------------------------------------------- files as text, and back


def text_of(data: bytes) -> str:
    """Return a binary file as text: its size, then its rows in hexadecimal and as characters; rows of zeros are left out."""
    lines = [f"size {len(data)}"]
    for at in range(0, len(data), ROW):
        row = data[at : at + ROW]
        if any(row):
            shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
            lines.append(f"{at:08x} {row.hex()} {shown}")
    return "\n".join(lines) + "\n"


def bytes_of(text: str) -> bytes:
    """Return the file that `text_of` made a text of."""
    first, *rows = text.splitlines()
    data = bytearray(int(first.removeprefix("size ")))
    for row in rows:
        at, given = row.split(" ")[:2]
        data[int(at, 16) : int(at, 16) + len(given) // 2] = bytes.fromhex(given)
    return bytes(data)


def dump_of(path: Path) -> str:
    """Return an SQLite file as SQL, with the version of its schema."""
    with closing(sqlite3.connect(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        return "\n".join([*connection.iterdump(), f"PRAGMA user_version={version};"]) + "\n"


def load_dump(text: str, path: Path) -> None:
    """Make the SQLite file that `dump_of` made a text of."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(text)


def write_folder(found: Path, target: Path) -> None:
    """Write a folder's files as text, under names that say how."""
    for path in sorted(found.rglob("*")):
        if not path.is_file() or path.name == "lock":
            continue
        to = target / path.relative_to(found)
        to.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in {".seg", ".bin"}:
            to.with_name(f"{to.name}.hex").write_text(text_of(path.read_bytes()))
        else:
            to.write_bytes(path.read_bytes())


def read_folder(sample: Path, target: Path) -> None:
    """Make the folder that `write_folder` wrote as text."""
    for path in sorted(sample.rglob("*")):
        to = target / path.relative_to(sample)
        if path.is_dir():
            to.mkdir(parents=True, exist_ok=True)
        elif path.suffix == ".hex":
            to.parent.mkdir(parents=True, exist_ok=True)
            to.with_suffix("").write_bytes(bytes_of(path.read_text()))
        else:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())


# ---------------------------------------------------------------------- the whole


class _Refuses(http.server.BaseHTTPRequestHandler):
    """A destination that refuses every span."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = "не сегодня".encode()
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


def _run(child: str, folder: Path, port: int) -> bool:
    """Run a child; return whether it did what it was to do, which a version may not be able to."""
    folder.mkdir()
    program = "exec(compile(open(__import__('sys').argv.pop(1)).read(), 'app.py', 'exec'))"  # no path of this machine in a sample
    done = subprocess.run(
        [sys.executable, "-c", program, __file__, "--child", child, str(folder), str(port)],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode not in {0, -signal.SIGKILL}:
        print(f"  {child}: not in this version ({done.stderr.strip().splitlines()[-1][:100]})")
    return done.returncode in {0, -signal.SIGKILL}


def make(target: Path) -> None:
    """Make all samples of the version that is installed here."""
    server = LocalServer(("127.0.0.1", 0), _Refuses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary)
        have = {child: _run(child, made / child, server.server_address[1]) for child in CHILDREN}
        target.mkdir(parents=True, exist_ok=True)
        for name in ("journal", "held"):
            if have[name]:
                write_folder(made / name, target / name)
        if have["store"]:
            (target / "store.sql").write_text(dump_of(made / "store" / "store.db"))
        if have["lines"]:
            (target / "spans.log").write_bytes((made / "lines" / "spans.log").read_bytes())
        for path in (made / "shared").glob("open-spans-*.db"):
            (target / f"{path.stem}.sql").write_text(dump_of(path))
    server.shutdown()


def main() -> None:
    """Make the samples, or be one of their processes."""
    if sys.argv[1] == "--child":
        CHILDREN[sys.argv[2]](*sys.argv[3:])
    else:
        make(Path(sys.argv[1]))
        print(json.dumps({"made in": sys.argv[1]}))


if __name__ == "__main__":
    main()
