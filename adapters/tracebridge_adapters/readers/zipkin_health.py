"""What a Zipkin server says of itself at /health: its storage may be down while it answers 202 to every span."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tracebridge.errors import DeliveryError
from tracebridge_adapters.options import Access
from tracebridge_adapters.wires.http_exchange import HttpExchange

MAX_ANSWER = 2**20


class ZipkinHealth:
    """Asks one server when it is wanted. Building does no network."""

    def __init__(self, base_url: str, access: Access) -> None:
        self._exchange = HttpExchange(base_url + "/health", access, max_answer=MAX_ANSWER)

    def health_problem(self) -> str:
        """Return what is down and why; empty when nothing is, and for a server of something else."""
        try:
            answer = self._exchange.request("GET")
            health = msgspec.json.decode(answer.body, type=dict[str, Any])
        except (DeliveryError, ValueError):
            return ""
        if "zipkin" not in health:
            return ""
        return answer.without_secrets("; ".join(_down(health, "zipkin")))

    def close(self) -> None:
        """Close the connections."""
        self._exchange.close()


def _down(state: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the innermost parts that are not up, with their errors."""
    parts = {key: part for key, part in {**state, **(state.get("details") or {})}.items() if isinstance(part, dict)}
    inner = [said for key, part in parts.items() if "status" in part for said in _down(part, key)]
    if inner:
        yield from inner
    elif state.get("status", "UP") != "UP":
        error = (state.get("details") or {}).get("error")
        yield f"{name} is {state['status']}" + (f": {error}" if error else "")
