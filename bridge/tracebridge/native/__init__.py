"""Which side runs: functions in C, or the Python code that each of them stands for. README.md beside this file says how they fit together.

`functions` is the module in C, or None. It is asked once, where something is imported or built, never for each span. The Python code is
complete and is the reference: what is unusual comes back to it, and tests hold both sides equal.
"""

from __future__ import annotations

import _imp
import os
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Final

from tracebridge.version import VERSION

CHOICE: Final = "TRACEBRIDGE_NATIVE"
"""The variable that forces a side: 0 for Python, 1 for C, which is an error where the module is missing."""
_NAME: Final = "_functions"


def chosen(asked: str, folder: str) -> tuple[ModuleType | None, str]:
    """Return the module in C that stands in a folder, or None, and what `tracebridge --version` says of it.

    `asked` is what TRACEBRIDGE_NATIVE says. Raises ImportError when that cannot be done, or is none of the three that it may be.
    """
    if asked not in ("", "0", "1"):
        raise ImportError(f"{CHOICE} is {asked!r:.40}; it has to be 0 (Python code), 1 (the native module), or not set")
    if asked == "0":
        return None, f"not used, because {CHOICE} is 0"
    problem = _missing(folder)
    if not problem:
        module, problem = _loaded(os.path.join(folder, _NAME + _imp.extension_suffixes()[0]))
        if module is not None:
            return module, "in use"
        if not asked:
            _warn(problem)
    if asked == "1":
        raise ImportError(f"{CHOICE} is 1, and the native module {problem}")
    return None, problem


def _missing(folder: str) -> str:
    """Return why there is nothing to load; empty where there is something."""
    if "t" in getattr(sys, "abiflags", ""):
        return "does not run on a free-threaded Python"
    try:
        files = os.listdir(folder)
    except OSError:  # in an archive
        files = []
    product = _NAME + _imp.extension_suffixes()[0]
    if product not in files:
        others = sorted(file for file in files if file.startswith(f"{_NAME}.") and file.endswith(".so"))
        if others:
            return f"was built for another Python: there is {others[0]}, and this one loads {product}"
        return "was not built: it needs a C compiler and Python's headers when tracebridge is installed"
    built = os.stat(os.path.join(folder, product)).st_mtime_ns
    sources = [file for file in files if file.endswith((".c", ".h"))]  # there in a checkout only
    if sources:
        sources.append(os.path.join(os.pardir, "version.py"))
    if any(os.stat(os.path.join(folder, file)).st_mtime_ns > built for file in sources):
        return "is older than its sources: run python -m tracebridge.native.building"
    return ""


def _loaded(path: str) -> tuple[ModuleType | None, str]:
    """Return the module in a file, or None and why it is refused."""
    name = f"{__name__}.{_NAME}"
    try:
        spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, path))
        module = module_from_spec(spec)  # type: ignore[arg-type]  # there is one, as there is a loader
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        version = module.VERSION
    except (ImportError, AttributeError, SystemError) as error:
        return None, f"cannot be loaded: {error}"
    if version != VERSION:
        return None, f"was built for tracebridge {version}, and this is {VERSION}"
    return module, ""


def _warn(problem: str) -> None:
    import logging

    logging.getLogger("tracebridge").warning("the native module %s; Python code runs in its place", problem)


functions, state = chosen(os.environ.get(CHOICE, ""), os.path.dirname(__file__))
