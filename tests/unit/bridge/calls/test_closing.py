"""What tracebridge ends by itself, while the threads that opened it go on: no call of theirs is refused for it."""

import sys
import threading
import time
from collections.abc import Mapping

import pytest

from tracebridge import EndCause, TraceFinishedError


class Interposed(Mapping):
    """Attributes that run something just when they are read."""

    def __init__(self, call):
        self._call = call

    def __getitem__(self, key):
        return key

    def __len__(self):
        return 1

    def __iter__(self):
        self._call()
        yield "a"


@pytest.fixture
def leaky(make_client, delivered):
    """A client that has closed a leaked trace of its caller, whose root it thinks is open."""
    client = make_client(lifecycle={"max_open": "1ms", "on_leak": "close"})
    root = client.start_trace("root", trace_id="order 7", tags={"team": "a"})
    time.sleep(0.002)
    client._close_overdue()
    deadline = time.monotonic() + 60
    while not delivered(client) and time.monotonic() < deadline:  # the janitor's own thread may be at it
        time.sleep(0.01)
    assert [record.end_cause for record in delivered(client)] == [EndCause.LEAKED]
    return client, root


def test_a_span_can_be_started_under_one_that_is_ending(client, delivered):
    """A parent is known in every moment of its end, which another thread may be at."""
    root = client.start_trace("root")
    parent = client.start_span("parent", root.trace_id)
    parent.end(attributes=Interposed(lambda: client.start_span("child", root.trace_id, parent.span_id).end()))
    root.end()
    records = {record.name: record for record in delivered(client)}
    assert records["child"].parent_id.hex() == parent.span_id
    assert not records["child"].parent_is_remote


def test_a_trace_that_was_closed_as_leaked_takes_further_spans(leaky, delivered):
    """A caller who does not know of the closing starts children, and theirs: they arrive in their trace."""
    client, root = leaky
    child = client.start_span("child", "order 7", root.span_id)
    client.start_span("grandchild", "order 7", child.span_id).end()
    child.end()
    client.start_span("second", root.wire_trace_id, root.span_id).end()
    client.start_span("without a parent's ID", "order 7").end()
    client.start_span("under the object", parent=root).end()
    _, *records = delivered(client)
    assert {record.name: record.parent_id.hex() for record in records} == {
        "child": root.span_id,
        "grandchild": child.span_id,
        "second": root.span_id,
        "without a parent's ID": root.span_id,
        "under the object": root.span_id,
    }
    assert {record.custom_trace_id for record in records} == {"order 7"}
    assert {record.trace_id.hex() for record in records} == {root.wire_trace_id}
    assert not any(record.parent_is_remote for record in records)


def test_the_end_of_a_trace_that_was_closed_is_late_and_no_error(leaky, delivered):
    """end_trace counts, as end_span does, where the caller could not know; a second end of one's own is told as ever."""
    client, root = leaky
    client.end_trace("order 7")
    client.end_span("order 7", root.span_id)
    assert (client.stats().late_ends, len(delivered(client))) == (2, 1)
    client.start_trace("again", trace_id="order 7").end()
    with pytest.raises(TraceFinishedError):
        client.end_trace("order 7")


def test_of_the_traces_that_were_closed_the_newest_are_remembered(leaky, monkeypatch):
    """The memory of them is bounded."""
    client, _ = leaky
    monkeypatch.setattr("tracebridge.spans.live.CLOSED_TRACES_REMEMBERED", 2)
    roots = [client.start_trace("root") for _ in range(3)]
    for root in roots:
        client._close_spans(root._trace, EndCause.LEAKED)
    assert [client._closed_trace(root.trace_id) for root in roots] == [None, roots[1]._trace, roots[2]._trace]


def test_a_start_without_a_parent_goes_under_the_root_that_has_ended(client, delivered):
    """The trace's root is the default while the trace goes on, also after its end."""
    root = client.start_trace("root")
    child = client.start_span("child", root.trace_id)
    root.end()
    client.start_span("late", root.trace_id).end()
    child.end()
    late = next(record for record in delivered(client) if record.name == "late")
    assert late.parent_id.hex() == root.span_id


@pytest.mark.parametrize("ends", ["finished", "closed"])
@pytest.mark.parametrize("own", [None, "00f067aa0ba902b7"])
def test_a_start_whose_trace_ends_and_begins_anew_meanwhile_opens_one_trace(ends, own, client, delivered):
    """Another thread may do so just then: all spans of the ID stay addressable, and all end."""
    root = client.start_trace("root", trace_id="order 7")
    again = []

    def interpose():
        client.end_trace("order 7") if ends == "finished" else client._close_spans(root._trace, EndCause.LEAKED)
        again.append(client.start_trace("again", trace_id="order 7"))

    child = client.start_span("child", "order 7", root.span_id, attributes=Interposed(interpose), span_id=own)
    client.start_span("grandchild", "order 7", child.span_id).end()
    client.end_span("order 7", again[0].span_id)
    client.end_span("order 7", child.span_id)
    assert client.active_traces == []
    assert client.get_active_trace("order 7") is None
    assert client.stats().open == 0
    assert sorted(record.name for record in delivered(client)) == ["again", "child", "grandchild", "root"]


@pytest.mark.parametrize("number", range(5))
def test_closing_under_threads_that_trace_refuses_none_and_leaves_nothing_open(number, make_client):
    """Whatever the threads are at, no call raises, and every span that was started has its place in the books."""
    client = make_client()
    stop = threading.Event()
    raised = []

    def trace(name):
        try:
            while not stop.is_set():
                root = client.start_trace("root", trace_id=f"{name}-{time.monotonic_ns()}")
                child = client.start_span("child", root.trace_id, root.span_id)
                client.start_span("grandchild", root.trace_id, child.span_id).end()
                client.end_span(root.trace_id, child.span_id)
                client.end_trace(root.trace_id)
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=trace, args=(name,)) for name in range(6)]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(0.00005)
    try:
        for thread in threads:
            thread.start()
        time.sleep(0.02 + number * 0.003)
        client.close()
        time.sleep(0.02)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(switch)
    assert raised == []
    assert (client.stats().open, client.stats().balance("memory")) == (0, 0)
    assert client.stats().misuse["start_after_close"] > 0


def test_tags_of_a_trace_that_was_closed_or_never_was_are_counted(make_client, tmp_path):
    """A tag that comes too late, or for a no-op span, is no error of the caller's."""
    client = make_client(adapters={"zipkin_file": {"path": str(tmp_path / "spans.json")}})
    root = client.start_trace("root", trace_id="order 7")
    client._close_spans(root._trace, EndCause.LEAKED)
    client.set_trace_tag("order 7", "team", "a")
    client.delete_trace_tag(root.wire_trace_id, "team")
    client.close()
    nothing = client.start_trace("root")
    client.set_trace_tag(nothing.trace_id, "team", "a")
    client.delete_trace_tag(nothing.trace_id, "team")
    counted = client.stats().misuse
    assert (counted["late_tag"], counted["tag_of_noop"]) == (2, 2)


@pytest.fixture
def held(make_client, monkeypatch):
    """A client with a span in a `send` that goes on when it is told to, and how to tell it."""
    client = make_client()
    adapter = client.adapter("memory")
    sending, go, send = threading.Event(), threading.Event(), adapter.send

    def wait(body, spans):
        sending.set()
        assert go.wait(60)
        return send(body, spans)

    monkeypatch.setattr(adapter, "send", wait)
    client.start_trace("root").end()
    assert sending.wait(60)
    yield client, go
    go.set()


def test_a_second_close_waits_for_the_first(held):
    """Whoever closes second may be about to end the process: when it returns, what can be delivered has been."""
    client, go = held
    seen = []

    def close():
        client.close(60)
        seen.append(client.stats().adapters["memory"].exported)

    closing = [threading.Thread(target=close) for _ in range(3)]
    for thread in closing:
        thread.start()
    deadline = time.monotonic() + 0.5
    while not seen and time.monotonic() < deadline:
        time.sleep(0.01)
    go.set()
    for thread in closing:
        thread.join()
    assert seen == [1, 1, 1]


def test_a_second_close_waits_no_longer_than_its_own_bound(held, caplog):
    """The first may have been given an hour."""
    client, go = held
    first = threading.Thread(target=client.close, args=(3600,))
    first.start()
    while not client._closed:
        time.sleep(0.001)
    client.close(0)
    assert first.is_alive()
    go.set()
    first.join()
    said = [record.getMessage() for record in caplog.records if "another thread" in record.getMessage()]
    assert said == ["another thread has been closing this client for more than 0s; it is not waited for"]


def test_a_close_in_the_middle_of_its_own_threads_close_returns_at_once(make_client, monkeypatch):
    """A signal handler may do that; waiting would be waiting for itself."""
    client = make_client()
    returned = []

    def close_again():
        client.close(3600)
        returned.append(True)

    monkeypatch.setattr(client._janitor, "stop", close_again)
    closing = threading.Thread(target=client.close, daemon=True)
    closing.start()
    closing.join(60)
    assert returned == [True]
