"""W3C tracestate (Trace Context level 2, section 3.3): validity, limits, and the order of what is changed.

A key may begin with a digit and have an `@` anywhere behind its first character, as level 2 has it. Of a key that is there twice the first stays,
as its members stand newest first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tracebridge.propagation.formats import OWS

MAX_MEMBERS = 32  # list-members, 3.3.1
MAX_LENGTH = 512  # characters that everybody has to propagate, 3.3.1.5
LONG_MEMBER = 128  # characters; longer members go first when the whole is too long, 3.3.1.5
MAX_HEADER = 32_768  # characters that we look at: 32 members of the longest kind are half of that

_KEY = r"[a-z0-9][a-z0-9_\-*/@]{0,255}+"
_FORM = _KEY + r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_member = re.compile(_FORM).fullmatch
_list = re.compile(rf"{_FORM}(?:,{_FORM}){{0,{MAX_MEMBERS - 1}}}").fullmatch


def read(text: str) -> str:
    """Return a valid list within the limits; empty when the text breaks the grammar or has more than 32 members.

    Several headers are joined by commas before they come here. Empty members are allowed, and left out.
    """
    if len(text) <= MAX_LENGTH and _list(text):  # as nearly all are: nothing to leave out or to cut
        members = text.split(",")
        return text if _differ(members) else _cut(_once(members))
    if len(text) > MAX_HEADER:
        return ""
    members = [member for each in text.split(",") if (member := each.strip(OWS))]
    if len(members) > MAX_MEMBERS or not all(map(_member, members)):
        return ""
    return _cut(_once(members))


def _differ(members: list[str]) -> bool:
    """Return whether no key is there twice."""
    return len(members) == 1 or len({member[: member.index("=")] for member in members}) == len(members)


def _once(members: list[str]) -> list[str]:
    """Return the first member of each key."""
    first: dict[str, str] = {}
    for member in members:
        first.setdefault(member[: member.index("=")], member)
    return list(first.values())


def put(state: str, changes: Mapping[str, str]) -> str:
    """Return a list with members set: changed ones stand first, in the order given, the others keep theirs (section 3.5).

    A value of "" deletes its member. What breaks the grammar is left out. Of more than 32 members the last ones go.
    """
    new = [f"{key}={value}" for key, value in changes.items() if value]
    new = [member for member in new if _member(member)]
    set_ = {member.partition("=")[0] for member in new} | {key for key, value in changes.items() if not value}
    kept = [member for member in state.split(",") if member and member.partition("=")[0] not in set_]
    return _cut((new + kept)[:MAX_MEMBERS])


def _cut(members: list[str]) -> str:
    """Return the members as a header of at most 512 characters: whole members go, the long ones first, then from the end."""
    text = ",".join(members)
    while len(text) > MAX_LENGTH:
        long = [member for member in members if len(member) > LONG_MEMBER]
        members.remove(long[-1] if long else members[-1])
        text = ",".join(members)
    return text
