"""Code of the application that runs in the middle of ours, by the collector or a signal, may trace: nothing waits for itself."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import faulthandler, gc, signal, time
    from tracebridge import Client
    faulthandler.dump_traceback_later(50, exit=True)  # a wait for itself would last for ever
    client = Client(config={{"journal": {journal}, "adapters": {{"memory": {{"sending_queue": {{"flush_interval": "1ms"}}}}}}}})
    root = client.start_trace("root")
    {work}
    signal.setitimer(signal.ITIMER_REAL, 0)
    root.end()
    assert client.flush(60)
    deadline = time.monotonic() + 60
    while client.stats().open and time.monotonic() < deadline:  # what went aside is through in a moment
        client.flush(0.05)
    stats = client.stats()
    assert (stats.open, stats.balance("memory")) == (0, 0), stats
    client.close()
    assert client.stats().adapters["memory"].exported == stats.started, client.stats()
    print(stats.started)
"""

COLLECTED = """
    gc.set_threshold(5)
    class Guard:
        alive = 0
        def __init__(self):
            Guard.alive += 1
            self.itself = self
            self.span = client.start_span("guarded", root.trace_id, root.span_id)
        def __del__(self):
            self.span.set_attribute("a", 1)
            self.span.end()
            client.start_span("while collecting", root.trace_id, root.span_id).end()
            Guard.alive -= 1
    for n in range(2500):
        Guard()
        client.start_span("s", root.trace_id, root.span_id, attributes={"n": n}).end()
    gc.set_threshold(700, 10, 10)
    while Guard.alive:
        gc.collect()  # nothing when another thread is collecting
        time.sleep(0.001)
"""

SIGNALLED = """
    def on_alarm(*_):
        span = client.start_span("in a handler", root.trace_id, root.span_id)
        span.set_attribute("a", 1)
        span.end()
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    for n in range(15000):
        client.start_span("s", root.trace_id, root.span_id, attributes={"n": n}).end()
"""


@pytest.mark.parametrize("journal", ["memory", "disk"])
@pytest.mark.parametrize("work", [COLLECTED, SIGNALLED], ids=["a finalizer", "a signal handler"])
def test_tracing_from_within_tracing_never_waits_for_itself(work, journal, tmp_path):
    """A span that is ended in the middle of another call of ours is delivered all the same, and the books balance."""
    folder = {"directory": str(tmp_path)} if journal == "disk" else {}
    program = textwrap.dedent(PROGRAM).format(journal=folder, work=textwrap.indent(textwrap.dedent(work), "").strip())
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=90)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 2500


RAISED = """
    import signal, threading
    from tracebridge import Client

    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    client = Client(config={"adapters": {"memory": {"sending_queue": {"flush_interval": "1ms"}}}})
    client.start_trace("root").end()
    signal.signal(signal.SIGALRM, stop)
    for number in range(600):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0003)
            while True:
                client.stats() if number % 2 else client.flush()
        except Stop:
            pass
        if client._accounts.is_inside():
            print("left locked")
            break
    client.close()
"""


@pytest.mark.skipif(sys.version_info[:2] == (3, 14), reason="Python 3.14 itself leaves locks so (3.13 and 3.15 do not)")
def test_an_exception_of_a_signal_handler_leaves_nothing_locked():
    """Ctrl-C in the middle of a call must not stop the workers for good."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(RAISED)], capture_output=True, text=True, check=False, timeout=90
    )
    assert (done.stdout, done.stderr) == ("", "")


INTERRUPTED = """
    import itertools, signal
    from tracebridge import Client
    from tracebridge.testing import records

    client = Client(config={"adapters": {"memory": {"sending_queue": {"flush_interval": "1h"}}}})
    with client.trace("root"):
        pass
    client.flush()
    (record,) = records(client)
    held = client._accounts.is_inside

    def trace():
        client.start_trace("root").end()

    def span():
        client.start_span("span", root.trace_id, root.span_id).end()

    def ingest():
        client.ingest(record)

    signal.signal(signal.SIGALRM, signal.default_int_handler)
    root = client.start_trace("root")
    left = set()
    for call in (trace, span, ingest):
        for number in range(800):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + number % 97 * 1e-6)
                while True:
                    call()
            except KeyboardInterrupt:
                pass
            while held():
                left.add(call.__name__)
                client._accounts.release()
    print(*sorted(left))
    client.close(0)
"""


def test_ctrl_c_in_the_middle_of_a_call_leaves_nothing_locked():
    """Of every call that changes the books: right after the lock has been taken, too, which is where a handler may run."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED)], capture_output=True, text=True, check=False, timeout=90
    )
    assert (done.stdout, done.returncode) == ("\n", 0), done.stderr
