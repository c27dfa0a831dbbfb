"""A stranger's adapter that cannot be used, or goes wrong, is named; the others go on, and no call hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.stages import install
from tracebridge import Client, ConfigError
from tracebridge.delivery import worker
from tracebridge.plugins.adapter import Sent
from tracebridge.plugins.options import DeliveryOptions
from tracebridge.records.record import SpanRecord


@dataclass(frozen=True, kw_only=True)
class Options(DeliveryOptions):
    """Options of all of them."""


class Sound:
    """An adapter as it should be."""

    Options = Options
    max_batch_spans: Any = 10
    max_batch_bytes: Any = None

    def __init__(self, options: Any, context: Any) -> None:
        """Build it."""

    def encode(self, records: Sequence[SpanRecord]) -> bytes:
        """Return one byte a span."""
        return b"." * len(records)

    def send(self, body: bytes, spans: int) -> Any:
        """Take it."""
        return Sent()

    def close(self) -> None:
        """Close it."""


class Raises(Sound):
    def __init__(self, options: Any, context: Any) -> None:
        raise ValueError("the parcel office is closed")


class Many(Sound):
    max_batch_spans = "many"


class Narrow(Sound):
    max_batch_bytes = 0


class Mute:
    Options = Options


GO_ON = threading.Event()


class ClosesNever(Sound):
    def close(self) -> None:
        GO_ON.wait(60)


class SendsNever(Sound):
    def send(self, body: bytes, spans: int) -> Any:
        GO_ON.wait(60)
        return Sent()


HERE = "test_strangers_adapter"


@pytest.fixture(autouse=True)
def strangers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They are installed, and what hangs goes on when the test is over."""
    import sys

    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])
    names = {"raises": Raises, "many": Many, "narrow": Narrow, "mute": Mute, "closes": ClosesNever, "sends": SendsNever}
    install(monkeypatch, tmp_path, "adapters", **{name: f"{HERE}:{kind.__name__}" for name, kind in names.items()})
    GO_ON.clear()
    monkeypatch.setattr(worker, "CLOSE_S", 0.2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", 'adapter "raises" cannot be built: ValueError: the parcel office is closed'),
        ("many", "adapter \"many\": max_batch_spans must be a positive integer, not 'many'"),
        ("narrow", 'adapter "narrow": max_batch_bytes must be a positive integer or None, not 0'),
        ("mute", f'adapter "mute" ({HERE}:Mute) lacks encode(), send(), close(): its class needs encode, send, close'),
    ],
)
def test_an_adapter_that_cannot_be_used_is_named_at_start(name: str, words: str) -> None:
    """With what it lacks; no client is half built."""
    with pytest.raises(ConfigError) as raised:
        Client(config={"adapters": {name: {}}})
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("closes", "closes: close() has not returned for"),
        ("sends", "sends: send() has not returned; its answer is no longer waited for"),
    ],
)
def test_an_adapter_that_hangs_holds_up_no_close(name: str, words: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is named, its neighbour has every span, and the program goes on."""
    client = Client(config={"adapters": {name: {}, "memory": {}}})
    memory: Any = client.adapter("memory")
    client.start_trace("work").end()
    began = time.monotonic()
    client.close(0.5)
    took_s = time.monotonic() - began
    GO_ON.set()
    assert ([record.name for record in memory.records], took_s < 30) == (["work"], True)
    assert [line.getMessage() for line in caplog.records if line.getMessage().startswith(words)] != []


def test_a_close_that_gives_no_time_says_nothing_of_a_worker_that_is_just_waking(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It was not waited for, so it cannot have been waited for in vain."""
    client = Client(config={"adapters": {"memory": {}}})
    client.start_trace("work").end()
    client.close(0)
    assert [line.getMessage() for line in caplog.records if "has not returned" in line.getMessage()] == []
