"""Which journal directory a command means: `--journal DIR`, or what a configuration names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tracebridge.errors import ConfigError
from tracebridge.process.system import HAS_LOCKS, WITHOUT_LOCKS
from tracebridge.settings.load import CONFIG_VARIABLE, load_settings
from tracebridge.settings.model import Settings

OR_JOURNAL = ", or its journal with --journal"


def journal_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--journal` and `--config` to a command."""
    config = click.option("--config", metavar="FILE", help="YAML file that names it; default: $TRACEBRIDGE_CONFIG.")
    journal = click.option("--journal", metavar="DIR", help="The journal's directory.")
    return journal(config(command))


def journal_directory(journal: str | None, config: str | None) -> Path:
    """Return the directory that is meant. Raises ConfigError when none is, ClickException when it is not there or this system has no journals."""
    if not HAS_LOCKS:
        raise click.ClickException(WITHOUT_LOCKS)
    directory = Path(journal).expanduser() if journal is not None else settings_with_journal(config, OR_JOURNAL)[1]
    if not directory.is_dir():
        raise click.ClickException(f"folder {directory} does not exist: nothing has been journalled there yet")
    return directory


def journal_and_adapters(journal: str | None, config: str | None) -> tuple[Path, list[str]]:
    """Return the directory that is meant, and the adapters that a configuration names, when there is one. Raises as the others."""
    if journal is not None and config is None:
        return journal_directory(journal, None), []
    settings = load_settings(config) if journal is not None else settings_with_journal(config, OR_JOURNAL)[0]
    return journal_directory(journal, config), list(settings.adapters)


def drainable_settings(config: str | None) -> tuple[Settings, Path | None]:
    """Return settings with something that processes leave behind: a journal on disk, and its directory, or an engine of open spans.

    Raises ConfigError when there is neither.
    """
    settings = load_settings(config)
    if settings.journal.directory is None and settings.open_spans.engine is not None:
        return settings, None
    return settings_with_journal(config)


def settings_with_journal(config: str | None, or_else: str = "") -> tuple[Settings, Path]:
    """Return the settings and their journal's directory.

    Raises ConfigError when the journal is in memory; `or_else` is what else the command takes.
    """
    from tracebridge.wiring import directory_of

    settings = load_settings(config)
    if settings.journal.directory is None:
        if config is None and not os.environ.get(CONFIG_VARIABLE):
            raise ConfigError(
                f"which journal? Name the application's YAML file with --config, or with {CONFIG_VARIABLE}{or_else}"
            )
        raise ConfigError(
            f"this configuration has its journal in memory, gone with each process; add `journal: {{directory: ./spans}}`{or_else}"
        )
    return settings, directory_of(settings.journal.directory)
