"""Adapter names to classes, through the entry points of `tracebridge.adapters`: the only door, ours and a stranger's alike.

Looking names up imports nothing; an adapter's module, and the client library that it may need, is imported when its class
is asked for.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from tracebridge.adapter import Adapter
from tracebridge.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "tracebridge.adapters"


def adapter_entries() -> dict[str, EntryPoint]:
    """Return the installed adapters by name, none of them imported.

    When two packages offer the same name, the one that comes first on `sys.path` wins, as with modules. What is installed
    is read once for each `sys.path`: it costs more than reading a whole configuration.
    """
    return dict(_entries(tuple(sys.path)))


@functools.lru_cache(maxsize=4)
def _entries(path: tuple[str, ...]) -> dict[str, EntryPoint]:  # noqa: ARG001 - what the answer depends on
    from importlib.metadata import entry_points  # not needed to import tracebridge

    out: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        out.setdefault(entry.name, entry)
    return out


def known_adapters() -> list[str]:
    """Return the names of the installed adapters, sorted; empty in a bare checkout, where nothing is installed."""
    return list(adapter_entries())


def adapter_class(name: str) -> type[Adapter]:
    """Import and return an adapter's class.

    Raises ConfigError for a name that is not known, a module that cannot be imported, and a class without `Options`.
    """
    from tracebridge.settings.options import DeliveryOptions

    entries = adapter_entries()
    entry = entries.get(name)
    if entry is None:
        from tracebridge.settings.problems import did_you_mean

        known = ", ".join(entries) or "none; is the package installed? (pip install tracebridge)"
        raise ConfigError(f'unknown adapter "{name}"{did_you_mean(name, entries)} (known: {known})')
    try:
        loaded: Any = entry.load()
    except Exception as error:
        package = entry.dist.name if entry.dist is not None else entry.value
        what = error if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise ConfigError(f'adapter "{name}" of {package} cannot be imported from {entry.value}: {what}') from error
    options = getattr(loaded, "Options", None)
    if not (isinstance(options, type) and issubclass(options, DeliveryOptions)):
        raise ConfigError(f'adapter "{name}" ({entry.value}) has no Options class derived from DeliveryOptions')
    checked: type[Adapter] = loaded
    return checked
