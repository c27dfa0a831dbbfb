"""The report that shows every problem of a configuration, with the lines that they stand in."""

from __future__ import annotations

from collections.abc import Sequence

from tracebridge.errors import ConfigError
from tracebridge.masking.printable import printable
from tracebridge.settings.excerpts import Excerpts
from tracebridge.settings.problems import Problem
from tracebridge.settings.tree import Document

MAX_REPORTED = 50  # problems printed in full; a file with more has one cause


def render(problems: Sequence[Problem], source: str, document: Document | None = None, what: str = "problem") -> str:
    """Return the whole report. `source` names the file, or says where the values came from; `what` is what is counted."""
    excerpts = None if document is None else Excerpts(document)
    ordered = sorted(problems, key=lambda p: (p.place.line, p.place.column))
    blocks = [_block(problem, source, excerpts) for problem in ordered[:MAX_REPORTED]]
    count = len(problems)
    more = f" ({count - MAX_REPORTED} more not shown)" if count > MAX_REPORTED else ""
    return "\n\n".join(blocks) + f"\n\n{count} {what}{'s' if count != 1 else ''} in {source}{more}"


def _block(problem: Problem, source: str, excerpts: Excerpts | None) -> str:
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
