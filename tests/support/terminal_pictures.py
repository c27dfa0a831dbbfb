"""Pictures of what commands draw on a terminal: `cd tests && python -m support.terminal_pictures` makes those of docs/pictures anew.

Each command runs for real, in a folder of its own. A picture is an SVG that loads no font, so that it asks for nothing from anywhere.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from support.pages import PAGES, blocks

PICTURES = PAGES / "pictures"
COLUMNS = 100
_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_UNIQUE = "tracebridge"


def run(folder: Path, *command: str, **environment: str) -> str:
    """Run a program of this environment in a folder; return what it printed, colours included."""
    env = {**os.environ, "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "TERM": "xterm-256color", **environment}
    env.pop("TRACEBRIDGE_CONFIG", None)
    program = str(Path(sys.executable).parent / command[0])
    return subprocess.run(
        [program, *command[1:]], cwd=folder, env=env, capture_output=True, text=True, check=True
    ).stdout


def picture(command: str, printed: str) -> str:
    """Return an SVG of a terminal in which a command has printed something."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ {command}", style="bold"))
    console.print(Text.from_ansi(printed.rstrip()))
    return _FONT_FACE.sub("", console.export_svg(title=" ", theme=SVG_EXPORT_THEME, unique_id=_UNIQUE))


def waterfall(folder: Path) -> str:
    """The trace of `tracebridge demo`."""
    run(folder, "tracebridge", "demo")
    trace_id = json.loads(run(folder, "tracebridge", "search", "--json").splitlines()[0])["trace_id"]
    command = ("tracebridge", "show", trace_id)
    return picture(" ".join(command), run(folder, *command))


def tutorial(folder: Path) -> str:
    """The first trace of the tutorial."""
    (program,) = (block for block in blocks(PAGES / "tutorial.md") if block.title == "shop.py")
    (folder / program.title).write_text(program.text)
    run(folder, "python", program.title, "order-1001")
    command = ("tracebridge", "show", "order-1001")
    return picture(" ".join(command), run(folder, *command))


ALL = {"waterfall.svg": waterfall, "tutorial-show.svg": tutorial}


def main() -> None:
    """Make all of them."""
    for name, make in ALL.items():
        with tempfile.TemporaryDirectory() as folder:
            (PICTURES / name).write_text(make(Path(folder)))


if __name__ == "__main__":
    main()
