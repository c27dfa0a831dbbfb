"""A client whose spans stay in memory, and its spans as they were delivered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tracebridge.client import Client
from tracebridge.records.record import SpanRecord
from tracebridge.spans.clock import Clock

if TYPE_CHECKING:
    from tracebridge.settings.config import Config


def memory_client(*, clock: Clock | None = None, **config: Any) -> Client:
    """Return a client that delivers into memory at once; `memory_client(redaction={…})` sets other keys of the configuration.

    Close it, or use it in a `with` block. Raises ConfigError for a wrong key.
    """
    adapters: Mapping[str, Any] = {"memory": {"sending_queue": {"flush_interval": "0s"}}}
    whole: Config = {"adapters": adapters, **config}  # type: ignore[typeddict-item]
    return Client(config=whole, clock=clock)


def records(client: Client, name: str | None = None) -> list[SpanRecord]:
    """Return the spans that a client has delivered into its `memory` adapter, in the order of their ends; only those of a name when one is given.

    Waits until what was queued is delivered, at most 30 seconds. Raises KeyError for a client without that adapter, TimeoutError.
    """
    adapter: Any = client.adapter("memory")
    if not client.flush(30.0):
        raise TimeoutError("the spans were not delivered within 30 seconds; client.stats() says what became of them")
    found: list[SpanRecord] = list(adapter.records)
    return found if name is None else [record for record in found if record.name == name]
