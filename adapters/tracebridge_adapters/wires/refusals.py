"""What it means that a proxy does not open a tunnel: the same over HTTP and gRPC."""

from __future__ import annotations

from tracebridge.errors import Misconfigured, Retryable

PROXY_CREDENTIALS = "a proxy on the way wants credentials; check user and password in the address given as proxy"
PASSING = {408, 429, 500, 502, 503, 504}  # after these it may open the tunnel later


def refused_tunnel(said: str, status: int) -> Retryable | Misconfigured:
    """Return the error for the status that a proxy answered to CONNECT; `said` is what is told before the advice."""
    if status in PASSING:
        return Retryable(said)
    return Misconfigured(f"{said}; {PROXY_CREDENTIALS if status == 407 else 'does it let programs through to there?'}")
