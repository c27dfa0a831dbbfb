"""`tracebridge demo`: the main job on real input, in a few seconds, with nothing but this package."""

from __future__ import annotations

import datetime
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracebridge.cli.shared.delivering import switched_on
from tracebridge.cli.shared.output import draw, echo, echo_json, terminal

if TYPE_CHECKING:
    from tracebridge.client import Client

FOLDER = "tracebridge-demo"
ITEMS = ("order-1001", "order-1002", "order-1003", "order-1004", "order-1005")
BROKEN = "order-1003"
DELIVERY_WAIT_S = 15.0  # for servers of the user's own

EPILOG = """Examples:

    tracebridge demo

    tracebridge demo --config bridge.yaml
"""


@click.command(epilog=EPILOG)
@click.option("--config", metavar="FILE", help="Send to the destinations of this YAML file instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.pass_context
def command(context: click.Context, config: str | None, as_json: bool) -> None:
    """Trace a small batch, one item of which fails, under an ID of your own, and show what became of it.

    Without --config the trace goes to the embedded store, and as OTLP JSON, Zipkin JSON and log lines into the folder
    tracebridge-demo. Exits with 1 when a destination did not take every span, with 78 when the configuration is wrong.
    """
    from tracebridge.client import Client
    from tracebridge.settings.load import load_settings

    if config is None:
        _tell_unused()
    settings: Any = config if config is not None else _embedded()
    trace_id = f"user123_batch_{datetime.datetime.now(datetime.UTC):%Y%m%d%H%M%S}_{uuid.uuid4().hex[:8]}"
    client = Client(config=switched_on(load_settings(settings)))
    spinner = _spinner(enabled=not as_json)
    with spinner:
        wire_id = run_batch(client, trace_id)
        complete = client.flush(DELIVERY_WAIT_S)
    stats = client.stats().to_dict()
    spans = _read_back(client, wire_id)
    client.close(timeout_s=1.0)
    if as_json:
        outcome = {"trace_id": trace_id, "wire_trace_id": wire_id.hex(), "complete": complete, "stats": stats}
        echo_json(outcome)
    else:
        _tell(trace_id, wire_id, spans, stats, config)
    if not complete or any(books["dropped"] or books["queued"] for books in stats["adapters"].values()):
        context.exit(1)


def _tell_unused() -> None:
    """Say what is exported and would decide in a program, and does not here: a demonstration sends to the servers named on its command line alone."""
    for variable, use in (
        ("TRACEBRIDGE_CONFIG", 'add --config "$TRACEBRIDGE_CONFIG"'),
        ("MLFLOW_TRACKING_URI", "name it in a YAML file"),
    ):
        if os.environ.get(variable):
            echo(f"{variable} is set and not used here; to send there, {use}", err=True)
            return


def run_batch(client: Client, trace_id: str) -> bytes:
    """Trace one batch with the start and end calls; return the trace's wire ID."""
    root = client.start_trace(
        "batch_processing",
        span_type="CHAIN",
        inputs={"items": list(ITEMS)},
        attributes={"batch.size": len(ITEMS)},
        tags={"team": "checkout"},
        trace_id=trace_id,
    )
    done = 0
    for item in ITEMS:
        span = client.start_span(f"process {item}", root.trace_id, root.span_id, inputs={"item": item})
        try:
            outputs = _process(client, root.trace_id, span.span_id, item)
        except ValueError as error:
            span.record_exception(error)
            client.end_span(root.trace_id, span.span_id)
        else:
            done += 1
            client.end_span(root.trace_id, span.span_id, outputs=outputs)
    client.end_trace(
        root.trace_id,
        outputs={"done": done, "failed": len(ITEMS) - done},
        attributes={"batch.success_rate": done / len(ITEMS)},
    )
    return bytes.fromhex(root.wire_trace_id)


def _process(client: Client, trace_id: str, parent_id: str, item: str) -> dict[str, Any]:
    from tracebridge.records.record import Kind

    with client.span("validate", trace_id, parent_id, attributes={"item": item}):
        time.sleep(0.002)
        if item == BROKEN:
            raise ValueError(f"{item} has no price")
    with client.span("reserve stock", trace_id, parent_id, kind=Kind.CLIENT, attributes={"peer.service": "inventory"}):
        time.sleep(0.003)
    return {"item": item, "state": "reserved"}


def _embedded() -> dict[str, Any]:
    folder = Path(FOLDER)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise click.ClickException(
            f"the folder {FOLDER} cannot be made here ({error.strerror}); change to one that you may write"
        ) from error
    return {
        "resource": {"attributes": {"service.name": "tracebridge-demo"}},
        "adapters": {
            "store": {"path": os.environ.get("TRACEBRIDGE_STORE") or "./tracebridge.db"},
            "otlp_file": {"path": str(folder / "spans.otlp.jsonl")},
            "zipkin_file": {"path": str(folder / "spans.zipkin.jsonl")},
            "log": {"stream": "file", "path": str(folder / "spans.log")},
        },
    }


def _spinner(*, enabled: bool) -> Any:

    console = terminal(stderr=True, quiet=not enabled)
    return console.status("tracing a batch and waiting for every destination …")


def _read_back(client: Client, wire_id: bytes) -> list[Any]:
    from tracebridge.errors import TracebridgeError

    try:
        trace = client.get_trace(wire_id.hex())
    except TracebridgeError:
        return []
    return [span.record for span in trace.data.spans if hasattr(span, "record")]


def _tell(trace_id: str, wire_id: bytes, spans: list[Any], stats: dict[str, Any], config: str | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    from tracebridge.cli.shared.books import unconfirmed
    from tracebridge.cli.shared.waterfall import Waterfall

    console = terminal()
    if spans:
        draw(console, Waterfall(spans))
        console.print()
    table = Table(box=None, pad_edge=False)
    for title in ("destination", "acknowledged", "queued", "dropped", "said"):
        table.add_column(title, overflow="fold")
    for name, books in stats["adapters"].items():
        dropped = ", ".join(f"{count} {reason}" for reason, count in books["dropped"].items()) or "0"
        acknowledged = f"{books['exported']}{unconfirmed(books)}"
        table.add_row(escape(name), acknowledged, str(books["queued"]), escape(dropped), escape(books["last_error"]))
    console.print(table)
    for name, books in stats["adapters"].items():
        right = books["queued"] + books["exported"] + books["sent"] + sum(books["dropped"].values())
        console.print(
            f"{escape(name)}: {stats['started']} started = {stats['open']} open + {books['exported']} exported + "
            f"{books['sent']} sent + {books['queued']} queued + {sum(books['dropped'].values())} dropped"
            + ("" if stats["started"] == stats["open"] + right else "  [red](does not balance)[/]")
        )
    console.print(f"\nyour trace ID   [bold]{escape(trace_id)}[/]\nits wire ID     {wire_id.hex()}")
    if config is None:
        shown = ", ".join(str(path) for path in sorted(Path(FOLDER).iterdir()))
        console.print(f"also written    {escape(shown)}\n\nNext:")
        console.print(f"  tracebridge show {escape(trace_id)} --details", soft_wrap=True)
        console.print("  tracebridge search --id user123")
        console.print("  tracebridge demo --config bridge.yaml     (ten lines of YAML: see the README)")
