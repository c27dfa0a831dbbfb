"""What is wrong with a configuration: one value per problem, and the report that shows them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tracebridge.errors import ConfigError
from tracebridge.masking.printable import printable

if TYPE_CHECKING:
    from tracebridge.settings.tree import Document

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
    "unset-variable",
    "bad-substitution",
    "conflict",
    "unreadable-file",
    "unknown-adapter",
    "broken-adapter",
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
"""The stable names of everything that can be wrong, the last one a warning; each has an example in docs/configuration.md."""

MAX_REPORTED = 50  # problems printed in full; a file with more has one cause


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in a source: 1-based line and column, and where it ends. Line 0: no text to point at."""

    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    @property
    def length(self) -> int:
        """How many characters of its first line are meant; 1 where it goes on below."""
        return max(1, self.end_column - self.column) if self.end_line == self.line else 1


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


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Return the known name that was probably meant, or an empty text.

    >>> nearest("endpiont", ["endpoint", "encoding"]), nearest("kafka", ["zipkin"])
    ('endpoint', '')
    """
    import difflib  # only a wrong file pays for it

    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(wrong.lower()[:100], names, n=1, cutoff=0.6)
    return names[near[0]] if near else ""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return `; did you mean "…"?` for a near miss, else nothing."""
    near = nearest(wrong, known)
    return f'; did you mean "{near}"?' if near else ""


def render(problems: Sequence[Problem], source: str, document: Document | None = None, what: str = "problem") -> str:
    """Return the whole report. `source` names the file, or says where the values came from; `what` is what is counted."""
    from tracebridge.settings.excerpts import Excerpts

    excerpts = None if document is None else Excerpts(document)
    ordered = sorted(problems, key=lambda p: (p.place.line, p.place.column))
    blocks = [_block(problem, source, excerpts) for problem in ordered[:MAX_REPORTED]]
    count = len(problems)
    more = f" ({count - MAX_REPORTED} more not shown)" if count > MAX_REPORTED else ""
    return "\n\n".join(blocks) + f"\n\n{count} {what}{'s' if count != 1 else ''} in {source}{more}"


def _block(problem: Problem, source: str, excerpts: Any) -> str:
    place = problem.place
    if place.line:
        where = f"{source}:{place.line}:{place.column}" if place.column else f"{source}:{place.line}"
    else:
        where = f"{source}: {problem.path}" if problem.path else source
    out = [f"{where}: {printable(problem.message)} [{problem.kind}]"]
    margin = "  "
    if excerpts is not None and excerpts.has(place.line) and place.column:
        width = len(str(place.line))
        margin = " " * (width + 3)
        if place.line > 1 and excerpts.line(place.line - 1).text:
            out.append(f"  {place.line - 1:>{width}} | {excerpts.line(place.line - 1).text}")
        shown = excerpts.line(place.line, place)
        out.append(f"  {place.line:>{width}} | {shown.text}")
        out.append(f"{margin}| {shown.caret}")
    if problem.allowed:
        out.append(f"{margin}= allowed: {', '.join(problem.allowed)}")
    return "\n".join(out)


def fail(problems: Sequence[Problem], source: str, document: Document | None = None) -> ConfigError:
    """Return the error to raise for these problems."""
    return ConfigError(render(problems, source, document), problems)
