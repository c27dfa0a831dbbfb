"""The programs on the pages for those who write plugins and tests are typed: mypy, strict, has nothing to say of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.pages import blocks

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["adapters", "stages", "testing"])
def test_the_programs_of_the_page_are_typed(page, tmp_path):
    """Those with a title are modules that the others of the page may import."""
    for number, block in enumerate(blocks(DOCS / f"{page}.md"), 1):
        if block.language == "python":
            (tmp_path / (block.title or f"program_{number}.py")).write_text(block.text)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
