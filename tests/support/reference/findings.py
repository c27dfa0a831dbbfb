"""docs/findings.md, made of the comments at the head of the scripts in findings/."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from support.reference.parts import Part

FINDINGS = Path(__file__).parents[3] / "findings"
HEAD = """# What other libraries do

For those who use one of these libraries, or move away from it. Each entry is a behaviour that surprised us, was reproduced without Tracebridge, and is shown by a script of its own: it
installs the version that is named, runs it on valid input, and fails when the behaviour has changed. Run one with `bash findings/NAME.sh`; it needs Python and a
package index.
"""
_PARTS = ("Expected", "Happens", "Why a user cares")
_PINNED = re.compile(r"\b([A-Za-z][\w.-]*)(?:\[[\w,]+\])?==([\d.]+\w*)")


class Finding(NamedTuple):
    """One script's comments."""

    script: str
    library: str
    title: str
    versions: tuple[str, ...]
    parts: tuple[str, ...]
    """What was expected, what happens, and why a user cares."""


def finding(path: Path) -> Finding:
    """Read a script. Raises ValueError where a part of its comments is missing."""
    shebang, first, *lines = path.read_text("utf-8").splitlines()
    comments = []
    for line in lines:
        if not line.startswith("#"):
            break
        comments.append(line.removeprefix("#").strip())
    text = " ".join(comments)
    found = re.fullmatch(r"\s*" + r"\s*".join(rf"{part}: (.+?)" for part in _PARTS), text)
    library, colon, title = first.removeprefix("# ").partition(": ")
    versions = tuple(dict.fromkeys(f"{name} {version}" for name, version in _PINNED.findall("\n".join(lines))))
    if not shebang.startswith("#!") or not colon or found is None or not versions:
        raise ValueError(
            f"{path.name}: begin with '# LIBRARY: what it does.', then '# Expected: …', '# Happens: …' and '# Why a user cares: …', and pin the versions"
        )
    return Finding(path.name, library, title, versions, found.groups())


def parts() -> Iterator[Part]:
    """Yield the page."""
    by_library = defaultdict(list)
    for path in sorted(FINDINGS.glob("*.sh")):
        each = finding(path)
        by_library[each.library.removesuffix(" for Python").removesuffix(" SDK")].append(each)
    yield HEAD
    for library, found in by_library.items():
        yield f"## {library}\n"
        for each in found:
            yield from _section(each)


def _section(each: Finding) -> Iterator[Part]:
    title = each.title.removesuffix(".")
    yield f"### {title[0].upper()}{title[1:]}\n"
    for part, words in zip(_PARTS, each.parts, strict=True):
        yield f"**{part}:** {words[0].upper()}{words[1:]}\n"
    yield f"**Seen in** {', '.join(each.versions)}, by [`{each.script}`](../findings/{each.script}).\n"
