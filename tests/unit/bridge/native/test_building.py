"""The native module is built where that is possible, and everywhere else the reason is told."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from tracebridge.native import building


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is built as the machine that it runs on says."""
    for name in (building.CHOICE, "CC", "CFLAGS"):
        monkeypatch.delenv(name, raising=False)


def test_a_machine_without_a_compiler_has_pure_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler on the PATH is a reason, not an error."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    (tmp_path / "Python.h").touch()
    assert building.try_to_build(tmp_path / "module.so") == "pure Python: there is no C compiler"


def test_a_machine_without_pythons_headers_has_pure_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing headers are a reason, not an error."""
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: None)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    expected = "pure Python: Python's headers are missing (such as Debian's python3-dev)"
    assert building.try_to_build(tmp_path / "module.so") == expected


def test_a_free_threaded_python_has_pure_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module is not even built where the lock is off."""
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: 1 if name == "Py_GIL_DISABLED" else None)
    expected = "pure Python: a free-threaded build runs without the native module"
    assert building.try_to_build(tmp_path / "module.so") == expected


@pytest.mark.skipif(bool(building.missing()), reason=f"it cannot be built here: {building.missing()}")
def test_a_compiler_that_fails_leaves_pure_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the compiler says is told, and no half-made file stays."""
    compiler = tmp_path / "compiler"
    compiler.write_text("#!/bin/sh\necho 'it broke: error 7' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    said = building.try_to_build(tmp_path / "module.so")
    assert (said, list(tmp_path.iterdir())) == ("pure Python: the C compiler failed: it broke: error 7", [compiler])


def test_zero_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRACEBRIDGE_NATIVE=0 makes the pure wheel on every machine."""
    monkeypatch.setenv(building.CHOICE, "0")
    said = building.try_to_build(tmp_path / "module.so")
    assert (said, list(tmp_path.iterdir())) == ("pure Python, as TRACEBRIDGE_NATIVE=0 asks", [])


def test_one_makes_a_module_that_cannot_be_built_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRACEBRIDGE_NATIVE=1 never makes a pure wheel."""
    monkeypatch.setenv(building.CHOICE, "1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        RuntimeError, match=r"^TRACEBRIDGE_NATIVE is 1, and the native module cannot be built: pure Python: \w+"
    ):
        building.try_to_build(tmp_path / "module.so")
