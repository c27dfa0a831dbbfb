"""`tracebridge validate`: is this file right, and what does it amount to?"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from tracebridge.cli.shared.exits import EXIT_CONFIG
from tracebridge.cli.shared.output import echo, echo_json
from tracebridge.cli.shared.words import count
from tracebridge.errors import ConfigError
from tracebridge.settings.load import CONFIG_VARIABLE, Loaded, load

if TYPE_CHECKING:
    from tracebridge.settings.problems import Problem

EPILOG = """Examples:

    tracebridge validate bridge.yaml

    tracebridge validate bridge.yaml --print-effective

    tracebridge validate bridge.yaml --github
"""


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(), required=False)
@click.option("--print-effective", is_flag=True, help="Print every value and where it is from; secrets are masked.")
@click.option("--github", is_flag=True, help="Print problems as GitHub annotations.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.pass_context
def command(context: click.Context, file: str | None, print_effective: bool, github: bool, as_json: bool) -> None:
    """Check FILE (by default the one that TRACEBRIDGE_CONFIG names) and report every problem at once. No network is used.

    Variables that FILE names are taken from the environment, as at start. Exits with 78 when something is wrong. Packages that a destination
    needs and that are not installed here are warnings.
    """
    file = file or os.environ.get(CONFIG_VARIABLE)
    if not file:
        raise click.UsageError(f"name a FILE, or set {CONFIG_VARIABLE}")
    if github and as_json:
        raise click.UsageError("--github and --json are two forms of one output; choose one")
    try:
        loaded = load(file)
    except ConfigError as error:
        if github:
            echo("\n".join(annotation(file, problem) for problem in error.problems))
        elif as_json:
            _print({"file": file, "valid": False, "problems": [problem.as_json() for problem in error.problems]})
        else:
            echo(str(error), err=True)
        context.exit(EXIT_CONFIG)
    from tracebridge.settings.missing import missing

    warnings = missing(loaded)
    names = list(loaded.settings.adapters)
    if as_json:
        warned = [warning.as_json() for warning in warnings]
        more = _effective(loaded) if print_effective else {}
        _print({"file": file, "valid": True, "adapters": names, "warnings": warned, **more})
        return
    if warnings and github:
        echo("\n".join(annotation(file, warning, "warning") for warning in warnings))
    elif warnings:
        from tracebridge.settings.report import render

        echo(render(warnings, file, what="warning"), err=True)
    if print_effective:
        _print_effective(loaded, file)
    echo(f"{file}: no problems; {count(len(names), 'destination')}: {', '.join(names)}", err=print_effective)


def annotation(file: str, problem: Problem, level: str = "error") -> str:
    """Return a problem as a workflow command of GitHub Actions.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    place = problem.place
    where: dict[str, Any] = {"file": file}
    if place.line:
        where["line"] = place.line
        if place.column:
            where |= {"col": place.column, "endColumn": place.column + place.length}
    where["title"] = f"tracebridge [{problem.kind}]"
    shown = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in where.items())
    return f"::{level} {shown}::{_escaped(problem.message)}"


def _escaped(text: str, more: Sequence[str] = "") -> str:
    for char in ["%", "\r", "\n", *more]:
        text = text.replace(char, f"%{ord(char):02X}")
    return text


def _effective(loaded: Loaded) -> dict[str, Any]:
    from tracebridge.settings.effective import effective

    shown = [
        {"path": entry.path, "value": entry.value, "source": entry.origin.as_json()} for entry in effective(loaded)
    ]
    return {"disabled": loaded.settings.disabled, "effective": shown}


def _print_effective(loaded: Loaded, file: str) -> None:
    from tracebridge.settings.effective import as_yaml, effective

    if loaded.settings.disabled:
        echo("# tracing is switched off: $OTEL_SDK_DISABLED")
    echo(as_yaml(effective(loaded), file))


def _print(outcome: Mapping[str, Any]) -> None:

    echo_json(outcome)
