"""Which side runs, and what is said of it."""

from __future__ import annotations

import _imp
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import CliRunner
from tracebridge import native
from tracebridge.cli.main import main
from tracebridge.native import building, chosen
from tracebridge.version import VERSION

SUFFIX = _imp.extension_suffixes()[0]
NOT_BUILT = "was not built: it needs a C compiler and Python's headers when tracebridge is installed"

builds = pytest.mark.skipif(
    bool(building.missing()), reason=f"the native module cannot be built here: {building.missing()}"
)


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test runs, or is built, as the machine that it runs on says."""
    for name in (building.CHOICE, "CC", "CFLAGS"):
        monkeypatch.delenv(name, raising=False)


def _run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=environment)


def test_python_code_runs_where_the_module_was_not_built(tmp_path: Path) -> None:
    """Without a module there is no error and no log line; `--version` says why."""
    assert chosen("", str(tmp_path)) == (None, NOT_BUILT)


def test_a_missing_module_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    """TRACEBRIDGE_NATIVE=1 never falls back."""
    with pytest.raises(ImportError, match=f"^TRACEBRIDGE_NATIVE is 1, and the native module {NOT_BUILT}$"):
        chosen("1", str(tmp_path))


def test_another_choice_is_refused(tmp_path: Path) -> None:
    """What is neither 0 nor 1 is said to be wrong."""
    with pytest.raises(ImportError, match=r"^TRACEBRIDGE_NATIVE is 'yes'; it has to be 0 \(Python code\)"):
        chosen("yes", str(tmp_path))


def test_a_module_for_another_python_is_refused(tmp_path: Path) -> None:
    """A file of another Python is named, and Python code runs."""
    (tmp_path / "_functions.cpython-399-x86_64-linux-gnu.so").touch()
    expected = f"was built for another Python: there is _functions.cpython-399-x86_64-linux-gnu.so, and this one loads _functions{SUFFIX}"
    assert chosen("", str(tmp_path)) == (None, expected)


def test_a_damaged_module_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that cannot be loaded costs one log line."""
    (tmp_path / f"_functions{SUFFIX}").write_bytes(b"\x7fELF and then nothing")
    with caplog.at_level(logging.WARNING, "tracebridge"):
        module, state = chosen("", str(tmp_path))
    assert (module, state[:21], len(caplog.records)) == (None, "cannot be loaded: " + state[18:21], 1)


@builds
def test_a_module_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A module built for another version of ours is refused with one line."""
    monkeypatch.setenv("CFLAGS", "-UTRACEBRIDGE_VERSION '-DTRACEBRIDGE_VERSION=\"0.0.1\"'")
    assert building.try_to_build(tmp_path / building.product_name()) == ""
    with caplog.at_level(logging.WARNING, "tracebridge"):
        assert chosen("", str(tmp_path)) == (None, f"was built for tracebridge 0.0.1, and this is {VERSION}")
    said = f"the native module was built for tracebridge 0.0.1, and this is {VERSION}; Python code runs in its place"
    assert [record.getMessage() for record in caplog.records] == [said]


@builds
@pytest.mark.parametrize("changed", ["native/module.c", "version.py"])
def test_a_module_older_than_its_sources_is_not_used(tmp_path: Path, changed: str) -> None:
    """In a checkout, a module that was compiled before the last change is left alone."""
    folder = tmp_path / "native"
    folder.mkdir()
    for file in ("native/module.c", "version.py"):
        (tmp_path / file).touch()
        os.utime(tmp_path / file, (0, 0))
    assert building.try_to_build(folder / building.product_name()) == ""
    assert chosen("1", str(folder))[1] == "in use"
    os.utime(tmp_path / changed, (2**31, 2**31))
    expected = "is older than its sources: run python -m tracebridge.native.building"
    assert chosen("", str(folder)) == (None, expected)


def test_the_side_can_be_forced_to_python() -> None:
    """TRACEBRIDGE_NATIVE=0 runs Python code whatever is there."""
    done = _run("from tracebridge import native; print(native.functions, native.state)", TRACEBRIDGE_NATIVE="0")
    assert done.stdout == "None not used, because TRACEBRIDGE_NATIVE is 0\n"


def test_version_says_which_side_runs() -> None:
    """`tracebridge --version` has a line for it."""
    said = CliRunner().invoke(main, ["--version"]).output
    assert f"native module: {native.state}\n" in said


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python 3.13 and newer can run without the lock")
def test_the_lock_stays_off() -> None:
    """A free-threaded Python does not load the module, which would switch its lock on."""
    code = (
        "import sys; before = sys._is_gil_enabled(); import tracebridge.native; print(sys._is_gil_enabled() == before)"
    )
    assert _run(code).stdout == "True\n"
