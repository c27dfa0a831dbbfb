"""`tracebridge ui`: a page on this machine over what can be read."""

from __future__ import annotations

import signal
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

import click

from tracebridge.cli.shared.output import echo, echo_json
from tracebridge.cli.shared.stores import config_option, from_option, join_option, open_destinations

EPILOG = """Examples:

    tracebridge ui

    tracebridge ui user123_report_20260101_ab12cd34 --config bridge.yaml --from zipkin
"""


@click.command(epilog=EPILOG)
@click.argument("trace_id", required=False)
@config_option
@from_option
@join_option
@click.option(
    "--port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port on 127.0.0.1; 0 for any that is free.",
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the address as one JSON object, and open no browser.")
def command(
    trace_id: str | None,
    config: str | None,
    sources: tuple[str, ...],
    join: bool,
    port: int,
    no_browser: bool,
    as_json: bool,
) -> None:
    """Show traces in the browser, until Ctrl-C: a list with filters, waterfalls, two traces side by side; at TRACE_ID, where one is given.

    The page is on 127.0.0.1, for whoever has the address that is printed, and changes nothing.

    Exits with 1 when the port is taken, with 78 when the configuration is wrong.
    """
    from tracebridge.ids.identity import Identity
    from tracebridge.ui.answers import Answers
    from tracebridge.ui.server import UiServer

    destinations, settings = open_destinations(config, sources, join=join)
    answers = Answers(destinations, Identity(settings.trace_ids))
    try:
        server = UiServer(answers, port)
    except OSError as error:
        raise click.ClickException(
            f"port {port} of 127.0.0.1 cannot be had: {error.strerror or error}; --port 0 takes one that is free"
        ) from error
    with server, _ended_by_signals():
        place = f"#/trace/{urllib.parse.quote(trace_id, safe='')}" if trace_id else ""
        if as_json:
            echo_json(
                {
                    "url": server.url + place,
                    "port": server.server_port,
                    "destinations": [each.name for each in destinations],
                }
            )
        else:
            echo(f"{server.url}{place}\nreads {', '.join(each.name for each in destinations)}; Ctrl-C ends it")
            if not no_browser:
                threading.Thread(target=_open, args=(server.once() + place,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            echo("ended", err=True)


def _open(address: str) -> None:
    """Open a browser, where there is one. Some come back only when it is closed."""
    import webbrowser

    webbrowser.open(address)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt, however this process was started."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
