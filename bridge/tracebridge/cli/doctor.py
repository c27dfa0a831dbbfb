"""`tracebridge doctor`: does every destination take spans, and if not, why not and what to do?"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from tracebridge.cli.shared.configured import CONFIG_HELP, configured
from tracebridge.cli.shared.output import echo_json, terminal

if TYPE_CHECKING:
    from rich.console import Console  # noqa: TID251 - the type only

    from tracebridge.doctor.findings import Outcome, Trouble

EXIT_ILL = 1
DOES = {
    "resolve": "name resolved",
    "connect": "connected",
    "tunnel": "tunnel through the proxy",
    "tls": "TLS",
    "send": "span",
    "read back": "span read back",
    "look": "",
}

EPILOG = """Examples:

    tracebridge doctor --config bridge.yaml

    tracebridge doctor --config bridge.yaml --json
"""


@click.command(epilog=EPILOG)
@click.option("--config", metavar="FILE", help=CONFIG_HELP)
@click.option("--only", metavar="NAME", multiple=True, help="Only this destination; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@click.pass_context
def command(context: click.Context, config: str | None, only: Sequence[str], as_json: bool) -> None:
    """Connect to every destination, send one marked span (named "tracebridge doctor") and read it back where that is possible.

    Where the configuration has a `relay`, what it reads is looked at too: topics, rights, the newest messages. Nothing is committed.
    So is the engine of `open_spans`, in which nothing is left.

    Exits with 0 when all of it is well, with 1 when something is not, with 78 when the configuration is wrong.
    """

    from tracebridge.doctor.examine import examine
    from tracebridge.doctor.keeping import examine_engine
    from tracebridge.doctor.reading import examine_relay
    from tracebridge.errors import ConfigError

    loaded = configured(config, if_unwritable="refuse", tells_all=True)
    if loaded.by == "store":  # nothing asked for that: the user's own traces are in it
        raise ConfigError(
            "no configuration to examine: name one with --config FILE or TRACEBRIDGE_CONFIG.\n"
            f"Without one, spans go to {loaded.told}; nothing was written there."
        )
    settings = loaded.settings
    unknown = [name for name in only if name not in settings.adapters]
    if unknown:
        raise click.BadParameter(f"{unknown[0]} is not one of {', '.join(settings.adapters)}", param_hint="--only")
    console = terminal()
    outcomes = []
    for name, chosen in settings.adapters.items():
        if only and name not in only:
            continue
        with _spinner(name, enabled=not as_json), _spans_on_stderr():
            outcome = examine(chosen, settings)
        outcomes.append(outcome)
        if not as_json:
            _print(outcome, console)
    more = [
        ("what the relay reads", examine_relay, settings.relay is not None),
        ("where open spans are kept", examine_engine, settings.open_spans.engine is not None),
    ]
    for what, look_at, is_there in more:
        if only or not is_there:
            continue
        with _spinner(what, enabled=not as_json):
            found = look_at(settings)
        outcomes += found
        if not as_json:
            for outcome in found:
                _print(outcome, console)
    healthy = all(outcome.problem is None for outcome in outcomes)
    if as_json:
        echo_json({"healthy": healthy, "destinations": [outcome.as_json() for outcome in outcomes]})
    context.exit(0 if healthy else EXIT_ILL)


def _spinner(name: str, *, enabled: bool) -> Any:
    from rich.markup import escape

    return terminal(stderr=True, quiet=not enabled).status(f"examining {escape(name)} …")


@contextlib.contextmanager
def _spans_on_stderr() -> Iterator[None]:
    """Let a destination that is this process's standard output write to stderr: stdout is for the findings."""
    sys.stdout.flush()
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _print(outcome: Outcome, console: Console) -> None:
    from rich.markup import escape

    mark = "[green]✓[/]" if outcome.problem is None else "[red]✗[/]"
    console.print(f"{mark} [bold]{escape(outcome.name)}[/]  {escape(outcome.target)}", soft_wrap=True)
    for step in outcome.steps:
        console.print(
            f"    [green]✓[/] {escape(f'{DOES[step.name]} {step.detail}'.strip())}  [dim]{step.elapsed_ms:.0f} ms[/]",
            soft_wrap=True,
        )
    if outcome.problem is not None:
        _print_trouble(outcome.problem, "[red]✗[/]", console)
    for warning in outcome.warnings:
        _print_trouble(warning, "[yellow]![/]", console)
    if outcome.link is not None and outcome.problem is None:
        console.print(f"    [dim]{escape(outcome.link)}[/]", soft_wrap=True)


def _print_trouble(trouble: Trouble, mark: str, console: Console) -> None:
    from rich.markup import escape

    console.print(f"    {mark} {escape(trouble.message)} {escape(f'[{trouble.cause}]')}", soft_wrap=True)
    console.print(f"      → {escape(trouble.advice)}", soft_wrap=True)
