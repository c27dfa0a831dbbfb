"""The caller's own IDs through a client: schemes by setting and by call, generators, 64 bits, and span IDs."""

from __future__ import annotations

import logging
import re

import pytest

from tracebridge import (
    Client,
    ConfigError,
    DuplicateSpanError,
    DuplicateTraceError,
    InvalidParameterError,
    RemoteParent,
    SpanId,
    TraceFinishedError,
    TraceId,
    TraceNotFoundError,
)

ULID, ULID_WIRE = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01563e3ab5d3d6764c61efb99302bd5b"
W3C, W3C_LOW = "4bf92f3577b34da6a3ce929d0e0e4736", "a3ce929d0e0e4736"

# ------------------------------------------------------------------ schemes


def test_a_scheme_named_in_the_settings_reads_every_id(make_client, delivered):
    """With `scheme: ulid` a ULID keeps its bits; the text and the scheme travel."""
    client = make_client(trace_ids={"scheme": "ulid"})
    root = client.start_trace("r", trace_id=ULID)
    assert client.get_active_trace(ULID.lower()) is root
    client.end_trace(ULID)
    (record,) = delivered(client)
    assert (record.trace_id.hex(), record.custom_trace_id, record.id_scheme) == (ULID_WIRE, ULID, "ulid")


def test_a_text_that_the_scheme_refuses_says_what_is_wrong_and_who_would_take_it(make_client):
    """The error names the text, the part that is wrong, and the schemes that fit."""
    client = make_client(trace_ids={"scheme": "uuid"})
    with pytest.raises(InvalidParameterError) as raised:
        client.start_trace("r", trace_id="507f1f77bcf86cd799439011")
    assert str(raised.value) == (
        "trace_id '507f1f77bcf86cd799439011' is not an ID of scheme uuid: it has 24 digits, not 32; "
        "these schemes would take it: hex, objectid, uber, hash."
    )
    assert client.stats().started == 0


def test_one_call_may_name_another_scheme(client, delivered):
    """A TraceId says how its text is read, in every call that takes a trace ID."""
    order = TraceId("12345678", "decimal")
    root = client.start_trace("r", trace_id=order)
    child = client.start_span("c", order, root.span_id)
    client.end_span(order, child.span_id)
    assert (root.trace_id, root.wire_trace_id) == ("12345678", f"{12345678:032x}")
    assert client.get_active_trace("12345678") is client.get_active_trace(order) is root
    client.end_trace(order)
    with pytest.raises(TraceFinishedError):
        client.end_trace(order)
    assert [(r.name, r.custom_trace_id, r.id_scheme) for r in delivered(client)] == [
        ("c", "12345678", None),
        ("r", "12345678", "decimal"),
    ]


def test_a_trace_id_of_another_scheme_never_reaches_a_trace_of_the_same_text(client):
    """`12345678` hashed and `12345678` in decimal are two traces."""
    client.start_trace("r", trace_id="12345678")
    with pytest.raises(TraceNotFoundError):
        client.end_trace(TraceId("12345678", "decimal"))
    with pytest.raises(DuplicateTraceError, match="names an open trace of another one"):
        client.start_trace("r", trace_id=TraceId("12345678", "decimal"))


def test_a_text_that_is_another_open_traces_wire_id_is_refused(make_client):
    """Hashed, 32 hex digits derive other bytes; the text would name two open traces."""
    client = make_client(trace_ids={"on_duplicate": "join"})
    client.start_trace("r", trace_id=W3C)
    with pytest.raises(DuplicateTraceError, match="names an open trace of another one"):
        client.start_trace("r", trace_id=TraceId(W3C, "hash"))


def test_ids_of_another_process_may_name_their_schemes(client, delivered):
    """start_span with a TraceId and a SpanId continues a trace that this client never saw."""
    client.start_span("c", TraceId("5208512171318403364", "datadog"), SpanId("17", "decimal")).end()
    (record,) = delivered(client)
    assert (record.trace_id.hex(), record.parent_id.hex(), record.parent_is_remote) == (
        f"{5208512171318403364:032x}", "0000000000000011", True,
    )  # fmt: skip


def test_reading_takes_a_trace_id_too(make_client, delivered):
    """get_trace finds a finished trace by a TraceId."""
    client = make_client(adapters={"store": {"path": ":memory:"}})
    client.start_trace("r", trace_id=TraceId(ULID, "ulid")).end()
    assert client.get_trace(TraceId(ULID.lower(), "ulid")).info.trace_id == ULID


def test_a_str_subclass_is_its_text(client):
    """An enum's member or a wrapper that is text derives as the text does."""

    class Key(str):
        __slots__ = ()

        def __str__(self):
            return "shown otherwise"

    root = client.start_trace("r", trace_id=Key("order-7"))
    assert (root.trace_id, root.wire_trace_id) == ("order-7", TraceId("order-7").wire_trace_id)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"scheme": "ulit"},
            'trace_ids.scheme must be an ID scheme that is installed, not "ulit"; did you mean "ulid"?',
        ),
        (
            {"span_scheme": "uuid"},
            "trace_ids: span_scheme must have a form of 8 bytes, as hex, decimal, snowflake, datadog and hash have",
        ),
        ({"generate": "nothing"}, "trace_ids.generate must be the name of a class as pkg.mod:Name"),
        ({"generate": "json:nothing"}, "trace_ids.generate: 'json:nothing' cannot be used: AttributeError"),
        ({"generate": "no_such_module:f"}, "trace_ids.generate: 'no_such_module:f' cannot be used: ModuleNotFound"),
        ({"generate": "json:__name__"}, "trace_ids.generate: 'json:__name__' is not a function"),
        ({"max_bits": 96}, "trace_ids.max_bits must be one of 128, 64, not 96"),
    ],
)
def test_wrong_settings_are_reported_at_start(make_client, given, text):
    """What cannot work is said when the client is built, not at the first trace."""
    with pytest.raises(ConfigError) as raised:
        make_client(trace_ids=given)
    assert text in str(raised.value)


@pytest.mark.parametrize("scheme", ["hash", "ulid", "datadog"])
def test_a_trace_is_addressed_by_its_wire_id_under_any_scheme(make_client, delivered, scheme):
    """32 hex digits mean the wire ID where the scheme cannot read them, or nothing else of that name is open."""
    client = make_client(trace_ids={"scheme": scheme}, adapters={"store": {"path": ":memory:"}})
    root = client.start_trace("r", trace_id={"hash": "order-7", "ulid": ULID, "datadog": "7"}[scheme])
    child = client.start_span("c", root.wire_trace_id, root.span_id)
    elsewhere = client.start_trace("e", parent=root)
    assert child._trace is elsewhere._trace is root._trace
    for span in (child, elsewhere, root):
        span.end()
    assert len(client.get_trace(root.wire_trace_id).data.spans) == 3


def test_a_parent_addressed_by_its_hex_digits_is_found_under_any_span_scheme(make_client):
    """Sixteen hex digits are the span's own ID first, whatever scheme reads the others."""
    client = make_client(trace_ids={"span_scheme": "decimal"})
    root = client.start_trace("r", span_id="23")
    first = client.start_span("c", root.trace_id, "0000000000000017")
    first.end()
    assert (first.parent_id, client.start_span("l", root.trace_id, first.span_id).parent_id) == (
        root.span_id,
        first.span_id,
    )
    assert client.start_span("far", "order-7", "0000000000000017").parent_id == "0000000000000017"


# ------------------------------------------------------------------ generators


def user_operation_id(name, attributes):
    """The guide's form of an ID."""
    return f"{attributes.get('user', 'nobody')}_{name}_20260101_ab12cd34"


@pytest.mark.parametrize("generate", [user_operation_id, f"{__name__}:user_operation_id"], ids=["function", "name"])
def test_a_generator_makes_the_id_of_each_new_trace(make_client, monkeypatch, generate):
    """It is given the name and the attributes; a trace that is given an ID, or continues one, does not ask it."""
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or type("module", (), globals()))
    monkeypatch.setattr(sys.modules[__name__], "user_operation_id", user_operation_id, raising=False)
    client = make_client(trace_ids={"generate": generate})
    made = client.start_trace("report", attributes={"user": "ann"})
    assert made.trace_id == "ann_report_20260101_ab12cd34"
    assert client.start_trace("report", trace_id="mine").trace_id == "mine"
    assert client.start_trace("r", parent=RemoteParent("74" * 16, "73" * 8)).trace_id == "74" * 16


def failing(name, attributes):
    """A generator with a bug."""
    raise KeyError("user")


@pytest.mark.parametrize(
    "generate",
    [failing, lambda n, a: None, lambda n, a: 7, lambda n, a: "", lambda n, a: "0" * 32, lambda n, a: "x" * 513, lambda: "x"],
)  # fmt: skip
def test_a_generator_that_fails_never_loses_the_trace(make_client, delivered, generate, caplog):
    """A random ID is used, the failure counted, and said once."""
    client = make_client(trace_ids={"generate": generate})
    with caplog.at_level(logging.WARNING, "tracebridge"):
        for _ in range(2):
            client.start_trace("r").end()
    assert [record.custom_trace_id for record in delivered(client)] == [None, None]
    assert client.stats().misuse["generate_failed"] == 2
    assert [message for message in caplog.messages if "generate" in message] == [caplog.messages[0]]
    assert "a random one is used" in caplog.messages[0]


def test_a_generated_id_that_is_open_already_gives_way_to_a_random_one(make_client):
    """A generator without enough chance in it costs no trace and raises nothing."""
    client = make_client(trace_ids={"generate": lambda name, attributes: "always the same"})
    first, second = client.start_trace("a"), client.start_trace("b")
    assert first.trace_id == "always the same"
    assert re.fullmatch("[0-9a-f]{32}", second.trace_id)
    assert client.get_active_trace(second.trace_id) is second
    assert client.stats().misuse["generate_failed"] == 1


# ------------------------------------------------------------------ 64 bits


def test_64_bits_are_the_last_sixteen_digits(make_client, delivered, caplog):
    """Every trace ID is cut, the loss said once, and what was given still travels."""
    client = make_client(trace_ids={"max_bits": 64})
    with caplog.at_level(logging.WARNING, "tracebridge"):
        client.start_trace("w3c", trace_id=W3C).end()
        client.start_trace("again", trace_id="1-5759e988-bd862e3fe1be46a994272793").end()
    assert [(r.trace_id.hex(), r.custom_trace_id, r.id_scheme) for r in delivered(client)] == [
        ("0" * 16 + W3C_LOW, W3C, "hex"),
        ("0" * 16 + "e1be46a994272793", "1-5759e988-bd862e3fe1be46a994272793", "xray"),
    ]
    assert len(caplog.messages) == 1
    assert "cuts trace IDs" in caplog.messages[0]


def test_64_bits_lose_nothing_of_what_is_short_random_or_hashed(make_client, caplog):
    """No warning where nothing could have been read back."""
    client = make_client(trace_ids={"max_bits": 64})
    with caplog.at_level(logging.WARNING, "tracebridge"):
        for given in (None, "order-7", W3C_LOW):
            assert client.start_trace("r", trace_id=given).wire_trace_id.startswith("0" * 16)
    assert caplog.messages == []


def test_64_bits_apply_to_a_remote_parent_which_stays_searchable(make_client, delivered):
    """A context of 128 bits is continued with its last 64; the whole ID is the span's tracebridge.trace_id, and what others are told."""
    client = make_client(trace_ids={"max_bits": 64})
    parent = RemoteParent(W3C, "73" * 8)
    root = client.start_trace("a", parent=parent)
    client.start_span("b", W3C, root.span_id).end()
    assert client.inject(root, {})["traceparent"] == f"00-{W3C}-{root.span_id}-01"
    root.end()
    assert [(r.trace_id.hex(), r.custom_trace_id) for r in delivered(client)] == [("0" * 16 + W3C_LOW, W3C)] * 2


def test_64_bits_of_zeros_are_refused(make_client):
    """A trace ID whose last half is zero cannot be cut."""
    client = make_client(trace_ids={"max_bits": 64})
    with pytest.raises(InvalidParameterError, match="ends with 16 zeros"):
        client.start_trace("r", trace_id="1" + "0" * 31)


def test_64_bits_of_zeros_in_a_header_raise_nothing(make_client, delivered):
    """Whoever sent it, the request is served: under a trace of its own, counted."""
    client = make_client(trace_ids={"max_bits": 64})
    parent = client.extract({"traceparent": f"00-{'1' * 16}{'0' * 16}-{'73' * 8}-01"})
    client.start_trace("served", parent=parent).end()
    (record,) = delivered(client)
    assert (record.parent_id, record.trace_id[:8], any(record.trace_id)) == (None, bytes(8), True)
    assert client.stats().misuse == {"trace_id_cut_away": 1}


# ------------------------------------------------------------------ span IDs


def test_a_span_may_have_the_callers_own_id(client, delivered):
    """Root and child; the text travels, and both text and hex digits address the span."""
    root = client.start_trace("r", span_id="request-1")
    child = client.start_span("c", root.trace_id, "request-1", span_id="row-17")
    assert (child.parent_id, child.custom_span_id, child.span_id) == (
        root.span_id,
        "row-17",
        SpanId("row-17").wire_span_id,
    )
    grandchild = client.start_span("g", root.trace_id, "row-17")
    client.end_span(root.trace_id, "row-17")
    late = client.start_span("late", root.trace_id, "row-17")
    assert grandchild.parent_id == late.parent_id == child.span_id
    for span in (grandchild, late, root):
        span.end()
    shown = {r.name: (r.custom_span_id, r.span_id_scheme, r.attributes) for r in delivered(client)}
    assert shown == {
        "r": ("request-1", "hash", {}), "c": ("row-17", "hash", {}), "g": (None, None, {}), "late": (None, None, {}),
    }  # fmt: skip


def test_managers_and_stacks_take_a_span_id(client):
    """`client.trace`, `client.span` and `TraceStack.push` pass it on."""
    with client.trace("a", span_id="one") as one, client.span("b", span_id=SpanId("2", "decimal")) as two:
        assert (one.custom_span_id, two.span_id) == ("one", "0000000000000002")
    with client.span("alone", span_id="three") as three:
        assert three.custom_span_id == "three"


def test_sixteen_hex_digits_are_the_span_id_itself(client, delivered):
    """Nothing is added to the span where its ID says all."""
    client.start_trace("r", span_id="00f067aa0ba902b7").end()
    (record,) = delivered(client)
    assert (record.span_id.hex(), record.custom_span_id, record.span_id_scheme) == ("00f067aa0ba902b7", None, None)


@pytest.mark.parametrize("ended", [False, True])
def test_a_span_id_is_used_once_in_a_trace(client, ended):
    """The second is refused with the place of the first, in any spelling, and nothing is left open."""
    root = client.start_trace("r")
    first = client.start_span("c", root.trace_id, span_id="row-17")
    if ended:
        first.end()
    for again in ("row-17", first.span_id, SpanId("row-17", "hash")):
        with pytest.raises(DuplicateSpanError, match="which has ended" if ended else r"test_own_ids\.py:\d+"):
            client.start_span("c", root.trace_id, span_id=again)
    assert client.stats().open == 2 - ended


def test_the_same_span_id_in_two_traces_is_two_spans(client):
    """A span ID belongs to its trace."""
    one, two = client.start_trace("a", span_id="root"), client.start_trace("b", span_id="root")
    assert one.span_id == two.span_id


def test_a_span_is_never_its_own_parent(client):
    """A remote parent's ID cannot be the new span's."""
    with pytest.raises(DuplicateSpanError, match="the parent"):
        client.start_span("c", "order-7", "00f067aa0ba902b7", span_id="00f067aa0ba902b7")
    with pytest.raises(DuplicateSpanError, match="the parent"):
        client.start_trace("r", parent=RemoteParent("74" * 16, "73" * 8), span_id="73" * 8)
    assert (client.stats().started, client.active_traces) == (0, [])


def test_joining_with_a_span_id_that_is_there_changes_nothing(make_client):
    """The refused segment leaves neither a root nor its tags."""
    client = make_client(trace_ids={"on_duplicate": "join"})
    first = client.start_trace("a", trace_id="x", span_id="root", tags={"a": "1"})
    with pytest.raises(DuplicateSpanError):
        client.start_trace("b", trace_id="x", span_id="root", tags={"b": "2"})
    assert client.active_traces == [first]
    assert first._trace.tags == {"a": "1"}


@pytest.mark.parametrize("wrong", ["", "0" * 16, "x" * 513, 7, b"12345678", object()])
def test_a_span_id_that_cannot_be_one_is_refused(client, wrong):
    """Empty, zero, too long and non-text span IDs raise, for roots and children."""
    root = client.start_trace("r")
    with pytest.raises(InvalidParameterError):
        client.start_span("c", root.trace_id, span_id=wrong)
    with pytest.raises(InvalidParameterError):
        client.start_trace("r", span_id=wrong)
    assert client.stats().open == 1


def test_a_span_scheme_of_the_settings_reads_span_ids(make_client):
    """Decimal span IDs, as Datadog has them; a text that is none is refused as an ID and unknown as a parent."""
    client: Client = make_client(trace_ids={"span_scheme": "decimal"})
    root = client.start_trace("r", span_id="17")
    assert (root.span_id, client.start_span("c", root.trace_id, "17").parent_id) == ("0000000000000011",) * 2
    with pytest.raises(InvalidParameterError, match="these schemes would take it: hash"):
        client.start_span("c", root.trace_id, span_id="row-17")
    with pytest.raises(TraceNotFoundError):
        client.start_span("c", root.trace_id, "row-17")


def test_a_plain_text_parent_of_an_unknown_trace_is_still_a_mistake(client):
    """Only 16 hex digits or a SpanId name a span of another process."""
    with pytest.raises(TraceNotFoundError, match="Parent span with ID 'row-17' not found"):
        client.start_span("c", "order-7", "row-17")
    assert client.start_span("c", "order-7", SpanId("row-17")).parent_id == SpanId("row-17").wire_span_id


def test_a_local_parent_addressed_by_its_text_is_no_remote_one(client, delivered):
    """In a trace of another process, a span of ours is ours by any spelling."""
    own = client.start_span("a", "order-7", "00f067aa0ba902b7", span_id="row-17")
    client.start_span("b", "order-7", "row-17").end()
    client.start_span("c", "order-7", SpanId("row-17")).end()
    own.end()
    assert [(r.name, r.parent_is_remote) for r in delivered(client)] == [("b", False), ("c", False), ("a", True)]


def test_a_header_whose_text_names_another_open_trace_raises_nothing(make_client):
    """An ID that a stranger sent may clash with what is open here; the request is traced all the same, without it."""
    client = make_client(
        trace_ids={"scheme": "hash"}, propagation={"extract": ["correlation"], "inject": ["tracecontext"]}
    )
    first = client.start_trace("r", trace_id="order-7")
    second = client.start_trace("s", parent=client.extract({"X-Request-ID": first.wire_trace_id}))
    assert second.trace_id == second.wire_trace_id != first.wire_trace_id
    assert client.get_active_trace(first.wire_trace_id) is first
