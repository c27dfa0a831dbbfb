"""`tracebridge init`: a commented file to start from."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import click

from tracebridge.cli.shared.output import echo
from tracebridge.process.system import open_file

EXIT_EXISTS = 1

EPILOG = """Examples:

    tracebridge init zipkin

    tracebridge init fan-out --output bridge.yaml
"""


def preset_names() -> list[str]:
    """Return the presets that are shipped."""
    return sorted(
        p.name.removesuffix(".yaml")
        for p in (files("tracebridge_config") / "presets").iterdir()
        if p.name.endswith(".yaml")
    )


@click.command(epilog=EPILOG)
@click.argument("preset", required=False)
@click.option("--output", "-o", default="bridge.yaml", show_default=True, help="The file to write; - for stdout.")
@click.option("--force", is_flag=True, help="Replace the file when it is there.")
@click.pass_context
def command(context: click.Context, preset: str | None, output: str, force: bool) -> None:
    """Write a commented configuration from a PRESET; without one, list the presets.

    Exits with 1 when the file is there already.
    """
    names = preset_names()
    if preset is None:
        echo("\n".join(names))
        echo("name one of these: tracebridge init NAME", err=True)
        return
    if preset not in names:
        from tracebridge.errors import did_you_mean

        raise click.BadParameter(
            f'unknown preset "{preset}"{did_you_mean(preset, names)} (known: {", ".join(names)}) [unknown-preset]'
        )
    text = (files("tracebridge_config") / "presets" / f"{preset}.yaml").read_text(encoding="utf-8")
    text = text.replace("$schema=../bridge.schema.json", "$schema=bridge.schema.json")
    if output == "-":
        echo(text, nl=False)
        return
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with os.fdopen(open_file(output, flags), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        echo(f"{output} is there already; --force replaces it", err=True)
        context.exit(EXIT_EXISTS)
    except OSError as error:
        raise click.FileError(output, error.strerror or str(error)) from error
    echo(f"wrote {Path(output)}; check it with: tracebridge validate {output}", err=True)
