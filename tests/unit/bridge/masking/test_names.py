"""Which keys name secrets, and what is masked in addresses."""

from __future__ import annotations

import pytest

from tracebridge.masking.names import is_secret_key, masked_address

SECRET = (
    "auth_tokens refreshTokens apikeys api_keys APIkey accesstoken csrftoken X-CSRFToken sessionTokens output.access_token "
    "input_auth_token clientsecret dbpassword pass_word PassPhrase account_key Ocp-Apim-Subscription-Key signing.key pwd"
)
HARMLESS = (
    "tokens max_tokens usage.total_tokens cache_read_input_tokens num_tokens tokens_used user_tokens token_count author monkey "
    "keyboard session.id compass secretary tokenizer"
)


@pytest.mark.parametrize("key", SECRET.split())
def test_the_plural_the_glued_and_the_counted_are_secrets_too(key: str) -> None:
    """What is carried is a secret, however many there are of it and however the word is written."""
    assert is_secret_key(key)


@pytest.mark.parametrize("key", HARMLESS.split())
def test_what_is_counted_is_none(key: str) -> None:
    """The tokens of a language model, and words that merely resemble."""
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("https://h/cb#access_token=abc&state=1", "https://h/cb#access_token=***&state=1"),
        ("https://h/cb?state=1#id_token=abc", "https://h/cb?state=1#id_token=***"),
        ("https://h/?next=https%3A%2F%2Fo%2F%23access_token%3Dabc&a=1", "https://h/?next=***&a=1"),
        ("https://h/?next=https%3A%2F%2Fme%3Apw%40o%2F%3Fq%3D1", "https://h/?next=***"),
        ("https://h/?next=https%3A%2F%2Fo%2F%3Fpage%3D1", "https://h/?next=https%3A%2F%2Fo%2F%3Fpage%3D1"),
        ("https://h/?auth%5Ftokens=1", "https://h/?auth%5Ftokens=***"),
    ],
)  # fmt: skip
def test_parameters_of_fragments_and_of_addresses_within_addresses_are_masked(address: str, masked: str) -> None:
    """OAuth's implicit flow puts the token behind the #; a redirect may carry one in an address of its own."""
    assert masked_address(address, "***", is_secret_key)[0] == masked
