"""What has to be there for this package to work, said in one line where it is not; nothing is imported to find that out.

Where the package cannot work, importing it says so: on other interpreters, and with a msgspec that is too old or made for another Python, because
every record is made with it. Other libraries that are older than those the package is tested with may do: they are told of, by the client's log
and by `tracebridge validate`. The oldest Python, too, has to be able to read this file.
"""

from __future__ import annotations

import _imp
import _thread
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

OLDEST_PYTHON = (3, 11)

CORE = {"click": "8.1.3", "msgspec": "0.21", "pyyaml": "6.0", "rich": "13.7", "structlog": "24.1", "urllib3": "2.2"}
"""The oldest version of each library that comes with the package, as `pyproject.toml` says and the tests run with."""

EXTRAS = {
    "confluent_kafka": ("confluent-kafka", "2.8"),
    "google.protobuf": ("protobuf", "5.26"),
    "google.rpc": ("googleapis-common-protos", "1.63.1"),
    "grpc": ("grpcio", "1.63.2"),
    "opentelemetry.sdk": ("opentelemetry-sdk", "1.30"),
    "thrift": ("thrift", "0.24"),
}
"""The same for what adapters import beside (`Needs.modules`)."""


def check() -> None:
    """Raise ImportError, in one line, where the package cannot work."""
    problem = _of_interpreter() or _of_msgspec()
    if problem:
        raise ImportError(f"tracebridge {problem}")


def too_old(modules: Iterable[str] = (), *, core: bool = True) -> list[str]:
    """Return a line for each library that is older than those the package is tested with: its own, if asked, and what brings these modules."""
    lowest = {**(CORE if core else {}), **dict(EXTRAS[module] for module in modules if module in EXTRAS)}
    return [
        f"{name} {version} is installed, and tracebridge is tested with {lowest[name]} and newer: "
        f"pip install '{name}>={lowest[name]}'"
        for name, version, _ in _installed(lowest)
        if _number(version) < _number(lowest[name])
    ]


def _of_interpreter() -> str:
    here = f"this is {sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))} ({sys.executable})"
    if sys.version_info < OLDEST_PYTHON:
        return f"needs Python {'.'.join(map(str, OLDEST_PYTHON))} or newer; {here}"
    if sys.implementation.name != "cpython":
        return f"needs CPython, because msgspec does; {here}"
    if not getattr(_thread, "_is_main_interpreter", lambda: True)() and _is_isolated():
        return "cannot be imported in a subinterpreter with a lock of its own, because msgspec cannot; use threads or processes"
    return ""


def _is_isolated() -> bool:
    try:
        import _interpreters  # type: ignore[import-not-found, unused-ignore]  # Python 3.13 and newer
    except ImportError:
        return False
    return bool(_interpreters.get_config(_interpreters.get_current()[0]).check_multi_interp_extensions)


def _of_msgspec() -> str:
    """Look at the first msgspec on `sys.path`; one in an archive, or none at all, is left to its import to complain of."""
    for name, version, folder in _installed(("msgspec",)):
        if _number(version) < _number(CORE[name]):
            return f"needs msgspec {CORE[name]} or newer, and {version} is installed in {folder}: pip install 'msgspec>={CORE[name]}'"
        try:
            cores = [each for each in os.listdir(os.path.join(folder, name)) if each.startswith("_core.")]
        except OSError:
            continue  # installed from elsewhere: editable
        binaries = [each for each in cores if each.endswith((".so", ".pyd"))]
        if binaries and not any(f"_core{suffix}" in binaries for suffix in _imp.extension_suffixes()):
            return (
                f"needs a msgspec that is made for this Python, {sys.implementation.cache_tag}; in {folder} there is {binaries[0]}: "
                "install the packages with the Python, and on the system, that runs them"
            )
    return ""


def _installed(names: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return name, version and folder of those of these distributions that stand in folders of `sys.path`.

    The first folder counts, and of what an interrupted installation left there the newest.
    """
    missing = set(names)
    found = []
    for folder in sys.path:
        here: dict[str, str] = {}
        try:
            listed = os.listdir(folder or ".")
        except OSError:
            continue
        for entry in listed:
            if entry.endswith(".dist-info"):
                name, _, version = entry[: -len(".dist-info")].partition("-")
                name = name.replace("_", "-").lower()
                if name in missing and (name not in here or _number(version) > _number(here[name])):
                    here[name] = version
        missing.difference_update(here)
        found += [(name, version, folder) for name, version in here.items()]
        if not missing:
            break
    return found


def _number(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: what comes after them, such as `rc1`, does not make it older here."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
