"""The destinations of a configuration that can be read back, opened without a client."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from tracebridge.plugins.adapter import Context, TraceEditor, TraceReader, may_be_read, reader_of
from tracebridge.plugins.registry import adapter_class
from tracebridge.records.record import Resource
from tracebridge.settings.model import Settings


class Destination(NamedTuple):
    """A destination that is read. Close its `adapter` when it is no longer needed."""

    name: str
    """Its key in the configuration, such as `otlp_http/main`."""
    type: str
    """The adapter's name, such as `otlp_http`."""
    reader: TraceReader
    adapter: Any


def open_destinations(settings: Settings, wanted: Collection[str] = ()) -> list[Destination]:
    """Return those of these names (default: all) that can be read back: stores and systems that are edited in place first, each kind as configured."""
    kinds: dict[str, Any] = {name: adapter_class(chosen.type) for name, chosen in settings.adapters.items()}
    found = []
    for name in sorted(kinds, key=lambda name: not issubclass(kinds[name], TraceEditor)):
        if (wanted and name not in wanted) or not may_be_read(kinds[name]):
            continue
        chosen = settings.adapters[name]
        context = Context(name, Resource(dict(settings.resource.attributes)), settings.trace_ids.attribute)
        adapter = kinds[name](chosen.options, context)
        reader = reader_of(adapter)
        if reader is None:
            adapter.close()
        else:
            found.append(Destination(name, chosen.type, reader, adapter))
    return found
