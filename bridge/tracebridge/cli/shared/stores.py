"""What `show`, `search` and `ui` read: the readable destinations of the configuration, opened without a client."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tracebridge.cli.shared.configured import configured
from tracebridge.plugins.adapter import TraceReader
from tracebridge.reading.destinations import Destination, open_destinations
from tracebridge.settings.model import Settings


def open_reader(config: str | None) -> tuple[TraceReader, Settings]:
    """Return the reader that `--config`, TRACEBRIDGE_CONFIG, MLFLOW_TRACKING_URI or the default store names: an embedded store before any other.

    It is closed when the command ends.

    Raises ConfigError for a wrong configuration and ClickException when nothing in it can be read back.
    """
    [first, *_], settings = open_readers(config)
    return first.reader, settings


def open_readers(config: str | None, wanted: Sequence[str] = ()) -> tuple[list[Destination], Settings]:
    """Return all that can be read, or those of these names, embedded stores first. They are closed when the command ends.

    Raises as above, and BadParameter for a name that the configuration does not have.
    """
    loaded = configured(config, if_unwritable="read")
    settings = loaded.settings
    if loaded.by == "store":
        _need_file(settings)
    named = ", ".join(settings.adapters) or "none"
    for name in wanted:
        if name not in settings.adapters:
            raise click.BadParameter(f"{name!r} is none of the configured destinations ({named})", param_hint="--from")
    found = open_destinations(settings, wanted)
    for each in found:
        click.get_current_context().call_on_close(each.adapter.close)
    if not found:
        raise click.ClickException(
            f"none of the configured adapters can be read back ({', '.join(wanted) or named}); add `store: {{path: ./tracebridge.db}}`, or give an "
            "adapter its query_endpoint"
        )
    return found, settings


def _need_file(settings: Settings) -> None:
    """Leave no empty store behind where somebody only looked, in the wrong folder most likely. Raises ClickException."""
    options: Any = settings.adapters["store"].options
    if options.path != ":memory:" and not Path(options.path).expanduser().exists():
        raise click.ClickException(
            f"there is no {options.path}; change to the folder of the program that traces, set TRACEBRIDGE_STORE, or name a configuration"
        )
