"""`tracebridge validate`: is this file right?"""

from __future__ import annotations

import click
import msgspec

from tracebridge.cli.exits import EXIT_CONFIG
from tracebridge.errors import ConfigError
from tracebridge.settings.load import load_settings

EPILOG = """Examples:

    tracebridge validate bridge.yaml

    tracebridge validate bridge.yaml --json
"""


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.pass_context
def command(context: click.Context, file: str, as_json: bool) -> None:
    """Check FILE and report every problem at once, with its place. No network is used.

    Variables that FILE names are taken from the environment, as at start. Exits with 78 when something is wrong.
    """
    try:
        settings = load_settings(file)
    except ConfigError as error:
        if as_json:
            problems = [problem.as_json() for problem in error.problems]
            click.echo(msgspec.json.encode({"file": file, "valid": False, "problems": problems}))
        else:
            click.echo(str(error), err=True)
        context.exit(EXIT_CONFIG)
    names = list(settings.adapters)
    if as_json:
        click.echo(msgspec.json.encode({"file": file, "valid": True, "adapters": names}))
    else:
        click.echo(f"{file}: no problems; {len(names)} destination{'s' if len(names) != 1 else ''}: {', '.join(names)}")
