"""Secrets are masked before anything is queued; what is no secret is left alone."""

from __future__ import annotations

import pytest

from tracebridge import SpanEvent
from tracebridge.redaction import MASK, is_secret_key


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
        inputs={"user": "u", "password": "p1", "nested": [{"api_key": "p2"}]},
        attributes={"auth.token": "p3", "plain": "Bearer p4", "other": "Basic p5"},
        tags={"secret": "p6"},
    )
    root.add_event(SpanEvent("e", attributes={"cookie": "p7"}))
    root.end(outputs={"credentials": {"a": "p8"}}, status="OK")
    (record,) = delivered(client)
    assert not any(f"p{n}" in repr(record) for n in range(1, 9))
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
