"""The headers of AWS, Datadog and Google Cloud."""

from __future__ import annotations

from typing import Any

import pytest

from tracebridge import RemoteParent
from tracebridge.propagation import datadog, gcp, xray
from tracebridge.propagation.context import DatadogContext

TRACE, SPAN = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
ROOT = "1-5759e988-bd862e3fe1be46a994272793"
LOW, HIGH, NUMBER = str(int(TRACE[16:], 16)), TRACE[:16], str(int(SPAN, 16))
NARROW = "0" * 16 + TRACE[16:]


def of(
    format_: str, trace_id: str | None = TRACE, span_id: str | None = SPAN, flags: int = 1, **more: Any
) -> RemoteParent:
    """What the headers of a format say."""
    return RemoteParent(trace_id, span_id, flags, format=format_, **more)


@pytest.mark.parametrize(
    "text, expected",
    [
        (f"Root={ROOT};Parent={SPAN};Sampled=1", of("xray")),
        (f"Root={ROOT};Parent={SPAN};Sampled=0", of("xray", flags=0)),
        (f"Root={ROOT};Parent={SPAN};Sampled=?", of("xray", deferred=True)),
        (f"Root={ROOT};Parent={SPAN}", of("xray", deferred=True)),
        (f"Sampled=1; Parent={SPAN.upper()} ;Root={ROOT};Lineage=a:1|b:2", of("xray")),
        (f"Self=1-67891234-12456789abcdef012345678;Root={ROOT}", of("xray", span_id=None, deferred=True)),  # a load balancer
        (f"root={ROOT};parent={SPAN};sampled=1;", of("xray")),
    ],
)  # fmt: skip
def test_what_x_ray_says(text, expected):
    """Parts in any order; what a load balancer writes names a trace and no span."""
    assert xray.read({"x-amzn-trace-id": text}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", ";", "=", f"Parent={SPAN};Sampled=1", f"Root=2{ROOT[1:]};Parent={SPAN}", f"Root={ROOT[:-1]};Parent={SPAN}", f"Root={ROOT};Parent=1",
        f"Root={ROOT};Parent={'0' * 16}", "Root=1-00000000-000000000000000000000000;Parent=1234567812345678", f"Root={ROOT};Root={ROOT}",
        f"Root={ROOT},Root={ROOT}", "x" * 5000,
    ],
)  # fmt: skip
def test_malformed_x_ray_is_ignored(text):
    """A broken part spoils all: half an ID is none."""
    assert xray.read({"x-amzn-trace-id": text}) is None


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({"trace-id": LOW, "parent-id": NUMBER, "sampling-priority": "1", "tags": f"_dd.p.tid={HIGH}"}, of("datadog")),
        ({"trace-id": LOW, "parent-id": NUMBER, "tags": f"_dd.p.dm=-4,_dd.p.tid={HIGH}"},
         of("datadog", deferred=True, datadog=DatadogContext(tags="_dd.p.dm=-4"))),
        ({"trace-id": LOW, "parent-id": NUMBER, "sampling-priority": "2"}, of("datadog", NARROW, datadog=DatadogContext("2"))),
        ({"trace-id": LOW, "parent-id": NUMBER, "sampling-priority": "0"}, of("datadog", NARROW, flags=0)),
        ({"trace-id": LOW, "parent-id": NUMBER, "sampling-priority": "-1"},
         of("datadog", NARROW, flags=0, datadog=DatadogContext("-1"))),
        ({"trace-id": LOW, "parent-id": NUMBER, "tags": "_dd.p.tid=XYZ"}, of("datadog", NARROW, deferred=True)),
        ({"trace-id": LOW, "parent-id": NUMBER, "tags": f"_dd.p.tid={HIGH},_dd.p.tid={HIGH}"}, of("datadog", NARROW, deferred=True)),
        ({"trace-id": f" {LOW} ", "parent-id": NUMBER}, of("datadog", NARROW, deferred=True)),
    ],
)  # fmt: skip
def test_what_datadog_says(headers, expected):
    """Decimal numbers, a priority, and the upper half in the tags."""
    assert datadog.read({f"x-datadog-{name}": value for name, value in headers.items()}) == expected


@pytest.mark.parametrize(
    "said, passed_on",
    [
        ({"origin": "rum", "tags": "_dd.p.dm=-4,_dd.p.usr.id=a= b"}, {"origin": "rum", "tags": f"_dd.p.tid={HIGH},_dd.p.dm=-4,_dd.p.usr.id=a= b"}),
        ({"sampling-priority": "-1"}, {"sampling-priority": "-1", "tags": f"_dd.p.tid={HIGH}"}),
        ({"tags": "team=x,_dd.p.a,_dd.p.=1,_dd.p.b=,_dd.p.c d=1,_dd.p.upstream_services=y,_dd.p.k=v"}, {"tags": f"_dd.p.tid={HIGH},_dd.p.k=v"}),
        ({"origin": "r" * 129, "tags": f"_dd.p.k={'v' * 500}"}, {"tags": f"_dd.p.tid={HIGH}"}),
        ({"origin": "a\r\nb", "tags": "_dd.p.k=a\r\nb,_dd.p.k=\xe9"}, {"tags": f"_dd.p.tid={HIGH}"}),
    ],
)  # fmt: skip
def test_what_datadog_says_beside_is_passed_on(make_client, said, passed_on):
    """Through a client and its spans: whole members, of a bounded length, and none that could break a header."""
    client = make_client(propagation={"extract": ["datadog"], "inject": ["datadog"]})
    tags = {"tags": f"_dd.p.tid={HIGH}{',' if said.get('tags') else ''}{said.get('tags', '')}"}
    given = {"trace-id": LOW, "parent-id": NUMBER, "sampling-priority": "2", **said, **tags}
    parent = client.extract({f"x-datadog-{name}": value for name, value in given.items()})
    with client.trace("job", parent=parent), client.span("call") as span:
        headers = client.inject(span, {"X-Datadog-Origin": "stale"})
    expected = {"trace-id": LOW, "parent-id": str(int(span.span_id, 16)), "sampling-priority": "2", **passed_on}
    assert headers == {f"x-datadog-{name}": value for name, value in expected.items()}


def test_datadogs_parent_of_zero_joins_the_trace_without_a_parent():
    """Synthetics begins traces so."""
    headers = {"x-datadog-trace-id": LOW, "x-datadog-parent-id": "0", "x-datadog-sampling-priority": "1"}
    parent = datadog.read(headers)
    assert parent is not None
    assert (int(parent.trace_id or "", 16), parent.span_id, parent.flags) == (int(LOW), None, 1)


@pytest.mark.parametrize(
    "trace_id, parent_id",
    [(LOW, None), (None, NUMBER), ("0", NUMBER), (LOW, ""), (LOW, "x"), (str(2**64), NUMBER), ("-1", NUMBER), ("1e3", NUMBER), ("\u0661", NUMBER), ("1_0", NUMBER)],
)  # fmt: skip
def test_malformed_datadog_is_ignored(trace_id, parent_id):
    """Both numbers, of 64 bits, not zero, in plain digits."""
    headers = {"x-datadog-trace-id": trace_id, "x-datadog-parent-id": parent_id}
    assert datadog.read({name: value for name, value in headers.items() if value is not None}) is None


@pytest.mark.parametrize(
    "text, expected",
    [
        (f"{TRACE}/{NUMBER};o=1", of("gcp")),
        (f"{TRACE}/{NUMBER};o=0", of("gcp", flags=0)),
        (f"{TRACE}/{NUMBER};o=3", of("gcp")),
        (f"{TRACE}/{NUMBER}", of("gcp", deferred=True)),
        (f"{TRACE.upper()}/{NUMBER}", of("gcp", deferred=True)),
        (TRACE, of("gcp", span_id=None, deferred=True)),
        (f"{TRACE}/0;o=1", of("gcp", span_id=None)),
        (f"{TRACE};o=1", of("gcp", span_id=None)),
    ],
)
def test_what_google_cloud_says(text, expected):
    """The span and the options may be missing."""
    assert gcp.read({"x-cloud-trace-context": text}) == expected


@pytest.mark.parametrize(
    "text", ["", "/", TRACE[1:], f"{'0' * 32}/1;o=1", f"{TRACE}/{2**64};o=1", f"{TRACE}/1;o=", f"{TRACE}/x;o=1", f"{TRACE}/1;o=1;", "9" * 999]
)  # fmt: skip
def test_malformed_google_cloud_is_ignored(text):
    """Numbers beyond 64 bits too."""
    assert gcp.read({"x-cloud-trace-context": text}) is None


@pytest.mark.parametrize(
    "context, expected",
    [
        (
            RemoteParent(TRACE, SPAN, 3),
            {
                "x-amzn-trace-id": f"Root={ROOT};Parent={SPAN};Sampled=1",
                "x-datadog-trace-id": LOW, "x-datadog-parent-id": NUMBER, "x-datadog-sampling-priority": "1",
                "x-datadog-tags": f"_dd.p.tid={HIGH}",
                "x-cloud-trace-context": f"{TRACE}/{NUMBER};o=1",
            },
        ),
        (
            RemoteParent(NARROW, SPAN, 0),
            {
                "x-amzn-trace-id": f"Root=1-00000000-00000000{TRACE[16:]};Parent={SPAN};Sampled=0",
                "x-datadog-trace-id": LOW, "x-datadog-parent-id": NUMBER, "x-datadog-sampling-priority": "0",
                "x-cloud-trace-context": f"{NARROW}/{NUMBER};o=0",
            },
        ),
    ],
)  # fmt: skip
def test_what_is_written(context, expected):
    """Each in its own spelling of the same IDs and decision."""
    headers: dict[str, str] = {}
    for each in (xray, datadog, gcp):
        each.write(context, headers)
    assert headers == expected


def test_datadog_cannot_say_a_trace_id_whose_lower_half_is_zero():
    """Nothing is written rather than a zero."""
    headers: dict[str, str] = {}
    datadog.write(RemoteParent("1" * 16 + "0" * 16, SPAN), headers)
    assert headers == {}
