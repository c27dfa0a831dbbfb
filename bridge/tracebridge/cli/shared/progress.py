"""How far a long reading is: a bar over the bytes of all files, and which destination has to be waited for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracebridge.cli.shared.output import bars
from tracebridge.replay.inputs import STDIN

if TYPE_CHECKING:
    from tracebridge.client import Client
    from tracebridge.replay.stream import Step

TOLD_EVERY = 500  # lines between two steps of the bar
MAX_SAID = 160  # characters of what a destination said


class Progress:
    """A bar on a terminal, nothing elsewhere. Compressed files and standard input have no end that is known: a spinner then."""

    def __init__(self, files: Sequence[str], *, growing: bool, quiet: bool) -> None:
        from rich import progress

        self._sizes = {} if growing else {path: Path(path).stat().st_size for path in files if path != STDIN}
        self._before, self._path = 0, ""
        columns: list[Any] = [progress.SpinnerColumn(), progress.TextColumn("{task.description}")]
        if self._sizes:
            columns += [progress.BarColumn(), progress.TaskProgressColumn(), progress.TimeRemainingColumn()]
        columns.append(
            progress.TextColumn("{task.fields[spans]:,} spans ({task.fields[rate]:,.0f}/s)  {task.fields[said]}")
        )
        self._progress = bars(*columns, shown=not quiet)
        total = sum(self._sizes.values()) or None
        self._task = self._progress.add_task("reading", total=total, spans=0, rate=0, said="")

    def __enter__(self) -> Progress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def at(self, step: Step | None, spans: int) -> None:
        """Show a step of the reading; most are not worth it."""
        if step is None:
            self._progress.update(self._task, spans=spans, said="")
            return
        if step.path != self._path:
            self._before += self._sizes.get(self._path, 0)
            self._path = step.path
        if step.line.number % TOLD_EVERY == 0:
            elapsed = self._progress.tasks[0].elapsed or 0
            completed = self._before + min(step.line.end, self._sizes.get(step.path, 0))
            self._progress.update(
                self._task, completed=completed, spans=spans, rate=spans / elapsed if elapsed else 0, said=""
            )

    def waiting(self, client: Client | None) -> bool:
        """Show which destinations are waited for. Never ends the waiting: returns False."""
        if client is not None:
            books = client.stats().adapters
            failing = [f"waiting for {name}: {each.last_error}" for name, each in books.items() if each.retrying_since]
            self._progress.update(self._task, said="; ".join(failing)[:MAX_SAID])
        return False
