"""One HTML file that needs nothing else: traces, the script that draws them, and a table for where scripts are not run.

What spans say stands in it as escaped text (the table) and packed in base64 (all of it), so that no text can end an element; and a
Content-Security-Policy lets run nothing but the one script, and load nothing from anywhere.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import zlib
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from typing import Final

import msgspec

from tracebridge.html.picture import Picture, picture
from tracebridge.records.durations import duration
from tracebridge.records.record import SpanRecord

MAX_STATIC_ROWS: Final = 300
"""Rows of the table that is there without scripts; the others are counted."""
SCRIPTS: Final = ("words.js", "details.js", "waterfall.js")
"""What draws a trace, in this order, wherever it is drawn."""

_encode = msgspec.json.Encoder().encode


def document(traces: Iterable[Sequence[SpanRecord]]) -> str:
    """Return the file: one trace, or several under each other that open on demand. Each trace is at least one record."""
    pictures = [picture(records) for records in traces]
    title = pictures[0]["id"] if len(pictures) == 1 else f"{len(pictures):,} traces"
    return "".join(_parts(title, pictures))


def framed(records: Sequence[SpanRecord]) -> str:
    """Return an element with the file in it, shut off from the page around it: for notebooks."""
    shown = picture(records)
    text = html.escape("".join(_parts(shown["id"], [shown])))
    height = min(700, 190 + 26 * len(shown["rows"]))
    style = f"width:100%;height:{height}px;border:1px solid #8884;border-radius:8px;resize:vertical;overflow:auto"
    return (
        f"<p>{html.escape(_summary(shown))}</p>"
        f'<iframe sandbox="allow-scripts" title="{html.escape(shown["id"])}" style="{style}" srcdoc="{text}"></iframe>'
    )


@functools.cache
def asset(name: str) -> str:
    """Return a script or a style sheet of this package."""
    return resources.files("tracebridge.html").joinpath(name).read_text("utf-8")


def _parts(title: str, pictures: Sequence[Picture]) -> Iterator[str]:
    script = "\n".join(map(asset, (*SCRIPTS, "file.js")))
    style = asset("waterfall.css")
    # style attributes hold numbers of ours and nothing else
    policy = (
        f"default-src 'none'; script-src 'sha256-{_hash(script)}'; style-src 'sha256-{_hash(style)}'; style-src-attr 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    yield (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n<main>\n"
    )
    if len(pictures) == 1:
        yield f'<div class="trace">{_static(pictures[0])}{_packed(pictures[0])}</div>\n'
    else:
        yield f"<h1>{html.escape(title)}</h1>\n"
        for number, shown in enumerate(pictures):
            summary = f"<summary>{html.escape(_summary(shown))}</summary>"
            body = f"{summary}{_static(shown)}{_packed(shown)}"
            yield f'<details class="trace"{"" if number else " open"}>{body}</details>\n'
    yield f"</main>\n<script>{script}</script>\n</html>\n"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _packed(shown: Picture) -> str:
    data = base64.b64encode(zlib.compress(_encode(shown), 9)).decode()
    return f'<script type="text/plain">{data}</script>'


def _summary(shown: Picture) -> str:
    errors = f", {shown['errors']:,} with errors" if shown["errors"] else ""
    spans = f"{shown['spans']:,} span{'' if shown['spans'] == 1 else 's'}"
    return f"{shown['id']}: {shown['name']}, {spans}{errors}, {duration(shown['duration'])}"


def _static(shown: Picture) -> str:
    """Return the table that is there without scripts."""
    rows = shown["rows"][:MAX_STATIC_ROWS]
    lines = [
        f'<tr><td style="--d:{min(row["depth"], 30)}">{"✗ " if row.get("status") == "ERROR" else ""}{html.escape(row["name"])}'
        f"<td>{html.escape(row['service'])}<td>+{duration(row['start'])}<td>{duration(row['duration'])}"
        for row in rows
    ]
    rest = shown["spans"] - len(rows)
    more = f"<p>{rest:,} more spans are drawn where scripts run.</p>" if rest else ""
    return (
        f"<h1>{html.escape(shown['id'])}</h1><p>{html.escape(_summary(shown))}</p>"
        f'<table class="static"><tr><th>span<th>service<th>start<th>duration\n{chr(10).join(lines)}\n</table>{more}'
    )
