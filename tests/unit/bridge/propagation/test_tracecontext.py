"""W3C Trace Context, level 2, to the letter; the cases are those of the specification and of the W3C's own test harness."""

from __future__ import annotations

import pytest

from tracebridge import RemoteParent
from tracebridge.propagation.tracecontext import read, write

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{SPAN}-01"


def parent(flags: int = 1, trace_state: str = "") -> RemoteParent:
    """What a header with these IDs says."""
    return RemoteParent(TRACE, SPAN, flags, trace_state, format="tracecontext")


@pytest.mark.parametrize(
    "text, flags",
    [
        (HEADER, 1),
        (f"00-{TRACE}-{SPAN}-00", 0),
        (f"00-{TRACE}-{SPAN}-03", 3),  # sampled, random
        (f"00-{TRACE}-{SPAN}-02", 2),
        (f"00-{TRACE}-{SPAN}-ff", 3),  # bits that nobody knows are zero when they are passed on
        (f"00-{TRACE}-{SPAN}-08", 0),
        (f"01-{TRACE}-{SPAN}-01", 1),
        (f"cc-{TRACE}-{SPAN}-01", 1),
        (f"cc-{TRACE}-{SPAN}-03", 1),  # what bit 2 means there is not known
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", 1),
        (f"cc-{TRACE}-{SPAN}-01-", 1),
        (f" {HEADER}", 1),
        (f"\t{HEADER} \t", 1),
    ],
)
def test_valid_headers(text, flags):
    """Version 00, later versions by what is known of them, and blanks around."""
    assert read({"traceparent": text}) == parent(flags)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "00", "-", HEADER[:-1], HEADER + "0", HEADER + ".", HEADER + "-", HEADER + "-more", "0" + HEADER, HEADER + "\n", "\n" + HEADER,
        HEADER.replace("00-", "ff-", 1), HEADER.replace("00-", "0-", 1), HEADER.replace("00-", "000-", 1), HEADER.replace("00-", ".0-", 1),
        HEADER.replace("00-", "CC-", 1), HEADER.upper(), HEADER.replace("4bf9", "4BF9"), HEADER.replace("f067", "F067"),
        f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE[1:]}-{SPAN}-01", f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE}-{SPAN[1:]}-01", f"00-{TRACE}-{SPAN}0-01", f"00-{TRACE}-{SPAN}-1", f"00-{TRACE}-{SPAN}-001", f"00-{TRACE}-{SPAN}-.0",
        f"00-{TRACE}-{SPAN}-0g", f"00_{TRACE}_{SPAN}_01", f"00-{TRACE[:-1]}g-{SPAN}-01", f"00-{TRACE[:-1]}\u0661-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01.more", f"cc-{TRACE}-{SPAN}-0", f"cc-{'0' * 32}-{SPAN}-01", f"cc-{TRACE}-{'0' * 16}-01", f"{HEADER},{HEADER}",
    ],
)  # fmt: skip
def test_malformed_headers_are_ignored(text):
    """Whatever breaks the grammar is no context, and its tracestate is not even looked at; several headers are joined by commas."""
    assert read({"traceparent": text, "tracestate": "a=1"}) is None


def test_tracestate_goes_with_its_traceparent():
    """A valid tracestate is kept, a broken one does not harm the traceparent, and alone it is nothing."""
    assert read({"traceparent": HEADER, "tracestate": "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"}) == parent(
        trace_state="congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"
    )
    assert read({"traceparent": f" {HEADER}", "tracestate": "a=1"}) == parent(trace_state="a=1")
    assert read({"traceparent": HEADER, "tracestate": "A=1"}) == parent()
    assert read({"tracestate": "a=1"}) is None


@pytest.mark.parametrize("flags, digits", [(0, "00"), (1, "01"), (2, "02"), (3, "03"), (0xFF, "03")])
def test_what_is_written_is_version_00(flags, digits):
    """Flags that nobody knows are not passed on."""
    headers: dict[str, str] = {}
    write(RemoteParent(TRACE, SPAN, flags), headers)
    assert headers == {"traceparent": f"00-{TRACE}-{SPAN}-{digits}"}


def test_tracestate_is_written_when_there_is_one():
    """It is passed on as it came."""
    headers: dict[str, str] = {}
    write(RemoteParent(TRACE, SPAN, 1, "a=1,b=2"), headers)
    assert headers == {"traceparent": HEADER, "tracestate": "a=1,b=2"}
