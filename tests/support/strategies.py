"""Records as hypothesis makes them: any that our own calls can make, and hostile ones that only a foreign program could."""

from __future__ import annotations

from hypothesis import strategies as st

from tracebridge.records.record import EndCause, Event, Link, Resource, Scope, SpanRecord

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
broken_texts = st.text(max_size=20)  # lone surrogates too
numbers = st.integers(-(2**63), 2**63 - 1)
times = st.integers(0, 2**63 - 1)
floats = st.floats(allow_nan=False)
scalars = texts | numbers | floats | st.booleans()
values = st.recursive(
    scalars | st.binary(max_size=20),
    lambda inner: st.lists(st.none() | inner, max_size=4) | st.dictionaries(texts, st.none() | inner, max_size=4),
    max_leaves=10,
)
keys = texts.filter(
    lambda key: not key.startswith(("mlflow.", "input.", "output.", "openinference.", "gen_ai.", "tracebridge."))
)
"""Names that are not a dialect's own: one of those is read back as what the dialect means by it."""
attributes = st.dictionaries(keys, values, max_size=6)
json_values = st.recursive(
    texts | numbers | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
    lambda inner: st.lists(st.none() | inner, max_size=3) | st.dictionaries(texts, st.none() | inner, max_size=3),
    max_leaves=8,
)
trace_ids = st.binary(min_size=16, max_size=16).filter(any)
span_ids = st.binary(min_size=8, max_size=8).filter(any)
counts = st.integers(0, 2**32 - 1)
resources = st.builds(
    Resource, st.builds(lambda name, rest: {**rest, "service.name": name}, texts.filter(bool), attributes), texts
)
scopes = st.none() | st.builds(Scope, texts, texts, attributes, texts).filter(lambda scope: scope != Scope())
records = st.builds(
    SpanRecord,
    trace_id=trace_ids,
    span_id=span_ids,
    parent_id=st.none() | span_ids,
    name=texts,
    start_time_ns=times,
    end_time_ns=times,
    kind=st.integers(0, 5),
    status=st.integers(0, 2),
    status_message=texts,
    attributes=attributes,
    inputs=st.none() | json_values,
    outputs=st.none() | json_values,
    span_type=st.sampled_from(["UNKNOWN", "LLM", "CHAIN", "MY_OWN", "123", "null"]),
    events=st.lists(st.builds(Event, texts, times, attributes, counts), max_size=3).map(tuple),
    links=st.lists(st.builds(Link, trace_ids, span_ids, texts, attributes, counts, counts), max_size=3).map(tuple),
    custom_trace_id=st.none() | texts.filter(bool),
    custom_span_id=st.none() | texts.filter(bool),
    trace_state=texts,
    flags=st.integers(0, 255),
    parent_is_remote=st.booleans(),
    end_cause=st.sampled_from([cause.value for cause in EndCause]),
    dropped_attributes=counts,
    dropped_events=counts,
    dropped_links=counts,
    truncated=counts,
    redacted=counts,
    repaired=counts,
    scope=scopes,
    resource=resources,
)

hostile = st.recursive(
    broken_texts | st.integers() | st.floats() | st.none() | st.binary(max_size=9) | st.sampled_from(EndCause),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(broken_texts, inner, max_size=3),
    max_leaves=6,
)
hostile_records = st.builds(
    lambda words, times, attributes, payload, tags: SpanRecord(
        b"t" * 16, b"s" * 8, None, words, times[0], times[1], status=2, status_message=words, attributes=attributes,
        inputs=payload, outputs=payload, span_type=words, events=(Event(words, times[2], attributes),), tags=tags,
        custom_trace_id=words, links=(Link(b"t" * 16, b"s" * 8, words, attributes),), trace_state=words, scope=Scope(words),
        resource=Resource({"service.name": words, **attributes}),
    ),
    broken_texts,
    st.tuples(st.integers(), st.integers(), st.integers()),
    st.dictionaries(broken_texts, hostile, max_size=4),
    hostile,
    st.dictionaries(broken_texts, broken_texts, max_size=3),
)  # fmt: skip
