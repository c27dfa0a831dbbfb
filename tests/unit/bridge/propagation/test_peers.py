"""Second opinions: other people's propagators read what we write and write what we read.

Where they differ from us on purpose, a test says so and who is right by which specification.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import baggage as otel_baggage
from opentelemetry import trace as otel
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from support.peers import peer
from tracebridge import RemoteParent
from tracebridge.propagation import baggage, tracestate
from tracebridge.propagation.carriers import Environment
from tracebridge.propagation.propagator import Propagator, format_named

b3, jaeger = peer("opentelemetry.propagators.b3"), peer("opentelemetry.propagators.jaeger")
xray, gcp = (
    peer("opentelemetry.propagators.aws.aws_xray_propagator"),
    peer("opentelemetry.propagators.cloud_trace_propagator"),
)
zipkin_headers, zipkin_util = peer("py_zipkin.request_helpers"), peer("py_zipkin.util")
jaeger_codecs, jaeger_context = peer("jaeger_client.codecs"), peer("jaeger_client.span_context")

TRACE, SPAN, ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
contexts = st.builds(
    RemoteParent,
    st.one_of(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1)).map("{:032x}".format),
    st.integers(1, 2**64 - 1).map("{:016x}".format),
    st.sampled_from([0, 1]),
)
OTEL = {
    "tracecontext": TraceContextTextMapPropagator(),
    "b3": b3.B3SingleFormat(),
    "b3multi": b3.B3MultiFormat(),
    "uber": jaeger.JaegerPropagator(),
    "xray": xray.AwsXRayPropagator(),
    "gcp": gcp.CloudTraceFormatPropagator(),
}


def ids(context: Any) -> tuple[str, str, int]:
    """The identity and decision in an OpenTelemetry context."""
    found = otel.get_current_span(context).get_span_context()
    return f"{found.trace_id:032x}", f"{found.span_id:016x}", int(found.trace_flags) & 1


def in_otel(context: RemoteParent) -> Any:
    """One of our contexts as one of OpenTelemetry's."""
    assert context.trace_id is not None and context.span_id is not None
    pairs = [
        (key, value) for key, _, value in (member.partition("=") for member in context.trace_state.split(",") if member)
    ]
    span = SpanContext(
        int(context.trace_id, 16), int(context.span_id, 16), True, TraceFlags(context.flags), TraceState(pairs)
    )
    return otel.set_span_in_context(NonRecordingSpan(span))


def written(name: str, context: RemoteParent) -> dict[str, str]:
    """The headers that we write in a format."""
    headers: dict[str, str] = {}
    format_named(name).write(context, headers)
    return headers


def as_peers_look_it_up(name: str, headers: dict[str, str]) -> dict[str, str]:
    """X-Ray's propagator looks its header up in one case only."""
    return {"X-Amzn-Trace-Id": headers["x-amzn-trace-id"]} if name == "xray" else headers


@pytest.mark.parametrize("name", OTEL)
@settings(max_examples=200, deadline=None)
@given(contexts)
def test_opentelemetry_reads_what_we_write(name, context):
    """Every format that it has a propagator for; its B3 knows 16 and 32 digits, and so do we when we write."""
    headers = as_peers_look_it_up(name, written(name, context))
    assert ids(OTEL[name].extract(headers)) == (context.trace_id, context.span_id, context.flags)


@pytest.mark.parametrize("name", OTEL)
@settings(max_examples=200, deadline=None)
@given(contexts)
def test_we_read_what_opentelemetry_writes(name, context):
    """The IDs and the decision."""
    headers: dict[str, str] = {}
    OTEL[name].inject(headers, in_otel(context))
    found = Propagator([name], [], "x").extract(headers)
    assert (found.trace_id, found.span_id, found.flags) == (context.trace_id, context.span_id, context.flags)


def test_opentelemetrys_jaeger_propagator_writes_debug_for_sampled():
    """Jaeger's flag 2 is debug and only that (its client documentation, "Flags"); OpenTelemetry sets it on every sampled span, and we
    believe what the header says. Who has such callers sees debug spans in Zipkin; the cure is W3C's format on their side.
    """
    headers: dict[str, str] = {}
    OTEL["uber"].inject(headers, in_otel(RemoteParent(TRACE, SPAN)))
    assert headers["uber-trace-id"].endswith(":03")
    assert format_named("uber").read(headers).debug
    assert written("uber", RemoteParent(TRACE, SPAN))["uber-trace-id"].endswith(":1")


def test_opentelemetrys_b3_accepts_exact_widths_only_and_knows_no_deferral():
    """Zipkin's older libraries wrote numbers without leading zeros; a span without a state is sampled by us, as Zipkin's own libraries may."""
    short = {"b3": "1-2-1"}
    assert (ids(OTEL["b3"].extract(short))[2], format_named("b3").read(short).span_id) == (0, "2".zfill(16))
    several = {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN}
    assert (ids(OTEL["b3"].extract(several))[2], format_named("b3").read(several).deferred) == (0, True)


def test_opentelemetrys_google_cloud_takes_missing_options_for_not_sampled():
    """Google: without o= the receiver decides. We do, and sample."""
    headers = {"x-cloud-trace-context": f"{TRACE}/1"}
    assert ids(OTEL["gcp"].extract(headers))[2] == 0
    assert format_named("gcp").read(headers).sampled is None


# ---------------------------------------------------------------------- W3C

TRACEPARENTS = [
    f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-03", f"cc-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-more",
    f"cc-{TRACE}-{SPAN}-01.more", f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-more", f" 00-{TRACE}-{SPAN}-01\t", f"00-{TRACE.upper()}-{SPAN}-01",
    f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{SPAN}-1", f"00-{TRACE}-{SPAN}-0g", f"00-{TRACE}0-{SPAN}-01", "", "x",
]  # fmt: skip


@pytest.mark.parametrize("text", TRACEPARENTS)
def test_opentelemetry_and_we_agree_on_traceparents(text):
    """What is valid, and what it says."""
    theirs = otel.get_current_span(OTEL["tracecontext"].extract({"traceparent": text})).get_span_context()
    ours = format_named("tracecontext").read({"traceparent": text})
    assert (ours is not None) == theirs.is_valid
    if ours is not None:
        assert (int(ours.trace_id, 16), int(ours.span_id, 16), ours.flags) == (
            theirs.trace_id,
            theirs.span_id,
            theirs.trace_flags,
        )


@settings(max_examples=500, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_\-*/]{0,20}", fullmatch=True),
        st.from_regex(r"[!-+\--<>-~]{1,30}", fullmatch=True),
        max_size=8,
    )
)
def test_opentelemetry_and_we_agree_on_tracestates(members):
    """Valid lists are kept as they are, and changed in the same order."""
    text = ",".join(f"{key}={value}" for key, value in members.items())
    theirs = TraceState.from_header([text])
    assert tracestate.read(text) == (theirs.to_header() if len(text) <= 512 else tracestate.read(text))
    if text and len(text) <= 480:
        last = list(members)[-1]
        assert tracestate.put(text, {last: "x"}) == theirs.update(last, "x").to_header()
        assert tracestate.put(text, {"zz-new": "x"}) == theirs.add("zz-new", "x").to_header()
        assert tracestate.put(text, {last: ""}) == theirs.delete(last).to_header()


def test_opentelemetry_keeps_what_is_left_of_a_broken_tracestate():
    """The W3C's own harness expects the whole list to be discarded (illegal keys, 33 members), and so do we; of a key that is there twice one stays."""
    assert TraceState.from_header(["foo=1,BAR=2"]).to_header() in {"foo=1", ""}
    assert [tracestate.read(text) for text in ("foo=1,BAR=2", "foo=1,foo=2")] == ["", "foo=1"]


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-zA-Z0-9_\-.]{1,10}", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        max_size=5,
    )
)
def test_opentelemetry_reads_our_baggage(entries):
    """Any text, but for the blanks at its ends, which it strips."""
    found = W3CBaggagePropagator().extract({"baggage": baggage.put("", entries)}, otel_baggage.clear())
    assert dict(otel_baggage.get_all(found)) == {key: value.strip() for key, value in entries.items()}


def test_opentelemetry_writes_a_plus_for_a_blank_in_baggage():
    """W3C's baggage is percent-encoded and a plus is a plus; OpenTelemetry's Python writes form encoding, which nobody can tell apart."""
    headers: dict[str, str] = {}
    W3CBaggagePropagator().inject(headers, otel_baggage.set_baggage("k", "a b%ü"))
    assert (headers["baggage"], baggage.decode(baggage.read(headers["baggage"]))) == ("k=a+b%25%C3%BC", {"k": "a+b%ü"})
    assert baggage.put("", {"k": "a+b c"}) == "k=a%2Bb%20c"  # which both read alike


def test_opentelemetry_finds_our_environment_variables():
    """OpenTelemetry's own names for headers in an environment."""
    carrier = pytest.importorskip("opentelemetry.propagators._envcarrier", reason="an OpenTelemetry that has it")
    environment = Environment({})
    Propagator([], ["tracecontext", "b3multi", "baggage"], "x").inject(
        RemoteParent(TRACE, SPAN, 1, "a=1", baggage="k=v"), environment
    )
    theirs: dict[str, str] = {}
    setter = carrier.EnvironmentSetter()
    context = otel_baggage.set_baggage("k", "v", in_otel(RemoteParent(TRACE, SPAN, 1, "a=1")))
    for each in (OTEL["tracecontext"], OTEL["b3multi"], W3CBaggagePropagator()):
        each.inject(theirs, context, setter)
    assert environment == theirs


# ---------------------------------------------------------------------- Zipkin and Jaeger


@settings(max_examples=200, deadline=None)
@given(contexts, st.booleans())
def test_py_zipkin_reads_what_we_write(context, debug):
    """Both forms of B3, debug too."""
    context = RemoteParent(
        context.trace_id, context.span_id, 1 if debug else context.flags, debug=debug, parent_id=ABOVE
    )
    several = {{"x-b3-traceid": "X-B3-TraceId", "x-b3-spanid": "X-B3-SpanId", "x-b3-parentspanid": "X-B3-ParentSpanId",
                "x-b3-sampled": "X-B3-Sampled", "x-b3-flags": "X-B3-Flags"}[name]: value
               for name, value in written("b3multi", context).items()}  # fmt: skip
    for headers in (written("b3", context), several):
        found = zipkin_headers.extract_zipkin_attrs_from_headers(headers)
        assert (found.trace_id.zfill(32), found.span_id, found.parent_span_id, found.flags, found.is_sampled) == (
            context.trace_id, context.span_id, ABOVE, "1" if debug else "0", bool(context.flags),
        )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(contexts, st.none() | st.just(ABOVE))
def test_we_read_what_py_zipkin_writes(context, above):
    """Its headers, with None for a parent that is none."""
    attrs = zipkin_util.ZipkinAttrs(context.trace_id, context.span_id, above, "0", bool(context.flags))
    headers = zipkin_headers.create_http_headers(tracer=SimpleNamespace(get_zipkin_attrs=lambda: attrs))
    assert Propagator(["b3"], [], "x").extract(headers) == RemoteParent(
        context.trace_id, context.span_id, context.flags, parent_id=above, format="b3"
    )


@settings(max_examples=200, deadline=None)
@given(
    contexts,
    st.booleans(),
    st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text("aü %,;=:", max_size=8), max_size=3),
)
def test_jaeger_client_reads_what_we_write_and_we_what_it_writes(context, debug, entries):
    """IDs, flags and baggage through its codec for HTTP headers, which url-encodes."""
    codec = jaeger_codecs.TextCodec(url_encoding=True)
    flags = 3 if debug else context.flags
    ours = RemoteParent(
        context.trace_id, context.span_id, flags & 1, debug=debug, baggage=baggage.put("", entries), parent_id=ABOVE
    )
    found = codec.extract(written("uber", ours))
    assert (found.trace_id, found.span_id, found.parent_id, found.flags, found.baggage or {}) == (
        int(context.trace_id, 16), int(context.span_id, 16), int(ABOVE, 16), flags, entries,
    )  # fmt: skip
    headers: dict[str, str] = {}
    codec.inject(found, headers)
    back = format_named("uber").read(headers)
    assert (back.trace_id, back.span_id, back.flags, back.debug, back.parent_id) == (
        context.trace_id, context.span_id, flags & 1, debug, ABOVE,
    )  # fmt: skip
    assert (
        baggage.decode(back.baggage) == {key: value.strip(" ") for key, value in entries.items()}
        or baggage.decode(back.baggage) == entries
    )


@pytest.mark.parametrize("headers", [{"jaeger-debug-id": "x"}, {"jaeger-debug-id": "x", "uber-trace-id": f"{TRACE}:{SPAN}:0:1"}, {"jaeger-debug-id": "x", "uber-trace-id": "zz"}])  # fmt: skip
def test_jaeger_client_and_we_agree_on_debug_ids(headers):
    """A debug ID counts where there are no IDs."""
    if headers.get("uber-trace-id") == "zz":
        with pytest.raises(Exception, match="malformed"):  # it raises where we read on
            jaeger_codecs.TextCodec().extract(headers)
        assert format_named("uber").read(headers).debug_id == "x"
        return
    theirs, ours = jaeger_codecs.TextCodec().extract(headers), format_named("uber").read(headers)
    assert theirs.is_debug_id_container_only == (ours.span_id is None)
