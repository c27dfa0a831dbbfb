"""Metrics in Prometheus's text form 0.0.4; names are changed by OpenTelemetry's rules for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracebridge.metrics.table import Labels, Metric, Numbers

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_UNITS = {"By": "bytes", "s": "seconds"}  # what stands in braces is no unit, and 1 is none
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def text(metrics: Iterable[Metric], told: Iterable[tuple[Labels, Numbers]]) -> str:
    """Return the metrics of one or several processes; `told` has labels of each process and its numbers."""
    told = list(told)
    return "".join(line for metric in metrics for line in _lines(metric, told))


def prometheus_name(metric: Metric) -> str:
    """Return the name that Prometheus knows a metric by.

    >>> from tracebridge.metrics.table import METRICS
    >>> [prometheus_name(metric) for metric in METRICS if metric.name in ("otel.sdk.span.started", "tracebridge.journal.size")]
    ['otel_sdk_span_started_total', 'tracebridge_journal_size_bytes']
    """
    unit = _UNITS.get(metric.unit)
    parts = [metric.name.replace(".", "_"), *([unit] if unit else []), *(["total"] if metric.kind == "counter" else [])]
    return "_".join(parts)


def _lines(metric: Metric, told: list[tuple[Labels, Numbers]]) -> Iterator[str]:
    points = [({**labels, **own}, value) for labels, numbers in told for own, value in metric.points(numbers)]
    if not points:
        return
    name = prometheus_name(metric)
    kind = "counter" if metric.kind == "counter" else "gauge"
    yield f"# HELP {name} {metric.help}\n# TYPE {name} {kind}\n"
    for labels, value in points:
        shown = ",".join(f'{key.replace(".", "_")}="{value.translate(_ESCAPES)}"' for key, value in labels.items())
        yield f"{name}{{{shown}}} {_number(value)}\n" if shown else f"{name} {_number(value)}\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
