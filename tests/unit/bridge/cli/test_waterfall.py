"""The waterfall that `show`, `tail`, `demo` and `dead show` draw: every span is in it, or counted with the option that draws it."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len

from tracebridge import Client
from tracebridge.cli.shared.folding import Look, picture_of
from tracebridge.cli.shared.output import draw, terminal
from tracebridge.cli.shared.waterfall import Waterfall
from tracebridge.records.record import EndCause, Kind, Resource, SpanRecord, StatusCode

START = 1_790_000_000_000_000_000
MS = 1_000_000
SHOP, BANK = Resource({"service.name": "shop"}), Resource({"service.name": "bank"})


def span(number: int, parent: int | None = 0, **fields: object) -> SpanRecord:
    """A span that starts `number` ms after the trace and takes 10 ms; of 100 ms at the top."""
    return msgspec.structs.replace(
        SpanRecord(
            b"t" * 16, (number + 1).to_bytes(8, "big"), None if parent is None else (parent + 1).to_bytes(8, "big"), f"span {number}",
            START + number * MS, START + (100 if parent is None else number + 10) * MS, resource=SHOP,
        ),
        **fields,
    )  # fmt: skip


def drawn(
    spans: Sequence[SpanRecord], look: Look | None = None, *, width: int = 80, encoding: str = "utf-8", **more: bool
) -> list[str]:
    """The lines of a trace on a terminal without colours, below the two of its title."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding, write_through=True)
    draw(terminal(file=stream, width=width), Waterfall(spans, look, **more))
    written = stream.buffer
    assert isinstance(written, io.BytesIO)
    return written.getvalue().decode(encoding).splitlines()[2:]


def names(lines: Sequence[str]) -> list[int]:
    """Which spans have a line, in its order."""
    return [int(found[1]) for line in lines if (found := re.search(r"span (\d+)\b", line))]


def test_bars_share_one_axis_that_begins_at_one_column():
    """So they can be compared: each begins and ends where its times lie on the axis, whatever its name."""
    spans = [span(0, None), span(50, 0, name="x" * 200), span(90)]
    axis, *lines = drawn(spans, width=120)
    begins = axis.index("0")
    room = len(axis) - begins
    for line, (start, end) in zip(lines, [(0, 100), (50, 60), (90, 100)], strict=True):
        bar = re.search(r"[━╸]+$", line)
        assert bar is not None
        assert abs(bar.start() - begins - start * room / 100) <= 1
        assert abs(bar.end() - begins - end * room / 100) <= 1
    assert axis.endswith("100 ms")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    """Deep, wide, long-named and long-valued."""
    spans = [span(0, None), *(span(n, n - 1) for n in range(1, 40))]
    spans.append(
        span(50, 39, name="日本語" * 90, attributes={"k" * 300: "値" * 300}, status=2, status_message="x" * 300)
    )
    lines = drawn(spans, width=width, attributes=True)
    assert [line for line in lines if cell_len(line) > width] == []
    assert names(lines) == list(range(40))


def test_a_trace_deeper_than_it_is_wide_says_how_deep_each_span_is():
    """All 101 levels are there at 80 columns, which once showed 19."""
    lines = drawn([span(0, None), *(span(n, n - 1) for n in range(1, 101))])
    assert names(lines) == list(range(101))
    assert [line for line in lines if line.lstrip().startswith("»100 ")] != []
    assert lines[-1] == "»100: 100 levels below the top"


def test_what_is_too_deep_is_counted_where_it_is_and_at_the_end():
    """With the option that draws it."""
    lines = drawn([span(0, None), *(span(n, n - 1) for n in range(1, 101))], Look(max_depth=18))
    assert names(lines) == list(range(19))
    assert lines[-3].endswith("82 deeper spans")
    assert lines[-1] == "82 deeper spans: --max-depth 100"


def test_many_siblings_of_one_name_are_drawn_as_the_slowest_of_them():
    """One that failed stands by itself; each is drawn on demand."""
    many = [span(n, 0, name="query", end_time_ns=START + n * MS + n) for n in range(1, 41)]
    failed = span(60, 0, name="query", status=int(StatusCode.ERROR))
    lines = drawn([span(0, None), *many, failed])
    assert [re.split(r"(?<=\w)  +", line)[0] for line in lines[1:]] == [
        "✓ span 0".replace("✓", "·"), "├ · query × 40", "│   the slowest of 40; 39 spans not drawn: --unfold", "└ ✗ query",
        "39 spans folded into others of their name: --unfold",
    ]  # fmt: skip
    assert "40 ns" in lines[2]
    assert len(drawn([span(0, None), *many, failed], Look(unfold=True))) == 1 + 42


@pytest.mark.parametrize(
    ("look", "shown", "said"),
    [
        (Look(errors=True), [0, 2, 3], "2 spans not asked for (--errors)"),
        (Look(service="bank"), [0, 4], "3 spans not asked for (--service)"),
        (Look(name="SPAN 3%"), [0, 2, 3], "2 spans not asked for (--name)"),
        (Look(min_duration_ns=50 * MS), [0], "4 spans not asked for (--min-duration)"),
        (Look(collapse=["span 2"]), [0, 1, 2, 4], "1 collapsed span: without --collapse"),
        (Look(max_spans=2), [0, 1], "3 more spans: --max-spans 5"),
    ],
)
def test_what_is_not_asked_for_is_counted(look, shown, said):
    """Spans that lead to one that is asked for are drawn."""
    spans = [span(0, None), span(1), span(2), span(3, 2, status=2), span(4, 0, resource=BANK)]
    lines = drawn(spans, look)
    assert (names(lines), lines[-1]) == (shown, said)


def test_every_span_is_drawn_or_in_one_count():
    """Whatever is asked for at once."""
    spans = [span(0, None), *(span(n, n // 3, status=n % 7 % 3, name=f"n{n % 4}") for n in range(1, 400))]
    for look in (
        Look(),
        Look(errors=True, max_depth=3),
        Look(name="n1", max_spans=20),
        Look(collapse=["n2"], max_depth=4),
    ):
        picture = picture_of(spans, look)
        counted = (
            sum(picture.total(kind) for kind in ("folded", "deeper", "collapsed")) + picture.filtered + picture.beyond
        )
        assert len(picture.rows) + counted == len(spans)


def test_kind_type_and_a_service_that_changes_stand_beside_the_name():
    """The server's half of a call stands under the client's, whose ID it shares."""
    client = span(1, 0, kind=int(Kind.CLIENT))
    server = msgspec.structs.replace(client, kind=int(Kind.SERVER), shared=True, resource=BANK)
    below = span(2, 1, resource=BANK, span_type="LLM")
    lines = drawn([span(0, None), client, server, below], width=120)
    assert [re.split(r"  +[+]", line)[0] for line in lines[1:]] == [
        "· span 0  shop", "└ · span 1  client", "  └ · span 1  bank, server, same ID", "    └ · span 2  LLM",
    ]  # fmt: skip


def test_what_is_wrong_with_a_span_stands_below_it():
    """Its message, why it ended, a parent that is elsewhere, a circle."""
    spans = [
        span(0, None, status=2, status_message="no route"), span(1, 0, end_cause=EndCause.ABANDONED.value, opened_at="app.py:7"), span(2, 99),
        span(3, 4), span(4, 3),
    ]  # fmt: skip
    lines = drawn(spans)
    assert [line.strip() for line in lines if "span" not in line][1:] == [
        "no route".rjust(10).strip() and "│ no route", "(abandoned; opened at app.py:7)", "(parent 0000000000000064 is elsewhere)",
        "│ (parent 0000000000000005 is one of its own descendants)",
    ]  # fmt: skip


def test_a_terminal_of_plain_ascii_gets_plain_ascii():
    """Our marks as one character each, so that columns stand; other texts as Python escapes them; nothing is raised."""
    lines = drawn([span(0, None, status=1), span(1, 0, name="naïve")], width=60, encoding="ascii")
    assert lines[1].startswith("+ span 0")
    assert lines[2].startswith("` . na\\xefve")
    assert [line.index(bar) for line, bar in zip(lines, ("0", "==", "=="), strict=True)] == [24, 24, 24]


def test_hostile_texts_are_neutral_and_bounded():
    """A name of 100,000 characters with markup, escape sequences and marks of direction."""
    hostile = "[bold]x\x1b[2J\u202e</script>" * 5_000
    lines = drawn(
        [span(0, None, name=hostile, attributes={hostile: hostile}, tags={hostile: hostile})], attributes=True
    )
    assert len(lines) < 40
    assert [char for char in "".join(lines) if not char.isprintable()] == []
    assert "[bold]" in lines[1]


def test_a_piece_without_a_start_does_not_bend_the_axis():
    """Its other half is still on its way."""
    lines = drawn([span(0, None), span(1, 0, start_time_ns=0, end_time_ns=5 * MS)], width=120)
    assert lines[0].endswith("100 ms")
    assert lines[2].split()[3:5] == ["1", "?"]


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """A store with one trace of 60 spans."""
    path = tmp_path / "store.db"
    monkeypatch.setenv("TRACEBRIDGE_STORE", str(path))
    with Client(config={"adapters": {"store": {"path": str(path)}}}) as client:
        root = client.start_trace("naïve", trace_id="long")
        for number in range(59):
            client.start_span(f"span {number}", "long", root.span_id).end()
        root.end()
    return path


SHOW = [sys.executable, "-c", "from tracebridge.cli import main; main()"]


@pytest.mark.parametrize("command", [["show", "long"], ["search"], ["demo"]], ids=" ".join)
def test_commands_work_where_the_output_is_plain_ascii(store, tmp_path, command):
    """What cannot be said is written in ASCII, and no traceback."""
    done = subprocess.run(
        [*SHOW, *command], env={**os.environ, "PYTHONIOENCODING": "ascii"}, cwd=tmp_path, capture_output=True, check=False
    )  # fmt: skip
    assert (done.returncode, done.stderr.isascii(), b"Traceback" in done.stderr) == (0, True, False)
    assert b"+ " in done.stdout


@pytest.mark.parametrize(("options", "paged"), [([], True), (["--no-pager"], False), (["--max-depth", "0"], False)])
def test_a_trace_longer_than_the_terminal_goes_through_the_pager(store, tmp_path, options, paged):
    """Where there is a terminal, of 24 lines here, and nothing else is asked for; its colours stay."""
    ours, its = pty.openpty()
    environment = {**os.environ, "PAGER": "sed s/^/PAGED:/", "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    environment.pop("NO_COLOR", None)
    running = subprocess.Popen([*SHOW, "show", "long", *options], stdin=its, stdout=its, stderr=its, env=environment)
    os.close(its)
    written = b""
    with contextlib.suppress(OSError):  # how the end of a terminal is told
        while chunk := os.read(ours, 65536):
            written += chunk
    os.close(ours)
    assert running.wait(60) == 0
    assert b"\x1b[32m" in written
    assert {line.startswith(b"PAGED:") for line in written.splitlines()} == {paged}
