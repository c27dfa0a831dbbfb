"""The command group: each command's module is imported only when it is used."""

from __future__ import annotations

import gc

# Before the other imports: looking for garbage among modules was a twentieth of a short command's time.
gc.set_threshold(50_000)

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from tracebridge.cli.shared.encodings import let_streams_say_all
from tracebridge.cli.shared.exits import EXIT_CONFIG
from tracebridge.cli.shared.groups import Group
from tracebridge.cli.shared.output import echo, echo_json, printable_errors
from tracebridge.errors import ConfigError, DeliveryError, TracebridgeError

COMMANDS = {
    "demo": "Trace a small batch and show what became of it: start here.",
    "init": "Write a commented configuration to start from.",
    "validate": "Check a configuration; report every problem at once.",
    "doctor": "Try every destination, and say what is wrong and what to do.",
    "schema": "Print the configuration's JSON Schema, for editors.",
    "adapters": "List the adapters, or the options of one.",
    "id": "Print a trace ID in every form.",
    "show": "Draw one trace.",
    "ui": "Show traces in the browser.",
    "search": "List finished traces, newest first.",
    "find": "Find a trace by whatever you have of its ID.",
    "store": "Look after the embedded store's file.",
    "replay": "Deliver the spans in log and span files.",
    "sample": "Count what sampling would make of the traces in files.",
    "relay": "Deliver the spans in Kafka's topics, as one of a group.",
    "convert": "Write the spans in files in another format.",
    "tail": "Draw the traces in files as they complete.",
    "exec": "Run a command inside a span.",
    "span": "Start, change and end a span from a shell.",
    "trace": "Start and end the root of a trace from a shell.",
    "list": "List the spans that are open.",
    "stats": "Show what waits in a journal, by process and destination.",
    "drain": "Deliver a journal that was left behind.",
    "journal": "List, move or drop what dead processes left, by destination.",
    "dead": "List, send again or drop what destinations refused.",
}
"""What each command is for; here, so that the list of commands imports none of them."""

EPILOG = """Example:

    tracebridge demo
"""


class LazyGroup(Group):
    """A group that knows its commands by name only."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command's module and return its command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"tracebridge.cli.{cmd_name}").command
        command.name, command.short_help = cmd_name, COMMANDS[cmd_name]
        return command

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """Read what was typed; complaints about it are printable."""
        with printable_errors():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was chosen; complaints are printable."""
        with printable_errors():
            return super().invoke(ctx)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> Any:
        """Run; a wrong configuration prints its report and exits with 78."""
        let_streams_say_all()
        try:
            return super().main(args, *rest, **more)
        except ConfigError as error:
            echo(str(error), err=True)
            sys.exit(EXIT_CONFIG)
        except (TracebridgeError, DeliveryError) as error:
            echo(f"error: {error}", err=True)
            sys.exit(1)
        except OSError as error:  # a full disk, a folder that may not be written: the machine's doing, no bug of ours
            what = error.filename if error.filename is not None else "the output cannot be written"
            echo(f"error: {what}: {error.strerror or error}", err=True)
            sys.exit(1)


def _show_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    """Print which version this is, of what it keeps and writes, and where it runs."""
    if asked and not context.resilient_parsing:
        from tracebridge.cli.shared.versions import versions

        if context.params.get("as_json"):
            echo_json(versions())
        else:
            echo(str(versions()))
        context.exit()


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    callback=_show_version,
    help="Show the versions of tracebridge and of its data, and exit.",
)
@click.option("--json", "as_json", is_flag=True, is_eager=True, help="With --version: print one JSON object.")
def main(as_json: bool) -> None:
    """Your traces, with your IDs, into the tracing systems you already run."""
    if as_json:
        raise click.UsageError("--json stands behind the command, or with --version")
