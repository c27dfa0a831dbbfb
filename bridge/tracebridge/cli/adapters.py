"""`tracebridge adapters`: which destinations there are, and their options."""

from __future__ import annotations

import inspect
from typing import Any

import click
import msgspec

from tracebridge.errors import ConfigError
from tracebridge.registry import adapter_class, adapter_entries
from tracebridge.settings.describe import describe

EPILOG = """Examples:

    tracebridge adapters

    tracebridge adapters zipkin
"""


@click.command(epilog=EPILOG)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the installed adapters, or the options of the adapter NAME."""
    if name is None:
        rows = [_summary(entry) for entry in adapter_entries()]
        if as_json:
            click.echo(msgspec.json.encode(rows))
        else:
            _print_table(("adapter", "what it does"), [(row["name"], row["summary"]) for row in rows])
        return
    options = describe(adapter_class(name).Options)
    if as_json:
        click.echo(msgspec.json.encode(options))
    else:
        _print_table(("option", "type", "default", "help"), [(o.key, o.type, o.default, o.help) for o in options])


def _summary(name: str) -> dict[str, str]:
    try:
        module = inspect.getmodule(adapter_class(name))
    except ConfigError as error:
        return {"name": name, "summary": f"not usable: {error}"}
    return {"name": name, "summary": (inspect.getdoc(module) or "").partition("\n")[0]}


def _print_table(titles: tuple[str, ...], rows: list[Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title in {"adapter", "option"})
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    Console(highlight=False).print(table)
