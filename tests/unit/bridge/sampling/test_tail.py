"""The decision about a whole trace, once its root has ended here."""

from __future__ import annotations

import time
from typing import Any

import pytest

from support.stages import install
from tracebridge import Client, ConfigError, RemoteParent, SpanRecord

R_HIGH, R_LOW = "4bf92f3577b34da6a3ff929d0e0e4736", "4bf92f3577b34da6a300929d0e0e4736"  # last 7 bytes ff…, 00…
SPAN = "00f067aa0ba902b7"


def client(keep: dict[str, Any], ratio: float = 0.1, **more: Any) -> Client:
    """A client that keeps what is worth it."""
    return Client(config={"adapters": {"memory": {}}, "sampling": {"ratio": ratio, "keep": keep}, **more})


def balanced(one: Client) -> None:
    """Nothing is unaccounted for."""
    stats = one.stats()
    assert [stats.balance(name) for name in stats.adapters] == [0]


def delivered(one: Client) -> list[SpanRecord]:
    """What has arrived so far."""
    assert one.flush()
    balanced(one)
    memory: Any = one.adapter("memory")
    return list(memory.records)


def told(one: Client) -> list[tuple[str, str, int]]:
    """Name, trace state and sampled bit of what has arrived."""
    return sorted((record.name, record.trace_state, record.flags & 1) for record in delivered(one))


def run(one: Client, trace_id: str, *, error: bool = False, name: str = "child", **attributes: Any) -> None:
    """A trace of a root and a child."""
    with one.trace("root", trace_id=trace_id):
        span = one.start_span(name, attributes=attributes)
        span.end(status="ERROR" if error else "OK")


def test_a_trace_with_an_error_is_kept_whole_whatever_the_head_decided():
    """Both are kept with certainty, `th:0` on every span, and what did not match is as the head decided."""
    one = client({"errors": True})
    for trace_id in (R_HIGH, R_LOW):
        run(one, trace_id, error=True)
    run(one, "4bf92f3577b34da6a3ff929d0e0e4737")
    run(one, "4bf92f3577b34da6a300929d0e0e4737")
    head = "ot=th:e6666666666666"
    assert sorted(
        [("child", "ot=th:0", 1), ("root", "ot=th:0", 1)] * 2 + [("child", head, 1), ("root", head, 1)]
    ) == told(one)
    one.close()
    stats = one.stats()
    assert (stats.kept, stats.sampled, stats.adapters["memory"].dropped) == ({"errors": 4}, {"tail": 2}, {"sampled": 2})


def test_headers_say_the_heads_decision_all_the_while():
    """Who is called meanwhile cannot know what becomes of the trace."""
    one = client({"errors": True})
    root = one.start_trace("root", trace_id=R_LOW)
    root.set_status("ERROR")
    assert ((headers := one.inject(root, {}))["traceparent"][-2:], headers.get("tracestate")) == ("00", None)
    root.end()
    assert told(one) == [("root", "ot=th:0", 1)]
    one.close()


KEEPS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]] = {
    "errors": ({"errors": True}, {"error": True}, {}),
    "slower_than": ({"slower_than": "0s"}, {}, None),
    "names": ({"names": ["pay*"]}, {"name": "payment"}, {"name": "repay"}),
    "attributes": ({"attributes": {"tenant": ["acme", "b*"]}}, {"tenant": "beta"}, {"tenant": "x"}),
}


@pytest.mark.parametrize("what", KEEPS)
def test_what_makes_a_trace_worth_keeping(what):
    """Errors, a span that took long, a name, an attribute; counted under the key that asked for it."""
    keep, matching, other = KEEPS[what]
    one = client(keep, ratio=0)
    run(one, R_LOW, **matching)
    if other is not None:
        run(one, R_HIGH, **other)
    one.close()
    assert ({what: 2}, 2 + 2 * (other is not None)) == (one.stats().kept, one.stats().started)
    balanced(one)


def test_spans_that_end_after_their_root_share_its_fate():
    """A late error cannot call back what is gone; a late child of a kept trace is kept."""
    one = client({"errors": True}, ratio=0)
    for trace_id, failed in ((R_LOW, True), (R_HIGH, False)):
        root = one.start_trace("root", trace_id=trace_id)
        late = one.start_span("late", trace_id, root.span_id)
        root.end(status="ERROR" if failed else "OK")
        late.end(status="ERROR")
    assert told(one) == [("late", "ot=th:0", 1), ("root", "ot=th:0", 1)]
    one.close()
    assert (one.stats().kept, one.stats().sampled) == ({"errors": 2}, {"tail": 2})


def test_undecided_spans_wait_and_nobody_is_given_them():
    """They are a term of their own in the books; closing decides about them."""
    one = client({"errors": True})
    root = one.start_trace("root", trace_id=R_LOW)
    one.start_span("child", R_LOW, root.span_id).end(status="ERROR")
    assert told(one) == []
    assert (one.stats().undecided, one.stats().open) == (1, 1)
    one.close()
    balanced(one)
    assert (one.stats().undecided, one.stats().kept) == (0, {"errors": 2})


@pytest.mark.parametrize("bound", [{"max_spans": 10}, {"wait": "50ms"}, {"max_bytes": "64KiB"}], ids=str)
def test_a_trace_that_cannot_wait_falls_back_to_the_heads_decision(bound, caplog):
    """By its number of spans, by time, by the bytes of all; said once, counted, and its later spans are as the first ones."""
    one = client({"errors": True, **bound})
    roots = [one.start_trace("root", trace_id=trace_id) for trace_id in (R_HIGH, R_LOW)]
    for root in roots:
        for _ in range(9 if "wait" in bound else 10 if "max_spans" in bound else 600):
            one.start_span("child", root.trace_id, root.span_id).end()
    deadline = time.monotonic() + 60
    while one.stats().undecided > 300 and time.monotonic() < deadline:
        time.sleep(0.02)
    if "wait" in bound:
        while one.stats().undecided and time.monotonic() < deadline:
            time.sleep(0.02)
    for root in roots:
        root.end(status="ERROR")
    found = delivered(one)
    assert {R_HIGH} == {record.trace_id.hex() for record in found}
    assert {"ot=th:e6666666666666"} == {record.trace_state for record in found if record.trace_id.hex() == R_HIGH}
    one.close()
    balanced(one)
    assert (
        sum("it is as it was decided" in text or "as it was decided at their" in text for text in caplog.messages) == 1
    )


def test_a_part_without_a_root_is_decided_when_nothing_of_it_is_open():
    """A worker that is told two IDs has no root of the trace."""
    one = client({"errors": True}, ratio=0)
    first = one.start_span("work", R_LOW, SPAN)
    second = one.start_span("part", R_LOW, first.span_id)
    second.end(status="ERROR")
    first.end()
    assert told(one) == [("part", "ot=th:0", 1), ("work", "ot=th:0", 1)]
    one.close()


def test_what_the_caller_did_not_sample_is_kept_where_it_matches():
    """The part of this process is delivered; the caller's other parts are its own business."""
    one = client({"errors": True})
    for failed in (True, False):
        one.start_trace("root", parent=RemoteParent(R_HIGH, SPAN, 0)).end(status="ERROR" if failed else "OK")
    assert told(one) == [("root", "ot=th:0", 1)]
    one.close()
    assert one.stats().sampled == {"tail": 1}


def test_values_that_take_the_long_way_are_kept_with_their_weight_too():
    """A masked value, a link, a status message: the record is written in full."""
    one = client({"errors": True})
    with one.trace("root", trace_id=R_HIGH, tags={"a": "b"}):
        one.start_span("child", attributes={"password": "x"}).end(status="ERROR")
    assert told(one) == [("child", "ot=th:0", 1), ("root", "ot=th:0", 1)]
    one.close()


def test_kept_spans_can_ask_a_collector_to_keep_them():
    """With `attributes: [priority]` each span that `keep` kept has `sampling.priority`, and no other."""
    one = Client(
        config={"adapters": {"memory": {}}, "sampling": {"keep": {"errors": True}, "attributes": ["priority"]}}
    )
    run(one, R_HIGH, error=True)
    run(one, R_LOW)
    found = {(record.trace_id.hex(), record.attributes.get("sampling.priority")) for record in delivered(one)}
    one.close()
    assert {(R_HIGH, 1), (R_LOW, None)} == found


def test_a_process_that_dies_loses_no_undecided_span(tmp_path):
    """They are in the journal on disk; the next process decides, by what is in them and by what their trace's start decided."""
    import subprocess
    import sys

    code = f"""
import os
from tracebridge import Client
one = Client(config={{"adapters": {{"memory": {{}}}}, "journal": {{"directory": {str(tmp_path)!r}}},
    "sampling": {{"ratio": 0.1, "keep": {{"errors": True}}}}}})
for trace_id, status in (("{R_HIGH}", "OK"), ("{R_LOW}", "OK"), ("{R_LOW[:-1]}7", "ERROR")):
    root = one.start_trace("root", trace_id=trace_id)
    one.start_span("child", trace_id, root.span_id).end(status=status)
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code], check=False, timeout=120)
    one = client({"errors": True}, journal={"directory": str(tmp_path)})
    assert one.flush(60)
    memory: Any = one.adapter("memory")
    found = sorted((r.name, r.trace_id.hex(), r.trace_state) for r in memory.records if r.name == "child")
    one.close()
    assert sorted([("child", R_HIGH, "ot=th:e6666666666666"), ("child", f"{R_LOW[:-1]}7", "ot=th:0")]) == found


def test_only_one_may_hold(tmp_path, monkeypatch):
    """A stage that holds spans and `sampling.keep` cannot both decide."""
    install(monkeypatch, tmp_path, "stages", tail="support.stages:Tail")
    with pytest.raises(ConfigError, match=r"sampling\.keep holds spans, and so does the stage tail"):
        client({"errors": True}, stages=[{"tail": {}}])


def record(
    trace_id: str, name: str, *, parent: bytes | None = None, state: str = "", status: int = 1, n: int = 1
) -> SpanRecord:
    """A span that was made elsewhere."""
    return SpanRecord(
        bytes.fromhex(trace_id),
        n.to_bytes(8, "big"),
        parent,
        name,
        10**18,
        10**18 + 5,
        status=status,
        trace_state=state,
    )


def test_spans_made_elsewhere_are_thinned_out_by_the_same_decision():
    """By the ratio at once; the larger threshold counts, a wrong one is left out, an `rv` is obeyed."""
    one = Client(config={"adapters": {"memory": {}}, "sampling": {"ratio": 0.5}})
    given = [
        (R_HIGH, ""),
        (R_LOW, ""),
        (R_HIGH, "ot=th:c"),
        (R_HIGH, "ot=th:4"),
        (R_LOW, "ot=rv:ffffffffffffff"),
        (R_HIGH, "ot=th:ffff"),
    ]
    for number, (trace_id, state) in enumerate(given):
        one.ingest(record(trace_id, str(number), state=state, n=number + 1))
    found = {r.name: r.trace_state for r in delivered(one)}
    one.close()
    assert found == {"0": "ot=th:8", "2": "ot=th:c", "3": "ot=th:8", "4": "ot=th:8;rv:ffffffffffffff", "5": "ot=th:8"}


@pytest.mark.parametrize("together", [False, True])
def test_spans_made_elsewhere_wait_for_their_root(together):
    """With `keep` or rules: children come first, the root decides, late ones follow, handed in one by one or together."""
    one = client({"errors": True}, ratio=0)
    for trace_id, status in ((R_HIGH, 2), (R_LOW, 1)):
        spans = [
            record(trace_id, "child", parent=bytes(7) + b"\1", status=status, n=2),
            record(trace_id, "root", n=1),
            record(trace_id, "late", parent=bytes(7) + b"\1", n=3),
        ]
        for some in [spans] if together else [[span] for span in spans]:
            one.ingest_all(some)
    assert told(one) == [("child", "ot=th:0", 1), ("late", "ot=th:0", 1), ("root", "ot=th:0", 1)]
    one.close()
    ruled = Client(
        config={"adapters": {"memory": {}}, "sampling": {"rules": [{"match": {"name": "GET /health"}, "ratio": 0}]}}
    )
    for trace_id, name in ((R_HIGH, "GET /health"), (R_LOW, "order")):
        ruled.ingest(record(trace_id, "child", parent=bytes(7) + b"\1", n=2))
        ruled.ingest(record(trace_id, name, n=1))
    assert sorted(r.name for r in delivered(ruled)) == ["child", "order"]
    ruled.close()


def test_the_decision_can_be_told_in_the_attributes_of_others():
    """Jaeger's on roots, Datadog's on roots; what is kept with certainty stands for one."""
    sampling = {"ratio": 0.5, "keep": {"errors": True}, "attributes": ["jaeger", "datadog"]}
    one = Client(config={"adapters": {"memory": {}}, "sampling": sampling})
    run(one, R_HIGH)
    run(one, R_LOW, error=True)
    found = {(r.trace_id.hex(), r.name): r.attributes for r in delivered(one)}
    one.close()
    assert found == {
        (R_HIGH, "root"): {"sampler.type": "probabilistic", "sampler.param": 0.5, "_dd.rule_psr": 0.5},
        (R_HIGH, "child"): {},
        (R_LOW, "root"): {"sampler.type": "probabilistic", "sampler.param": 1.0, "_dd.rule_psr": 1.0},
        (R_LOW, "child"): {},
    }


def test_memory_is_bounded_while_nothing_is_decided():
    """Of many traces that never end only `max_bytes` of spans wait; the oldest are as the head decided."""
    import tracemalloc

    one = client({"errors": True, "max_bytes": "1MiB"}, ratio=0)
    for number in range(2_000):  # what is made once, before it is measured
        one.ingest(record(f"{number + 1:032x}", "child", parent=bytes(7) + b"\1", n=number + 1))
    tracemalloc.start()
    for number in range(2_000, 20_000):
        one.ingest(record(f"{number + 1:032x}", "child", parent=bytes(7) + b"\1", n=number + 1))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0 < one.stats().undecided < 2_000
    assert grown < 16 * 2**20
    one.close()
    balanced(one)
