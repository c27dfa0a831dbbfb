"""What a right configuration needs and this machine lacks: packages that an adapter imports, or new ones, classes that it is told to import, locks on files.

Nothing is imported to find that out, neither clients, which take long, nor what a person names. What is missing here may be there where the program
runs, so these are warnings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import all_suffixes
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from tracebridge.plugins.registry import OPEN_SPANS, adapter_class, load, receiver_class
from tracebridge.process.system import HAS_LOCKS, WITHOUT_LOCKS
from tracebridge.settings.problems import Problem
from tracebridge.settings.reader import hints_of, keys_of
from tracebridge.settings.safe_keys import joined
from tracebridge.supported import too_old

if TYPE_CHECKING:
    from tracebridge.plugins.adapter import Needs
    from tracebridge.settings.load import Loaded
    from tracebridge.settings.model import AdapterSettings
    from tracebridge.settings.tree import Node


def missing(loaded: Loaded) -> list[Problem]:
    """Return a warning for each destination whose packages cannot be found or are too old, or whose class cannot be found, and for a journal without locks."""
    if loaded.tree is None:  # nothing was read
        return []
    nodes: dict[str, Node] = loaded.tree.value["adapters"].value
    problems = [
        problem for chosen in loaded.settings.adapters.values() for problem in _of_adapter(chosen, nodes[chosen.name])
    ]
    if loaded.settings.journal.directory is not None and not HAS_LOCKS:
        place = loaded.tree.value["journal"].value["directory"].place
        problems.append(Problem("not-installed", WITHOUT_LOCKS, "journal.directory", place))
    relay = loaded.settings.relay
    if relay is not None:
        problems += _of_packages(
            receiver_class(relay.type),
            f"the {relay.type} receiver",
            joined("relay", relay.type),
            loaded.tree.value["relay"],
        )
    engine = loaded.settings.open_spans.engine
    if engine is not None:
        node = loaded.tree.value["open_spans"]
        problems += _of_packages(load(OPEN_SPANS, engine), f"the engine {engine}", "open_spans.engine", node)
    return problems


def _of_packages(kind: Any, what: str, path: str, node: Node) -> Iterator[Problem]:
    needs: Needs | None = getattr(kind, "needs", None)
    if needs is not None and not all(map(is_there, needs.modules)):
        message = f"{what} needs what is not installed here: pip install '{needs.requirement}'"
        yield Problem("not-installed", message, path, node.place)
    elif needs is not None:
        for message in too_old(needs.modules, core=False):
            yield Problem("not-installed", message, path, node.place)


def _of_adapter(chosen: AdapterSettings, node: Node) -> Iterator[Problem]:
    path = joined("adapters", chosen.name)
    yield from _of_packages(adapter_class(chosen.type), f"the {chosen.type} adapter", path, node)
    hints = hints_of(type(chosen.options))
    for key, field in keys_of(type(chosen.options)).items():
        if get_origin(hints[key]) is Annotated and "class" in get_args(hints[key])[1:]:
            given = node.value.get(key)  # None: it is a default
            module = getattr(chosen.options, field.name).partition(":")[0]
            if not is_there(module):
                shown = "that" if given is not None and given.substituted else module
                message = f"{joined(path, key)}: module {shown} is not installed here; install the package that has it"
                yield Problem("not-installed", message, joined(path, key), node.place if given is None else given.place)


def is_there(module: str) -> bool:
    """Return whether a module can be found; True where only importing the packages above it could tell.

    `find_spec` itself imports those, so below the first name the folders are looked through.
    """
    if module in sys.modules:
        return True
    first, *rest = module.split(".")
    try:
        spec = find_spec(first)
    except ValueError:  # a module without a spec, such as __main__
        return True
    if spec is None:
        return _holds([Path.cwd()], first)  # a script's own folder is not on a command's path
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    for name in rest:
        if not all(folder.is_dir() for folder in folders):
            return True  # an archive
        if not _holds(folders, name):
            return False
        folders = [folder / name for folder in folders if (folder / name).is_dir()]
    return True


def _holds(folders: list[Path], name: str) -> bool:
    return any(
        (folder / name).is_dir() or any((folder / f"{name}{end}").is_file() for end in all_suffixes())
        for folder in folders
    )
