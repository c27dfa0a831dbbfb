"""Foreign words are cleaned before any output: credentials by their shape, and characters that steer a terminal."""

from __future__ import annotations

import io
import json
import logging

import pytest

from tracebridge.errors import Retryable
from tracebridge.masking.foreign import clean
from tracebridge.masking.known import KnownSecrets
from tracebridge.masking.loggers import logger
from tracebridge.masking.printable import printable, printable_json

STEERING = "".join(
    map(
        chr,
        [
            *range(0x20),
            *range(0x7F, 0xA0),
            0x61C,
            0x200E,
            0x200F,
            *range(0x2028, 0x202F),
            *range(0x2066, 0x206A),
            0xFEFF,
        ],
    )
)


@pytest.fixture(autouse=True)
def no_other_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configurations that other tests left alive mask their own secrets; here only those of the test count."""
    monkeypatch.setattr("tracebridge.masking.known._alive", {})


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("got 'Authorization: Bearer abc.def' from you", "got 'Authorization: Bearer ***' from you"),
        ("refused Bearer t0k3n, sorry", "refused Bearer ***, sorry"),
        ("bearer: t0k3n", "bearer: ***"),
        ("Bearer token expired", "Bearer token expired"),
        ('WWW-Authenticate: Bearer realm="x"', 'WWW-Authenticate: Bearer realm="x"'),
        ("Basic dXNlcjpwYXNz is wrong", "Basic *** is wrong"),
        ("a basic example, basic auth failed", "a basic example, basic auth failed"),
        ("invalid token: Bearer t0k3n", "invalid token: Bearer ***"),
        ('{"password": "a b", "page": 2}', '{"password": "***", "page": 2}'),
        ('{\\"password\\": \\"ab\\"}', '{\\"password\\": \\"***\\"}'),
        ("connect(host='h', password='pw', port=1)", "connect(host='h', password='***', port=1)"),
        ("AccountKey=abc==;Endpoint=x", "AccountKey=***;Endpoint=x"),
        ("https://me:pw@host/x?token=abc&a=1", "https://***@host/x?token=***&a=1"),
        ("Cookie: a=b; c=d", "Cookie: ***"),
        ("jwt eyJhbGciOi.eyJzdWIiOi.abc ends", "jwt *** ends"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "***"),
        ("if token == other: tokens: 5, max_tokens=7", "if token == other: tokens: 5, max_tokens=7"),
        ("password: None", "password: None"),
        ('{authorization: "Bearer ${env:TOKEN}", token: ${TOKEN}}', '{authorization: "Bearer ${env:TOKEN}", token: ${TOKEN}}'),
    ],
)  # fmt: skip
def test_credentials_are_known_by_their_shape(said: str, shown: str) -> None:
    """Whoever they belong to; words about credentials stay."""
    assert clean(said) == shown


def test_nothing_that_steers_a_terminal_is_left() -> None:
    """In text a blank takes its place; in JSON it is escaped, and means the same."""
    text = f"a{STEERING}é漢🙂b"
    assert printable(text) == f"a{' ' * len(STEERING)}é漢🙂b"
    data = printable_json(json.dumps([text], ensure_ascii=False).encode())
    assert [char for char in data.decode() if not char.isprintable()] == []
    assert (json.loads(data), "é漢🙂b" in data.decode()) == ([text], True)


def test_an_error_of_delivery_is_clean_from_its_making() -> None:
    """Whichever adapter makes it, a stranger's too."""
    known = KnownSecrets(["stR4nger-s3cret"])
    error = Retryable("no stR4nger-s3cret,\n Bearer t0k3n\x1b[2J")
    assert (str(error), repr(error)) == ("no ***, Bearer ***[2J", "Retryable('no ***, Bearer ***[2J')")
    del known


def test_an_object_that_has_no_text_is_named() -> None:
    """Its own error is nobody's business here."""

    class Broken:
        def __str__(self) -> str:
            raise ValueError("x")

    assert clean(Broken()) == "<Broken: no text>"


def test_our_loggers_clean_messages_and_tracebacks() -> None:
    """Before any handler of the application's sees them, whatever it does with the exception."""
    known = KnownSecrets(["Bearer tR4ceb4ck-s3cret"])
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    seen = []
    handler.addFilter(lambda record: seen.append(record) or True)
    ours = logger("tracebridge.delivery")
    ours.addHandler(handler)
    try:
        try:
            raise ValueError("TR4CEB4CK%2DS3CRET at https://u:pw@h\x9b1m")
        except ValueError as cause:
            raise RuntimeError("tR4ceb4ck-s3cret again") from cause
    except RuntimeError as error:
        ours.warning("failed: %s", error, exc_info=True)
    finally:
        ours.removeHandler(handler)
    text = written.getvalue()
    assert [word for word in ("4ceb4ck", "4CEB4CK", "u:pw", "\x9b") if word in text] == []
    assert ("failed: *** again" in text, "RuntimeError: *** again" in text, text.count("Traceback")) == (True, True, 2)
    assert [record.exc_info for record in seen] == [None]
    del known
