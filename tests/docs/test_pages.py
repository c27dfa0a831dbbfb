"""Every page under docs/ is true: its code runs, its configurations are valid, its commands print what it shows.

The blocks of one page run in order in one temporary folder:

    ```python            a program; it ends well. With `title="app.py"` it is also kept as that file.
    ```yaml              a whole configuration, checked; kept as bridge.yaml, or under its title
    ```console           `$ command` lines, run by a shell; what follows each is what it prints, `...` standing for anything
    ```text, ```json …   shown, and kept as a file when it has a title

A block that only real servers could run has the word `shown` after its language, with the test that runs it named on the page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.pages import blocks, commands, matches
from tracebridge.settings.load import load_settings

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_is_true(page, tmp_path):
    """Its blocks, run in order in one folder, do and print what it says."""
    for block in blocks(page):
        if block.shown:
            continue
        if block.title:
            (tmp_path / block.title).write_text(block.text)
        if block.language == "python":
            done = run([sys.executable, "-c", block.text], tmp_path, PYTHONPATH=".")
            assert (done.returncode, done.stderr) == (0, ""), block.text
        elif block.language == "yaml":
            (tmp_path / (block.title or "bridge.yaml")).write_text(block.text)
            assert load_settings(tmp_path / (block.title or "bridge.yaml"), environ={}).adapters
        elif block.language == "console":
            for command, wanted in commands(block.text):
                printed = run(["bash", "-c", f"{command} 2>&1"], tmp_path).stdout
                assert matches(wanted, printed), f"$ {command}\n{printed}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "RATIONALE.md"], ids=lambda page: page.stem)
def test_every_link_to_a_file_leads_somewhere(page):
    """No link to a file of the project is dead."""
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_module_of_the_core_is_on_the_map():
    """CONTRIBUTING.md says of each module and package of the core where it stands, and names none that is gone."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text[text.index("### The core") : text.index("### The adapters")]
    rows = [row.split("|")[2] for row in table.splitlines() if row.startswith("|")][2:]
    named = [name for cell in rows for name in re.findall(r"`(\w+)`", cell)]
    core = ROOT / "bridge" / "tracebridge"
    there = {path.stem for path in core.glob("*.py")} | {path.parent.name for path in core.glob("*/__init__.py")}
    assert sorted(named) == sorted(there - {"__init__"})


def test_every_page_is_in_the_list_of_pages():
    """docs/README.md names each of its neighbours."""
    named = set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "README.md").read_text()))
    assert named == {page.name for page in PAGES} - {"README.md"}


def run(command: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run in a folder as a person would, with this environment's commands first."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120", **more}
    env.pop("TRACEBRIDGE_CONFIG", None)
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120)
