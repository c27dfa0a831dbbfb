"""Compiles the native module; `python -m tracebridge.native.building` does it in place, and so does an editable install.

The build hook runs this file by its path, in an environment that has nothing but hatchling: it uses the standard library alone. Whatever is
missing (a compiler, Python's headers), the answer is a reason, and the installation goes on without the module.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

FOLDER = Path(__file__).parent
CHOICE = "TRACEBRIDGE_NATIVE"
"""The variable that forces a side: 0 builds nothing, 1 makes a module that cannot be built an error."""
FLAGS = (
    "-std=c11",
    "-O2",
    "-fPIC",
    "-fvisibility=hidden",
    "-fwrapv",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Wno-missing-field-initializers",
)
COMPILE_TIMEOUT_S = 300
MAX_REASON = 200  # characters kept of what the compiler says


def product_name() -> str:
    """Return the file's name for the Python that runs this: it says which one, so that several lie side by side."""
    return f"_functions{sysconfig.get_config_var('EXT_SUFFIX')}"


def try_to_build(target: Path) -> str:
    """Compile to `target`. Return "", or the reason why there is no module. Raises RuntimeError instead with TRACEBRIDGE_NATIVE=1."""
    choice = os.environ.get(CHOICE, "")
    problem = f"pure Python, as {CHOICE}=0 asks" if choice == "0" else _build(target)
    if problem and choice == "1":
        raise RuntimeError(f"{CHOICE} is 1, and the native module cannot be built: {problem}")
    return problem


def missing() -> str:
    """Return what the module cannot be built without and is not there; empty where everything is."""
    if sys.implementation.name != "cpython" or os.name != "posix":
        return "the native module is for CPython on Linux and macOS"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "a free-threaded build runs without the native module"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "Python's headers are missing (such as Debian's python3-dev)"
    return "" if _linker() else "there is no C compiler"


def _build(target: Path) -> str:
    reason = missing()
    if reason:
        return f"pure Python: {reason}"
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        command = [*_linker(), *FLAGS, f'-DTRACEBRIDGE_VERSION="{_version()}"', f"-I{sysconfig.get_path('include')}"]
        sources = sorted(
            path.name for path in FOLDER.glob("*.c")
        )  # by name: an assertion says where it stands, and the same source is to give the same bytes anywhere
        files = [*sources, "-o", str(unfinished.absolute())]
        done = subprocess.run(  # noqa: S603 - the compiler, on our own files
            [*command, *shlex.split(os.environ.get("CFLAGS", "")), *files],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMPILE_TIMEOUT_S,
            cwd=FOLDER,
        )
        if done.returncode:
            said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr)
            return f"pure Python: the C compiler failed: {said.strip()[:MAX_REASON]}"
        unfinished.replace(target)  # whoever has the old one loaded keeps it
    except (OSError, subprocess.SubprocessError) as error:
        return f"pure Python: the C compiler failed: {error}"
    finally:
        unfinished.unlink(missing_ok=True)
    return ""


def _linker() -> list[str]:
    """Return the command that makes a shared library, as Python itself was built; `CC` names another compiler."""
    linker = shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared")
    for compiler in [os.environ["CC"]] if os.environ.get("CC") else [linker[0], "cc", "gcc", "clang"]:
        command = shlex.split(compiler)
        if shutil.which(command[0]):
            return [*command, *linker[1:]]
    return []


def _version() -> str:
    found: dict[str, str] = {}
    exec((FOLDER.parent / "version.py").read_text(encoding="utf-8"), found)  # noqa: S102 - our own file; importing the package needs its libraries
    return found["VERSION"]


if __name__ == "__main__":
    sys.exit(try_to_build(FOLDER / product_name()) or None)
