"""What an examination of one destination found: steps that worked, the one that did not, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Cause = Literal[
    "name-resolution",
    "refused",
    "proxy-unreachable",
    "proxy-credentials",
    "proxy-denied",
    "proxy-target",
    "unreachable",
    "no-answer",
    "tls-untrusted",
    "tls-wrong-name",
    "tls-out-of-date",
    "tls-not-spoken",
    "tls-required",
    "tls-failed",
    "client-certificate",
    "credentials",
    "unknown-experiment",
    "zipkin-port",
    "foreign-answer",
    "wrong-path",
    "grpc-port",
    "http-port",
    "web-page",
    "redirect",
    "wrong-encoding",
    "refused-span",
    "unhealthy",
    "target",
    "not-usable",
    "not-read-back",
    "query-endpoint",
    "clock-skew",
    "sampler-mode",
]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong. No field holds a secret."""

    cause: Cause
    """A stable name."""
    message: str
    advice: str

    def as_json(self) -> dict[str, str]:
        """Return it as plain values for programs."""
        return {"cause": self.cause, "message": self.message, "advice": self.advice}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that worked."""

    name: Literal["resolve", "connect", "tunnel", "tls", "send", "read back", "look"]
    detail: str
    elapsed_ms: float


@dataclass(slots=True)
class Outcome:
    """Everything that was found at one destination."""

    name: str
    """Its key in the configuration."""
    type: str
    target: str = ""
    """The address or file, without user info."""
    steps: list[Step] = field(default_factory=list)
    problem: Trouble | None = None
    """Why spans do not arrive, or cannot be read back; None when all is well."""
    warnings: list[Trouble] = field(default_factory=list)
    """What does not keep spans from arriving."""
    link: str | None = None
    """The marked span in the destination's own UI."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values for programs."""
        return {
            "name": self.name,
            "type": self.type,
            "target": self.target or None,
            "healthy": self.problem is None,
            "steps": [{"step": s.name, "detail": s.detail, "elapsed_ms": round(s.elapsed_ms, 1)} for s in self.steps],
            "problem": self.problem.as_json() if self.problem is not None else None,
            "warnings": [warning.as_json() for warning in self.warnings],
            "link": self.link,
        }
