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


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of a console block with what each prints."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def matches(wanted: str, printed: str) -> bool:
    """Whether a command printed what its page shows, exactly but for `...`, which stands for anything."""
    pattern = ".*".join(re.escape(part) for part in _tidy(wanted).split("..."))
    return re.fullmatch(pattern, _tidy(printed), re.DOTALL) is not None


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
