"""Processes that fork, spawn, are recycled and die: every span that ended arrives once, counted at the far end of a socket."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ill_server import OK, IllServer
from tracebridge import Client

PREAMBLE = """
    import multiprocessing, os, signal, sys, threading, time
    from tracebridge import Client
    CONFIG = {config!r}

    def work(client, *names):
        root = client.start_trace(f"root {{names[0]}}")
        for name in names:
            client.start_span(name, root.trace_id, root.span_id).end()
        root.end()
"""


@pytest.fixture
def server() -> Iterator[IllServer]:
    """The far end."""
    running = IllServer()
    yield running
    running.stop()


def configured(server: IllServer, folder: Path | None, **lifecycle: Any) -> dict[str, Any]:
    """A configuration with its journal in a folder, or in memory."""
    return {
        "journal": {} if folder is None else {"directory": str(folder)},
        "lifecycle": {"shutdown_timeout": "60s", **lifecycle},
        "adapters": {
            "otlp_http": {"endpoint": server.url, "encoding": "json", "sending_queue": {"flush_interval": "50ms"}}
        },
    }


def program(code: str, config: dict[str, Any], folder: Path) -> Path:
    """A program in a file, which multiprocessing's spawn needs."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(PREAMBLE).format(config=config) + textwrap.dedent(code))
    return path


def run(path: Path, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run([sys.executable, path], capture_output=True, text=True, check=False, timeout=timeout_s)


def deliver_the_rest(config: dict[str, Any]) -> None:
    """What the next process does: adopt and deliver."""
    with Client(config=config) as client:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            stats = client.stats()
            queued = sum(books.queued for books in stats.adapters.values())
            if (stats.journal.looked or not list(Path(config["journal"]["directory"]).glob("0*"))) and not queued:
                break
            client.flush(0.2)
        assert client.stats().adapters["otlp_http"].dropped == {}
    assert list(Path(config["journal"]["directory"]).glob("0*")) == []


def without_roots(server: IllServer) -> Counter[str]:
    """What arrived, roots aside."""
    return Counter({name: count for name, count in server.arrived.items() if not name.startswith("root")})


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("kept", ["disk", "memory"])
def test_multiprocessing_children_deliver_what_they_traced(tmp_path, server, method, kept):
    """Each child has its own segment, or its own queue, and flushes as it leaves; the parent's spans stay the parent's."""
    config = configured(server, tmp_path / "spans" if kept == "disk" else None)
    path = program(
        f"""
        client = Client(config=CONFIG)

        def child(number):
            work(client, *[f"child {{number}}/{{n}}" for n in range(30)])

        if __name__ == "__main__":
            work(client, "before")
            method = multiprocessing.get_context({method!r})
            children = [method.Process(target=child, args=(n,)) for n in range(4)]
            for one in children: one.start()
            work(client, "meanwhile")
            for one in children: one.join()
            assert [one.exitcode for one in children] == [0] * 4
            work(client, "after")
        """,
        config,
        tmp_path,
    )
    done = run(path)
    assert (done.returncode, done.stderr) == (0, "")
    wanted = Counter(["before", "meanwhile", "after", *[f"child {c}/{n}" for c in range(4) for n in range(30)]])
    assert without_roots(server) == wanted
    assert list((tmp_path / "spans").glob("0*")) == []


def test_recycled_workers_lose_nothing(tmp_path, server):
    """Workers that leave by os._exit in mid-work run no hook; the next process delivers what they had ended, once."""
    config = configured(server, tmp_path / "spans")
    path = program(
        """
        client = Client(config=CONFIG)
        work(client, "master")
        for generation in range(5):
            pids = []
            for worker in range(3):
                pid = os.fork()
                if pid == 0:
                    root = client.start_trace("root")
                    for n in range(40):
                        client.start_span(f"{generation}/{worker}/{n}", root.trace_id, root.span_id).end()
                    root.end()
                    os._exit(0)
                pids.append(pid)
            for pid in pids:
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        client.close()
        """,
        config,
        tmp_path,
    )
    done = run(path)
    assert (done.returncode, done.stderr) == (0, "")
    deliver_the_rest(config)
    assert without_roots(server) == Counter(
        ["master", *[f"{g}/{w}/{n}" for g in range(5) for w in range(3) for n in range(40)]]
    )


def test_a_fork_in_the_middle_of_a_trace_with_a_journal_on_disk(tmp_path, server):
    """The child's spans hang under the parent's open ones; each is delivered by who ended it, though the child is killed."""
    config = configured(server, tmp_path / "spans")
    path = program(
        """
        client = Client(config=CONFIG)
        root = client.start_trace("root of both", trace_id="forked")
        client.start_span("queued before", "forked", root.span_id).end()
        pid = os.fork()
        if pid == 0:
            client.start_span("of the child", "forked", root.span_id).end()
            root.end()  # not the child's to end
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        client.start_span("after", "forked", root.span_id).end()
        root.end()
        """,
        config,
        tmp_path,
    )
    assert run(path).returncode == 0
    deliver_the_rest(config)
    assert server.arrived == Counter(["root of both", "queued before", "of the child", "after"])


@pytest.mark.parametrize("fsync", ["never", "always"])
def test_locks_held_at_the_fork_never_stop_the_child(tmp_path, server, fsync):
    """While threads trace, log, sync, settle and write dead letters, children are forked that trace, log and close in time."""
    config = configured(server, tmp_path / "spans")
    config["journal"]["fsync"] = fsync
    server.script = lambda number, names: (
        (400, {}, b"poison") if "poison" in names else (200, {"Content-Type": "application/json"}, b"{}")
    )
    path = program(
        """
        import logging
        logging.basicConfig(level=logging.ERROR)
        client = Client(config=CONFIG)
        stop = False

        def busy(number):
            while not stop:
                work(client, "busy", "poison" if number == 0 else "busy")
                logging.getLogger("application").debug("busy")
                client.stats()
                time.sleep(0.001)

        threads = [threading.Thread(target=busy, args=(n,), daemon=True) for n in range(4)]  # a failure is not to hang
        for thread in threads: thread.start()
        for number in range(25):
            pid = os.fork()
            if pid == 0:
                logging.getLogger("application").info("child")
                work(client, f"child {number}")
                client.close()
                os._exit(0 if client.stats().adapters["otlp_http"].exported == 2 else 1)
            deadline = time.monotonic() + 60
            while True:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done or time.monotonic() > deadline: break
                time.sleep(0.005)
            if not done:
                os.kill(pid, signal.SIGKILL)
            assert done and os.waitstatus_to_exitcode(status) == 0, (number, done, status)
        stop = True
        for thread in threads: thread.join()
        client.close(0.5)  # the parent's own spans are not what this is about
        """,
        config,
        tmp_path,
    )
    done = run(path, 300)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "Error" in line]) == (0, []), done.stderr
    children = {name: count for name, count in server.arrived.items() if name.startswith("child")}
    assert children == {f"child {number}": 1 for number in range(25)}


def test_gunicorn_prefork_with_recycled_workers(tmp_path, server):
    """A real gunicorn, its application loaded before the fork, workers recycled every few requests: every request's spans, once."""
    (tmp_path / "app.py").write_text(
        textwrap.dedent(PREAMBLE).format(config=configured(server, tmp_path / "spans"))
        + textwrap.dedent(
            """
            client = Client(config=CONFIG)
            work(client, "in the master")

            def app(environ, start_response):
                work(client, environ["PATH_INFO"])
                start_response("200 OK", [("Content-Length", "2")])
                return [b"ok"]
            """
        )
    )
    said = tmp_path / "log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--preload", "--workers", "3", "--max-requests", "7",
             "--bind", "127.0.0.1:0", "--graceful-timeout", "60", "app:app"],
            cwd=tmp_path, stderr=log, stdout=log,
        )  # fmt: skip
    try:
        url = _listening(said)
        for number in range(60):
            _get(f"{url}/request/{number}")
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(90)
    assert code == 0, said.read_text()
    deliver_the_rest(configured(server, tmp_path / "spans"))
    assert without_roots(server) == Counter(["in the master", *[f"/request/{number}" for number in range(60)]])


def _listening(log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if "Listening at: " in line:
                return line.partition("Listening at: ")[2].split()[0]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _get(url: str) -> None:
    """Ask, and ask again where a worker was just recycled; an answered request is one that was traced."""
    for _ in range(50):
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert answer.read() == b"ok"
                return
        except ConnectionError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


# ---------------------------------------------------------------------- the end of one process


def test_kill_9_leaves_everything_that_had_ended(tmp_path, server):
    """The next process delivers it, in order, with its IDs, and what was open as unfinished."""
    server.script = lambda number, names: (503, {}, b"")
    config = configured(server, tmp_path / "spans")
    path = program(
        """
        client = Client(config=CONFIG)
        root = client.start_trace("root", trace_id="killed", inputs={"a": 1})
        for n in range(500):
            client.start_span(f"s{n}", "killed", root.span_id).end()
        open_one = client.start_span("open", "killed", root.span_id, attributes={"first": 1})
        open_one.set_attribute("second", 2)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        config,
        tmp_path,
    )
    assert run(path).returncode == -signal.SIGKILL
    server.script = lambda number, names: (200, {"Content-Type": "application/json"}, b"{}")
    server.requests.clear()
    config["adapters"]["memory"] = {}
    deliver_the_rest(config)
    assert server.arrived == Counter([*[f"s{n}" for n in range(500)], "root", "open"])
    assert [name for request in server.requests for name in request][:500] == [f"s{n}" for n in range(500)]


KILLED, SPANS_OF_EACH = 20, 250
LEFT = Counter(f"{killed}/{n}" for killed in range(KILLED) for n in range(SPANS_OF_EACH))


def leave_behind(config: dict[str, Any], folder: Path) -> None:
    """Kill twenty processes, each in the middle of its work."""
    path = program(
        f"""
        Client(config=CONFIG).close()  # so that the children have nothing to import
        for killed in range({KILLED}):
            pid = os.fork()
            if pid == 0:
                client = Client(config=CONFIG)
                work(client, *[f"{{killed}}/{{n}}" for n in range({SPANS_OF_EACH})])
                os.kill(os.getpid(), signal.SIGKILL)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        """,
        config,
        folder,
    )
    done = run(path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("end", ["client.flush(100)", "client.close(100)", ""])
def test_a_cron_step_delivers_what_killed_ones_left(tmp_path, server, end):
    """It opens a client, and flushes, closes, or just ends: all of it has arrived then, once, and its own span, too."""
    server.script = lambda number, names: (503, {}, b"")
    config = configured(server, tmp_path / "spans", shutdown_timeout="100s")
    leave_behind(config, tmp_path)
    server.script = lambda number, names: OK
    at_once = "os._exit(0)" if end else ""  # nothing is left to hooks
    done = run(program(f"client = Client(config=CONFIG)\nwork(client, 'step')\n{end}\n{at_once}", config, tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert without_roots(server) == LEFT + Counter(["step"])


@pytest.mark.parametrize("down", ["refused", "503"])
def test_a_cron_step_beside_a_dead_destination_does_not_wait_in_vain(tmp_path, server, down):
    """One try instead of its bound of 200 s; everything stays where it is for the first step after the outage."""
    server.script = lambda number, names: (503, {}, b"")
    config = configured(server, tmp_path / "spans", shutdown_timeout="100s")
    leave_behind(config, tmp_path)
    step = """
        began = time.monotonic()
        client = Client(config=CONFIG)
        flushed = client.flush(100)
        client.close()
        print(flushed, time.monotonic() - began)
        """
    address = dict(config["adapters"]["otlp_http"], **({"endpoint": "http://127.0.0.1:9"} if down == "refused" else {}))
    done = run(program(step, {**config, "adapters": {"otlp_http": address}}, tmp_path), 250)
    flushed, took_s = done.stdout.split()
    assert (flushed, float(took_s) < 100 / 2) == ("False", True), took_s
    server.script = lambda number, names: OK
    assert run(program(step, config, tmp_path)).stdout.split()[0] == "True"
    assert without_roots(server) == LEFT


@pytest.mark.parametrize("handler", ["", "exiting", "ignoring"])
def test_sigterm_flushes_and_then_takes_its_course(tmp_path, server, handler):
    """The application's own handler runs after the flush; without one the process dies of the signal, as it would have."""
    install = {
        "": "",
        "exiting": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))",
        "ignoring": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    }[handler]
    config = configured(server, None, flush_on_sigterm=True, shutdown_timeout="30s")
    config["adapters"]["otlp_http"]["sending_queue"]["flush_interval"] = "1h"
    path = program(
        f"""
        {install}
        client = Client(config=CONFIG)
        work(client, "traced")
        print("ready", flush=True)
        while client.stats().adapters["otlp_http"].queued: time.sleep(0.01)
        time.sleep({0 if handler == "ignoring" else 60})  # the signal comes again once all is delivered
        os._exit(5)
        """,
        config,
        tmp_path,
    )
    process = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)  # an impatient one
    code = process.wait(60)
    process.stdout.close()
    assert without_roots(server) == Counter(["traced"])
    assert code == {"": -signal.SIGTERM, "exiting": 7, "ignoring": 5}[handler]


def test_daemon_threads_that_trace_to_the_end_do_no_harm(tmp_path, server):
    """The interpreter shuts down under threads that trace: a clean exit, and all that ended before it arrives, once."""
    config = configured(server, tmp_path / "spans")
    path = program(
        """
        client = Client(config=CONFIG)
        counted = [0] * 4

        def trace(number):
            while True:
                work(client, f"{number}/{counted[number]}")
                counted[number] += 1

        for number in range(4):
            threading.Thread(target=trace, args=(number,), daemon=True).start()
        time.sleep(0.3)
        print(*counted, flush=True)
        """,
        config,
        tmp_path,
    )
    done = run(path)
    assert (done.returncode, done.stderr) == (0, "")
    deliver_the_rest(config)
    arrived = without_roots(server)
    certain = {f"{t}/{n}" for t, count in enumerate(map(int, done.stdout.split())) for n in range(count)}
    assert set(arrived) >= certain
    assert set(arrived.values()) == {1}


def test_what_does_not_fit_into_the_shutdown_stays_on_the_disk(tmp_path, server):
    """A destination that is down costs an exit at most its bound; the next process delivers."""
    server.script = lambda number, names: (503, {}, b"")
    config = configured(server, tmp_path / "spans", shutdown_timeout="300ms")
    path = program('client = Client(config=CONFIG)\nwork(client, *[f"s{n}" for n in range(50)])', config, tmp_path)
    started = time.monotonic()
    assert run(path).returncode == 0
    assert time.monotonic() - started < 30  # and not the 60 s that are the rule here
    server.script = lambda number, names: (200, {"Content-Type": "application/json"}, b"{}")
    deliver_the_rest(config)
    assert without_roots(server) == Counter(f"s{n}" for n in range(50))


@pytest.mark.parametrize("kept", ["disk", "memory"])
def test_children_of_the_first_moments_trace_like_any_other(tmp_path, server, kept):
    """Forked while threads build the client, import OpenTelemetry, resolve names and write into the store for the first time."""
    config = configured(server, tmp_path / "spans" if kept == "disk" else None)
    config["adapters"] |= {
        "otlp_grpc": {"endpoint": "http://localhost:1"},
        "store": {"path": str(tmp_path / "store.db"), "sending_queue": {"flush_interval": "1ms"}},
        "log": {"stream": "file", "path": str(tmp_path / "log"), "sending_queue": {"flush_interval": "1ms"}},
    }
    path = program(
        """
        client, lock = None, threading.Lock()

        def traced(name):
            with client.span(name) as span: client.inject(span, {})

        def busy():
            global client
            with lock: client = client or Client(config=CONFIG)
            while True:
                traced("busy")
                time.sleep(0.001)

        for _ in range(3): threading.Thread(target=busy, daemon=True).start()
        threading.Thread(target=__import__, args=("opentelemetry.trace",), daemon=True).start()
        pids = []
        for number in range(8):
            pid = os.fork()
            if pid == 0:
                signal.alarm(100)  # the end of a child that waits for ever
                client = client or Client(config=CONFIG)
                traced(f"child {number}")
                deadline = time.monotonic() + 60
                def left():
                    books = client.stats().adapters
                    return [name for name in ("otlp_http", "store", "log") if books[name].exported != 1]
                while left() and time.monotonic() < deadline: time.sleep(0.01)
                os._exit(1 if left() else 0)
            pids.append(pid)
            time.sleep(0.01)
        assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 8
        os._exit(0)
        """,
        config,
        tmp_path,
    )
    done = run(path)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "Error" in line]) == (0, []), done.stderr
    children = {name: count for name, count in server.arrived.items() if name.startswith("child")}
    assert children == {f"child {number}": 1 for number in range(8)}
