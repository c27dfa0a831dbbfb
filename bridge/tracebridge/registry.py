"""Adapter names to classes, through the entry points of `tracebridge.adapters`: the only door, ours and a stranger's alike."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tracebridge.adapter import Adapter
from tracebridge.errors import ConfigError
from tracebridge.settings.options import DeliveryOptions
from tracebridge.settings.problems import did_you_mean

GROUP = "tracebridge.adapters"


def adapter_entries() -> dict[str, EntryPoint]:
    """Return the installed adapters by name, none of them imported."""
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def adapter_class(name: str) -> type[Adapter]:
    """Import and return an adapter's class. Raises ConfigError for a name that is not known or cannot be imported."""
    entries = adapter_entries()
    entry = entries.get(name)
    if entry is None:
        known = ", ".join(entries) or "none; is the package installed? (pip install tracebridge)"
        raise ConfigError(f'unknown adapter "{name}"{did_you_mean(name, entries)} (known: {known})')
    try:
        loaded: Any = entry.load()
    except Exception as error:
        missing = f"; {error}" if isinstance(error, ImportError) else f": {error!r}"
        raise ConfigError(f'adapter "{name}" cannot be imported from {entry.value}{missing}') from error
    options = getattr(loaded, "Options", None)
    if not (isinstance(options, type) and issubclass(options, DeliveryOptions)):
        raise ConfigError(f'adapter "{name}" ({entry.value}) has no Options class derived from DeliveryOptions')
    checked: type[Adapter] = loaded
    return checked
