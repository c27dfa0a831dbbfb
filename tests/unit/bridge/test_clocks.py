"""Clocks that jump, by hours back and by a year forward: nothing is lost for it, and what is told stays true."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from support.cases import Build
from support.ill_server import IllServer
from support.journals import Life, crash, record
from tracebridge import Client
from tracebridge.cli.main import main
from tracebridge.journal.base import decode_record, encode_record
from tracebridge.journal.folder import folders
from tracebridge.journal.maintenance import DirectoryBounds, Maintainer
from tracebridge.journal.unclaimed import Bounds as UnclaimedBounds
from tracebridge.metrics.prometheus import text
from tracebridge.metrics.table import METRICS
from tracebridge.plugins.adapter import Bounds
from tracebridge.process import age
from tracebridge.process.age import AgeClock
from tracebridge_adapters.sqlite.database import StoreDatabase, encode

HOUR, YEAR = 3600, 365 * 86_400
JUMPS = [pytest.param(-HOUR, id="an hour back"), pytest.param(YEAR, id="a year forward")]
_time, _time_ns = time.time, time.time_ns

Jump = Callable[[float], None]


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Jump:
    """Sets the wall clock by so many seconds from what it is."""

    def by(seconds: float) -> None:
        monkeypatch.setattr("time.time", lambda: _time() + seconds)
        monkeypatch.setattr("time.time_ns", lambda: _time_ns() + int(seconds * 1e9))

    monkeypatch.setattr(age, "now_ns", AgeClock().now_ns)  # as in a process that has just started
    return by


@pytest.fixture
def server() -> Any:
    """A destination."""
    running = IllServer()
    yield running
    running.stop()


def config_of(server: IllServer, directory: object) -> dict[str, Any]:
    """A journal on disk, and one destination."""
    queue = {"flush_interval": "10ms"}
    retry = {"initial_interval": "10ms", "max_interval": "50ms"}
    otlp = {"endpoint": server.url, "encoding": "json", "sending_queue": queue, "retry_on_failure": retry}
    return {"adapters": {"otlp_http": otlp}, "journal": {"directory": str(directory)}}


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_queue_is_delivered_and_its_age_is_what_has_passed(tmp_path, server, jump, seconds):
    """A destination is down while the clock jumps: ages and pauses go by a clock that does not."""
    server.script = lambda number, names: (503, {}, b"")
    with Client(config=config_of(server, tmp_path / "spans")) as client:
        client.start_trace("before").end()
        end = time.monotonic() + 60
        while client.stats().adapters["otlp_http"].retrying_since is None and time.monotonic() < end:
            time.sleep(0.01)
        jump(seconds)
        client.start_trace("after").end()
        books = client.stats().adapters["otlp_http"]
        assert books.queued == 2
        assert books.oldest_queued_age_s is not None
        assert 0 <= books.oldest_queued_age_s < 600
        scraped = text(METRICS, [({}, client.stats().to_dict())])
        [told] = [line for line in scraped.splitlines() if line.startswith("tracebridge_adapter_oldest_queued_age")]
        assert 0 <= float(told.rpartition(" ")[2]) < 600
        server.script = lambda number, names: (200, {}, b"{}")
        assert client.flush(60)
        assert client.stats().adapters["otlp_http"].exported == 2
        assert client.stats().balance("otlp_http") == 0


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_span_that_is_open_while_the_clock_jumps_takes_the_time_that_it_took(jump, seconds):
    """A trace reads the wall clock once."""
    with Client(config={"adapters": {"memory": {}}}) as client:
        root = client.start_trace("root")
        jump(seconds)
        client.start_span("child", root.trace_id, root.span_id).end()
        root.end()
        trace = client.get_trace(root.trace_id)
        assert trace is not None
        by_name = {span.name: (span.start_time_ns, span.end_time_ns) for span in trace.data.spans}
        (start, end), (child_start, child_end) = by_name["root"], by_name["child"]
        assert start <= child_start <= child_end <= end < start + 600 * 10**9


@pytest.mark.parametrize("seconds", JUMPS)
def test_what_a_dead_process_left_before_the_jump_is_told_and_taken_over(tmp_path, server, jump, seconds):
    """No age is negative, and the order of the folders is that of their making."""
    server.script = lambda number, names: (503, {}, b"")
    dead = Client(config=config_of(server, tmp_path))
    dead.start_trace("left").end()
    crash(dead)
    jump(seconds)
    shown = CliRunner().invoke(main, ["stats", "--journal", str(tmp_path)])
    ages = [cell for line in shown.stdout.splitlines() if "otlp_http " in line for cell in line.split()[4:]]
    assert (shown.exit_code, "left behind" in shown.stdout) == (0, True)
    assert [age for age in ages if not re.fullmatch(r"(\d+[dhms]){1,2}", age)] == []
    server.script = lambda number, names: (200, {}, b"{}")
    with Client(config=config_of(server, tmp_path)) as client:
        client.start_trace("after").end()
        assert client.flush(60)
    assert server.arrived == {"after": 1, "left": 1}
    assert list(folders(tmp_path)) == []


def test_a_jump_forward_deletes_nothing_from_the_store(tmp_path, jump):
    """Ages go by a clock that does not believe a jump at once; spans of the new time are written, and what is really too old goes."""
    store = StoreDatabase(str(tmp_path / "store.db"), "store", Bounds(max_age_s=30 * 86_400))
    store.write(encode([Build("old").span("s", start_time_ns=_time_ns() - 40 * 86_400 * 10**9)]))
    store.write(encode([Build("young").span("s", start_time_ns=_time_ns())]))
    jump(YEAR)
    store.write(encode([Build("new").span("s", start_time_ns=time.time_ns())]))
    store.prune(store._bounds)
    assert (store.info()["traces"], store.info()["pruned_traces"]) == (2, 1)
    store.close()


def test_a_jump_forward_drops_nothing_that_waits_for_another_configuration(tmp_path, jump):
    """With `journal.unclaimed.max_age`."""
    left = Life(tmp_path, names=("zipkin",))
    with left.accounts.lock:
        span = msgspec.structs.replace(decode_record(record(1)), end_time_ns=_time_ns())
        left.journal.append(encode_record(span))
    left.die()
    jump(YEAR)
    life = Life(tmp_path, names=("store",))
    bounds = DirectoryBounds(unclaimed=UnclaimedBounds(max_age_s=30 * 86_400))
    Maintainer(life.journal, sync=False, numbers=lambda: json.dumps({}).encode(), bounds=bounds).look()
    assert (life.journal.stats().unclaimed, life.journal.stats().dropped) == ({"zipkin": 1}, {})
    life.close()
