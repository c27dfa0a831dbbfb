"""Options described for people: bounds, defaults and examples as they are written in the file."""

from __future__ import annotations

from dataclasses import dataclass, field

from tracebridge.plugins.options import Duration, Size, Url, option
from tracebridge.settings.describe import Described, describe


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A group."""

    wait: Duration = option(0.25, help="Wait.", minimum=0.001)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Of every kind."""

    most: int = option(help="Most.", minimum=1, maximum=64)
    size: Size | None = option(None, help="Size.", examples=["8GiB"], minimum=2**20)
    to: Url = option("http://a", help="To.", schemes=["http", "https"])
    names: list[str] = option(factory=lambda: ["a", "b"], help="Names.", examples=[["x: y", "z"]])
    inner: Inner = option(factory=Inner, help="Inner.")
    several: list[Inner] = option(factory=list, help="Several.")
    unset: int = field(default=0)


def test_options_are_described_as_they_are_written():
    """Type, default, whether it has to be given, bounds in the option's own unit, and an example."""
    assert describe(Options) == [
        Described("most", "whole number", "", True, "Most.", "1 to 64"),
        Described("size", "size", "", False, "Size.", "at least 1MiB", "8GiB"),
        Described("to", "address", "http://a", False, "To.", "http or https only"),
        Described("names", "list of text", "[a, b]", False, "Names.", "", "['x: y', z]"),
        Described("inner.wait", "duration", "250ms", False, "Wait.", "at least 1ms"),
        Described("several", "list of mapping", "", False, "Several."),
        Described("several[].wait", "duration", "250ms", False, "Wait.", "at least 1ms"),
    ]
