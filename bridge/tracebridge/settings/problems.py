"""What is wrong with a configuration: one value per problem, and the report that shows them all."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tracebridge.errors import ConfigError

MAX_ALLOWED_SHOWN = 24  # keys listed after "allowed:"


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in a source: 1-based line and column, and how many characters are meant. Line 0: no text to point at."""

    line: int = 0
    column: int = 0
    length: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    kind: str
    """A stable name, such as `unknown-key`."""
    message: str
    path: str = ""
    """Where in the configuration: `adapters.zipkin.endpoint`."""
    place: Place = Place()
    allowed: Sequence[str] = ()
    secret: bool = False
    """The source line may hold a secret and is not shown."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return `; did you mean "…"?` for a near miss, else nothing."""
    near = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def render(problems: Sequence[Problem], source: str, lines: Sequence[str]) -> str:
    """Return the whole report. `source` names the file, or says where the mapping came from."""
    blocks = [
        _block(problem, source, lines) for problem in sorted(problems, key=lambda p: (p.place.line, p.place.column))
    ]
    count = len(problems)
    return "\n\n".join(blocks) + f"\n\n{count} problem{'s' if count != 1 else ''} in {source}"


def _block(problem: Problem, source: str, lines: Sequence[str]) -> str:
    place = problem.place
    where = f"{source}:{place.line}:{place.column}" if place.line else f"{source}: {problem.path or 'top level'}"
    out = [f"{where}: {problem.message} [{problem.kind}]"]
    if 0 < place.line <= len(lines):
        width = len(str(place.line))
        if place.line > 1 and not problem.secret and _shows(lines[place.line - 2]):
            out.append(f"  {place.line - 1:>{width}} | {lines[place.line - 2]}")
        shown = "(not shown: it may hold a secret)" if problem.secret else lines[place.line - 1]
        out.append(f"  {place.line:>{width}} | {shown}")
        if not problem.secret:
            caret = "^" + "~" * (max(1, min(place.length, len(shown) - place.column + 1)) - 1)
            out.append(f"  {'':>{width}} | {' ' * (place.column - 1)}{caret}")
    if problem.allowed:
        names = list(problem.allowed)
        more = ", …" if len(names) > MAX_ALLOWED_SHOWN else ""
        out.append(f"  {'':>{len(str(place.line))}} = allowed: {', '.join(names[:MAX_ALLOWED_SHOWN])}{more}")
    return "\n".join(out)


def _shows(line: str) -> bool:
    """Return whether a neighbouring line can be shown: it must not be one that could hold a secret's value."""
    key, colon, value = line.partition(":")
    return not (colon and value.strip()) and bool(key.strip())


def fail(problems: Sequence[Problem], source: str, lines: Sequence[str] = ()) -> ConfigError:
    """Return the error to raise for these problems."""
    return ConfigError(render(problems, source, lines), problems)
