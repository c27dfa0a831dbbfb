"""Forks and exits: each process delivers its own spans, and an exit flushes."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tracebridge import Client
from tracebridge.process import exits

FORKING_IS_TESTED = "ignore:This process:DeprecationWarning"  # Python 3.12 and newer warn of every fork beside threads


def run(code: str, store: Path) -> subprocess.CompletedProcess[str]:
    """Run a program whose default store is a given file."""
    env = {**os.environ, "TRACEBRIDGE_STORE": str(store)}
    return subprocess.run(
        [sys.executable, "-W", FORKING_IS_TESTED, "-c", textwrap.dedent(code)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def stored(store: Path) -> dict[str, str]:
    """Names and end causes of what is in a store."""
    with Client(config={"adapters": {"store": {"path": str(store)}}}) as client:
        return {s.name: str(s.cause) for trace in client.search_traces() for s in trace.data.spans}


@pytest.mark.parametrize(
    ("ending", "code"),
    [("", 0), ("import sys; sys.exit(3)", 3), ("raise RuntimeError('boom')", 1)],
    ids=["normal", "exit", "exception"],
)
def test_an_exit_flushes_what_was_ended_and_what_was_not(tmp_path, ending, code):
    """Without any close() the spans are stored, the open ones marked."""
    program = f"""
        from tracebridge import Client
        client = Client()
        root = client.start_trace("open")
        client.start_span("ended", root.trace_id).end()
        {ending}
    """
    assert run(program, tmp_path / "s.db").returncode == code
    assert stored(tmp_path / "s.db") == {"open": "flushed", "ended": "finished"}


def test_ctrl_c_ends_the_wait_of_an_exit_without_a_traceback():
    """A destination that is down holds an exit up for `shutdown_timeout`; a person may not want to wait."""
    with socket.socket() as silent:  # takes connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(60)
        program = f"""
            from tracebridge import Client
            adapter = {{"endpoint": "http://127.0.0.1:{silent.getsockname()[1]}/api/v2/spans", "timeout": "50s"}}
            adapter["sending_queue"] = {{"flush_interval": "1h"}}  # what connects is the exit
            client = Client(config={{"adapters": {{"zipkin": adapter}}, "lifecycle": {{"shutdown_timeout": "50s"}}}})
            client.start_trace("lost").end()
        """
        running = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stderr=subprocess.PIPE, text=True)
        with silent.accept()[0]:
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=40)  # less than the bound of the exit
    assert said == "interrupted while delivering; what is still queued in memory is lost\n"


def test_a_fork_in_the_middle_of_a_trace_doubles_and_loses_nothing(tmp_path):
    """The child may start spans under the parent's open spans, not end them; each process delivers its own."""
    program = """
        import os
        from tracebridge import Client
        client = Client()
        root = client.start_trace("root", trace_id="forked")
        queued = client.start_span("queued before the fork", "forked", root.span_id)
        queued.end()
        pid = os.fork()
        if pid == 0:
            child = client.start_span("in the child", "forked", root.span_id)
            child.end()
            client.end_span("forked", root.span_id)  # not the child's to end
            root.end()
            assert client.stats().started == 1, client.stats()
            client.close()
            assert client.stats().adapters["store"].exported == 1, client.stats()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        client.end_trace("forked")
        client.close()
        assert client.stats().adapters["store"].exported == 2, client.stats()
    """
    done = run(program, tmp_path / "s.db")
    said = done.stderr.splitlines()  # one word of the end that was not the child's
    assert (done.returncode, len(said), "of trace forked not found or already ended" in said[0]) == (0, 1, True)
    assert stored(tmp_path / "s.db") == dict.fromkeys(("root", "queued before the fork", "in the child"), "finished")


def test_ids_differ_between_forked_children(tmp_path):
    """Children do not continue their parent's random numbers."""
    program = """
        import os
        from tracebridge import Client
        client = Client()
        client.start_trace("warm up").end()
        for _ in range(2):
            if os.fork() == 0:
                os.write(1, client.start_trace("r").wire_trace_id.encode() + b"\\n")  # one write: lines stay whole
                os._exit(0)
        os.wait(); os.wait()
        print(client.start_trace("r").wire_trace_id, flush=True)
    """
    done = run(program, tmp_path / "s.db")
    assert len(set(done.stdout.split())) == 3, done.stderr


def test_a_lock_held_at_the_fork_does_not_stop_the_child(tmp_path):
    """Threads that trace while another forks never leave the child waiting."""
    program = """
        import os, threading, time
        from tracebridge import Client
        client = Client(config={"adapters": {"memory": {}}})
        stop = False
        def busy():
            while not stop:
                client.start_trace("busy").end()
        threads = [threading.Thread(target=busy) for _ in range(4)]
        for thread in threads: thread.start()
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                client.start_trace("child").end()
                client.close()
                os._exit(0 if client.stats().adapters["memory"].exported == 1 else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        stop = True
        for thread in threads: thread.join()
    """
    done = run(program, tmp_path / "s.db")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fork_in_the_middle_of_a_write_of_the_stores_lets_both_go_on(tmp_path):
    """SQLite would keep locked in the child what the parent was just writing; no connection goes through the fork."""
    program = """
        import os, threading
        from tracebridge import Client
        client = Client()
        stop, ended = False, [0]
        def busy():
            while not stop:
                client.start_trace("of the parent").end()
                ended[0] += 1
                client.flush()
        thread = threading.Thread(target=busy)
        thread.start()
        for number in range(30):
            pid = os.fork()
            if pid == 0:
                client.start_trace(f"child {number}").end()
                client.close(30)
                os._exit(0 if client.stats().adapters["store"].exported == 1 else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, number
        stop = True
        thread.join()
        client.close(30)
        assert client.stats().adapters["store"].exported == ended[0], client.stats()
    """
    done = run(program, tmp_path / "s.db")
    assert (done.returncode, done.stderr) == (0, "")
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        names = Counter(name for (name,) in connection.execute("SELECT name FROM spans"))
    assert names.pop("of the parent") > 0
    assert names == Counter(f"child {number}" for number in range(30))


def test_a_folder_that_cannot_be_written_means_memory_and_one_warning(tmp_path):
    """The embedded default never stops a program."""
    done = run(
        """
        import logging; logging.basicConfig()
        from tracebridge import Client
        with Client() as client:
            client.start_trace("r", trace_id="x").end()
            print(client.get_trace("x").info.trace_id)
        """,
        tmp_path / "nowhere" / "s.db",
    )
    assert (done.stdout, done.returncode) == ("x\n", 0)
    assert done.stderr.count("WARNING") == 1


def test_a_client_that_fails_at_exit_does_not_keep_the_others_from_delivering(monkeypatch, caplog):
    """It is said in the log."""

    class Broken:
        def close(self, timeout_s: float | None = None) -> None:
            raise RuntimeError("broken")

    class Sound(Broken):
        closed = 0

        def close(self, timeout_s: float | None = None) -> None:
            self.closed += 1

    sound = [Sound(), Sound()]
    monkeypatch.setattr(exits, "_residents", [sound[0], Broken(), sound[1]])
    exits._close_all()
    assert [each.closed for each in sound] == [1, 1]
    assert [r.message for r in caplog.records] == ["closing a client at the end of the process failed"]


LAST_ACT = """
    import os, signal, sys, threading, time
    from tracebridge import Client
    from tracebridge_adapters.memory import MemoryAdapter

    def slow(self, body, spans):
        time.sleep(0.5)
        os.write(1, b"delivered;")
        return send(self, body, spans)

    send, MemoryAdapter.send = MemoryAdapter.send, slow
    {before}
    client = Client(config={{
        "adapters": {{"memory": {{"sending_queue": {{"flush_interval": "1h"}}}}}},
        "lifecycle": {{"flush_on_sigterm": True, "shutdown_timeout": "30s"}},
    }})
    client.start_trace("root").end()
"""


def last_act(code: str, before: str = "") -> tuple[str, int]:
    """Run a program with a slow destination that ends in a certain way; return what it wrote and how it ended."""
    program = textwrap.dedent(LAST_ACT).format(before=before) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.stdout, done.returncode


ENDS = {
    "raises the signal and returns": "signal.raise_signal(signal.SIGTERM)",
    "restores our handler first": """
        ours = signal.signal(signal.SIGTERM, lambda *_: None)
        signal.raise_signal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, ours)
        signal.raise_signal(signal.SIGTERM)
    """,
    "raises it, and once more": "for _ in range(2): signal.raise_signal(signal.SIGTERM)",
    "is closing by then": """
        threading.Timer(0.2, signal.raise_signal, [signal.SIGTERM]).start()
        client.close()
    """,
    "is exiting by then": """
        threading.Thread(target=lambda: (time.sleep(0.2), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()
    """,
    "is being closed by a thread": """
        threading.Thread(target=client.close, daemon=True).start()
        time.sleep(0.1)
        signal.raise_signal(signal.SIGTERM)
    """,
    "has other things to do at its exit": """
        import atexit
        atexit._run_exitfuncs()
        signal.raise_signal(signal.SIGTERM)
    """,
}


@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS.keys())
def test_a_sigterm_as_the_last_act_of_a_program_loses_nothing(code):
    """The exit and the signal's flush wait for each other, and then the signal takes its course."""
    assert last_act(code) == ("delivered;", -signal.SIGTERM)


def test_a_handler_of_the_applications_is_called_once_after_the_exit_has_delivered():
    """It was there before ours, so the signal is its own as soon as all is delivered."""
    before = "signal.signal(signal.SIGTERM, lambda *_: os.write(1, b'handled;'))"
    assert last_act("signal.raise_signal(signal.SIGTERM)", before) == ("delivered;handled;", 0)


def test_a_child_never_waits_for_a_close_of_its_parents():
    """The thread that was closing is not in it."""
    code = """
        import warnings
        warnings.simplefilter("ignore")
        threading.Thread(target=client.close, daemon=True).start()
        while not client._closed: time.sleep(0.001)
        pid = os.fork()
        if pid == 0:
            client.close()
            os._exit(0)
        os.waitpid(pid, 0)
        os.write(1, b"child;")
    """
    assert last_act(code) == ("child;delivered;", 0)
