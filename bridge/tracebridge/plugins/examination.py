"""What `tracebridge doctor` may ask of a plugin that is no destination: a receiver, an engine of open spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol, runtime_checkable


class Found(NamedTuple):
    """One thing that an examination looked at."""

    what: str
    """Which: `topic otlp_spans`, `group tracebridge`."""
    detail: str
    """What is well about it, for people."""
    problem: str = ""
    """What keeps it from being used; empty when it is well."""
    advice: str = ""
    cause: Literal[
        "credentials", "no-answer", "target", "wrong-encoding", "foreign-answer", "tls-not-spoken", "tls-failed"
    ] = "target"


@runtime_checkable
class ExaminableEngine(Protocol):
    """An engine of open spans that `tracebridge doctor` can ask whether it can be used."""

    def examine(self) -> Iterator[Found]:
        """Yield what there is to see, within a few times `timeout_s`. What it writes is gone when it returns."""
        ...
