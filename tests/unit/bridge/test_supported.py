"""One line says where the package cannot work, and which libraries it was not tested with."""

from __future__ import annotations

import logging
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tracebridge import Client
from tracebridge.settings.load import load
from tracebridge.settings.missing import missing
from tracebridge.supported import CORE, EXTRAS, too_old

ROOT = Path(__file__).parents[3]
USED_BY_SETTINGS = {
    "grpc",
    "jaeger",
    "kafka",
    "opentelemetry",
}  # extras that adapters need; the others are for sources and files


def last_line(code: str, folder: Path | None = None) -> str:
    """What a fresh process says last when it fails; "" when it does not. `folder` comes first on its path."""
    path = [] if folder is None else [str(folder)]
    code = f"import sys, typing; sys.path[:0] = {path}; {code}"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""


def installed(folder: Path, name: str, version: str) -> Path:
    """Pretend that a library is installed in a folder."""
    (folder / f"{name}-{version}.dist-info").mkdir(parents=True)
    return folder


def test_an_old_python_is_told_which_one_is_needed() -> None:
    """Although pip refuses it there: packages are copied, too."""
    line = last_line("sys.version_info = (3, 10, 4); import tracebridge")
    assert line == f"ImportError: tracebridge needs Python 3.11 or newer; this is cpython 3.10.4 ({sys.executable})"


def test_another_implementation_is_told_why() -> None:
    """msgspec is written in C for CPython; its absence is not what is complained of."""
    line = last_line("sys.implementation.name = 'pypy'; import tracebridge")
    version = ".".join(map(str, sys.version_info[:3]))
    assert line == (
        f"ImportError: tracebridge needs CPython, because msgspec does; this is pypy {version} ({sys.executable})"
    )


@pytest.mark.skipif(find_spec("_interpreters") is None, reason="this Python tells nothing of subinterpreters")
@pytest.mark.parametrize(("kind", "expected"), [("isolated", "threads or processes"), ("legacy", "")])
def test_a_subinterpreter_with_a_lock_of_its_own_is_refused(kind: str, expected: str) -> None:
    """Not one that shares it, as those of mod_wsgi do: msgspec works there."""
    code = f"""
import _interpreters
number = _interpreters.create({kind!r})
failed = _interpreters.exec(number, 'import tracebridge; tracebridge.SpanRecord')
_interpreters.destroy(number)
if failed: sys.exit(failed.formatted)
"""
    done = subprocess.run([sys.executable, "-c", "import sys" + code], check=False, capture_output=True, text=True)
    said = done.stderr.strip()
    assert (expected in said, len(said.splitlines())) == (True, 1 if expected else 0)


@pytest.mark.parametrize("version", ["0.18.6", "0.20.0", "0.20.1rc1"])
def test_an_old_msgspec_is_named_with_its_folder_and_what_to_install(version: str, tmp_path: Path) -> None:
    """Broken answers would be raw errors with it."""
    line = last_line("import tracebridge", installed(tmp_path, "msgspec", version))
    assert line == (
        f"ImportError: tracebridge needs msgspec 0.21 or newer, and {version} is installed in {tmp_path}: "
        "pip install 'msgspec>=0.21'"
    )


def test_what_an_interrupted_installation_left_does_not_count(tmp_path: Path) -> None:
    """Two versions in one folder: the newer is there."""
    for version in ("0.18.6", "0.21.1", "0.9.1"):
        installed(tmp_path, "msgspec", version)
    assert last_line("import tracebridge", tmp_path) == ""


def test_a_msgspec_for_another_python_is_named(tmp_path: Path) -> None:
    """As in an image whose packages were installed by another Python, or on another system."""
    installed(tmp_path, "msgspec", "0.23.0")
    (tmp_path / "msgspec").mkdir()
    (tmp_path / "msgspec" / "_core.cpython-39-x86_64-linux-gnu.so").touch()
    line = last_line("import tracebridge", tmp_path)
    assert line == (
        f"ImportError: tracebridge needs a msgspec that is made for this Python, {sys.implementation.cache_tag}; in {tmp_path} "
        "there is _core.cpython-39-x86_64-linux-gnu.so: install the packages with the Python, and on the system, that runs them"
    )


def test_other_libraries_that_are_too_old_are_warned_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client's own and those of the adapters that it has; what no adapter needs is none of its business."""
    for name, version in (("urllib3", "1.26.18"), ("thrift", "0.22.0"), ("grpcio", "1.50.0")):
        installed(tmp_path, name, version)
    monkeypatch.syspath_prepend(tmp_path)
    config: Any = {"adapters": {"jaeger_thrift": {"endpoint": "udp://127.0.0.1:6831"}, "memory": {}}}
    with caplog.at_level(logging.WARNING):
        Client(config=config).close()
    assert sorted(record.getMessage() for record in caplog.records) == [
        "thrift 0.22.0 is installed, and tracebridge is tested with 0.24 and newer: pip install 'thrift>=0.24'",
        "urllib3 1.26.18 is installed, and tracebridge is tested with 2.2 and newer: pip install 'urllib3>=2.2'",
    ]
    (problem,) = missing(load(config))
    assert (problem.kind, problem.message.split(",")[0]) == ("not-installed", "thrift 0.22.0 is installed")


def test_what_is_installed_here_is_new_enough() -> None:
    """Of the package's own libraries and of those of every extra."""
    assert too_old(EXTRAS) == []


def test_the_bounds_are_those_of_the_package() -> None:
    """What is said at run time is what installers are told."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    def bounds(lines: list[str]) -> dict[str, str]:
        required = [Requirement(line) for line in lines]
        return {each.name: str(each.specifier).removeprefix(">=") for each in required}

    extras = [line for name in USED_BY_SETTINGS for line in project["optional-dependencies"][name]]
    assert (bounds(project["dependencies"]), bounds(extras)) == (CORE, dict(EXTRAS.values()))
