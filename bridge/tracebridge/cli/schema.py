"""`tracebridge schema`: what an editor needs to explain and complete the YAML file."""

from __future__ import annotations

import click

from tracebridge.cli.shared.output import echo, echo_json

EPILOG = """Examples:

    tracebridge schema > bridge.schema.json

    tracebridge schema --spanlog > spanlog.schema.json
"""


@click.command(epilog=EPILOG)
@click.option("--spanlog", is_flag=True, help="Print the schema of a span line (spanlog/1) instead.")
def command(spanlog: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of the YAML file, with every adapter that is installed here.

    Point an editor at it with a first line `# yaml-language-server: $schema=bridge.schema.json`.
    """
    if spanlog:
        from importlib.resources import files

        echo((files("tracebridge_config") / "spanlog.schema.json").read_text(encoding="utf-8"), nl=False)
        return
    from tracebridge.plugins.registry import ADAPTERS, entries
    from tracebridge.settings.schema import json_schema

    echo_json(json_schema(entries(ADAPTERS)), indent=2)
