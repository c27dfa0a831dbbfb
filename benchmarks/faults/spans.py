"""The numbered span: what the workload sets for each number, and what therefore has to arrive.

Numbers come in traces of ten: the root has a multiple of ten, its nine children the numbers behind it. The root is started
first and ended last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

IN_A_TRACE = 10


def name_of(number: int) -> str:
    """Return a span's name."""
    return f"span {number}"


def attributes_of(number: int, pad: int = 0) -> dict[str, Any]:
    """Return a span's attributes: an int, a float and text that ASCII cannot carry; `pad` more characters on demand."""
    attributes = {"number": number, "half": number / 2, "text": f"Größe {number} \N{SNOWMAN}"}
    if pad:
        attributes["pad"] = "x" * pad
    return attributes


@dataclass(slots=True)
class Arrived:
    """One span as a receiver decoded it, whatever the protocol."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    duration: float
    unfinished: bool = False
    """Marked as one that its process never ended."""

    @property
    def number(self) -> int:
        """The number, or -1 when this is none of ours."""
        try:
            return int(self.attributes["number"])
        except (KeyError, TypeError, ValueError):
            return -1

    def wrong(self, number: int) -> str:
        """Return what differs from what was set; empty when nothing does. Text protocols carry numbers as text."""
        wanted = attributes_of(number)
        if self.name != name_of(number):
            return f"name {self.name!r}"
        if float(self.attributes.get("half", "nan")) != wanted["half"] or self.attributes.get("text") != wanted["text"]:
            return f"attributes {self.attributes!r}"
        if self.duration < 0:
            return f"ends {-self.duration} before it starts"
        if bool(self.parent_id) != bool(number % IN_A_TRACE):
            return f"parent {self.parent_id!r}"
        return ""
