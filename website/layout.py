"""The pages of docs/ laid out for a site, with those files of the repository that they link to as pages of their own.

A page is written for GitHub: `../examples/saga` is a link to a folder of the repository. In the site, which has pages alone, it leads to a page
under `project/` that shows the folder's files.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from website import live

ROOT = Path(__file__).parents[1]
HERE = ROOT / "website"
SETTINGS = HERE / "zensical.toml"
PROJECT = "project/"
HOMES = {"index.md": "README.md", "pages.md": "docs/README.md"}
"""Pages of the site that stand elsewhere than their files: the project's README is the first one."""
LANGUAGES = {".py": "python", ".sh": "bash", ".mjs": "javascript", ".yaml": "yaml", ".yml": "yaml"}
_FENCE_OR_LINK = re.compile(r"^(```+)\w.*?^\1$|(?<=\]\()([\w./-]+)(?=(?:#[\w-]+)?\))", re.DOTALL | re.MULTILINE)
_SHOWN = re.compile(r"^(```\w+[^\n]*?) shown\b", re.MULTILINE)
_ROW = re.compile(r"^\|.*$", re.MULTILINE)
_CODE = re.compile(r"`[^`\n]+`")


def lay_out(work: Path, docs: Path = ROOT / "docs") -> None:
    """Write the settings and the pages into a new folder: links rewritten, a page for each file and folder that one leads to, and so on."""
    pages = work / "pages"
    shutil.copytree(docs, pages)
    for name, file in HOMES.items():
        shutil.copy(ROOT / file, pages / name)
    (pages / "README.md").unlink(missing_ok=True)
    shutil.copy(SETTINGS, work)
    shutil.copytree(HERE / "assets", pages / "assets" / "own")
    waiting = [path.name for path in pages.glob("*.md")]
    for source in waiting:  # grows
        text = plain((pages / source).read_text("utf-8"))
        for target in filter(None, (resolved(source, link[2]) for link in _FENCE_OR_LINK.finditer(text) if link[2])):
            place = pages / place_of(target)
            if not target.startswith("docs") and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(as_page(ROOT / target), "utf-8")
                waiting += [place_of(target)] * target.endswith(".md")
        (pages / source).write_text(_FENCE_OR_LINK.sub(partial(moved, source), text), "utf-8")


def plain(markdown: str) -> str:
    """Return a page without what only its tests and GitHub read: the word `shown`, and backslashes before a `|` in the code of a table."""
    text = _SHOWN.sub(r"\1", markdown).replace(live.COMMENT, live.FRAME)
    return _ROW.sub(lambda row: _CODE.sub(lambda code: code[0].replace(r"\|", "|"), row[0]), text)


def moved(source: str, link: re.Match[str]) -> str:
    """Return a link of a page as the site needs it; one to a file that the repository does not have stays, for the build to complain of."""
    target = resolved(source, link[2]) if link[2] else None
    return posixpath.relpath(place_of(target), posixpath.dirname(source) or ".") if target else link[0]


def resolved(source: str, link: str) -> str | None:
    """Return the path in the repository that a link of a page means; None where there is no such file."""
    here = HOMES.get(source) or (source.removeprefix(PROJECT) if source.startswith(PROJECT) else f"docs/{source}")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(here), link))
    return target if not target.startswith("..") and (ROOT / target).exists() else None


def place_of(target: str) -> str:
    """Return where the site has a file of the repository; folders and sources become pages."""
    for place, home in HOMES.items():
        if home in {target, f"{target}/README.md"}:
            return place
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    path = ROOT / target
    return f"{PROJECT}{target}{'.md' if path.is_dir() or path.suffix in LANGUAGES else ''}"


def as_page(path: Path) -> str:
    """Return a file's text; a folder or a source as a page that shows it."""
    if path.is_file() and path.suffix not in LANGUAGES:
        return path.read_text("utf-8")
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.suffix in LANGUAGES)
    parts = [f"# {path.relative_to(ROOT)}\n"]
    for each in files:
        parts += [f"## {each.relative_to(path)}\n"] * (each != path)
        parts += [f"````{LANGUAGES[each.suffix]}\n{each.read_text('utf-8').rstrip()}\n````\n"]
    return "\n".join(parts)


def not_in_the_navigation(pages: Path) -> Iterator[str]:
    """Yield a complaint for each page that the navigation leaves out, has twice, or has and is not there."""
    named = list(leaves(tomllib.loads(SETTINGS.read_text("utf-8"))["project"]["nav"]))
    there = {path.name for path in pages.glob("*.md")}
    yield from (
        f"docs/{name}: give it a place in the nav of website/zensical.toml" for name in sorted(there - set(named))
    )
    for name in sorted(set(named)):
        if named.count(name) > 1:
            yield f"website/zensical.toml: {name} stands in the nav {named.count(name)} times"
        if not (pages / name).exists():
            yield f"website/zensical.toml: {name} of the nav does not exist, or no page links to it"


def leaves(nav: Any) -> Iterator[str]:
    """Yield the pages of a navigation."""
    if isinstance(nav, str):
        yield nav
    else:
        for each in nav.values() if isinstance(nav, dict) else nav:
            yield from leaves(each)
