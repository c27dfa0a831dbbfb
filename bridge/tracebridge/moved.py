"""Modules that had another path in earlier versions: importing one names the new path."""

from __future__ import annotations

MOVED = {
    "tracebridge.adapter": "tracebridge.plugins.adapter",
    "tracebridge.format": "tracebridge.plugins.format",
    "tracebridge.log_events": "tracebridge.logs.events",
    "tracebridge.record": "tracebridge.records.record",
    "tracebridge.search": "tracebridge.reading.search",
    "tracebridge.settings.options": "tracebridge.plugins.options",
    "tracebridge.source": "tracebridge.plugins.source",
}


class Moved:
    """The last finder on `sys.meta_path`: it is asked only when Python has found no module."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Raise ModuleNotFoundError with the new path of a module that has moved."""
        if name in MOVED:
            raise ModuleNotFoundError(f"{name} has moved: import {MOVED[name]}", name=name)
