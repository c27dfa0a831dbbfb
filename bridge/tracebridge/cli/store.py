"""`tracebridge store`: look after the embedded store's file."""

from __future__ import annotations

import datetime
from typing import Any

import click

from tracebridge.cli.shared.groups import Group
from tracebridge.cli.shared.moments import length
from tracebridge.cli.shared.output import echo, echo_json
from tracebridge.cli.shared.stores import config_option, from_one_option, open_destinations
from tracebridge.cli.shared.words import count
from tracebridge.plugins.adapter import Bounds, StoreKeeper

EPILOG = """Examples:

    tracebridge store info

    tracebridge store prune --max-age 30d --max-bytes 500MiB

    tracebridge store vacuum
"""
_NS = 1e9


def _size(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    from tracebridge.settings.quantities import parse_size

    size = None if text is None else parse_size(int(text) if text.isdecimal() else text)
    if text is not None and size is None:
        raise click.BadParameter(f"{text!r} is not a size such as 500MiB")
    return size


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(cls=Group, epilog=EPILOG)
def command() -> None:
    """Look after the file of the embedded store: what is in it, what bounds it, and the space that it takes.

    `retention` in the configuration does by itself what `prune` does here.
    """


@command.command("info", short_help="Show what is in the file.", epilog="Example:\n\n    tracebridge store info --json")
@config_option
@from_one_option
@json_option
def info_command(config: str | None, source: str | None, as_json: bool) -> None:
    """Show traces, spans, times, bytes, what bounds the file, and what was deleted to keep within its bounds."""
    told = _keeper(config, source).info()
    if as_json:
        echo_json(told)
        return
    bounds = [
        f"{told['max_bytes'] / 2**20:,.0f} MiB" if told["max_bytes"] else "",
        count(told["max_traces"], "trace") if told["max_traces"] else "",
        f"{told['max_age_s'] / 86_400:,.1f} days" if told["max_age_s"] else "",
    ]
    lines = {
        "file": f"{told['path']} (schema {told['schema']})",
        "holds": f"{count(told['traces'], 'trace')}, {count(told['spans'], 'span')}",
        "started": f"{_moment(told['oldest_unix_nano'])} to {_moment(told['newest_unix_nano'])}"
        if told["traces"]
        else "",
        "size": f"{_mib(told['bytes'])}, {_mib(told['free_bytes'])} of it free, {_mib(told['log_bytes'])} in its log",
        "bounded by": ", ".join(filter(None, bounds)) or "nothing; see `retention`",
        "deleted": f"{count(told['pruned_traces'], 'trace')}, {count(told['pruned_spans'], 'span')}, to keep within its bounds",
    }
    for name, text in lines.items():
        if text:
            echo(f"{name:<11}{text}")


@command.command(
    "prune", short_help="Delete the oldest traces.", epilog="Example:\n\n    tracebridge store prune --max-traces 10000"
)
@click.option("--max-age", metavar="TIME", type=length, help="Delete traces older than this, such as 30d.")
@click.option("--max-traces", metavar="N", type=click.IntRange(min=1), help="Keep the newest so many.")
@click.option("--max-bytes", metavar="SIZE", callback=_size, help="Keep the file within this size, such as 500MiB.")
@config_option
@from_one_option
@json_option
def prune_command(
    max_age: int | None,
    max_traces: int | None,
    max_bytes: int | None,
    config: str | None,
    source: str | None,
    as_json: bool,
) -> None:
    """Delete the oldest traces until the file is within bounds, and give the space back. Without bounds here those of the configuration count."""
    keeper = _keeper(config, source)
    asked = None
    if max_age is not None or max_traces is not None or max_bytes is not None:
        asked = Bounds((max_age or 0) / _NS, max_traces or 0, max_bytes or 0)
    pruned = keeper.prune(asked)
    left = keeper.info()
    if as_json:
        echo_json({"traces": pruned.traces, "spans": pruned.spans, "bytes": left["bytes"]})
    else:
        echo(
            f"{count(pruned.traces, 'trace')}, {count(pruned.spans, 'span')} deleted; {count(left['traces'], 'trace')} left, {_mib(left['bytes'])}"
        )


@command.command(
    "vacuum", short_help="Write the file anew, without holes.", epilog="Example:\n\n    tracebridge store vacuum"
)
@config_option
@from_one_option
@json_option
def vacuum_command(config: str | None, source: str | None, as_json: bool) -> None:
    """Write the file anew, without holes. It needs as much free space again, and writers wait meanwhile.

    Only for files of earlier versions: others give space back by themselves.
    """
    before, after = _keeper(config, source).vacuum()
    if as_json:
        echo_json({"bytes_before": before, "bytes": after})
    else:
        echo(f"{_mib(before)} before, {_mib(after)} now")


def _keeper(config: str | None, source: str | None) -> StoreKeeper:
    """Return the first store of the configuration. Raises ClickException when there is none."""
    destinations, _ = open_destinations(config, [source] if source else [])
    for destination in destinations:
        if isinstance(destination.adapter, StoreKeeper):
            return destination.adapter
    raise click.ClickException("the configuration names no `store`; servers look after their own data")


def _mib(size: Any) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _moment(ns: int) -> str:
    moment = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(seconds=ns // 10**9)
    return f"{moment:%Y-%m-%d %H:%M:%S}"
