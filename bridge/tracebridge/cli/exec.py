"""`tracebridge exec`: run a command inside a span, and be as if one were not there.

Its input, outputs, exit code and signals are its own. When the span cannot be written the command runs all the same, and one line says so.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from tracebridge.cli.shared.output import echo
from tracebridge.cli.shared.shell import (
    Parent,
    Shell,
    attribute_option,
    attributes_of,
    deliver,
    failing,
    flush_option,
    told,
    trace_option,
)
from tracebridge.plugins.open_spans import SpanKey
from tracebridge.records.record import StatusCode

if TYPE_CHECKING:
    from collections.abc import Mapping

EXIT_NOT_EXECUTABLE, EXIT_NO_COMMAND = 126, 127  # as shells have it
RESET = tuple(
    getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)
)  # Python ignores them, and a command does not expect that
OF_A_TERMINAL = {"SIGINT", "SIGQUIT", "SIGWINCH"}  # a terminal sends them to the command as well
FORWARDED = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGWINCH") if hasattr(signal, name)
)  # fmt: skip
EPILOG = """Examples:

    tracebridge exec --trace ci-1234 -- pytest -q

    tracebridge exec --trace ci-1234 --name deploy -a env=prod -- ./deploy.sh
"""


@click.command(epilog=EPILOG, context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False})
@trace_option
@click.option("--id", "span", metavar="ID", help="An ID of your own for the span; random if not given.")
@click.option("--name", help="The span's name; default: the command's.")
@click.option(
    "--parent",
    metavar="ID",
    help="The span above it; default: the one that $TRACEPARENT names, else the trace's open root.",
)
@attribute_option
@flush_option
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND [ARGUMENT]…")
def command(
    trace: str | None,
    config: str | None,
    span: str | None,
    name: str | None,
    parent: str | None,
    attributes: tuple[str, ...],
    flush: bool,
    arguments: tuple[str, ...],
) -> None:
    """Run a command inside a span.

    The command's input, outputs, exit code and signals are untouched; it finds the span in TRACEPARENT, and steps that it starts nest below. A command that
    does not exist gives 127, one that may not be executed 126. A failing command makes the span an error; an engine that cannot be written is one line on
    stderr, and the command runs.
    """
    given = attributes_of(attributes)
    shell, started = _start(config, trace, span, name or os.path.basename(arguments[0]), parent, given)  # noqa: PTH119 - importing pathlib takes longer
    environment = dict(os.environ)
    if started is not None:
        environment["TRACEPARENT"] = told(started)
    code, by_signal, why = _run(arguments, environment)
    if shell is not None and started is not None:
        _end(shell, started, code, by_signal, why)
        if flush:
            try:
                deliver(config)
            except Exception as error:
                _say(error)
    sys.stdout.flush()
    if by_signal:
        _die_of(by_signal)
    os._exit(code)  # nothing is left to do, and the interpreter takes its time to end


def _start(
    config: str | None,
    trace: str | None,
    span: str | None,
    name: str,
    parent: str | None,
    attributes: Mapping[str, object],
) -> tuple[Shell | None, Parent | None]:
    try:
        shell = Shell(config)
        started = shell.start(trace, span, name, attributes, parent=parent)
    except click.ClickException:
        raise
    except Exception as error:
        _say(error)
        return None, None
    if started is None:
        echo("tracebridge: a span of that ID has been started already; this command is not traced", err=True)
    return shell, started


def _end(shell: Shell, started: Parent, code: int, by_signal: int, why: str) -> None:
    told_of: dict[str, object] = {"process.exit.code": 128 + by_signal if by_signal else code}
    if by_signal:
        told_of["process.exit.signal"] = (
            signal.Signals(by_signal).name if by_signal in set(signal.Signals) else str(by_signal)
        )
        why = f"ended by {told_of['process.exit.signal']}"
    elif code and not why:
        why = f"exit code {code}"
    try:
        key = SpanKey(started.trace_id, started.span_id)
        shell.end(key, told_of, StatusCode.ERROR if code or by_signal else None, why)
    except Exception as error:
        _say(error)


def _say(error: Exception) -> None:
    echo(f"tracebridge: the span could not be written: {failing(error)}", err=True)


def _run(arguments: tuple[str, ...], environment: Mapping[str, str]) -> tuple[int, int, str]:
    """Run a command to its end; return its exit code, the signal that ended it (0 for none), and why it could not be run."""
    if not hasattr(os, "posix_spawnp"):
        return _run_without_signals(arguments, environment)
    watched = {number for number in FORWARDED if signal.getsignal(number) is not signal.SIG_IGN} | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        pid = _spawned(arguments, environment, before)
    except OSError as error:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return _not_run(arguments[0], error)
    while True:
        number, from_terminal = _next_signal(watched)
        if number != signal.SIGCHLD:
            if not from_terminal:
                os.kill(pid, number)
            continue
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            code = os.waitstatus_to_exitcode(status)
            return (0, -code, "") if code < 0 else (code, 0, "")


def _not_run(command: str, error: OSError) -> tuple[int, int, str]:
    code = EXIT_NO_COMMAND if isinstance(error, FileNotFoundError) else EXIT_NOT_EXECUTABLE
    why = f"{command}: {os.strerror(error.errno or 0)}"
    echo(f"tracebridge exec: {why}", err=True)
    return code, 0, why


def _next_signal(watched: set[int]) -> tuple[int, bool]:
    """Wait for a signal; return it, and whether it came from the terminal and so went to the command as well."""
    if hasattr(signal, "sigwaitinfo"):
        told_by = signal.sigwaitinfo(watched)
        return told_by.si_signo, not told_by.si_pid
    number = signal.sigwait(watched)  # macOS does not say who sent it
    return number, signal.Signals(number).name in OF_A_TERMINAL and os.isatty(0)


def _run_without_signals(arguments: tuple[str, ...], environment: Mapping[str, str]) -> tuple[int, int, str]:
    """Run a command on Windows, where only Ctrl-C is sent, and to the command as well."""
    import subprocess

    before = signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the command would inherit
    try:
        return subprocess.Popen(arguments, env=dict(environment)).wait(), 0, ""  # noqa: S603 - what the user asks for
    except OSError as error:
        return _not_run(arguments[0], error)
    finally:
        signal.signal(signal.SIGINT, before)


def _spawned(arguments: tuple[str, ...], environment: Mapping[str, str], mask: set[int]) -> int:
    try:
        return os.posix_spawnp(arguments[0], arguments, environment, setsigmask=mask, setsigdef=RESET)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    import shutil

    script = shutil.which(arguments[0]) or arguments[0]  # a script without a first line: shells give it to sh
    return os.posix_spawn("/bin/sh", ("sh", script, *arguments[1:]), environment, setsigmask=mask, setsigdef=RESET)


def _die_of(number: int) -> NoReturn:
    """End as the command did, so that whoever waits for this process sees the same."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command's own is enough
    try:
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    except (OSError, ValueError):
        pass
    os.kill(os.getpid(), number)
    os._exit(128 + number)
