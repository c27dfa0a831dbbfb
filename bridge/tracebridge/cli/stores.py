"""What `show` and `search` read: the first readable adapter of the configuration, opened without a client."""

from __future__ import annotations

import click

from tracebridge.adapter import Context, TraceReader
from tracebridge.record import Resource
from tracebridge.registry import adapter_class
from tracebridge.settings.load import load_settings
from tracebridge.settings.model import Settings


def open_reader(config: str | None) -> tuple[TraceReader, Settings]:
    """Return the reader that `--config`, TRACEBRIDGE_CONFIG or the default store names.

    Raises ConfigError for a wrong configuration and ClickException when nothing in it can be read back.
    """
    settings = load_settings(config)
    for name, chosen in settings.adapters.items():
        kind = adapter_class(chosen.type)
        if issubclass(kind, TraceReader):
            context = Context(name, Resource(dict(settings.resource.attributes)), settings.trace_ids.attribute)
            reader = kind(chosen.options, context)
            assert isinstance(reader, TraceReader)  # noqa: S101 - issubclass said so
            return reader, settings
    named = ", ".join(settings.adapters) or "none"
    raise click.ClickException(
        f"none of the configured adapters can be read back ({named}); add `store: {{path: ./tracebridge.db}}`"
    )
