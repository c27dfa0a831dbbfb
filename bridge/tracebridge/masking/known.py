"""The secrets of this process's configurations, found again in any text, however a server wrote them down.

A server may repeat a token escaped, percent-encoded, in other case, with line breaks in it, in base64 or hex, or cut. So texts are compared without
escapes, case and punctuation, and in pieces: any six letters and digits of a secret that follow each other are masked.
"""

from __future__ import annotations

import base64
import binascii
import re
import weakref
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, unquote, unquote_plus, urlsplit

MASK: Final = "***"
SHORTEST = 4  # characters; what is shorter is not treated as a secret
IN_PIECES = (
    6  # letters and digits of a secret from which on its pieces are looked for; shorter ones where they stand alone
)
PIECE, SHORT_PIECE = (
    6,
    5,
)  # letters and digits of a secret that are masked wherever they stand, and those of one of less than ten
BASE64_PIECE, HEX_PIECE = 8, 12  # the same in base64 and in hex
DEEPEST = 3  # escapes within escapes
_SCHEMES = frozenset({"bearer", "basic", "token", "apikey", "digest"})
_ESCAPE = re.compile(
    r"\\u\{?([0-9a-fA-F]{2,6})\}?|\\x([0-9a-fA-F]{2})|%([0-9a-fA-F]{2})|&#[xX]([0-9a-fA-F]{1,6});|&#([0-9]{1,7});|=([0-9A-F]{2})"
)
_COUNTED = frozenset("abcdefghijklmnopqrstuvwxyz0123456789") | frozenset(map(chr, range(0x80, 0x100)))

_alive: dict[int, weakref.ref[KnownSecrets]] = {}


class KnownSecrets:
    """Some secrets, masked in every foreign text of this process for as long as this object lives.

    Words shorter than SHORTEST are left out. Of a header's value such as `Bearer …` the credential counts, not the scheme.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        words = {word for text in texts for word in _words(text) if len(word) >= SHORTEST}
        self._whole = _alone(sorted(word for word in words if len(_folded(word)) < IN_PIECES))
        self._pieces = _Pieces(word for word in words if len(_folded(word)) >= IN_PIECES)
        if words:
            key = id(self)
            _alive[key] = weakref.ref(self, lambda _: _alive.pop(key, None))

    def mask(self, text: str) -> str:
        """Return a text with these secrets masked.

        >>> KnownSecrets(["Bearer t0k3n/12"]).mask("no such token: T0K3N%2F12, nor dDBrM24vMTI=")
        'no such token: ***, nor ***'
        """
        return self._masked(text, _unfolded(text))

    def _masked(self, text: str, unfolded: _Unfolded) -> str:
        text = _cut_out(text, self._pieces.found_in(unfolded))
        return text if self._whole is None else self._whole.sub(MASK, text)


def without_known_secrets(text: str) -> str:
    """Return a text with the secrets of every configuration that is in use in this process masked."""
    for known in [found for ref in _alive.copy().values() if (found := ref()) is not None]:
        text = known.mask(text)
    return text


def secrets_of_address(url: str) -> Iterator[str]:
    """Yield what may be secret in an address, as it stands there and as it is meant: user info and the values of parameters."""
    parts = urlsplit(url)
    user_info = parts.netloc.rpartition("@")[0]
    user, colon, password = user_info.partition(":")
    values = [part.partition("=")[2] for part in re.split("[&;]", parts.query)]
    for text in (user_info, password if colon and password else user, parts.query, *values):
        yield from (text, unquote(text), unquote_plus(text))


def texts_that_may_be_secret(value: Any) -> Iterator[str]:
    """Yield what may be secret in a value whose keys are somebody else's: every text in it, of an address only its secrets.

    The host of an address stands in the messages of other destinations too, which must stay readable.
    """
    if isinstance(value, str):
        text = str.__str__(value)
        yield from secrets_of_address(text) if _is_address(text) else (text,)
    elif isinstance(value, (dict, list, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_that_may_be_secret(item)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def _words(text: str) -> Iterator[str]:
    """Yield what is secret in a value: itself, the credential of a scheme, and what Basic encodes (RFC 7617)."""
    text = text.strip()
    scheme, _, rest = text.partition(" ")
    if scheme.lower() not in _SCHEMES or not rest.strip():
        yield text
        return
    yield rest.strip()
    if scheme.lower() == "basic":
        try:
            user, colon, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return
        if colon:
            yield f"{user}:{password}"
            yield password


def _alone(words: list[str]) -> re.Pattern[str] | None:
    """Return what finds short words where they stand alone: as they are, and percent-encoded."""
    forms = sorted({form for word in words for form in (word, quote(word, safe=""))}, key=len, reverse=True)
    if not forms:
        return None
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, forms))})(?![^\W_])", re.IGNORECASE)


class _Pieces:
    """Every run of some length of some secrets, as they are, in base64 and in hex."""

    def __init__(self, words: Iterable[str]) -> None:
        self._of_length: dict[int, set[str]] = defaultdict(set)
        for word in words:
            folded = _folded(word)
            self._add(folded, PIECE if len(folded) >= 10 else SHORT_PIECE)
            data = word.encode("utf-8", "surrogatepass")
            for encoded in _in_base64(data):
                self._add(encoded.lower(), BASE64_PIECE)
            self._add(data.hex(), HEX_PIECE)

    def _add(self, folded: str, length: int) -> None:
        self._of_length[length].update(folded[at : at + length] for at in range(len(folded) - length + 1))

    def found_in(self, unfolded: _Unfolded) -> list[tuple[int, int]]:
        """Return where pieces stand in a text, from first to last character, in order."""
        found = []
        folded, starts, ends = unfolded
        for length, pieces in self._of_length.items():
            found += [
                (starts[at], ends[at + length - 1])
                for at in range(len(folded) - length + 1)
                if folded[at : at + length] in pieces
            ]
        return sorted(found)


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield what base64 makes of these bytes wherever they stand in a longer text, without what depends on their neighbours."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        whole = encoded[(0, 2, 3)[before] : len(encoded) - ((before + len(data)) % 3 != 0)]
        yield "".join(char for char in whole if char.isalnum())


_Unfolded = tuple[str, list[int], list[int]]
"""A text without escapes, case and punctuation, and where each of its characters begins and ends in the text itself."""


def _unfolded(text: str) -> _Unfolded:
    chars: list[str] = []
    places: list[tuple[int, int]] = []
    for at, char in enumerate(text):
        for byte in char.lower().encode("utf-8", "surrogatepass"):
            chars.append(chr(byte))
            places.append((at, at + 1))
    for _ in range(DEEPEST):
        chars, places, changed = _unescaped(chars, places)
        if not changed:
            break
    kept = [(char, place) for char, place in zip(chars, places, strict=True) if char in _COUNTED]
    return "".join(char for char, _ in kept), [place[0] for _, place in kept], [place[1] for _, place in kept]


def _unescaped(chars: list[str], places: list[tuple[int, int]]) -> tuple[list[str], list[tuple[int, int]], bool]:
    out: list[str] = []
    where: list[tuple[int, int]] = []
    done = 0
    for found in _ESCAPE.finditer("".join(chars)):
        start, end = found.span()
        out += chars[done:start]
        where += places[done:start]
        byte_in_hex, hexadecimal, decimal = found[2] or found[3] or found[6], found[1] or found[4], found[5]
        code = int(decimal) if decimal else int(byte_in_hex or hexadecimal, 16)
        meant = [chr(code)] if byte_in_hex else _as_bytes(code)
        out += [char.lower() if char.isascii() else char for char in meant]
        where += [(places[start][0], places[end - 1][1])] * len(meant)
        done = end
    return [*out, *chars[done:]], [*where, *places[done:]], done > 0


def _as_bytes(code: int) -> list[str]:
    if code > 0x10FFFF:
        return []
    return [chr(byte) for byte in chr(code).lower().encode("utf-8", "surrogatepass")]


def _folded(text: str) -> str:
    """Return a secret as it is looked for: it is meant letter by letter, so that no escapes are read in it."""
    return "".join(char for byte in text.lower().encode("utf-8", "surrogatepass") if (char := chr(byte)) in _COUNTED)


def _cut_out(text: str, places: list[tuple[int, int]]) -> str:
    """Mask the places, and what stands directly beside them: an ending that has a bit of the secret in base64, the rest of a cut one."""
    out: list[str] = []
    done = 0
    for first, last in places:
        start, end = first, last
        if end <= done:
            continue
        while start > done and text[start - 1].isalnum():
            start -= 1
        while end < len(text) and (text[end].isalnum() or text[end] == "="):
            end += 1
        if start > done or not out:
            out += [text[done:start], MASK]
        done = end
    return "".join([*out, text[done:]])
