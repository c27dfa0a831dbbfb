"""What a change needs besides its code is missed by a test, which says what to do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tracebridge.cli.main import COMMANDS
from tracebridge.plugins.registry import OWN_PACKAGE, STAGES, entries, known_adapters, known_schemes

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", known_schemes())
def test_every_scheme_stands_on_its_page(name: str) -> None:
    """What it reads, and what comes out."""
    page = (ROOT / "docs" / "identity.md").read_text()
    assert f"| `{name}` |" in page or f"`{name}`" in page, f"give `{name}` a row in the table of docs/identity.md"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_run_by_a_test(name: str) -> None:
    """By its name, as a person types it."""
    files = [file.read_text() for file in (ROOT / "tests").rglob("test_*.py")]
    tests = "\n".join(text for text in files if "tracebridge.cli" in text or "support.commands" in text)
    assert f'"{name}"' in tests, f"run the command in tests/unit/bridge/cli/test_{name}.py, with click's CliRunner"


def test_every_stage_of_ours_stands_on_the_page() -> None:
    """With what it does to a span."""
    page = (ROOT / "docs" / "stages.md").read_text()
    missing = [
        name for name, entry in entries(STAGES).items() if entry.package == OWN_PACKAGE and f"`{name}`" not in page
    ]
    assert missing == [], "say on docs/stages.md what each stage does"


@pytest.mark.parametrize("name", known_adapters())
def test_every_adapter_is_tested(name: str) -> None:
    """Somewhere under tests, by its name in a configuration or by its module."""
    tests = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("*.py"))
    assert tests.count(name) > 1, f"try {name} in tests/unit/adapters/test_{name}.py, with a receiver that is not ours"


UNPLAIN = re.compile(r"\b(?:is|are) no (?!longer|more)[a-z]|\bis nothing that\b|\b[Nn]obody\b|\btakes no\b")


def said(module: Path) -> list[str]:
    """Return the texts of a module but for its docstrings: messages, most of them."""
    tree = ast.parse(module.read_text())
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
    ]


def test_messages_are_plain() -> None:
    """They say what a thing is not, and what to do: "'x' is not a time: write 2026-01-31"."""
    modules = [module for folder in ("bridge", "adapters") for module in (ROOT / folder).rglob("*.py")]
    unplain = {(module.name, text) for module in modules for text in said(module) if UNPLAIN.search(text)}
    assert unplain == set(), 'write "is not a …" and what to do, for "is no …", "nobody …", "takes no …"'
