"""Every command, fed with what steers a terminal wherever it takes texts from: nothing of it comes out, in words or in JSON.

Commands and their options are asked of click, so that a new one falls under this by itself.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from support.commands import CliRunner
from support.plain_server import Answer, PlainServer
from tracebridge.cli import main
from tracebridge.ui.server import UiServer

HOSTILE = "x\x1b[31m\x9b1m\u202eevil\u2066\u200f\x7f\x07\r\x85\u2028\x1b]0;t\x07y"
ENDLESS = {"follow", "watch"}


def leaves(group: click.Group, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, by its name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, *above, name)
        elif command is not None:
            yield (*above, name), command


COMMANDS = dict(leaves(main))
PREPARED = """
    import json, os, signal, time
    from pathlib import Path
    from tracebridge import Client, SpanEvent
    hostile = json.loads({hostile!r})
    client = Client(config="bridge.yaml")
    root = client.start_trace(hostile, trace_id=hostile, inputs={{hostile: hostile}}, tags={{hostile: hostile}}, span_type=hostile)
    child = client.start_span(hostile, hostile, root.span_id, attributes={{hostile: [hostile]}})
    child.add_event(SpanEvent(hostile, attributes={{hostile: hostile}}))
    child.record_exception(ValueError(hostile))
    child.end()
    root.end(outputs=hostile)
    client.start_trace("left open " + hostile)
    until = time.monotonic() + 60
    while not client.dead_letters() and time.monotonic() < until:
        client.flush(0.1)
    while not list(Path("spans").glob("*/stats.json")):
        time.sleep(0.05)
    time.sleep(1.2)  # until its last numbers are told
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PlainServer]:
    """One that refuses every span in its own words."""
    running = PlainServer(Answer(400, "text/plain", HOSTILE.encode()))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def prepared(server: PlainServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that commands read: configurations, span files, a store, and a journal with dead letters."""
    folder = tmp_path_factory.mktemp("hostile")
    config = {
        "resource": {"attributes": {"service.name": HOSTILE, HOSTILE: HOSTILE}},
        "journal": {"directory": "spans"},
        "lifecycle": {"shutdown_timeout": "1s"},
        "adapters": {
            "zipkin": {"endpoint": server.url, "timeout": "5s", "sending_queue": {"flush_interval": "0s"}},
            "store": {"path": "store.db"},
            "log": {"stream": "file", "path": "app.log"},
            "otlp_file": {"path": "spans.jsonl"},
        },
    }
    (folder / "bridge.yaml").write_text(json.dumps(config))
    wrong = {"adapters": {HOSTILE: {HOSTILE: HOSTILE}, "zipkin": {"timeout": HOSTILE, HOSTILE: 1}}, HOSTILE: {}}
    (folder / "wrong.yaml").write_text(json.dumps(wrong))
    (folder / "damaged.log").write_bytes(
        b'{"schema":"spanlog/1","event":"span.end","trace_id":"' + json.dumps(HOSTILE, ensure_ascii=False).encode() + b"\n"
        + HOSTILE.encode() + b"\n"
    )  # fmt: skip
    code = textwrap.dedent(PREPARED.format(hostile=json.dumps(HOSTILE)))
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, stderr=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    for numbers in (folder / "spans").glob("*/stats.json"):  # as somebody else's program could have written it
        told = json.loads(numbers.read_bytes())
        told["service"] = HOSTILE
        for books in told["adapters"].values():
            books.update(last_error=HOSTILE, retrying_since=told["time_unix_s"])
        numbers.write_text(json.dumps(told))
    for reason in (folder / "spans" / "dead").glob("*-*.json"):
        if not reason.name.endswith(".otlp.jsonl"):
            reason.write_text(json.dumps(json.loads(reason.read_bytes()) | {"message": HOSTILE, "reason": HOSTILE}))
    return folder


def known(folder: Path) -> dict[str, list[str]]:
    """What an option or an argument of some name is given, so that the command has something to do."""
    dead = sorted(path.name[:29] for path in (folder / "spans" / "dead").glob("*.otlp.jsonl"))
    return {
        "config": ["bridge.yaml", "wrong.yaml"],
        "file": ["bridge.yaml", "wrong.yaml"],
        "journal": ["spans"],
        "paths": ["app.log", "damaged.log"],
        "trace_id": [HOSTILE],
        "texts": [HOSTILE],
        "ids": dead[:1],
        "target": ["otlp_json", "spanlog"],
        "give_up": ["0.2"],
        "name": [HOSTILE],
    }


def invocations(command: click.Command, folder: Path) -> Iterator[list[str]]:
    """What a command is called with: what it needs; each flag; each other option with something hostile in it."""
    values = known(folder)
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option)]
    flags = [p.opts[-1] for p in options if p.is_flag and p.name not in ENDLESS]
    always = [p.opts[-1] for p in options if p.name == "once"]
    texts = [p for p in options if not p.is_flag]
    given = [p for p in texts if p.name in values and (p.required or p.name in {"config", "journal", "give_up"})]
    width = max([1, *(len(values[str(p.name)]) for p in given), *(len(values.get(str(p.name), [])) for p in arguments)])
    for at in range(width):
        base = [*always]
        for option in given:
            if option.name == "config" and any(p.name == "journal" for p in given) and at == 0:
                continue  # most take one of the two
            base += [option.opts[-1], values[str(option.name)][at % len(values[str(option.name)])]]
        stand = [values[str(p.name)][at % len(values[str(p.name)])] for p in arguments if p.name in values]
        yield [*base, *stand]
        for flag in flags:
            yield [*base, *stand, flag]
            if "--json" in flags and flag != "--json":
                yield [*base, *stand, flag, "--json"]
        if "--all" in flags:
            yield [*base, "--all"]
    for option in texts:
        stand = [values.get(str(p.name), [HOSTILE])[0] for p in arguments]
        rest = [text for p in texts if p.required and p is not option for text in (p.opts[-1], values[str(p.name)][0])]
        yield [*always, *rest, option.opts[-1], HOSTILE, *stand]
    yield [HOSTILE]
    yield [HOSTILE, HOSTILE]
    yield ["--" + HOSTILE]


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_no_command_passes_on_what_steers_a_terminal(
    name: tuple[str, ...], prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control, C1 and bidirectional characters from its files, from servers, from the command line: in words and in JSON."""
    monkeypatch.setattr(UiServer, "serve_forever", raising(KeyboardInterrupt))  # as if it were ended at once
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    monkeypatch.setattr("os._exit", sys.exit)  # `exec` ends so, and with it these tests
    fed = 0
    for number, arguments in enumerate(invocations(COMMANDS[name], prepared)):
        folder = tmp_path / str(number)
        shutil.copytree(prepared, folder)
        monkeypatch.chdir(folder)
        shown = printed([*name, *arguments])
        assert [char for char in shown if not (char.isprintable() or char == "\n")] == [], (arguments, shown)
        fed += "evil" in shown
    assert fed or name[0] in {"schema", "demo"}, "none of what is hostile came near it"


def raising(error: type[BaseException]) -> Callable[..., None]:
    """What raises, whatever it is called with."""

    def raises(*_: object) -> None:
        raise error

    return raises


def printed(arguments: list[str]) -> str:
    """What a command says, on both streams."""
    if arguments[0] == "convert":  # writes bytes past Python's own streams
        done = subprocess.run(
            [sys.executable, "-c", "from tracebridge.cli import main; main()", *arguments],
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert b"Traceback" not in done.stderr, done.stderr
        return (done.stdout + done.stderr).decode("utf-8", "surrogateescape")
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), (arguments, result.exception)
    return result.stdout + result.stderr


def test_what_is_drawn_is_cleaned_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Cells of tables and titles of trees, whoever forgot to; rich's own escape sequences stay."""
    from rich.table import Table

    from tracebridge.cli.shared.output import terminal

    table = Table()
    table.add_column(HOSTILE)
    table.add_row(f"[red]{HOSTILE}[/]")
    terminal(force_terminal=True, color_system="standard", width=200).print(table)
    shown = capsys.readouterr().out
    assert "evil" in shown
    assert [char for char in shown.replace("\x1b[31m", "").replace("\x1b[1m", "").replace("\x1b[0m", "")
            if not (char.isprintable() or char == "\n")] == []  # fmt: skip


def test_json_means_the_same(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is escaped is read back as it was."""
    monkeypatch.chdir(prepared)
    spans: Any = json.loads(CliRunner().invoke(main, ["show", HOSTILE, "--config", "bridge.yaml", "--json"]).stdout)
    assert (spans[0]["name"], spans[0]["inputs"]) == (HOSTILE, {HOSTILE: HOSTILE})
