"""What is wrong with a configuration: one value per problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tracebridge.settings.place import Place

ProblemKind = Literal[
    "unknown-key",
    "duplicate-key",
    "missing-key",
    "wrong-type",
    "wrong-value",
    "out-of-range",
    "bad-duration",
    "bad-size",
    "bad-url",
    "bad-path",
    "bad-class",
    "bad-header",
    "unset-variable",
    "bad-substitution",
    "conflict",
    "unreadable-file",
    "unknown-adapter",
    "broken-adapter",
    "unknown-stage",
    "broken-stage",
    "unknown-receiver",
    "broken-receiver",
    "unknown-scheme",
    "broken-scheme",
    "bad-key",
    "tab",
    "bad-yaml",
    "bad-tag",
    "bad-alias",
    "many-documents",
    "bad-encoding",
    "bad-character",
    "too-large",
    "not-installed",
]
"""The stable names of everything that can be wrong, the last one a warning; each has an example in docs/errors.md."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. No field holds a secret."""

    kind: ProblemKind
    """A stable name, such as `unknown-key`."""
    message: str
    path: str = ""
    """Where in the configuration: `adapters.zipkin.endpoint`."""
    place: Place = Place()
    allowed: Sequence[str] = ()
    suggestion: str = ""
    """What was probably meant."""

    def as_json(self) -> dict[str, Any]:
        """Return the problem as plain values for programs."""
        return {
            "kind": self.kind,
            "message": self.message,
            "path": self.path,
            "line": self.place.line or None,
            "column": self.place.column or None,
            "length": self.place.length if self.place.line else None,
            "allowed": list(self.allowed),
            "suggestion": self.suggestion or None,
        }
