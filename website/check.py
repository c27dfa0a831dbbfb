"""What is wrong with a built site: dead links and anchors, pictures that are not there, and whatever a browser would fetch from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

MARKS = ("```", "\\|", "](")
ADDRESSES = {"href", "src", "srcset", "data", "poster", "action"}
_OF_CSS = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)")


class Page(HTMLParser):
    """One page: the anchors that it has, and what it refers to, as (element, address)."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors = {""}
        self.refers: set[tuple[str, str]] = set()
        self.unread: list[str] = []
        """Text that looks like Markdown which was not understood."""
        self._blocks = 0
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self._blocks += tag in {"pre", "script", "style"}
        for name, value in attrs:
            if name in {"id", "name"} and value:
                self.anchors.add(value)
            elif name in ADDRESSES and value:
                self.refers.add((tag, value))

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._blocks -= tag in {"pre", "script", "style"}

    def handle_data(self, data: str) -> None:
        """Look at text, but for that of blocks of code and scripts."""
        if not self._blocks and any(mark in data for mark in MARKS):
            self.unread.append(" ".join(data.split())[:60])


def problems(site: Path) -> Iterator[str]:
    """Yield a line for each thing that is wrong."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        yield from (f"{name}: this Markdown was not understood: {text}" for text in page.unread)
        for tag, address in sorted(page.refers):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if tag != "a" and parts.scheme != "data":
                    yield f"{name}: <{tag}> makes the browser fetch {address}"
                continue
            file, anchor = urldefrag(address)
            base = site if file.startswith("/") else path.parent
            target = (base / unquote(file).lstrip("/")).resolve() if file else path
            if target.is_dir() and file.startswith("/"):
                target /= "index.html"
            if not target.is_file():
                yield f"{name}: <{tag}> leads to {address}, which is not there"
            elif target in pages and unquote(anchor) not in pages[target].anchors:
                yield f"{name}: {address} has no such anchor"
    for style in sorted(site.rglob("*.css")):
        for address in _OF_CSS.findall(style.read_text("utf-8")):
            yield f"{style.relative_to(site)} makes the browser fetch {address}"
