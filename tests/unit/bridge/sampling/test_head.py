"""The decision at a trace's start: ratio, rules, limit, parents, and what every header says of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tracebridge import Client, ConfigError, Kind, RemoteParent, SpanRecord
from tracebridge.sampling.limiter import Limiter
from tracebridge.sampling.threshold import WHOLE, threshold_of

R_HIGH, R_LOW = "4bf92f3577b34da6a3ff929d0e0e4736", "4bf92f3577b34da6a300929d0e0e4736"  # last 7 bytes ff…, 00…
SPAN = "00f067aa0ba902b7"
ALL_FORMATS = ["tracecontext", "b3", "b3multi", "uber", "xray", "datadog", "gcp"]


def client(**sampling: Any) -> Client:
    """A client that samples, and writes every header."""
    return Client(
        config={
            "adapters": {"memory": {}},
            "sampling": sampling,
            "propagation": {"inject": ALL_FORMATS, "extract": ALL_FORMATS},
        }
    )


def delivered(one_client: Client) -> list[SpanRecord]:
    """What arrived, once the client is closed and its books balance."""
    one_client.close()
    stats = one_client.stats()
    assert [stats.balance(name) for name in stats.adapters] == [0]
    memory: Any = one_client.adapter("memory")
    return list(memory.records)


def test_the_ratio_decides_by_the_last_seven_bytes():
    """R >= T is kept, with its threshold on every span; anything else is counted and costs no destination."""
    one = client(ratio="10%")
    for trace_id in (R_HIGH, R_LOW):
        with one.trace("root", trace_id=trace_id), one.span("child"):
            pass
    assert [(record.name, record.trace_state) for record in delivered(one)] == [
        ("child", "ot=th:e6666666666666"),
        ("root", "ot=th:e6666666666666"),
    ]
    stats = one.stats()
    assert (stats.started, stats.sampled, stats.adapters["memory"].dropped) == (4, {"head": 2}, {"sampled": 2})


def test_every_header_says_the_decision_from_the_first_moment():
    """All formats agree, for a trace that is kept and for one that is not."""
    one = client(ratio=0.1)
    said = {}
    for trace_id in (R_HIGH, R_LOW):
        root = one.start_trace("root", trace_id=trace_id)
        headers = one.inject(root, {})
        said[trace_id] = (
            headers["traceparent"][-2:], headers.get("tracestate"), headers["b3"][-2:], headers["x-b3-sampled"], headers["uber-trace-id"][-2:],
            headers["x-amzn-trace-id"][-9:], headers["x-datadog-sampling-priority"], headers["x-cloud-trace-context"][-3:],
        )  # fmt: skip
        root.end()
    one.close()
    assert said == {
        R_HIGH: ("01", "ot=th:e6666666666666", "-1", "1", ":1", "Sampled=1", "1", "o=1"),
        R_LOW: ("00", None, "-0", "0", ":0", "Sampled=0", "0", "o=0"),
    }


def test_a_span_that_is_not_recorded_has_every_member_and_ends_by_its_ids():
    """What is set on it is not kept; children, managers, custom span IDs and ends work as ever, and misuse is told as ever."""
    one = client(ratio=0)
    root = one.start_trace("root", trace_id="order-17", span_id="row-1", attributes={"a": 1})
    root.set_attribute("b", 2)
    child = one.start_span("child", root.trace_id, root.span_id)
    assert (root.trace_id, child.trace_id, root.attributes, root.custom_span_id) == (
        "order-17",
        "order-17",
        {},
        "row-1",
    )
    assert one.get_active_trace("order-17") is root
    assert len({root.span_id, child.span_id}) == 2
    assert 0 < root.start_time_ns <= child.start_time_ns
    one.end_span("order-17", child.span_id)
    one.end_span("order-17", child.span_id)
    one.end_trace("order-17")
    with one.trace("t"), one.span("s") as span:
        assert one.inject(None, {})["traceparent"].endswith("-02")
        assert span.wire_trace_id in one.inject(span, {})["traceparent"]
    assert delivered(one) == []
    assert (dict(one.stats().misuse), dict(one.stats().sampled)) == ({"end_of_unknown_span": 1}, {"head": 4})


def test_the_first_rule_that_fits_the_root_decides():
    """By name, kind, attributes and service, with text like a pattern and lists of values; else the ratio."""
    one = Client(
        config={
            "resource": {"attributes": {"service.name": "shop"}},
            "adapters": {"memory": {}},
            "sampling": {
                "ratio": 0,
                "rules": [
                    {"match": {"name": "GET /health*"}, "ratio": 0},
                    {"match": {"attributes": {"tenant": ["acme", "beta*"], "paying": True}}, "ratio": 1},
                    {"match": {"kind": "server", "service": "shop*"}, "ratio": "100%"},
                    {"match": {"service": "other"}, "ratio": 1},
                ],
            },
        }
    )
    one.start_trace("GET /healthz", kind=Kind.SERVER).end()
    one.start_trace("a", attributes={"tenant": "acme", "paying": True}).end()
    one.start_trace("b", attributes={"tenant": "beta2", "paying": True}).end()
    one.start_trace("c", attributes={"tenant": "acme", "paying": 1}).end()
    one.start_trace("d", kind="server").end()
    one.start_trace("e").end()
    assert [record.name for record in delivered(one)] == ["a", "b", "d"]
    assert one.stats().sampled == {"rule": 1, "head": 2}


PARENTS = {
    ("obey", "01", "ot=th:8"): ("01", "ot=th:8"),
    ("obey", "00", "ot=th:8"): ("00", None),
    ("obey", "01", None): ("01", None),
    ("threshold", "00", "ot=th:8"): ("01", "ot=th:8"),
    ("threshold", "01", None): ("01", None),
    ("ignore", "00", "ot=th:8"): ("01", "ot=th:e6666666666666"),
    ("ignore", "01", "dd=s:1,ot=rv:00000000000001;th:0"): ("00", "ot=rv:00000000000001,dd=s:1"),
    ("obey", "01", "ot=rv:00000000000001;th:8"): ("01", "ot=rv:00000000000001"),
    ("threshold", "01", "ot=rv:00000000000001;th:8"): ("00", "ot=rv:00000000000001"),
    ("obey", "01", "ot=th:8;th:c;x:y"): ("01", "ot=th:c;x:y"),
    ("obey", "01", "ot=th:0x8"): ("01", None),
    ("threshold", "00", "ot=TH:8"): ("00", "ot=TH:8"),
    ("obey", "01", "ot=th:E6"): ("01", "ot=th:e6"),
}


@pytest.mark.parametrize(("given", "expected"), PARENTS.items(), ids=map(str, PARENTS))
def test_a_parent_is_obeyed_read_or_ignored(given, expected):
    """The flag decides, or the threshold that came, or our own ratio; a threshold that is not true is erased, an `rv` stays."""
    parent, flags, state = given
    one = client(ratio=0.1, parent=parent)
    came = {"traceparent": f"00-{R_HIGH}-{SPAN}-{flags}"} | ({"tracestate": state} if state else {})
    with one.trace("root", parent=one.extract(came)) as root:
        headers = one.inject(root, {})
    one.close()
    assert expected == (headers["traceparent"][-2:], headers.get("tracestate"))


def test_debug_is_always_kept_and_a_decision_left_to_us_is_ours():
    """A debug request has no threshold; B3 without a state is decided by the ratio; B3's lone 0 is obeyed."""
    one = client(ratio=0)
    for headers in ({"b3": f"{R_HIGH}-{SPAN}-d"}, {"b3": f"{R_HIGH}-{SPAN}"}, {"b3": "0"}, {"jaeger-debug-id": "why"}):
        one.start_trace(next(iter(headers.values())), parent=one.extract(headers)).end()
    assert [(f"{R_HIGH}-{SPAN}-d", ""), ("why", "")] == [(r.name, r.trace_state) for r in delivered(one)]
    assert one.stats().sampled == {"head": 1, "parent": 1}


def test_contradicting_headers_are_read_in_order_of_precedence():
    """A sampled parent in one header and an unsampled flag in another: the first format that names a span decides."""
    one = client(ratio=1)
    came = {"traceparent": f"00-{R_HIGH}-{SPAN}-01", "b3": f"{R_HIGH}-{SPAN}-0"}
    one.start_trace("root", parent=one.extract(came)).end()
    assert len(delivered(one)) == 1


def test_datadogs_priority_is_told_anew_where_we_decided_otherwise():
    """A priority that came goes on only with the decision that it stands for."""
    one = client(ratio=0, parent="ignore")
    parent = one.extract(
        {"x-datadog-trace-id": "1" * 18, "x-datadog-parent-id": "2", "x-datadog-sampling-priority": "2"}
    )
    root = one.start_trace("root", parent=parent)
    assert one.inject(root, {})["x-datadog-sampling-priority"] == "0"
    root.end()
    one.close()


def test_at_most_31_members_leave_with_ours_and_ours_is_the_last_that_goes():
    """A Collector's sampler reads no list of 32; a long list of others is cut behind ours."""
    one = client(ratio=1, parent="ignore")
    state = ",".join(f"k{n}={'v' * 8}" for n in range(32))
    came = {"traceparent": f"00-{R_HIGH}-{SPAN}-01", "tracestate": state}
    root = one.start_trace("root", parent=one.extract(came))
    members = one.inject(root, {})["tracestate"].split(",")
    root.end()
    one.close()
    assert (members[0], len(members)) == ("ot=th:0", 31)


IDS = {
    "counter": ("decimal", [str(n) for n in range(1, 2001)]),
    "snowflake": ("snowflake", [str((1 << 62) + (n << 12)) for n in range(2000)]),
    "text": ("auto", [f"order-{n}" for n in range(2000)]),
    "uuid1": ("uuid", [f"{n:08x}-58cc-11ee-8c99-0242ac120002" for n in range(2000)]),
    "objectid": ("objectid", [f"65{n:022x}" for n in range(2000)]),
    "short hex": ("hex", [f"{n:x}" for n in range(1, 2001)]),
    "hex counter": ("auto", [f"{n:032x}" for n in range(1, 2001)]),
}


@pytest.mark.parametrize(("scheme", "texts"), IDS.values(), ids=IDS)
def test_ids_of_every_kind_are_kept_by_chance_and_say_by_what(scheme, texts):
    """A tenth of 2,000, within five standard deviations; an ID that is not random has an `rv`, by which others draw."""
    one = client(ratio=0.1)
    kept = 0
    for text in texts:
        from tracebridge import TraceId

        root = one.start_trace("root", trace_id=text if scheme == "auto" else TraceId(text, scheme))
        headers = one.inject(root, {})
        kept += headers["traceparent"].endswith("01")
        assert ("rv:" in headers.get("tracestate", "")) is (scheme != "auto" or text.startswith("0"))
        root.end()
    one.close()
    assert abs(kept - 200) < 5 * 13.4


def test_ids_without_headers_are_decided_alike_everywhere():
    """A worker that is told two IDs comes to the decision of the process that began the trace."""
    here, there = client(ratio=0.5), client(ratio=0.5)
    for n in range(50):
        root = here.start_trace("root", trace_id=f"order-{n}")
        works = [there.start_span("work", text, root.span_id) for text in (root.trace_id, root.wire_trace_id)]
        for work in works:
            work.end()
        root.end()
    ids = Counter(record.trace_id for record in delivered(here))
    assert dict.fromkeys(ids, 2) == Counter(record.trace_id for record in delivered(there))
    assert 10 < len(ids) < 40


def test_a_second_root_of_a_trace_shares_its_decision():
    """With `on_duplicate: join` a root that a rule would keep does not make half a trace."""
    one = Client(
        config={
            "adapters": {"memory": {}},
            "trace_ids": {"on_duplicate": "join"},
            "sampling": {"ratio": 0, "rules": [{"match": {"name": "keep"}, "ratio": 1}]},
        }
    )
    first = one.start_trace("drop", trace_id="a")
    one.start_trace("keep", trace_id="a").end()
    first.end()
    assert delivered(one) == []


def test_what_the_caller_did_not_sample_can_still_be_recorded():
    """`propagation.unsampled: record` means what it meant; the caller's decision goes on."""
    one = Client(config={"adapters": {"memory": {}}, "propagation": {"unsampled": "record"}, "sampling": {"ratio": 0}})
    root = one.start_trace("root", parent=RemoteParent(R_HIGH, SPAN, 0))
    assert one.inject(root, {})["traceparent"].endswith("-00")
    root.end()
    assert [record.name for record in delivered(one)] == ["root"]


def test_the_limit_raises_the_threshold_so_that_weights_stay_true():
    """Of 20,000 traces in one second at most a hundred are kept, and their weights add up to about 20,000."""
    now = [0]
    limiter = Limiter(100, ticks=lambda: now[0])
    step, kept = 0x9E3779B97F4A7C15, []
    for n in range(20_000):
        randomness = (n * step) % WHOLE
        threshold = limiter.threshold(randomness)
        if threshold is not None and randomness >= threshold:
            kept.append(WHOLE / (WHOLE - threshold))
    assert 50 < len(kept) <= 100
    assert 5_000 < sum(kept) < 80_000


def test_a_steady_load_is_kept_at_half_the_limit_at_least():
    """From the second second on the threshold is the one that the load asks for: a power of two, the same for the whole second."""
    now = [0]
    limiter = Limiter(100, ticks=lambda: now[0])
    step, by_second = 0x9E3779B97F4A7C15, []
    for second in range(5):
        thresholds = set()
        kept = 0
        for n in range(1_000):
            now[0] = second * 1_000_000_000 + n * 1_000_000
            randomness = ((second * 1_000 + n) * step) % WHOLE
            threshold = limiter.threshold(randomness)
            assert threshold is not None
            thresholds.add(threshold)
            kept += randomness >= threshold
        by_second.append((kept, thresholds))
    assert {frozenset({threshold_of(1 / 16)})} == {frozenset(thresholds) for _, thresholds in by_second[1:]}
    assert all(50 <= kept <= 100 for kept, _ in by_second)


BAD = {
    "1.5": {"ratio": 1.5}, "-1": {"ratio": -1}, "a fraction": {"ratio": "1/3"}, "too many percent": {"ratio": "101%"}, "yes": {"ratio": True},
    "nothing to keep": {"keep": {}}, "no limit": {"max_traces_per_second": 0}, "unknown parent": {"parent": "maybe"},
    "the same twice": {"rules": [{"match": {"name": "a"}, "ratio": 0}, {"match": {"name": "a"}, "ratio": 1}]},
    "behind one for all": {"rules": [{"match": {}, "ratio": 0}, {"match": {"name": "a"}, "ratio": 1}]},
}  # fmt: skip


@pytest.mark.parametrize("sampling", BAD.values(), ids=BAD)
def test_what_can_mean_nothing_is_refused_at_start(sampling):
    """With the place and what to do."""
    with pytest.raises(ConfigError, match=r"sampling"):
        client(**sampling)


def test_a_fraction_is_refused_with_a_hint():
    """Others would keep everything."""
    with pytest.raises(
        ConfigError, match=r"sampling\.ratio must be a number from 0 to 1, or a percentage such as 10%, not a fraction"
    ):
        client(ratio="1/3")
