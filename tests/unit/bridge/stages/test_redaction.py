"""Secrets are masked before anything is queued; what is no secret is left alone."""

from __future__ import annotations

import msgspec
import pytest

from tracebridge import SpanEvent, SpanRecord
from tracebridge.masking.names import is_secret_key
from tracebridge.masking.patterns import MASK
from tracebridge.stages.redaction import Redaction

RECORD = SpanRecord(b"t" * 16, b"s" * 8, None, "a", 1, 2)


@pytest.mark.parametrize(
    "key",
    ["password", "dbPassword", "DB_PASSWORD", "user.passwd", "secret", "clientSecret", "token", "auth_token", "X-Auth-Token",
     "apikey", "api_key", "apiKey", "API-KEY", "authorization", "Authorization", "cookie", "set-cookie", "credential",
     "credentials", "private_key", "privateKey", "access_key", "awsAccessKey", "refreshToken"],
)  # fmt: skip
def test_keys_that_name_secrets(key):
    """Whole words count, in any spelling."""
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    ["max_tokens", "token_count", "tokens", "usage.total_tokens", "prompt_token_usage", "llm.token_count.prompt", "tokenizer",
     "secretary", "passwordless", "key", "primary_key", "keyboard", "cookies_enabled_", "monkey", "author", "http.method"],
)  # fmt: skip
def test_keys_that_only_look_like_secrets(key):
    """Counts of tokens and words that merely contain one are left alone."""
    if key == "cookies_enabled_":
        assert is_secret_key(key)  # a whole word is a whole word: allow_keys is for this
    else:
        assert not is_secret_key(key)


def test_secrets_are_masked_wherever_they_stand(client, delivered):
    """Attributes, inputs, outputs, events, tags and nested values are all looked at, and counted."""
    root = client.start_trace(
        "r",
        inputs={"user": "u", "password": "canary-1", "nested": [{"api_key": "canary-2"}]},
        attributes={"auth.token": "canary-3", "plain": "Bearer canary-4", "other": "Basic canary-5"},
        tags={"secret": "canary-6"},
    )
    root.add_event(SpanEvent("e", attributes={"cookie": "canary-7"}))
    root.end(outputs={"credentials": {"a": "canary-8"}}, status="OK")
    (record,) = delivered(client)
    assert "canary" not in repr(record)
    assert record.inputs == {"user": "u", "password": MASK, "nested": [{"api_key": MASK}]}
    assert record.redacted == 8


@pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "Basic dXNlcg==", "BEARER abc"])
def test_credentials_are_masked_under_any_key_on_the_short_way_too(client, delivered, value):
    """A span with nothing but harmless keys still never carries a bearer token."""
    root = client.start_trace("r")
    child = client.start_span("c", root.trace_id, root.span_id, attributes={"header": value, "n": 1})
    child.end()
    (record,) = delivered(client)
    assert (record.attributes, record.redacted) == ({"header": MASK, "n": 1}, 1)


def test_words_that_merely_contain_the_prefix_are_kept(client, delivered):
    """`forbearer notes` is no credential."""
    client.start_trace("r", attributes={"a": "forbearer notes", "b": "a basic thing"}).end()
    assert delivered(client)[0].attributes == {"a": "forbearer notes", "b": "a basic thing"}


def test_deny_and_allow_keys_are_whole_keys_in_any_case(make_client, delivered):
    """The user's own lists win over the default."""
    client = make_client(redaction={"deny_keys": ["SSN"], "allow_keys": ["session_token"]})
    client.start_trace("r", attributes={"ssn": "1", "session_token": "2", "token": "3"}).end()
    assert delivered(client)[0].attributes == {"ssn": MASK, "session_token": "2", "token": MASK}


def test_cards_and_jwts_are_masked_within_text_when_asked(make_client, delivered):
    """Only digits that pass the card checksum are masked."""
    client = make_client(redaction={"deny_values": ["card", "jwt", "cust-[0-9]+"]})
    text = "paid with 4111 1111 1111 1111 for order 1234567890123456 by cust-77, eyJhbGciOi.eyJzdWIiOi.abc"
    client.start_trace("r", attributes={"note": text}).end()
    note = delivered(client)[0].attributes["note"]
    assert note == f"paid with {MASK} for order 1234567890123456 by {MASK}, {MASK}"


def test_action_drop_leaves_the_attribute_out(make_client, delivered):
    """Nothing hints at what was there but the count."""
    client = make_client(redaction={"action": "drop"})
    client.start_trace("r", attributes={"password": "x", "a": 1}).end()
    (record,) = delivered(client)
    assert (record.attributes, record.redacted) == ({"a": 1}, 1)


def test_redaction_of_keys_can_be_switched_off(make_client, delivered):
    """keys: none masks no key but the denied ones."""
    client = make_client(redaction={"keys": "none", "deny_keys": ["ssn"]})
    client.start_trace("r", attributes={"password": "x", "ssn": "y"}).end()
    assert delivered(client)[0].attributes == {"password": "x", "ssn": MASK}


@pytest.mark.parametrize(
    ("key", "given", "kept"),
    [
        ("http.url", "https://h/x?password=abc&page=2&token=s3", "https://h/x?password=[redacted]&page=2&token=[redacted]"),
        ("url.full", "https://me:pw@h/x#a", "https://[redacted]@h/x#a"),
        ("url.full", "https://b.test/o?sig=abc&X-Amz-Signature=de&AWSAccessKeyId=F", "https://b.test/o?sig=[redacted]&X-Amz-Signature=[redacted]&AWSAccessKeyId=[redacted]"),
        ("url.query", "api%5Fkey=1&q=token", "api%5Fkey=[redacted]&q=token"),
        ("http.target", "/x?access_token=1;b=2", "/x?access_token=[redacted];b=2"),
        ("http.target", "/token=abc/path?max_tokens=5", "/token=abc/path?max_tokens=5"),
        ("url.full", "https://h/path?redirect=https://o/?q=1", "https://h/path?redirect=https://o/?q=1"),
        ("http.target", "/secret=1/x", "/secret=1/x"),
        ("note", "https://h/x?password=abc", "https://h/x?password=abc"),
    ],
)  # fmt: skip
def test_secrets_in_addresses_are_masked_and_the_rest_of_the_address_stays(key, given, kept):
    """Instrumentation records whole addresses; a parameter that names a secret is one, wherever else it may stand."""
    record = msgspec.structs.replace(RECORD, attributes={key: given, "a": 1})
    for _ in range(2):  # the second time every key has been seen
        cleaned = Redaction()(record)
        assert cleaned.attributes == {key: kept, "a": 1}
        assert cleaned.redacted == kept.count("[redacted]")


def test_addresses_are_left_alone_when_asked():
    """By their key, or with the default keys off."""
    record = msgspec.structs.replace(RECORD, attributes={"http.url": "https://h/?token=1"})
    assert Redaction(allow_keys=["http.url"])(record) is record
    assert Redaction(default_keys=False)(record) is record


def test_an_address_is_masked_on_the_short_way_too(make_client, delivered):
    """A span whose only attributes are plain takes no other."""
    client = make_client()
    with client.trace("t"):
        for _ in range(2):
            client.start_span("s", attributes={"http.url": "https://h/?token=1"}).end()
    assert [r.attributes.get("http.url") for r in delivered(client)][:2] == ["https://h/?token=[redacted]"] * 2


def test_credentials_within_messages_stack_traces_and_status_messages_are_masked(client, delivered):
    """Whoever raises puts into the message what is at hand, and the traceback repeats it."""
    root = client.start_trace("r")
    try:
        try:
            raise ValueError("401 for https://me:canary-1@h/x?token=canary-2")
        except ValueError as cause:
            raise RuntimeError("sent Authorization: Bearer canary-3, password='canary-4'") from cause
    except RuntimeError as error:
        root.record_exception(error)
    root.add_event(SpanEvent("log", attributes={"log.message": "Cookie: a=canary-5; b=canary-5"}))
    root.end()
    (record,) = delivered(client)
    assert "canary" not in repr(record)
    assert "password='[redacted]'" in record.status_message
    assert record.redacted > 5


@pytest.mark.parametrize("where", ["attributes", "inputs"])
def test_lists_of_headers_are_masked_as_text_and_as_bytes(client, delivered, where):
    """ASGI's and WSGI's pairs, HAR's names and values; pairs that name no secret stay, and so do their other fields."""
    headers = {
        "asgi": [(b"authorization", b"Bearer canary"), (b"x-api-key", b"canary"), (b"accept", b"*/*"), (b"x", b"Bearer canary")],
        "wsgi": [("Set-Cookie", "a=canary"), ("Accept", "*/*")],
        "har": [{"name": "Cookie", "value": "canary", "comment": "c"}, {"key": "api_key", "value": "canary"}, {"name": "n", "value": 1}],
        "words": ["token", "parser"],
        "alone": b"Basic Y2FuYXJ5",
    }  # fmt: skip
    client.start_trace("r", **{where: headers}).end()
    (record,) = delivered(client)
    assert getattr(record, where) == {
        "asgi": [[b"authorization", MASK], [b"x-api-key", MASK], [b"accept", b"*/*"], [b"x", MASK]],
        "wsgi": [["Set-Cookie", MASK], ["Accept", "*/*"]],
        "har": [{"name": "Cookie", "value": MASK, "comment": "c"}, {"key": "api_key", "value": MASK}, {"name": "n", "value": 1}],
        "words": ["token", "parser"],
        "alone": MASK,
    }  # fmt: skip
    assert record.redacted == 7


@pytest.mark.parametrize("inputs", [{"name": "token", "value": "canary"}, [["token", "canary"]], {"a": [["token", "canary"]]}, [{"a": {"key": "token", "value": "canary"}}]])  # fmt: skip
def test_plain_payloads_are_looked_at_for_pairs_on_the_fast_path_too(client, delivered, inputs):
    """Nothing about them is out of the ordinary but the secret."""
    client.start_trace("r", inputs=inputs).end()
    (record,) = delivered(client)
    assert ("canary" in repr(record), record.redacted) == (False, 1)


def test_patterns_are_looked_for_in_bytes(make_client, delivered):
    """What is found is text with the rest of it; bytes without it stay bytes."""
    client = make_client(redaction={"deny_values": ["cust-[0-9]+"]})
    client.start_trace("r", attributes={"a": [b"by cust-77", b"\xff\x00"]}).end()
    assert delivered(client)[0].attributes == {"a": [f"by {MASK}", b"\xff\x00"]}


def test_addresses_in_lists_and_in_other_attributes_are_masked(client, delivered):
    """Headers are recorded as lists; what stands behind the # is looked at as well."""
    given = {
        "http.request.header.referer": ["https://h/?token=canary"],
        "http.response.header.location": ["https://h/cb#access_token=canary&state=1"],
        "url.fragment": "id_token=canary&state=1",
        "db.connection_string": "postgres://me:canary@h/db",
    }
    client.start_trace("r", attributes=given).end()
    assert delivered(client)[0].attributes == {
        "http.request.header.referer": [f"https://h/?token={MASK}"],
        "http.response.header.location": [f"https://h/cb#access_token={MASK}&state=1"],
        "url.fragment": f"id_token={MASK}&state=1",
        "db.connection_string": f"postgres://{MASK}@h/db",
    }
