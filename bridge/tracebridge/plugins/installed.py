"""What installed packages offer under their entry points, read from the files in which installers write it down.

`importlib.metadata` answers the same question; importing it (it brings the libraries for email and zip files) costs as much as all that
`tracebridge validate` does beside. So the plain case, packages in folders, is read here, by the same rules, and `importlib.metadata` is
asked where something else may hold packages: an archive on `sys.path`, or an importer that knows packages of its own.

Specification: https://packaging.python.org/en/latest/specifications/entry-points/
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_SUFFIXES = (".dist-info", ".egg-info")


@dataclass(slots=True, eq=False, repr=False)
class Entry:
    """One entry point."""

    group: str
    name: str
    value: str
    """`module` or `module:object`, as the package says it."""
    package: str
    """The package that offers it, by its normal name."""

    def load(self) -> Any:
        """Import the module and return the object. Raises whatever the import raises."""
        import importlib

        module, _, path = self.value.partition("[")[0].partition(":")
        found: Any = importlib.import_module(module.strip())
        for name in filter(None, path.strip().split(".")):
            found = getattr(found, name)
        return found


def entries(groups: Collection[str]) -> list[Entry]:
    """Return what is installed under these groups, in the order of `sys.path`; of one package only the first that is found."""
    if not any(os.path.isfile(path) for path in sys.path) and not _foreign_finders():
        return [entry for entry in _in_folders(sys.path) if entry.group in groups]
    from importlib.metadata import entry_points

    found = entry_points()
    return [
        Entry(group, each.name, each.value, each.dist.name if each.dist is not None else each.value)
        for group in groups
        for each in found.select(group=group)
    ]


def _foreign_finders() -> bool:
    return any(hasattr(finder, "find_distributions") and not _is_pythons_own(finder) for finder in sys.meta_path)


def _is_pythons_own(finder: Any) -> bool:
    return getattr(finder, "__module__", "") == "_frozen_importlib_external"


def _in_folders(folders: Iterable[str]) -> Iterator[Entry]:
    seen: set[str] = set()
    for folder in folders:
        try:
            with os.scandir(folder or ".") as listed:
                names = sorted(each.name for each in listed if each.name.endswith(_SUFFIXES))
        except OSError:
            continue
        for name in names:
            package = name.rpartition(".")[0].partition("-")[0].replace("_", "-").lower()
            if package in seen:
                continue
            seen.add(package)
            try:
                with open(os.path.join(folder, name, "entry_points.txt"), encoding="utf-8") as file:
                    text = file.read()
            except OSError:
                continue  # it offers nothing
            yield from _parsed(text, package)


def _parsed(text: str, package: str) -> Iterator[Entry]:
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            group = line.strip("[]").strip()
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            if equals:
                yield Entry(group, name.strip(), value.strip(), package)
