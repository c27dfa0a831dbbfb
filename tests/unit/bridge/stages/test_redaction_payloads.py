"""Redaction on payloads as programs really have them: no secret is missed, and what merely looks like one is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from tracebridge.masking.patterns import MASK

S = "s3cr3t-Zq9"
"""Stands wherever a real payload holds a secret; nothing else in a payload is one."""

PAYLOADS: dict[str, Any] = {
    "an HTTP request with its headers": {
        "method": "POST",
        "url": "https://api.example.com/v1/orders",
        "headers": {
            "Authorization": f"Bearer {S}", "authorization": f"Basic {S}", "Proxy-Authorization": f"Digest {S}", "Cookie": f"session={S}; theme=dark",
            "Set-Cookie": [f"sid={S}; HttpOnly"], "X-Api-Key": S, "X-Auth-Token": S, "X-Amz-Security-Token": S, "X-CSRF-Token": S,
            "Content-Type": "application/json", "X-Request-Id": "7f3c", "Accept-Language": "de", "Keep-Alive": "timeout=5",
        },
    },
    "an OAuth exchange": {
        "request": {"grant_type": "client_credentials", "client_id": "shop", "client_secret": S, "scope": "read"},
        "response": {"access_token": S, "refresh_token": S, "id_token": S, "expires_in": 3600, "scope": "read"},
    },
    "a language model's answer with its usage": {
        "model": "m-1", "api_key": S, "max_tokens": 256, "maxTokens": 256, "max_output_tokens": 512, "temperature": 0.2, "tokenizer": "bpe",
        "usage": {
            "prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46, "input_token_count": 12, "cached_tokens": 0,
            "completion_tokens_details": {"reasoning_tokens": 7},
        },
        "llm.token_count.prompt": 12, "gen_ai.usage.output_tokens": 34, "tokens": ["a", "b"], "token_budget": 1000, "remaining_token_limit": 10,
    },
    "a database's settings": {
        "host": "db.internal", "port": 5432, "user": "app", "password": S, "dbPassword": S, "DB_PASSWORD": S, "passwd": S, "ssl": True,
        "primary_key": "id", "foreign_key": "user_id", "keyspace": "orders", "partition_key": "eu", "pool": {"size": 5},
    },
    "a cloud's settings": {
        "region": "eu-central-1", "aws_access_key_id": S, "aws_secret_access_key": S, "awsSessionToken": S, "accountId": "123456789012",
        "privateKey": S, "private_key": S, "credentials": {"type": "service_account", "anything": S},
        "bucket": "secretary-of-state-archive", "keys": ["a"], "monkey": 1, "author": "Ann", "authored_by": "Ann",
    },
    "a user's form": {
        "email": "ann@example.com", "passwordless": True, "new_password": S, "passphrase": S, "cookie": S,
        "tokenization": "done", "secretary": "Bob", "authority": "city", "description": "a bearer of good news, basic needs",
    },
    "a webhook, as lists of pairs and deep": {
        "events": [{"data": {"object": {"secret": S, "id": "evt_1", "nested": [{"apiKey": S}, {"note": f"bearer {S}"}]}}}],
        "signature_algorithm": "sha256", "webhook_secret": S,
    },
}  # fmt: skip


def masked(payload: Any) -> Any:
    """What must be left of a payload: everything but what holds the secret."""
    if isinstance(payload, dict):
        return {key: MASK if key == "credentials" else masked(value) for key, value in payload.items()}
    if isinstance(payload, list):
        return (
            MASK
            if all(isinstance(item, str) and S in item for item in payload) and payload
            else [masked(item) for item in payload]
        )
    return MASK if isinstance(payload, str) and S in payload else payload


@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("place", ["inputs", "outputs", "attributes"])
def test_no_miss_and_no_false_hit(client: Any, delivered: Any, name: str, place: str) -> None:
    """Wherever the payload stands: inputs, outputs, or an attribute."""
    payload = PAYLOADS[name]
    root = client.start_trace(
        "r",
        inputs=payload if place == "inputs" else None,
        attributes={"payload": payload} if place == "attributes" else None,
    )
    root.end(outputs=payload if place == "outputs" else None)
    (record,) = delivered(client)
    kept = {"inputs": record.inputs, "outputs": record.outputs, "attributes": record.attributes.get("payload")}[place]
    assert kept == masked(payload)
    assert S not in repr(record)
    assert record.redacted > 0


def test_headers_as_attributes_of_instrumentation(client: Any, delivered: Any) -> None:
    """OpenTelemetry names captured headers `http.request.header.<name>`; flags and page tokens are masked too, unless allowed."""
    attributes = {
        "http.request.header.authorization": S,
        "http.request.header.x-api-key": S,
        "http.response.header.set-cookie": [S],
        "http.request.header.user-agent": "curl",
        "http.request.method": "GET",
        "next_page_token": "opaque",
    }
    client.start_trace("r", attributes=attributes).end()
    (record,) = delivered(client)
    kept = {"http.request.header.user-agent": "curl", "http.request.method": "GET"}
    assert record.attributes == {**dict.fromkeys(attributes, MASK), **kept}
