"""W3C Baggage (https://www.w3.org/TR/baggage/): what an application sends along with its requests.

Kept as the header has it, checked, so that passing it on costs nothing and properties survive; read into a mapping where somebody asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from tracebridge.propagation.formats import OWS

BAGGAGE = "baggage"
TAB = "\t"  # allowed around properties, but some HTTP libraries refuse to send one
MAX_MEMBERS, MAX_LENGTH = 64, 8192  # list-members and bytes that everybody has to propagate, section 3.3.2
MAX_HEADER = 4 * MAX_LENGTH  # characters that we look at

# What each part takes it never gives back: otherwise two runs of blanks beside each other, or many properties, take a hostile header seconds.
_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # RFC 9110, 5.6.2
_VALUE = r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*+"  # baggage-octet
_WS = r"[ \t]*+"
_member = re.compile(
    rf"({_WORD}){_WS}={_WS}({_VALUE}){_WS}((?:;{_WS}{_WORD}(?:{_WS}={_WS}{_VALUE})?{_WS})*+)"
).fullmatch
_key = re.compile(_WORD).fullmatch
_SAFE = "!#$&'()*-./:<=>?@[]^_`{|}~"  # baggage-octets that need no percent sign; + would, for readers that take it for a space


def read(text: str) -> str:
    """Return the valid members within the limits, the first of each key; a member that breaks the grammar is left out alone."""
    if len(text) > MAX_HEADER:
        return ""
    members: dict[str, str] = {}
    for each in text.split(","):
        found = _member(each.strip(OWS))
        if found is not None and found[1] not in members:
            properties = found[3].strip(OWS).replace(TAB, " ")
            members[found[1]] = f"{found[1]}={found[2]}{properties}"
    return _cut(list(members.values()))


def decode(text: str) -> dict[str, str]:
    """Return the entries of a valid header, percent-decoded; properties are left out."""
    pairs = (member.partition(";")[0].partition("=") for member in text.split(",") if member)
    return {key.strip(OWS): unquote(value.strip(OWS)) for key, _, value in pairs}


def put(text: str, entries: Mapping[str, str]) -> str:
    """Return a valid header with entries set; a key that no header can carry is left out."""
    kept = [member for member in text.split(",") if member and member.partition("=")[0] not in entries]
    new = [
        f"{key}={quote(str(value), safe=_SAFE, errors='replace')}" for key, value in entries.items() if _key(str(key))
    ]
    return _cut(new + kept)


def _cut(members: list[str]) -> str:
    del members[MAX_MEMBERS:]
    text = ",".join(members)
    while len(text) > MAX_LENGTH:
        members.pop()
        text = ",".join(members)
    return text
