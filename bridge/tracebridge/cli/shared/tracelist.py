"""Traces as a list, one line each, as wide as the terminal is; IDs whole, because they are there to be copied."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from typing import Any

from tracebridge.cli.shared.output import terminal
from tracebridge.records.durations import duration
from tracebridge.records.record import SpanRecord, StatusCode

WIDEST = 200  # columns where the output is no terminal and COLUMNS says nothing
MOST_OF_NAME, MOST_OF_SERVICE = 60, 40  # characters
NARROWEST = 10  # cells of a name or a service; a service that would have less is left out
GAP = "  "
_MARKS = {"ERROR": "✗ ", "OK": "✓ ", "UNSET": "· "}
Row = Mapping[str, Any]


def trace_row(spans: Sequence[SpanRecord], destination: str = "") -> dict[str, Any]:
    """Return what a list tells of a trace, its root first, for JSON as well."""
    root = spans[0]
    row = {
        "trace_id": root.custom_trace_id or root.trace_id.hex(),
        "wire_trace_id": root.trace_id.hex(),
        "name": root.name,
        "service": root.resource.service_name if root.resource is not None else "",
        "status": StatusCode(root.status).name,
        "spans": len(spans),
        "start_time_unix_nano": root.start_time_ns,
        "duration_ns": root.duration_ns,
    }
    return row | ({"destination": destination} if destination else {})


def print_traces(rows: Sequence[Row]) -> None:
    """Print the list. An ID that would leave no room for the rest of its line stands alone on the line before."""
    from rich.segment import Segment, Segments
    from rich.style import Style

    from tracebridge.cli.shared.texts import Texts

    console = terminal() if "COLUMNS" in os.environ else terminal(width=None if terminal().is_terminal else WIDEST)
    texts = Texts(console.encoding)

    def padded(text: str, cells: int) -> str:
        text = texts.fit(text, cells)
        return text + " " * (cells - texts.cells(text))

    numbers = [
        [_started(int(row["start_time_unix_nano"])) for row in rows],
        [texts.clean(duration(int(row["duration_ns"]))) for row in rows],
        [f"{row['spans']:,}" for row in rows],
    ]
    titles = ["started (UTC)", "duration", "spans"]
    widths = [max(map(len, [title, *cells])) for title, cells in zip(titles, numbers, strict=True)]
    ids = [texts.clean(str(row["trace_id"])) for row in rows]
    services = [texts.cut(str(row["service"]), MOST_OF_SERVICE) for row in rows]
    names = [texts.clean(_MARKS[row["status"]]) + texts.cut(str(row["name"]), MOST_OF_NAME) for row in rows]

    while len(widths) > 1 and _room(console.width, widths) < NARROWEST + len("trace"):
        widths.pop()  # of a very narrow terminal
    room = _room(console.width, widths)
    of_id = max([5, *(cells for each in ids if (cells := texts.cells(each)) <= room - NARROWEST)])
    of_name, of_service = _shares(
        room - of_id, max(map(texts.cells, names)), max(map(texts.cells, ["service", *services]))
    )

    def line(trace: str, told: Sequence[str], service: str, name: str) -> str:
        cells = [padded(trace, of_id), *(each.rjust(width) for each, width in zip(told, widths, strict=False))]
        cells += [padded(service, of_service)] if of_service else []
        return GAP.join([*cells, texts.fit(name, of_name)]).rstrip()

    shown = [Segment(line("trace", titles, "service", "  name") + "\n", Style(dim=True))]
    for each, told, service, name, row in zip(ids, zip(*numbers, strict=True), services, names, rows, strict=True):
        style = Style(color="red") if row["status"] == "ERROR" else Style()
        alone = texts.cells(each) > of_id
        shown += [Segment(each + "\n", style)] if alone else []
        shown.append(Segment(line("" if alone else each, told, service, name) + "\n", style))
    console.print(Segments(shown), soft_wrap=True, end="")


def _room(width: int, taken: Sequence[int]) -> int:
    """Return the cells beside columns of numbers, and the gap before the name."""
    return width - sum(taken) - len(GAP) * (len(taken) + 1)


def _shares(room: int, name: int, service: int) -> tuple[int, int]:
    """Return the cells of the names and of the services, which are left out where there is room for names alone."""
    least = len(GAP) + max(NARROWEST, min(name, 2 * NARROWEST))
    of_service = min(service, room - least)
    if of_service < min(service, NARROWEST):
        return max(NARROWEST, room), 0
    return max(NARROWEST, room - of_service - len(GAP)), of_service


def _started(ns: int) -> str:
    """Return a start, with its year where that is not this one."""
    now = datetime.datetime.now(datetime.UTC)
    moment = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(seconds=ns // 10**9)
    return f"{moment:%m-%d %H:%M:%S}" if moment.year == now.year else f"{moment:%Y-%m-%d %H:%M:%S}"
