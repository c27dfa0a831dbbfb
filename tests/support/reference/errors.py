"""docs/reference-errors.md: every error that Tracebridge raises, reports or exits with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from support.reference.parts import Part, paragraphs
from tracebridge import errors
from tracebridge.doctor.findings import Cause
from tracebridge.settings.problems import ProblemKind

CONFIGURATION = Path(__file__).parents[3] / "docs" / "errors.md"
HEAD = """# Reference: errors

Every error, with what to do about it. Data never makes a call raise: errors are for wrong calls and wrong configurations. [Calls that make
no sense](reliability.md#calls-that-make-no-sense) are counted, and raise only with `lifecycle: {strict: true}`.
"""


def parts() -> Iterator[Part]:
    """Yield the page."""
    yield HEAD
    yield "## Errors that calls raise\n"
    yield (
        "All are in `tracebridge` and derive from `TracebridgeError`. `error_code` has MLflow's name for the case; once the program has imported mlflow, the errors of wrong "
        "calls are also `MlflowException`.\n"
    )
    yield from _classes(errors.TracebridgeError, "error_code")
    yield "## Errors that adapters raise\n"
    yield (
        "For those who [write an adapter](adapters.md): what `send` and `encode` raise tells delivery what to do next. Programs never see them; `stats()` counts them, and "
        "`last_error` has the text. All are in `tracebridge.errors` and derive from `DeliveryError`.\n"
    )
    yield from _classes(errors.DeliveryError, None)
    yield "## Problems of a configuration\n"
    yield (
        "What `tracebridge validate` reports and `ConfigError.problems` holds, by `kind`. Each name leads to an example and its message. `not-installed` is a warning.\n"
    )
    rows = "".join(f"| [`{kind}`](errors.md#{kind}) | {_section(kind)} |\n" for kind in get_args(ProblemKind))
    yield f"| kind | what is wrong |\n|---|---|\n{rows}"
    yield "## Causes that `tracebridge doctor` finds\n"
    yield "Each comes with what to do. [Does it work?](configuration.md#does-it-work) has them in order, and how the command looks for them.\n"
    yield ", ".join(f"`{cause}`" for cause in get_args(Cause)) + "\n"
    yield "## Exit codes of commands\n"
    yield EXITS


EXITS = """| code | what it means | what to do |
|---|---|---|
| 0 | all went well | |
| 1 | not found, or not everything arrived or could be read | read the last lines that were printed |
| 2 | the command was typed wrongly | `tracebridge COMMAND --help` |
| 78 | the configuration is wrong | `tracebridge validate FILE` |
| 126, 127 | `tracebridge exec`: the command may not be executed, or does not exist | as with any shell |
| 130 | interrupted by Ctrl-C | |
"""


def _classes(base: type[Exception], code: str | None) -> Iterator[Part]:
    rows = []
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base:
            first, *more = paragraphs(kind)
            to_do = next((each.removeprefix("What to do: ") for each in more if each.startswith("What to do: ")), None)
            if to_do is None:
                raise ValueError(f"{name} needs a paragraph `What to do: …`: the reference of errors says it")
            rows.append([f"`{name}`", *([f"`{getattr(kind, code)}`"] if code else []), first, to_do])
    head = ["class", *(["error_code"] if code else []), "when", "what to do"]
    yield "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def _section(kind: str) -> str:
    """Return the first paragraph of a kind's section on the page of the configuration."""
    found = re.search(rf"^### {kind}\n\n(.+?)\n\n", CONFIGURATION.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"docs/errors.md needs a section {kind}: what is wrong, an example and its message")
    return " ".join(found[1].split()).replace("|", "\\|")
