"""Metrics as OpenTelemetry's observable instruments. Imported only where the configuration asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from opentelemetry import metrics as otel
from opentelemetry.metrics import CallbackOptions, Observation

from tracebridge.metrics.table import METRICS, Metric, Numbers
from tracebridge.version import VERSION

ONE_COLLECTION_S = 0.05  # a reader asks instrument after instrument; within this time it gets the numbers of one moment


def register(numbers: Callable[[], Numbers | None]) -> None:
    """Make one instrument for each metric, by the global meter provider: the one that is there, or the one that is set later.

    `numbers` returns the books, or None when their client is gone. Raises whatever the provider raises.
    """
    meter = otel.get_meter("tracebridge", VERSION)
    make = {
        "counter": meter.create_observable_counter,
        "updown": meter.create_observable_up_down_counter,
        "gauge": meter.create_observable_gauge,
    }
    at_one_moment = _Moment(numbers)
    for metric in METRICS:
        make[metric.kind](metric.name, [_reader(metric, at_one_moment)], metric.unit, metric.help)


class _Moment:
    """Numbers that are read once for a whole collection."""

    def __init__(self, numbers: Callable[[], Numbers | None]) -> None:
        self._numbers = numbers
        self._read: tuple[float, Numbers | None] = (float("-inf"), None)

    def __call__(self) -> Numbers | None:
        at, read = self._read
        if time.monotonic() - at > ONE_COLLECTION_S:
            read = self._numbers()
            self._read = time.monotonic(), read
        return read


def _reader(
    metric: Metric, numbers: Callable[[], Numbers | None]
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> Iterable[Observation]:
        read = numbers()
        return [] if read is None else [Observation(value, dict(labels)) for labels, value in metric.points(read)]

    return read
