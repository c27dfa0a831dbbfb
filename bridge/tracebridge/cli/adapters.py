"""`tracebridge adapters`: which destinations there are, and their options."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tracebridge.cli.shared.output import echo, echo_json
from tracebridge.errors import ConfigError
from tracebridge.plugins.registry import adapter_class, known_adapters

if TYPE_CHECKING:
    from tracebridge.settings.describe import Described

EPILOG = """Examples:

    tracebridge adapters

    tracebridge adapters zipkin
"""


@click.command(epilog=EPILOG)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the installed adapters, or the options of the adapter NAME.

    Exits with 78 for the name of an adapter that is not installed.
    """
    if name is None:
        rows = [(known, _summary(known)) for known in known_adapters()]
        if as_json:
            echo_json([{"name": known, "summary": summary} for known, summary in rows])
        elif rows:
            _print_list(rows)
        else:
            echo("no adapters are installed; install them: pip install tracebridge", err=True)
        return
    from tracebridge.settings.describe import describe

    kind = adapter_class(name)
    options = describe(kind.Options)
    if as_json:
        plain = [dataclasses.asdict(option) for option in options]
        echo_json({"name": name, "summary": _summary(name), "options": plain})
        return
    echo(f"{name}: {_summary(name)}\n")
    _print_options(options)


def _summary(name: str) -> str:
    """Return the first sentence of the adapter's module."""
    try:
        module = inspect.getmodule(adapter_class(name))
    except ConfigError as error:
        return f"(not usable: {error})"
    return (inspect.getdoc(module) or "").partition("\n")[0]


def _print_list(rows: Sequence[tuple[str, str]]) -> None:
    formatter = click.HelpFormatter()
    formatter.write_dl(rows)
    echo(formatter.getvalue(), nl=False)
    echo("\n`tracebridge adapters NAME` shows the options of one.", err=True)


def _print_options(options: Sequence[Described]) -> None:
    formatter = click.HelpFormatter()
    for option in options:
        default = "required" if option.required else f"default: {option.default}" if option.default else "optional"
        formatter.write(f"{option.key}: {option.type}  ({default})\n")
        formatter.indent()
        formatter.write_text(option.help)
        formatter.dedent()
    echo(formatter.getvalue(), nl=False)
