"""What is decided about one trace, as far as this process goes."""

from __future__ import annotations

import msgspec

from tracebridge.propagation.context import RemoteParent

HEAD, RULE, RATE, PARENT, TAIL = "head", "rule", "rate", "parent", "tail"
"""Why a trace is not delivered: the ratio, a rule's ratio, the limit, whoever called us, or that nothing in it was worth keeping."""


class Decision(msgspec.Struct):
    """One trace's decision; every span of the trace shares it."""

    delivered: bool
    """Whether the head delivers it."""
    reason: str
    """Why not."""
    recorded: bool = True
    """Whether its spans are recorded at all."""
    context: RemoteParent = RemoteParent()
    """What goes on to whatever is called: its flags and its trace state."""
    ending: bytes = b""
    """How a short record of it ends (`short_records`)."""
    undecided: bool = False
    """Whether the tail has still to decide."""
    kept: str = ""
    """What the tail keeps it for, with certainty; empty where it does not."""
    kept_ending: bytes = b""
    """How a short record ends then."""
