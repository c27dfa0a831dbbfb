"""What one workload process is to do, handed to it as JSON on its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Plan:
    """One life of a workload."""

    subject: str
    ledger: str
    """Path of the ledger."""
    report: str
    """Path of the JSON that a life writes when it ends in peace."""
    life: str
    """What it calls itself towards the receiver."""
    salt: str
    """Makes the trace IDs of a run its own."""
    destinations: dict[str, str]
    """Name to base address, as the receiver wants them; the first is the one that peers use."""
    agent_port: int = 0
    """Port of the Jaeger agent."""
    directory: str = ""
    """Folder of the journal on disk."""
    first: int = 0
    """The first number."""
    numbers: int = 0
    """How many numbers are its own."""
    rate: float = 1000.0
    """Spans a second; 0 traces nothing."""
    seconds: float = 0.0
    """How long it traces; 0 until it is killed or told to stop."""
    threads: int = 2
    ending: str = "close"
    """`close`, `exit` (`os._exit`), or `drain` (deliver until the journal's folder is empty, then close)."""
    children: int = 0
    """How many children are forked, one after the other, while the threads trace; each traces and ends by `os._exit`."""
    close_s: float = 20.0
    """How long closing and draining may take."""
    pad: int = 0
    """Characters of ballast on each span."""
    journal: dict[str, Any] = field(default_factory=dict)
    """More of tracebridge's journal settings."""
    max_in_flight: int = 1
    """How many requests of tracebridge's may be under way to one destination."""
    flush_on_sigterm: bool = False
    python: str = ""
    """The Python that has another version of tracebridge installed."""
    store: str = ""
    """The file of an embedded store, as one more destination."""
    sampling: dict[str, Any] = field(default_factory=dict)
    """Tracebridge's sampling."""

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Return it from text."""
        return cls(**json.loads(text))
