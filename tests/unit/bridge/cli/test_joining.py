"""`--join-short-ids`: a trace of which some services keep 128 bits of the ID and others 64, through replay, show and search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from support.commands import CliRunner
from tracebridge.cli import main
from tracebridge.ids.joining import joined, joined_id
from tracebridge.records.record import Link, SpanRecord

LONG, SHORT = "463ac35c9f6413ad48485a3953bb6124", "48485a3953bb6124"
OTHER = "563ac35c9f6413ad48485a3953bb6199"
START_US = 1_790_000_000_000_000


def span(trace: str, number: int, parent: int | None = None, **more: Any) -> dict[str, Any]:
    """A Zipkin span."""
    above = {} if parent is None else {"parentId": f"{parent:016x}"}
    shown = {"name": "x", "timestamp": START_US + number, "duration": 9, "localEndpoint": {"serviceName": "shop"}}
    return {"traceId": trace, "id": f"{number:016x}", **above, **shown, **more}


@pytest.fixture
def spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file: the client's half of a call under the long ID, the server's and its child under the short one, and another trace."""
    monkeypatch.setenv("TRACEBRIDGE_STORE", str(tmp_path / "store.db"))
    monkeypatch.delenv("TRACEBRIDGE_CONFIG", raising=False)
    path = tmp_path / "spans.json"
    path.write_text(
        json.dumps([
            span(LONG, 1, kind="CLIENT"), span(SHORT, 1, kind="SERVER", shared=True, timestamp=START_US + 2), span(SHORT, 3, parent=1),
            span(OTHER, 4),
        ])
    )  # fmt: skip
    return str(path)


def run(*arguments: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("asked", [LONG, SHORT, "0" * 16 + SHORT])
def test_show_joins_what_is_stored_under_two_ids(spans, asked):
    """By either of them, under the longer; without the option each is a trace of its own."""
    assert run("replay", spans).exit_code == 0
    joined = run("show", asked, "--join-short-ids", "--json")
    alone = run("show", asked, "--json")
    assert (len(json.loads(joined.output)), len(json.loads(alone.output))) == (3, 1 if asked == LONG else 2)
    assert LONG in joined.output
    assert "0" * 16 + SHORT not in joined.output


def test_search_lists_a_joined_trace_once(spans):
    """With all its spans; others stay what they are."""
    assert run("replay", spans).exit_code == 0
    rows = [json.loads(line) for line in run("search", "--join-short-ids", "--json").output.splitlines()]
    assert {row["wire_trace_id"]: row["spans"] for row in rows} == {LONG: 3, OTHER: 1}
    assert len(run("search", "--json").output.splitlines()) == 3


def test_replay_delivers_a_joined_trace_under_its_short_id(spans):
    """And takes the long one for it in --trace."""
    result = run("replay", spans, "--join-short-ids", "--trace", LONG, "--json")
    assert json.loads(result.output.splitlines()[-1])["delivered"] == 3
    (row,) = [json.loads(line) for line in run("search", "--json").output.splitlines()]
    assert (row["wire_trace_id"], row["spans"]) == ("0" * 16 + SHORT, 3)


def test_links_lead_to_joined_traces():
    """As their own spans are renamed."""
    record = SpanRecord(bytes.fromhex(LONG), b"s" * 8, None, "a", 1, 2, links=(Link(bytes.fromhex(OTHER), b"t" * 8),))
    after = joined(record)
    assert (after.trace_id.hex(), after.links[0].trace_id.hex()) == ("0" * 16 + SHORT, "0" * 16 + OTHER[16:])


def test_an_id_whose_lower_half_is_zero_stays():
    """It has no short form: back-ends refuse an ID of zeros."""
    assert joined_id(b"\x01" * 8 + bytes(8)) == b"\x01" * 8 + bytes(8)
