"""The fenced blocks of the pages under docs/."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass
class Block:
    """One fenced block of a page."""

    language: str
    info: str
    text: str

    @property
    def title(self) -> str:
        """The file it is kept as, or nothing."""
        found = _TITLE.search(self.info)
        return found[1] if found else ""

    @property
    def shown(self) -> bool:
        """Whether the page only shows it, because a test that the page names runs it."""
        return "shown" in self.info.split()


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    return [Block(*match) for match in _BLOCK.findall(page.read_text())]
