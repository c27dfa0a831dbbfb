"""OpenTelemetry's member of the tracestate: `ot=th:…;rv:…`, with what others write into it."""

from __future__ import annotations

from typing import NamedTuple

from tracebridge.propagation import tracestate
from tracebridge.sampling.threshold import randomness_text, read_randomness, read_threshold, text_of

KEY = "ot"
_THRESHOLD, _RANDOMNESS = "th", "rv"
MOST_MEMBERS = 31  # that leave us with an `ot`: the Collector's sampler reads no list of 32
LONGEST = tracestate.LONG_MEMBER  # characters: a longer member is the first that goes where a list has no room


class Member(NamedTuple):
    """What an `ot` says."""

    threshold: int | None = None
    randomness: int | None = None
    rest: tuple[str, ...] = ()
    """Other people's parts, `key:value`."""


NOTHING = Member()


def read(trace_state: str) -> Member:
    """Return what a tracestate's `ot` says. A part that is malformed is as if it were not there; of two of one key the last counts.

    >>> read("dd=s:1,ot=rv:0123456789abcd;th:8;th:c").threshold == 0xC0000000000000
    True
    """
    if KEY not in trace_state:
        return NOTHING
    for member in trace_state.split(","):
        key, _, value = member.partition("=")
        if key == KEY:
            return _read(value)
    return NOTHING


def _read(value: str) -> Member:
    threshold = randomness = None
    rest = []
    for part in value.split(";"):
        key, _, text = part.partition(":")
        if key == _THRESHOLD:
            threshold = read_threshold(text)
        elif key == _RANDOMNESS:
            randomness = read_randomness(text)
        elif part:
            rest.append(part)
    return Member(threshold, randomness, tuple(rest))


def put(trace_state: str, member: Member) -> str:
    """Return a tracestate whose `ot` says this; it has none where that is nothing.

    It stands in front, `th` first, and is the last that a limit cuts.
    """
    value = _text(member)
    if len(value) > LONGEST:
        value = _text(member._replace(rest=()))
    if not trace_state:
        return f"{KEY}={value}" if value else ""
    made = tracestate.put(trace_state, {KEY: value})
    if value and made.count(",") >= MOST_MEMBERS:
        made = ",".join(made.split(",")[:MOST_MEMBERS])
    return made


def _text(member: Member) -> str:
    parts = []
    if member.threshold is not None:
        parts.append(f"{_THRESHOLD}:{text_of(member.threshold)}")
    if member.randomness is not None:
        parts.append(f"{_RANDOMNESS}:{randomness_text(member.randomness)}")
    return ";".join((*parts, *member.rest))
