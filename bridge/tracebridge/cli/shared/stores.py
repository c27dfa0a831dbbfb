"""What `show` and `search` read: a readable adapter of the configuration, opened without a client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tracebridge.cli.shared.configured import configured
from tracebridge.plugins.adapter import Context, TraceEditor, TraceReader, may_be_read, reader_of
from tracebridge.plugins.registry import adapter_class
from tracebridge.reading.joined import JoinedReader
from tracebridge.records.record import Resource
from tracebridge.settings.model import Settings

join_option = click.option(
    "--join-short-ids",
    "join",
    is_flag=True,
    help="Take traces whose IDs have the same lower 64 bits for one: of services that keep 128 bits, and of those that keep 64.",
)


def open_reader(config: str | None, *, join: bool = False) -> tuple[TraceReader, Settings]:
    """Return the reader that `--config`, TRACEBRIDGE_CONFIG, MLFLOW_TRACKING_URI or the default store names: an embedded store before any other.

    It is closed when the command ends. `join`: traces under a long and a short ID are one (`ids.joining`).

    Raises ConfigError for a wrong configuration and ClickException when nothing in it can be read back.
    """
    loaded = configured(config, if_unwritable="read")
    settings = loaded.settings
    if loaded.by == "store":
        _need_file(settings)
    kinds = {name: adapter_class(chosen.type) for name, chosen in settings.adapters.items()}
    for name in sorted(kinds, key=lambda name: not issubclass(kinds[name], TraceEditor)):
        if may_be_read(kinds[name]):
            context = Context(name, Resource(dict(settings.resource.attributes)), settings.trace_ids.attribute)
            adapter = kinds[name](settings.adapters[name].options, context)
            reader = reader_of(adapter)
            if reader is not None:
                click.get_current_context().call_on_close(adapter.close)
                return JoinedReader(reader) if join else reader, settings
    named = ", ".join(settings.adapters) or "none"
    raise click.ClickException(
        f"none of the configured adapters can be read back ({named}); add `store: {{path: ./tracebridge.db}}`, or give an adapter "
        "its query_endpoint"
    )


def _need_file(settings: Settings) -> None:
    """Leave no empty store behind where somebody only looked, in the wrong folder most likely. Raises ClickException."""
    options: Any = settings.adapters["store"].options
    if options.path != ":memory:" and not Path(options.path).expanduser().exists():
        raise click.ClickException(
            f"there is no {options.path}; change to the folder of the program that traces, set TRACEBRIDGE_STORE, or name a configuration"
        )
