"""Stages, ID schemes and header formats of a stranger's, installed for a test by their metadata alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tracebridge.plugins.options import option
from tracebridge.plugins.stage import Drop, Hold, StageContext, StageOptions
from tracebridge.propagation.context import RemoteParent
from tracebridge.propagation.formats import HeaderFormat
from tracebridge.records.record import SpanRecord

replace = msgspec.structs.replace


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, group: str, **entries: str) -> None:
    """Put a distribution that offers these entry points on the path."""
    place = folder / f"strangers-{group}-{'-'.join(entries)}"
    info = place / "strangers-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    lines = [f"[tracebridge.{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(place)


@dataclass(frozen=True, kw_only=True)
class MarkOptions(StageOptions):
    """Options of a stage that marks."""

    word: str = option("seen", help="What is written on each span.")


class Mark:
    """Marks every span with a word."""

    Options = MarkOptions

    def __init__(self, options: MarkOptions, context: StageContext) -> None:
        self.word, self.name = options.word, context.name

    def process(self, record: SpanRecord) -> Any:
        before = record.attributes.get("marks", "")
        return replace(record, attributes={**record.attributes, "marks": f"{before}{self.word};"})


class Tenth:
    """Keeps every tenth span."""

    Options = StageOptions

    def __init__(self, options: StageOptions, context: StageContext) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def process(self, record: SpanRecord) -> Any:
        with self._lock:
            self._count += 1
            return record if self._count % 10 == 0 else Drop("ratio")


class Secretive:
    """Adds what redaction has to mask."""

    Options = StageOptions

    def __init__(self, options: StageOptions, context: StageContext) -> None:
        pass

    def process(self, record: SpanRecord) -> Any:
        return replace(record, attributes={**record.attributes, "password": "hunter2"})


class Broken:
    """Raises, or returns nonsense, as the span's name says."""

    Options = StageOptions

    def __init__(self, options: StageOptions, context: StageContext) -> None:
        pass

    def process(self, record: SpanRecord) -> Any:
        if record.name == "raises":
            raise ValueError(f"hunter2 in {record.name}")
        if record.name == "nonsense":
            return record.name
        if record.name == "holds":
            return Hold(record, b"k")
        if record.name == "unrecordable":
            return replace(record, attributes={"x": object()})
        if record.name == "drops":
            return None
        return record


class PlainOnly(Mark):
    """One that need not see plain spans."""

    skips_plain = True


class Tail:
    """Holds the spans of a trace until its root has ended; keeps those with an error in them, marked."""

    Options = StageOptions
    wait_s = 60.0

    def __init__(self, options: StageOptions, context: StageContext) -> None:
        self.asked: list[tuple[bytes, list[str]]] = []

    def process(self, record: SpanRecord) -> Any:
        return Hold(record, record.trace_id, record.parent_id is None, self.wait_s)

    def decide(self, key: bytes, records: Sequence[SpanRecord]) -> Sequence[SpanRecord]:
        if any(record.name == "broken" for record in records):
            raise ValueError("cannot decide")
        if not any(record.name == "error" for record in records):
            return []
        return [replace(record, trace_state="ot=th:0") for record in records if record.name != "noise"]


class Impatient(Tail):
    """One that waits a moment only."""

    wait_s = 0.05


class Unbuildable:
    """One that cannot be built."""

    Options = StageOptions

    def __init__(self, options: StageOptions, context: StageContext) -> None:
        raise RuntimeError("no dice")

    def process(self, record: SpanRecord) -> SpanRecord:
        """Never called."""
        return record


def read_parcel(headers: Any) -> RemoteParent | None:
    """The context in `x-parcel`."""
    given = headers.get("x-parcel")
    if given == "broken":
        raise KeyError("hunter2")
    if not given:
        return None
    trace_id, _, span_id = given.partition(":")
    return RemoteParent(trace_id, span_id, format="parcel")


def write_parcel(context: RemoteParent, headers: Any) -> None:
    """Write `x-parcel`."""
    headers["x-parcel"] = f"{context.trace_id}:{context.span_id}"


def write_broken(context: RemoteParent, headers: Any) -> None:
    """Fail half-way."""
    headers["x-half"] = "1"
    raise ValueError("hunter2")


PARCEL = HeaderFormat("parcel", ("x-parcel",), read_parcel, write_parcel)
BROKEN_PARCEL = HeaderFormat("broken", ("x-parcel",), read_parcel, write_broken)
