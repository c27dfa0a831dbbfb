"""What commands print: the one way out, past which nothing goes that could steer a terminal.

Texts come from files, servers and other people's programs; JSON is read by programs and by people. `click.echo` and rich's own console are not used elsewhere.
"""

from __future__ import annotations

import functools
import io
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from tracebridge.masking.printable import printable_json, printable_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print text of one line or several."""
    click.echo(printable_lines(str(text)), err=err, nl=nl)


def echo_folded(text: str, *, err: bool = False) -> None:
    """Print a line, between words folded to a terminal's width; whole where it goes elsewhere, so that it can be searched."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty() or "COLUMNS" in os.environ:
        width = shutil.get_terminal_size().columns
        text = textwrap.fill(text, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    echo(text, err=err)


def echo_json(value: Any, *, err: bool = False, indent: int | None = None) -> None:
    """Print a value, or what is JSON already (bytes), as JSON: on one line, or indented."""
    data = bytes(value) if isinstance(value, (bytes, bytearray)) else msgspec.json.encode(value)
    click.echo(printable_json(data if indent is None else msgspec.json.format(data, indent=indent)), err=err)


def draw(console: Console, drawing: Any, *, paged: bool = False) -> None:
    """Draw what makes its own lines. `paged`: by $PAGER, or less, when it is longer than the terminal that it goes to."""
    if not (paged and console.is_terminal and sys.stdin.isatty()):
        console.print(drawing, soft_wrap=True)
        return
    with console.capture() as captured:
        console.print(drawing, soft_wrap=True)
    text = captured.get()
    if text.count("\n") < console.height:
        click.echo(text, nl=False, color=True)
    else:
        click.echo_via_pager(text.removesuffix("\n"), color=console.color_system is not None)


def terminal(**options: Any) -> Console:
    """Return rich's console; whatever is drawn on it is cleaned at the end, cells of tables and bars included."""
    console: Console = _console_class()(highlight=False, **options)
    return console


def bars(*columns: Any, shown: bool = True) -> Progress:
    """Return rich's progress bars, on standard error; they draw nothing where that is no terminal, or they are not to be shown."""
    from rich.progress import Progress

    console = terminal(stderr=True)
    shown = shown and console.is_terminal
    console.quiet = not shown  # rich before 14.3 draws an empty line although it is disabled
    return Progress(*columns, console=console, transient=True, disable=not shown)


@functools.cache
def _console_class() -> Any:
    from rich.console import Console
    from rich.segment import Segment

    class Terminal(Console):
        """A console whose texts are printable; the escape sequences that rich makes of styles come later."""

        def render_str(self, text: str, **more: Any) -> Any:
            """Return text as rich lays it out; cleaned before, so that it takes the room that it is given."""
            return super().render_str(printable_lines(text), **more)

        def render(self, renderable: Any, options: Any = None) -> Iterator[Segment]:
            """Yield the segments of what is drawn, cleaned."""
            for segment in super().render(renderable, options):
                if segment.control or segment.text == "\n" or segment.text.isprintable():
                    yield segment
                else:
                    yield Segment(printable_lines(segment.text), segment.style)

    return Terminal


@contextmanager
def printable_errors() -> Iterator[None]:
    """Let click's own complaints, which quote what was typed, be printed like everything else."""
    try:
        yield
    except _Printable:
        raise
    except click.ClickException as error:
        raise _Printable(error) from None


class _Printable(click.ClickException):
    """An error that is shown as click shows it, but for what could steer a terminal."""

    def __init__(self, error: click.ClickException) -> None:
        super().__init__(error.message)
        self.exit_code = error.exit_code  # type: ignore[misc]  # a class's own, which click, too, sets on instances
        self._error = error

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        shown = io.StringIO()
        self._error.show(shown)
        click.echo(printable_lines(shown.getvalue()), file=file, err=file is None, nl=False)
