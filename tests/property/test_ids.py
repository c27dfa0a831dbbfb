"""Laws of identity: every scheme goes both ways, the same text gives the same bytes, and no text breaks anything."""

from __future__ import annotations

import hashlib
import re
import string
from contextlib import suppress

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tracebridge import Client, InvalidParameterError, SpanId, TracebridgeError, TraceId
from tracebridge.ids.forms import FORM_NAMES, SPAN_PLACE, explain, forms_of
from tracebridge.ids.headers import span_in
from tracebridge.ids.identity import Identity
from tracebridge.ids.schemes import derive, derive_span, find_scheme, recognise, takers
from tracebridge.plugins.registry import known_schemes
from tracebridge.settings.model import TraceIdSettings

SCHEMES = [name for name in known_schemes() if name != "auto"]
REVERSIBLE = [name for name in SCHEMES if find_scheme(name).back is not None]
SPAN_SCHEMES = [name for name in SCHEMES if find_scheme(name).derive_span is not None]
WIRE_IDS = st.binary(min_size=16, max_size=16).filter(any) | st.integers(1, 2**96 - 1).map(
    lambda n: n.to_bytes(16, "big")
)
SPAN_IDS = st.binary(min_size=8, max_size=8).filter(any)

# Texts that are nearly IDs: one form's alphabet with another's length, punctuation in odd places, and anything at all.
ALPHABETS = st.sampled_from(
    [string.hexdigits, string.digits, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", "0", string.hexdigits + "-:;=/,{}_ %."]
)
NEAR_IDS = ALPHABETS.flatmap(lambda alphabet: st.text(alphabet, min_size=1, max_size=80))
PARTS = st.sampled_from(
    [
        "urn:uuid:",
        "tr-",
        "1-",
        "Root=",
        ";",
        "00-",
        "-01",
        ":",
        "%3A",
        "/",
        ";o=1",
        ",_dd.p.tid=",
        "{",
        "}",
        "-",
        " ",
        "\n",
        "Parent=",
    ]
)
HEXES = st.sampled_from([8, 12, 16, 24, 32]).flatmap(
    lambda size: st.text("0123456789abcdef", min_size=size, max_size=size)
)
PIECES = st.lists(PARTS | HEXES | st.integers(0, 2**70).map(str), min_size=1, max_size=6).map("".join)
TEXTS = NEAR_IDS | PIECES | st.text(min_size=1, max_size=600)


@pytest.mark.parametrize("scheme", REVERSIBLE)
@given(wire=WIRE_IDS)
def test_what_a_scheme_writes_it_reads_as_the_same_bytes(scheme, wire):
    """derive(back(bytes)) is the bytes, for every ID that the scheme can write."""
    text = find_scheme(scheme).back(wire)
    assume(text is not None)
    assert derive(text, scheme).trace_id == wire
    assert text.isascii()


@pytest.mark.parametrize("scheme", [name for name in SPAN_SCHEMES if find_scheme(name).back_span is not None])
@given(wire=SPAN_IDS)
def test_what_a_scheme_writes_of_a_span_it_reads_as_the_same_bytes(scheme, wire):
    """The same for the eight bytes of a span."""
    assert derive_span(find_scheme(scheme).back_span(wire), scheme)[0] == wire


SPELLINGS = {
    "datadog": [lambda text: text.replace(",", "; "), lambda text: "0" + text],
    "decimal": [lambda text: "00" + text],
    "gcp": [str.upper, lambda text: text + "/1;o=1", lambda text: text + ";o=0"],
    "hex": [str.upper, lambda text: text.lstrip("0")],
    "mlflow": [lambda text: "tr-" + text[3:].upper()],
    "objectid": [str.upper],
    "snowflake": [lambda text: "00" + text],
    "uber": [str.upper, lambda text: text.zfill(32), lambda text: text + ":1:0:1", lambda text: text + "%3A1%3A0%3Ad"],
    "ulid": [str.lower],
    "uuid": [str.upper, lambda text: text.replace("-", ""), "{{{}}}".format, "urn:uuid:{}".format],
    "xray": [str.upper, "Root={};Parent=53995c3f42cd8ad8;Sampled=1".format, "Self=1-1-1; Root={}".format],
}


@pytest.mark.parametrize("scheme", REVERSIBLE)
@given(wire=WIRE_IDS)
def test_other_spellings_are_the_same_id(scheme, wire):
    """Case, zeros on the left, braces and what stands around an ID in a header do not change its bytes."""
    text = find_scheme(scheme).back(wire)
    assume(text is not None)
    for spelled in SPELLINGS[scheme]:
        assert derive(spelled(text), scheme).trace_id == wire


@settings(max_examples=1000)
@given(text=TEXTS, scheme=st.sampled_from(["auto", *SCHEMES]))
@example("\uff11\uff12", "decimal")
@example("²", "snowflake")
@example("1\n", "hex")
@example("\u0131" * 26, "ulid")
def test_no_text_yields_a_malformed_id_or_an_undocumented_error(text, scheme):
    """Sixteen bytes, not zero, or InvalidParameterError; the same again the next time."""
    try:
        wire = derive(text, scheme)
    except InvalidParameterError as error:
        assert str(error).startswith("trace_id ")
        return
    assert (type(wire.trace_id), len(wire.trace_id), any(wire.trace_id)) == (bytes, 16, True)
    assert wire.scheme == (recognise(text) if scheme == "auto" else scheme)
    assert derive(text, scheme) == wire == derive(text, wire.scheme)
    assert wire.scheme in {"hash"} or text.isascii()


@settings(max_examples=500)
@given(text=TEXTS, scheme=st.sampled_from(["auto", *SCHEMES]))
def test_no_text_yields_a_malformed_span_id_or_an_undocumented_error(text, scheme):
    """Eight bytes, not zero, or InvalidParameterError."""
    try:
        span_id, matched = derive_span(text, scheme)
    except InvalidParameterError as error:
        assert str(error).startswith("span_id ")
        return
    assert (type(span_id), len(span_id), any(span_id)) == (bytes, 8, True)
    assert derive_span(text, matched) == (span_id, matched)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=512))
def test_hashing_is_sha_256_of_the_utf8_text(text):
    """A trace ID is the first sixteen bytes, a span ID the first eight."""
    digest = hashlib.sha256(text.encode()).digest()
    assert derive(text, "hash").trace_id == digest[:16]
    assert derive_span(text, "hash")[0] == digest[:8]


@settings(max_examples=500)
@given(text=TEXTS)
def test_auto_takes_what_can_be_one_form_only(text):
    """Anything that `auto` does not hash is written in exactly one of the forms that it knows."""
    forms = {
        "hex": "[0-9a-fA-F]{16}|[0-9a-fA-F]{32}",
        "uuid": "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        "xray": "1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}",
        "mlflow": "tr-[0-9a-fA-F]{32}",
        "traceparent": "00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
        "|(?!00|ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-(.|\n)*)?",
    }
    assert [name for name, form in forms.items() if re.fullmatch(form, text)] == [
        name for name in [recognise(text)] if name != "hash"
    ]


@settings(max_examples=300)
@given(text=TEXTS)
def test_what_would_also_take_a_text_takes_it(text):
    """`takers` names exactly the schemes that do not refuse, `hash` last."""
    if len(text) > 512:
        return
    found = {}
    for scheme in SCHEMES:
        with suppress(InvalidParameterError):
            found[scheme] = derive(text, scheme).trace_id
    assert takers(text) == found
    assert list(takers(text))[-1] == "hash"


@given(wire=WIRE_IDS, span=SPAN_IDS.map(bytes.hex))
def test_every_form_of_an_id_is_read_as_that_id(wire, span):
    """What `tracebridge id` prints goes back in, by the scheme of that name."""
    schemes = {"hex": "hex", "decimal": "decimal", "b3": None, "hex64": None, "decimal_high": None, "decimal_low": None}
    for name, form in forms_of(wire, span).items():
        scheme = schemes.get(name, name)
        if scheme is not None:
            assert derive(form, scheme).trace_id == wire, name
            assert span_in(form, scheme) in {None, span}
    assert set(forms_of(wire)) <= set(FORM_NAMES)
    assert [name for name, form in forms_of(wire).items() if SPAN_PLACE in form] == ["traceparent", "b3", "uber", "gcp"]


@settings(max_examples=300)
@given(text=TEXTS, bits=st.sampled_from([64, 128]))
def test_what_is_explained_is_what_a_client_derives(text, bits):
    """Every field of the explanation agrees with the others; 64 bits are the last half."""
    ids = Identity(TraceIdSettings(max_bits=bits))
    try:
        wire = ids.wire(text)
    except InvalidParameterError:
        return
    told = explain(text, wire)
    assert (told.wire, told.forms["hex"], told.reversible) == (wire.trace_id.hex(),) * 2 + (told.back is not None,)
    assert wire.trace_id[8:] == derive(text).trace_id[8:]
    assert wire.trace_id[:8] == (bytes(8) if bits == 64 else derive(text).trace_id[:8])
    if told.back is not None:
        assert derive(told.back, told.scheme).trace_id == derive(text).trace_id


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=4),
    scheme=st.sampled_from(["auto", *SCHEMES]),
    bits=st.sampled_from([64, 128]),
)
def test_a_client_addresses_a_trace_by_its_text_its_digits_and_its_value(texts, scheme, bits):
    """Whatever the scheme, an open trace is found by all three; a refused ID leaves nothing open."""
    with Client(config={"adapters": {"memory": {}}, "trace_ids": {"scheme": scheme, "max_bits": bits}}) as client:
        opened = 0
        for text in texts:
            try:
                root = client.start_trace("r", trace_id=text)
            except TracebridgeError:
                continue
            opened += 1
            assert client.get_active_trace(text) is client.get_active_trace(root.wire_trace_id) is root
            assert client.get_active_trace(TraceId(text, scheme)) is root
        assert client.stats().open == opened == len(client.active_traces)


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=5), scheme=st.sampled_from(["auto", *SPAN_SCHEMES]))
def test_a_client_addresses_a_span_by_its_text_its_digits_and_its_value(texts, scheme):
    """An open span of the caller's own ID is a parent by all three, and is never doubled."""
    with Client(config={"adapters": {"memory": {}}, "trace_ids": {"span_scheme": scheme}}) as client:
        root = client.start_trace("r")
        seen = {root.span_id}
        for text in texts:
            try:
                span = client.start_span("s", root.trace_id, span_id=text)
            except TracebridgeError:
                continue
            assert span.span_id not in seen
            seen.add(span.span_id)
            for key in (span.span_id, SpanId(text, scheme)):
                assert client.start_span("c", root.trace_id, key).parent_id == span.span_id
            if not re.fullmatch("[0-9a-f]{16}", text):  # such a text is taken for the digits themselves
                assert client.start_span("c", root.trace_id, text).parent_id == span.span_id
