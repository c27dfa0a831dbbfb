"""The whole under fire: calls, ill servers, crashes and restarts in any order; nothing is lost, and the books always balance."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from support.ill_server import OK, IllServer
from support.journals import crash
from tracebridge import Client
from tracebridge.delivery.deadletters.files import DeadFiles

MAX_BATCH = 7


class Restarts(RuleBasedStateMachine):
    """One directory, one destination, any number of lives, against a list of what was ended."""

    @initialize()
    def begin(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.server = IllServer()
        self.number = 0
        self.ended: list[tuple[int, str]] = []
        """Life and name of every span whose end call returned."""
        self.opened: dict[str, Any] = {}
        self.unfinished: list[str] = []
        self.life = 0
        self.client = self.live()

    def live(self) -> Client:
        """Start a process's client."""
        options = {
            "endpoint": self.server.url, "encoding": "json",
            "retry_on_failure": {"initial_interval": "1ms", "max_interval": "3ms"},
            "sending_queue": {"flush_interval": "1ms", "max_batch": MAX_BATCH},
        }  # fmt: skip
        config = {
            "journal": {"directory": str(self.directory)},
            "lifecycle": {"late_children": "1h"},
            "adapters": {"otlp_http": options},
        }
        return Client(config=config)

    @rule(count=st.integers(1, 12), poison=st.booleans())
    def trace(self, count: int, poison: bool) -> None:
        """Start and end a whole trace."""
        root = self.client.start_trace(self.name("root"))
        for n in range(count):
            name = self.name("poison" if poison and n == 0 else "s")
            self.client.start_span(name, root.trace_id, root.span_id).end()
            self.ended.append((self.life, name))
        root.end()
        self.ended.append((self.life, root.name))

    def name(self, what: str) -> str:
        """A name that no other span has."""
        self.number += 1
        return f"{what} {self.number}"

    @rule()
    def open_a_span(self) -> None:
        root = self.client.start_trace(self.name("open"))
        self.opened[root.name] = root

    @precondition(lambda self: self.opened)
    @rule()
    def end_an_open_span(self) -> None:
        name, root = self.opened.popitem()
        root.end()
        self.ended.append((self.life, name))

    @rule(how=st.sampled_from(["well", "503", "429", "half", "slow"]))
    def server_becomes(self, how: str) -> None:
        def answer(number: int, names: list[str]) -> Any:
            if how == "503":
                return 503, {}, b""
            if how == "429":
                return 429, {"Retry-After": "0"}, b""
            if how == "half":
                return "half"
            if how == "slow":
                time.sleep(0.01)
            return (400, {}, b"poison") if any(name.startswith("poison") for name in names) else OK

        self.server.script = answer

    @rule(wait=st.sampled_from([0.0, 0.005, 0.03]))
    def crash_and_come_back(self, wait: float) -> None:
        time.sleep(wait)
        crash(self.client)
        self.unfinished += self.opened
        self.opened.clear()
        self.life += 1
        self.client = self.live()

    @rule()
    def close_and_come_back(self) -> None:
        self.client.close(timeout_s=0.02)
        self.ended += [(self.life, name) for name in self.opened]  # marked as flushed
        self.opened.clear()
        self.life += 1
        self.client = self.live()

    @invariant()
    def the_books_balance(self) -> None:
        if hasattr(self, "client"):
            stats = self.client.stats()
            assert (stats.balance("otlp_http"), stats.open) == (0, len(self.opened))

    def teardown(self) -> None:
        if not hasattr(self, "client"):
            return
        self.server_becomes("well")
        self.client.close(timeout_s=0.02)
        self.ended += [(self.life, name) for name in self.opened]
        self.client = self.live()
        deadline = time.monotonic() + 60
        while list(self.directory.glob("0*")) and time.monotonic() < deadline:
            self.client.flush(0.05)
            time.sleep(0.01)
        assert self.client.stats().balance("otlp_http") == 0
        self.client.close(timeout_s=60)
        self.server.stop()
        files = DeadFiles(self.directory / "dead")
        dead = Counter(record.name for refusal in files.all() for record in files.records(refusal.id))
        names = [name for _, name in self.ended] + self.unfinished
        assert set(self.server.arrived) | set(dead) == set(names)
        assert {name for name in dead if not name.startswith("poison")} == set()
        doubled = sum(count - 1 for count in (self.server.arrived + dead).values())
        assert doubled <= MAX_BATCH * (self.life + 2)  # the one request that was in flight at the end of each life
        first: dict[str, int] = {}
        for number, name in enumerate(name for request in self.server.requests for name in request):
            first.setdefault(name, number)
        for life in range(self.life + 1):
            sends = [first[name] for of, name in self.ended if of == life and name in first]
            assert sends == sorted(sends)
        assert list(self.directory.glob("0*")) == []
        shutil.rmtree(self.directory)


TestRestarts = Restarts.TestCase
TestRestarts.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, phases=(Phase.explicit, Phase.generate)
)
