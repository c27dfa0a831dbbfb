"""The text form, read by Prometheus's own parser for Python."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tracebridge import Client
from tracebridge.metrics.prometheus import text
from tracebridge.metrics.table import METRICS


def samples(shown: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What the parser finds: names and labels, with values."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(shown)
        for sample in family.samples
    }


def test_the_parser_finds_what_the_books_say(client: Client):
    """Of every adapter; what was dropped has its reason as error_type."""
    root = client.start_trace("root")
    client.start_span("open", root.trace_id, root.span_id)
    root.end()
    client.end_span("no such trace", "no such span")
    assert client.flush(60)
    found = samples(text(METRICS, [({"service": "shop"}, client.stats().to_dict())]))
    labels = (("otel_component_name", "memory"), ("otel_component_type", "tracebridge"), ("service", "shop"))
    assert {
        "started": found["otel_sdk_span_started_total", (("service", "shop"),)],
        "live": found["otel_sdk_span_live", (("service", "shop"),)],
        "exported": found["otel_sdk_exporter_span_exported_total", labels],
        "misuse": found["tracebridge_misuse_total", (("service", "shop"), ("tracebridge_kind", "end_of_unknown_span"))],
        "failing": found["tracebridge_adapter_failing", labels],
    } == {"started": 2, "live": 1, "exported": 1, "misuse": 1, "failing": 0}


def test_labels_may_hold_anything():
    """Quotes, backslashes and line ends come back as they were."""
    odd = 'a "quoted\\" name\nof two lines'
    books = {"adapters": {odd: {"queued": 1.5}}}
    found = samples(text(METRICS, [({}, books)]))
    assert (
        found[
            "otel_sdk_processor_span_queue_size", (("otel_component_name", odd), ("otel_component_type", "tracebridge"))
        ]
        == 1.5
    )


def test_several_processes_share_one_heading():
    """A metric that has its heading twice is refused by Prometheus."""
    shown = text(METRICS, [({"process": "1"}, {"started": 1}), ({"process": "2"}, {"started": 2})])
    assert shown.count("# TYPE otel_sdk_span_started_total counter") == 1
    assert samples(shown)["otel_sdk_span_started_total", (("process", "2"),)] == 2
