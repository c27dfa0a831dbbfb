"""What `show`, `search`, `find`, `store` and `ui` read: the readable adapters of the configuration, opened without a client."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tracebridge.cli.shared.configured import CONFIG_HELP, configured
from tracebridge.plugins.adapter import Context, TraceEditor, TraceReader, may_be_read, reader_of
from tracebridge.plugins.registry import adapter_class
from tracebridge.reading.destination import Destination
from tracebridge.reading.joined import JoinedReader
from tracebridge.records.record import Resource
from tracebridge.settings.model import Settings

config_option = click.option("--config", metavar="FILE", help=CONFIG_HELP)
from_option = click.option(
    "--from",
    "sources",
    metavar="NAME",
    multiple=True,
    help="Ask this destination, by its key in the configuration; may be repeated. Default: every one that can be read.",
)

from_one_option = click.option(
    "--from",
    "source",
    metavar="NAME",
    help="Ask this destination, by its key in the configuration. Default: the first that can be read, a store before servers.",
)

join_option = click.option(
    "--join-short-ids",
    "join",
    is_flag=True,
    help="Take traces whose IDs have the same lower 64 bits for one: of services that keep 128 bits, and of those that keep 64.",
)


def open_destinations(
    config: str | None, sources: Sequence[str] = (), *, join: bool = False
) -> tuple[list[Destination], Settings]:
    """Return what can be read of what `--config`, or else the environment, names: embedded stores first. They are closed when the command ends.

    `join`: traces under a long and a short ID are one (`ids.joining`).

    Raises ConfigError for a wrong configuration, BadParameter for a name of `--from` that is not in it or cannot be read, and ClickException when
    nothing in it can be read back.
    """
    loaded = configured(config, if_unwritable="read")
    settings = loaded.settings
    if loaded.by == "store":
        _need_file(settings)
    kinds = {name: adapter_class(chosen.type) for name, chosen in settings.adapters.items()}
    unknown = [name for name in sources if name not in kinds or not may_be_read(kinds[name])]
    if unknown:
        readable = ", ".join(name for name in kinds if may_be_read(kinds[name])) or "none"
        raise click.BadParameter(f"{unknown[0]!r} cannot be read; these can: {readable}", param_hint="--from")
    found = []
    for name in sorted(kinds, key=lambda name: not issubclass(kinds[name], TraceEditor)):
        if may_be_read(kinds[name]) and (not sources or name in sources):
            context = Context(name, Resource(dict(settings.resource.attributes)), settings.trace_ids.attribute)
            options = settings.adapters[name].options
            adapter = kinds[name](options, context)
            reader = reader_of(adapter)
            if reader is not None:
                click.get_current_context().call_on_close(adapter.close)
                path = str(getattr(options, "path", "")) if isinstance(adapter, TraceEditor) else ""
                found.append(Destination(name, JoinedReader(reader) if join else reader, adapter, path))
    if not found:
        named = ", ".join(settings.adapters) or "none"
        raise click.ClickException(
            f"none of the configured adapters can be read back ({named}); add `store: {{path: ./tracebridge.db}}`, or give an adapter "
            "its query_endpoint"
        )
    return found, settings


def open_reader(config: str | None, *, join: bool = False) -> tuple[TraceReader, Settings]:
    """Return the reader of the first destination, which is a store where there is one, and the settings. Raises as `open_destinations`."""
    found, settings = open_destinations(config, join=join)
    return found[0].reader, settings


def _need_file(settings: Settings) -> None:
    """Leave no empty store behind where somebody only looked, in the wrong folder most likely. Raises ClickException."""
    options: Any = settings.adapters["store"].options
    if options.path != ":memory:" and not Path(options.path).expanduser().exists():
        raise click.ClickException(
            f"there is no {options.path}; change to the folder of the program that traces, set TRACEBRIDGE_STORE, or name a configuration"
        )
