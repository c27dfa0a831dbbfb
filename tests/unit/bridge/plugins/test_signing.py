"""Keys that sign lines: what is refused says why, and never what the key is."""

from __future__ import annotations

import pytest

from tracebridge import Client, ConfigError
from tracebridge.masking.foreign import clean
from tracebridge.plugins.signing import Key, Proof, keys_of

GOOD = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it holds no key"),
        (GOOD, "entry 1 is not ID=KEY"),
        (f"a={GOOD} b", "entry 2 is not ID=KEY"),
        ("a=short-k3y", "the key a is shorter than 32 characters"),
        (f"a.b={GOOD}", "the ID of a key is 1 to 32 letters"),
        (f"={GOOD}", "the ID of a key is 1 to 32 letters"),
    ],
)
def test_keys_that_cannot_be_used_are_refused(text: str, said: str) -> None:
    """By their number or name."""
    with pytest.raises(ValueError, match=said) as caught:
        keys_of(text)
    assert (GOOD in str(caught.value), "short-k3y" in str(caught.value)) == (False, False)


def test_several_keys_are_read() -> None:
    """With whatever blanks between them; a key may hold the mark itself."""
    assert list(keys_of(f" a={GOOD}\n b-2={GOOD}== ")) == ["a", "b-2"]


def test_a_key_is_masked_wherever_it_comes_up() -> None:
    """As long as it is in use."""
    key = Key("a", GOOD[::-1])
    assert clean(f"bad key {GOOD[::-1].upper()}") == "bad key ***"
    del key


def test_a_proof_whose_line_cannot_be_read_proves_nothing() -> None:
    """Whatever goes wrong on the way."""

    def broken() -> bytes:
        raise RecursionError

    key = Key("a", GOOD)
    assert Proof("a", key.mac(b"x"), lambda: b"x").fault({"a": key}) == ""
    assert Proof("a", key.mac(b"x"), broken).fault({"a": key}).startswith("its signature is wrong")
    assert Proof("a", "ö", lambda: b"x").fault({"a": key}).startswith("its signature is wrong")


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ({"sign": {"key": "short-k3y"}}, "shorter than 32 characters"),
        ({"sign": {"key": GOOD, "id": "a b"}}, "the ID of a key is 1 to 32 letters"),
        ({"sign": {"key": GOOD}, "profile": "otlp_json"}, "sign does not go with profile: otlp_json"),
        ({"sign": {}}, "key"),
    ],
)
def test_a_configuration_that_cannot_sign_is_refused_at_start(log: dict[str, object], said: str) -> None:
    """Without the key in the report."""
    with pytest.raises(ConfigError, match=said) as caught:
        Client(config={"adapters": {"log": log}})
    assert (GOOD in str(caught.value), "short-k3y" in str(caught.value)) == (False, False)
