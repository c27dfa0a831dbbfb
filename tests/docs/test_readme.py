"""The README's code runs and its YAML is valid."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tracebridge.plugins.registry import ADAPTERS, entries
from tracebridge.settings.load import load_settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_the_readmes_code_runs(code, tmp_path):
    """Each Python block is a program that ends well."""
    env = {**os.environ, "TRACEBRIDGE_STORE": str(tmp_path / "store.db")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_readmes_yaml_is_valid(text, tmp_path):
    """Each YAML block is a whole configuration of at most ten lines."""
    path = tmp_path / "bridge.yaml"
    path.write_text(text)
    assert load_settings(path, environ={}).adapters
    assert len(text.splitlines()) <= 10


def test_every_adapter_is_in_the_readmes_table():
    """What is installed is documented."""
    assert set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)) == set(entries(ADAPTERS))


def test_every_link_to_a_file_leads_somewhere():
    """No link in the README is dead."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
