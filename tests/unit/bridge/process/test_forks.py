"""Forks: what must not be cut in two by one is not, and no fork waits without bound."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import types
from importlib.machinery import ModuleSpec

import pytest

from tracebridge.otel import lazy as module


def run(code: str, *arguments: str) -> tuple[int, str]:
    """Run a program; return its exit code and what it complained of."""
    program = [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", textwrap.dedent(code), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stderr


def test_a_client_that_is_being_built_is_whole_in_a_forked_child(tmp_path):
    """The child can import what the parent's thread was importing for it, and build one of its own."""
    (tmp_path / "slow.py").write_text("import builtins, time\nbuiltins.begun.set()\ntime.sleep(0.3)\nmake = str\n")
    program = """
        import builtins, os, signal, sys, threading
        sys.path.insert(0, sys.argv[1])
        from tracebridge import Client
        builtins.begun = threading.Event()
        config = {"adapters": {"memory": {}}, "trace_ids": {"generate": "slow:make"}}
        thread = threading.Thread(target=Client, kwargs={"config": config})
        thread.start()
        assert builtins.begun.wait(50)
        pid = os.fork()
        if pid == 0:
            signal.alarm(40)  # the end of a child that waits for ever
            Client(config=config).close()
            os._exit(0)
        thread.join()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    """
    assert run(program, str(tmp_path)) == (0, "")


def test_a_fork_that_waits_for_an_import_calls_what_that_has_registered():
    """Both halves of it, the first before the fork; newest first, and in the order of registration after it."""
    program = """
        import os, signal, threading
        from tracebridge.process import forks
        said, inside = [], threading.Event()
        os.register_at_fork(before=inside.wait)  # called first: the fork has begun
        forks.guard(*[lambda half=half: said.append("old " + half) for half in ("before", "parent", "child")])
        def importing():
            with forks.no_fork():
                inside.set()
                import time
                time.sleep(0.3)
                forks.guard(*[lambda half=half: said.append("new " + half) for half in ("before", "parent", "child")])
        thread = threading.Thread(target=importing)
        thread.start()
        pid = os.fork()
        mine = "child" if pid == 0 else "parent"
        assert said == ["new before", "old before", "old " + mine, "new " + mine], said
        if pid == 0:
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        thread.join()
    """
    assert run(program) == (0, "")


def test_a_fork_waits_for_nobody_for_ever():
    """What never ends is cut in two; the child can have it anew."""
    program = """
        import os, signal, threading
        from tracebridge.process import forks
        inside, leave = threading.Event(), threading.Event()
        def stay():
            with forks.no_fork(0.1):
                inside.set()
                leave.wait()
        thread = threading.Thread(target=stay)
        thread.start()
        inside.wait()
        for _ in range(2):
            pid = os.fork()
            if pid == 0:
                signal.alarm(40)
                with forks.no_fork():
                    os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        leave.set()
        thread.join()
    """
    assert run(program) == (0, "")


def test_opentelemetry_that_another_thread_is_importing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    """In a forked child that thread is not there, and the import never ends."""
    half = types.ModuleType("opentelemetry.trace")
    half.__spec__ = ModuleSpec("opentelemetry.trace", None)
    half.__spec__._initializing = True  # type: ignore[attr-defined]  # as importlib marks it
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", half)
    monkeypatch.setattr(module, "_integration", None)
    assert module.integration() is None
