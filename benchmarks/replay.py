"""Replay: what one span line costs on its way back in, beside a bare `json.loads` of the same line."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks import ours
from benchmarks.encoding import BATCH
from benchmarks.harness import Case, Goal, Run, in_process

LINES = 10_000  # fewer than a checkpoint, so that no destination is waited for


def _file() -> Path:
    from tracebridge.plugins.registry import FORMATS, load

    folder = Path(tempfile.mkdtemp(prefix="tracebridge-benchmark-"))
    lines = load(FORMATS, "spanlog")().encode(ours.records(fresh=False, count=BATCH))
    (folder / "app.log").write_bytes(lines * (LINES // lines.count(b"\n")))
    return folder / "app.log"


def _replay() -> Run:
    """Reading, unwrapping, decoding, telling doubles (here every span but the first 500 is one) and queueing."""
    from tracebridge import Client
    from tracebridge.replay.player import Player
    from tracebridge.replay.seen import Window
    from tracebridge.replay.stream import SpanFiles

    class Forgetful(Window):
        def first_time(self, key: bytes) -> bool:
            super().first_time(key)
            return True

    path = str(_file())
    queue = {"flush_interval": "1h", "max_batch": 10_000_000}
    config = {"journal": {"max_bytes": "1GiB"}, "adapters": {"memory": {"sending_queue": queue}}}

    def one_round() -> None:
        client = Client(config=config)
        files = SpanFiles([path], unreadable=print)
        player = Player(client, Forgetful(), wanted=lambda _: True, room_bytes=2**40, waiting=lambda: True)
        for step in files.once():
            player.play(step)
        assert player.played.delivered == LINES
        client.close(0)

    return in_process(one_round, LINES)


def _json_loads() -> Run:
    lines = _file().read_bytes().splitlines()

    def one_round() -> None:
        for line in lines:
            json.loads(line)

    return in_process(one_round, LINES)


CASES = (
    Case(
        "replay", {"tracebridge": _replay, "json.loads": _json_loads}, Goal(4, "json.loads"), "reading span lines back", "µs CPU a line"
    ),
)  # fmt: skip
