"""`tracebridge schema`: what an editor needs to explain and complete the YAML file."""

from __future__ import annotations

import json

import click

EPILOG = """Example:

    tracebridge schema > bridge.schema.json
"""


@click.command(epilog=EPILOG)
def command() -> None:
    """Print the JSON Schema (draft 2020-12) of the YAML file, with every adapter that is installed here.

    Point an editor at it with a first line `# yaml-language-server: $schema=bridge.schema.json`.
    """
    from tracebridge.registry import ADAPTERS, entries
    from tracebridge.settings.schema import json_schema

    click.echo(json.dumps(json_schema(entries(ADAPTERS)), indent=2))
