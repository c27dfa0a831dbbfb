"""Where something stands in a source."""

from __future__ import annotations

from dataclasses import dataclass


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
