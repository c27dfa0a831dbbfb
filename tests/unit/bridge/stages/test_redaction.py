"""Secrets are masked before anything is queued; what is no secret is left alone."""

from __future__ import annotations

import msgspec
import pytest

from tracebridge import SpanEvent, SpanRecord
from tracebridge.stages.redaction import MASK, Redaction, is_secret_key

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
