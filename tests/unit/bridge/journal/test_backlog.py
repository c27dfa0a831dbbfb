"""What dead processes left, delivered beside the living: nobody waits for anybody, and it costs as much as it holds."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ill_server import OK, IllServer
from support.journals import Life, number_of, record
from tracebridge import Client
from tracebridge.journal.cursor import MOST_RUNS
from tracebridge.journal.folder import bytes_in, folders
from tracebridge.journal.maintenance import Maintainer

SMALL_DISK = 2**20  # bytes of a process that lives: its first segment


@pytest.fixture
def server() -> Iterator[IllServer]:
    """The far end."""
    running = IllServer()
    yield running
    running.stop()


def config(server: IllServer, directory: Path, flush_interval: str = "1s", **more: Any) -> dict[str, Any]:
    """One destination."""
    return {
        "journal": {"directory": str(directory)},
        "adapters": {
            "otlp_http": {
                "endpoint": server.url,
                "encoding": "json",
                "sending_queue": {"flush_interval": flush_interval},
                "retry_on_failure": {"initial_interval": "10ms", "max_interval": "20ms"},
                **more,
            }
        },
    }


def maintainer(life: Life) -> Maintainer:
    """The maintainer of a life's journal, looked after by hand."""
    return Maintainer(life.journal, sync=False, numbers=lambda: b"{}")


def left_behind(directory: Path, *numbers: int, names: tuple[str, ...] = ("otlp_http",), **more: Any) -> None:
    """What a process leaves that ended these spans and died."""
    life = Life(directory, names=names, **more)
    with life.accounts.lock:
        for number in numbers:
            life.journal.append(record(number, name=f"dead {number}"))
    life.die()


def wait(done: Any, timeout_s: float = 60) -> None:
    """Wait until it is done."""
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_living_do_not_wait_behind_the_dead_nor_the_dead_for_company(tmp_path, server):
    """Fifty dead processes of one span each: a living span arrives within three flush intervals, and the fifty within one more."""
    for number in range(50):
        left_behind(tmp_path, number)
    interval_s = 3.0
    with Client(config=config(server, tmp_path, "3s")) as client:
        client.start_trace("living").end()
        started = time.monotonic()
        wait(lambda: "living" in server.arrived)
        living_s = time.monotonic() - started
        wait(lambda: len(server.arrived) == 51)
        all_s = time.monotonic() - started
        assert (living_s < 3 * interval_s, all_s < 4 * interval_s) == (True, True), (living_s, all_s)
    assert set(server.arrived.values()) == {1}


def test_what_is_left_of_many_goes_in_few_requests(tmp_path):
    """A claim goes over segments: not one request for each dead process."""
    for number in range(64):
        left_behind(tmp_path, number, names=("a",))
    life = Life(tmp_path, names=("a",))
    life.adopt(tmp_path)
    with life.accounts.lock:
        claims = [life.cursors["a"].claim(2048, 10**6) for _ in range(64 // MOST_RUNS)]
    assert [number_of(data) for claim in claims for data in claim.records] == list(range(64))
    life.die()


def test_a_destination_that_fails_holds_up_no_other(tmp_path):
    """However much was left: what only it waits for is put back when there is no room, and taken up again when it is well."""
    for number in range(200):
        left_behind(tmp_path, number, names=("well", "ill"))
    life = Life(tmp_path, names=("well", "ill"))
    ill = life.accounts.adapters["ill"]
    kept = maintainer(life)
    kept.look()
    ill.retrying_since = 1.0
    with life.accounts.lock:  # and requests under way, which it does not answer
        claims = [life.cursors["ill"].claim(50, 10**6) for _ in range(2)]
    late = [number_of(data) for claim in claims for data in claim.records]
    got = []
    for _ in range(50):
        got += life.take("well")
        kept.look()
    assert got == list(range(200))
    journal = life.journal.stats()
    assert life.queued()["ill"] + journal.waiting == 200
    ill.retrying_since = None
    with life.accounts.lock:
        for claim in claims:
            life.cursors["ill"].settle(claim, claim.size)
    for _ in range(50):
        kept.look()
        late += life.take("ill")
    assert sorted(late) == list(range(200))
    assert life.journal.stats().waiting == 0
    life.close()
    assert list(folders(tmp_path)) == []


def test_a_claim_that_is_settled_in_pieces_lets_go_of_every_folder(tmp_path):
    """As one is that was refused and halved."""
    for number in range(8):
        left_behind(tmp_path, number, names=("a",))
    life = Life(tmp_path, names=("a",))
    life.adopt(tmp_path)
    with life.accounts.lock:
        claim = life.cursors["a"].claim(100, 10**6)
        for _ in range(8):
            life.cursors["a"].settle(claim, 1)
    assert list(folders(tmp_path)) == []
    life.close()


# ---------------------------------------------------------------------- the first look


def test_a_short_process_delivers_what_was_left_before_it_ends(tmp_path, server):
    """`flush` waits for the first look and for what it finds; so does `close` alone."""
    for how in ("flush", "close"):
        for number in range(20):
            left_behind(tmp_path, *range(100 * number, 100 * number + 5))
        client = Client(config=config(server, tmp_path, "1h"))
        if how == "flush":
            assert client.flush(60)
        else:
            client.close(60)
        assert (len(server.arrived), list(folders(tmp_path))) == (100, [])
        client.close()
        server.arrived.clear()


def test_a_short_process_beside_a_dead_destination_does_not_wait_in_vain(tmp_path, server, caplog):
    """Its end takes one try, not its bound, and says so; what was left is still there, and what it ended itself, too."""
    server.script = lambda number, names: (503, {}, b"")
    for number in range(200):
        left_behind(tmp_path, number)
    bound_s = 100.0
    started = time.monotonic()
    client = Client(config=config(server, tmp_path))
    assert client.flush(bound_s) is False
    with caplog.at_level(logging.INFO, "tracebridge"):
        client.close(bound_s)
    assert time.monotonic() - started < bound_s / 2
    (said,) = re.findall(r"closed after ([0-9.]+)s with 200 spans undelivered", caplog.text)
    assert float(said) < bound_s / 2
    server.script = lambda number, names: OK
    with Client(config=config(server, tmp_path)) as later:
        assert later.flush(60)
    assert sorted(server.arrived) == sorted(f"dead {number}" for number in range(200))


def test_what_a_closing_process_ended_itself_has_its_bound_though_the_dead_were_given_up(tmp_path, server):
    """A destination that comes back in time takes the living's spans, whatever it refused of the dead before."""
    server.script = lambda number, names: (503, {}, b"")
    left_behind(tmp_path, *range(5))
    client = Client(config=config(server, tmp_path))
    wait(lambda: server.requests)
    client.start_trace("living").end()

    def recovers(number: int, names: list[str]) -> Any:
        return OK if "living" in names and names.count("living") and number > len_before + 3 else (503, {}, b"")

    len_before = len(server.requests)
    server.script = recovers
    client.close(60)
    assert server.arrived["living"] == 1
    with Client(config=config(server, tmp_path)) as later:
        server.script = lambda number, names: OK
        assert later.flush(60)
    assert set(server.arrived) == {"living", *(f"dead {number}" for number in range(5))}


# ---------------------------------------------------------------------- what it costs


def test_what_short_processes_leave_takes_about_as_much_as_it_holds(tmp_path, server):
    """Sixty of them, each adopting what is there, with the destination down: four times the bytes of their spans, and 1 MiB while one lives."""
    server.script = lambda number, names: (503, {}, b"")
    text = "x" * 400
    most, spans = 0, 0
    others = set(threading.enumerate())
    for number in range(60):
        client = Client(config=config(server, tmp_path))
        root = client.start_trace(f"r{number}")
        for n in range(4):
            client.start_span(f"s{n}", root.trace_id, root.span_id, attributes={"text": text}).end()
            spans += len(text)
        root.end()
        most = max(most, bytes_in(tmp_path) - 4 * spans)
        client.close(timeout_s=0)
    assert (most < SMALL_DISK, bytes_in(tmp_path) < 4 * spans) == (True, True), (most, bytes_in(tmp_path), spans)
    for thread in (
        set(threading.enumerate()) - others
    ):  # of closed clients: what is on its way would be taken now, and count twice
        if thread.name.startswith("tracebridge-"):
            thread.join(60)
    server.script = lambda number, names: OK
    with Client(config=config(server, tmp_path)) as last:
        assert last.flush(60)
    assert (len(server.arrived), sum(server.arrived.values())) == (64, 300)


def test_adoption_costs_the_living_no_room(tmp_path):
    """As often as it happens: nothing of theirs is dropped for it."""
    life = Life(tmp_path, 2**20, ("a",))
    kept = maintainer(life)
    got = []
    for number in range(32):
        left_behind(tmp_path, 1000 + number, names=("a",))
        kept._adopt_at = 0.0
        kept.look()
        life.append(number)
    assert life.dropped() == {"a": 0}
    got = life.take("a")
    assert sorted(got) == [*range(32), *range(1000, 1032)]
    life.close()
