"""A secret of the configuration is found again however a server writes it down."""

from __future__ import annotations

import base64
import gc
import html
import json
import quopri
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracebridge.masking.foreign import clean
from tracebridge.masking.known import PIECE, KnownSecrets

TOKEN = "sk/Liv+e-93kfKQ02=="
WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": lambda s: s,
    "in upper case": str.upper,
    "in lower case": str.lower,
    "with escaped slashes": lambda s: json.dumps(s).replace("/", "\\/"),
    "as escapes of JSON": lambda s: "".join(f"\\u{ord(char):04x}" for char in s),
    "as escapes of Python": lambda s: "".join(f"\\x{ord(char):02x}" for char in s),
    "percent-encoded": lambda s: quote(s, safe=""),
    "percent-encoded twice": lambda s: quote(quote(s, safe=""), safe=""),
    "percent-encoded altogether": lambda s: "".join(f"%{ord(char):02X}" for char in s),
    "as entities of HTML": lambda s: html.escape(s) + "".join(f"&#{ord(char)};" for char in s),
    "as quoted-printable": lambda s: quopri.encodestring(s.encode()).decode(),
    "in base64": lambda s: base64.b64encode(s.encode()).decode(),
    "in base64 with more before it": lambda s: base64.b64encode(b"x:" + s.encode() + b"!").decode(),
    "in base64 for URLs": lambda s: base64.urlsafe_b64encode(b"yyy" + s.encode()).decode(),
    "in hex": lambda s: s.encode().hex(),
    "cut at its end": lambda s: s[:10] + "…",
    "cut at its beginning": lambda s: "…" + s[9:],
    "with line breaks": lambda s: "\r\n".join([s[:5], s[5:10], s[10:]]),
    "with blanks": " ".join,
}


def pieces_of(secret: str) -> list[str]:
    """Every run of letters and digits that is promised to be masked."""
    plain = "".join(char for char in secret.lower() if char.isalnum())
    return [plain[at : at + PIECE] for at in range(len(plain) - PIECE + 1)]


@pytest.mark.parametrize("form", WRITTEN)
def test_a_token_is_masked_however_a_server_writes_it_down(form: str) -> None:
    """And what stands around it stays."""
    known = KnownSecrets([f"Bearer {TOKEN}"])
    shown = known.mask(f"401: <{WRITTEN[form](TOKEN)}> is refused")
    assert (shown[:6], shown[-11:]) == ("401: <", " is refused"), shown
    assert "***" in shown
    assert [piece for piece in pieces_of(TOKEN) if piece in shown.lower()] == []


@given(
    secret=st.text("abcdefXYZ0123456789", min_size=12, max_size=40),
    before=st.binary(max_size=7),
    after=st.binary(max_size=7),
)
def test_base64_of_anything_around_a_secret_shows_none_of_it(secret: str, before: bytes, after: bytes) -> None:
    """However it falls on the groups of three bytes, no six bytes of it can be read back."""
    encoded = base64.b64encode(before + secret.encode() + after)
    shown = KnownSecrets([secret]).mask(encoded.decode())
    for part in shown.split("***"):
        data = part.encode()
        for shift in range(4):
            groups = b"A" * shift + data
            read = base64.b64decode(groups[: len(groups) // 4 * 4])
            assert not any(secret.encode()[at : at + 6] in read for at in range(len(secret) - 5))


def test_the_password_in_a_basic_header_is_a_secret_by_itself() -> None:
    """A server decodes it and repeats what is in it."""
    known = KnownSecrets(["Basic " + base64.b64encode(b"me:hunter22-x").decode()])
    assert known.mask("no user me with password hunter22-x") == "no user me with password ***"


def test_secrets_are_masked_as_long_as_their_configuration_is_in_use() -> None:
    """And are forgotten with it."""
    known = KnownSecrets(["qT7-forgotten-x"])
    assert clean("no qT7-forgotten-x") == "no ***"
    del known
    gc.collect()
    assert clean("no qT7-forgotten-x") == "no qT7-forgotten-x"


def test_what_resembles_no_secret_stays_as_it_is() -> None:
    """Other words, other numbers, no text at all."""
    known = KnownSecrets([f"Bearer {TOKEN}", "", "abc"])
    for text in ("", "401: unauthorized, see https://docs.test/auth?x=1%20y", "\\u00e9 & &#233; %C3%A9", "a\ud800b"):
        assert known.mask(text) == text
