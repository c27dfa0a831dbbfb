"""Commands run in this process, by every click that may be installed."""

from __future__ import annotations

import inspect
from typing import Any

from click import testing

_APART: dict[str, Any] = (
    {"mix_stderr": False} if "mix_stderr" in inspect.signature(testing.CliRunner).parameters else {}
)


class CliRunner(testing.CliRunner):
    """click's runner, with what goes to stderr apart: click 8.1 has to be asked for what click 8.2 always does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**_APART, **options)
