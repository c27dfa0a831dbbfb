"""What the package brings for terminals: the manual page, and completions, in the real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support.backends.cache import REQUIRE
from support.reference import MANUAL, manual

ROOT = Path(__file__).parents[2]
SHELL = ROOT / "shell"
SCRIPTS = {
    "bash": "source {file}; COMP_WORDS=(tracebridge {before} {word}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _tracebridge_completion tracebridge; "
    'printf "%s\\n" "${{COMPREPLY[@]}}"',
    "fish": 'source {file}; complete -C "tracebridge {before} {word}" | string split -f 1 \\t',
    # Without a terminal zsh completes nothing, so what it would show is printed
    "zsh": 'compdef() {{ }}; _describe() {{ print -l -- "${{(@P)3%%:*}}" }}; compadd() {{ }}; words=(tracebridge {before} {word}); CURRENT=$#words; source {file}',
}
FILES = {"bash": "tracebridge.bash", "fish": "tracebridge.fish", "zsh": "_tracebridge"}


def run(*command: str) -> str:
    """Run a program, with this environment's commands first. Skips the test where the program is missing."""
    if shutil.which(command[0]) is None:
        (pytest.fail if os.environ.get(REQUIRE) else pytest.skip)(f"{command[0]} is not installed")
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_manual_page_is_what_the_code_says() -> None:
    """After a change of a command: `cd tests && python -m support.reference`."""
    assert MANUAL.read_text() == manual.page()


def test_the_manual_page_is_readable() -> None:
    """groff has no complaint, and what comes out has the commands, dashes and dots as they are typed."""
    text = run("groff", "-man", "-Tutf8", "-ww", "-P-cbou", str(MANUAL))
    assert "--state FILE" in text
    assert "tracebridge exec --trace ci-1234 -- pytest -q" in text


@pytest.mark.parametrize("shell", SCRIPTS)
@pytest.mark.parametrize(
    ("before", "word", "completed"),
    [("", "rep", ["replay"]), ("replay", "--st", ["--state", "--strict"]), ("span", "s", ["set", "start"])],
)
def test_a_shell_completes(shell: str, before: str, word: str, completed: list[str]) -> None:
    """Commands, commands of a group, and options, as the real shell asks for them."""
    script = SCRIPTS[shell].format(file=SHELL / FILES[shell], before=before, word=word)
    assert sorted(run(shell, "-c", script).split()) == completed


def test_the_package_brings_them() -> None:
    """Each file goes where shells and man look for it."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "shared-data"
    ]
    assert sorted(told) == sorted(f"shell/{each.name}" for each in SHELL.iterdir())
