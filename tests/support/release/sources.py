"""What is released: a commit whose changelog and list of names know its version, with nothing beside it that is not committed."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from pathlib import Path

from support import reference
from support.release.step import ROOT, require, run
from support.since import append, unknown
from tracebridge.version import VERSION

CHANGELOG = ROOT / "CHANGELOG.md"
UNRELEASED = "unreleased"
_HEADING = re.compile(r"^## (?P<version>\S+)(?: \((?P<when>[^)]*)\))?$", re.MULTILINE)


def changelog_problems(text: str, version: str, today: datetime.date) -> list[str]:
    """Return what keeps a changelog from telling of this version, a line each.

    The newest heading is the version with its date, as in `## 0.2.0 (2026-11-30)`; an empty `## Unreleased` may stand above it.
    """
    headings = list(_HEADING.finditer(text))
    while headings and headings[0]["version"].lower() == UNRELEASED:
        end = headings[1].start() if len(headings) > 1 else len(text)
        if text[headings[0].end() : end].strip():
            return [
                f"there are changes under {headings[0][0]!r}: move them under {version}, or release another version"
            ]
        del headings[0]
    if not headings or headings[0]["version"] != version:
        newest = headings[0]["version"] if headings else "none"
        return [f"the newest version is {newest}, and the code is {version}: write what {version} brings"]
    end = headings[1].start() if len(headings) > 1 else len(text)
    if not text[headings[0].end() : end].strip():
        return [f"{version} has nothing under it"]
    when = headings[0]["when"]
    try:
        date = datetime.date.fromisoformat(when or "")
    except ValueError:
        return [f"{version} has no date but {when!r}: python -m support.release --prepare"]
    return [f"{version} is of {date}, which is yet to come"] if date > today else []


def version_and_changelog() -> str:
    """Look at both."""
    require([f"CHANGELOG.md: {each}" for each in changelog_problems(_changelog(), VERSION, _today())])
    return f"{VERSION}, dated"


def names() -> str:
    """Look whether the pages of the reference are true, and know of each name since when it is there."""
    new = unknown(reference.names())
    problems = [f"tests/support/since.txt lacks {name!r}" for name in new[:5]]
    if new:
        problems.append(f"{len(new)} in all: python -m support.release --prepare")
    problems += [
        f"docs/{name} is not what the code says: python -m support.reference"
        for name in reference.PAGES
        if (reference.DOCS / name).read_text("utf-8") != reference.page(name)
    ]
    require(problems)
    return "every public name has its version"


def clean_tree() -> str:
    """Look whether the commit is all there is."""
    changed = run("git", "status", "--porcelain").splitlines()
    require([f"not committed: {line.strip()}" for line in changed])
    return f"commit {run('git', 'rev-parse', '--short', 'HEAD').strip()}"


def prepare() -> Iterable[str]:
    """Date the changelog and write down the new names; yield what was done."""
    text = _changelog()
    dated = text.replace(f"## {VERSION} ({UNRELEASED})", f"## {VERSION} ({_today()})", 1)
    if dated != text:
        CHANGELOG.write_text(dated, "utf-8")
        yield f"CHANGELOG.md: {VERSION} is of {_today()}"
    yield f"tests/support/since.txt: {append(reference.names())} names are new in {VERSION}"
    for name in reference.PAGES:
        (reference.DOCS / name).write_text(reference.page(name), "utf-8")


def tracked(folder: Path) -> dict[str, bytes]:
    """Return the committed files of a clone by their path."""
    listed = run("git", "ls-files", "-z", cwd=folder).split("\0")
    return {path: (folder / path).read_bytes() for path in listed if path}


def commit_time() -> str:
    """Return when the commit was made, Unix seconds: what SOURCE_DATE_EPOCH wants."""
    return run("git", "log", "-1", "--format=%ct").strip()


def _changelog() -> str:
    return CHANGELOG.read_text("utf-8")


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
