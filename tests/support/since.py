"""Since which version each public name is there: what the reference says, from the names that each release had.

`since.txt` has a line for each name of each released version. A name that is not there yet comes with the version that is being made, and
need not be written down by hand: preparing a release appends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tracebridge.version import VERSION

RELEASED = Path(__file__).parent / "since.txt"


def since(name: str, released: Path = RELEASED) -> str:
    """Return the first version that has this name: `Client.flush`, `adapter zipkin: endpoint`, `tracebridge show --html`."""
    return _first(released).get(name, VERSION)


def unknown(names: Iterable[str], released: Path = RELEASED) -> list[str]:
    """Return those of the names that no release had."""
    known = _first(released)
    return [name for name in dict.fromkeys(names) if name not in known]


def append(names: Iterable[str], version: str = VERSION, released: Path = RELEASED) -> int:
    """Write down the names that no release had before this one; return how many there are."""
    new = unknown(names, released)
    with released.open("a", encoding="utf-8") as file:
        file.writelines(f"{version} {name}\n" for name in new)
    _first.cache_clear()
    return len(new)


@cache
def _first(released: Path) -> dict[str, str]:
    lines = (line.split(" ", 1) for line in released.read_text("utf-8").splitlines())
    return {name: version for version, name in lines}
