"""Texts as one terminal can show them: printable, in its encoding, and no wider than their place, whatever is in them.

Widths are cells: a Chinese character takes two, a combining mark none, and none is ever cut in two.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, chop_cells, set_cell_size

from tracebridge.cli.shared.encodings import INSTEAD
from tracebridge.masking.printable import printable


class Texts:
    """What texts become on a stream of some encoding."""

    def __init__(self, encoding: str) -> None:
        self._encoding = "" if encoding.lower().replace("_", "-").startswith("utf") else encoding

    def clean(self, text: str) -> str:
        """Return one line that cannot steer the terminal and that its encoding can say."""
        text = printable(text)
        if not self._encoding or text.isascii():
            return text
        return text.encode(self._encoding, INSTEAD).decode(self._encoding)

    def cut(self, text: str, most: int) -> str:
        """Return the same, of at most `most` characters."""
        return self.clean(text if len(text) <= most else text[: most - 1] + "…")

    def fit(self, text: str, cells: int) -> str:
        """Return clean text as wide as `cells` at most, with a mark where something is missing."""
        if self.cells(text) <= cells:
            return text
        return set_cell_size(text, cells - 1).rstrip() + self.clean("…") if cells > 0 else ""

    @staticmethod
    def cells(text: str) -> int:
        """Return how wide clean text is."""
        return len(text) if text.isascii() else cell_len(text)

    def folded(self, text: str, cells: int) -> Iterator[str]:
        """Yield clean text in lines of at most `cells`."""
        yield from [text] if self.cells(text) <= cells else chop_cells(text, cells)
