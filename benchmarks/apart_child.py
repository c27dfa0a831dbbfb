"""`python -m benchmarks.apart_child PEER PORT`: the traces of `realistic` by one peer, under the peer's own Python; says µs of CPU a span.

Nothing of tracebridge is imported: it is not installed there.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

from benchmarks.realistic import SPANS_OF_TRACE, TRACES, Values, fresh_traces

Trace = Callable[[str, Values], None]
"""Makes one trace from the caller's ID and the attributes of its spans."""


def ddtrace(port: int) -> Trace:
    """Datadog's library, to an agent that takes everything."""
    os.environ.update(DD_TRACE_AGENT_URL=f"http://127.0.0.1:{port}", DD_INSTRUMENTATION_TELEMETRY_ENABLED="false")
    os.environ.update(DD_REMOTE_CONFIGURATION_ENABLED="false", DD_TRACE_STARTUP_LOGS="false")
    from ddtrace.trace import tracer  # type: ignore[import-not-found,unused-ignore]

    def trace(own_id: str, values: Values) -> None:
        root = tracer.start_span("request", service="benchmark", activate=False)
        root.set_tags({**values[0], "order.id": own_id})
        for attributes in values[1:]:
            span = tracer.start_span("operation", child_of=root)
            span.set_tags(attributes)
            span.finish()
        root.finish()

    return trace


def sentry_sdk(port: int) -> Trace:
    """Sentry's library: a transaction and its spans."""
    import sentry_sdk  # type: ignore[import-not-found,unused-ignore]

    sentry_sdk.init(dsn=f"http://key@127.0.0.1:{port}/1", traces_sample_rate=1.0, default_integrations=False)

    def trace(own_id: str, values: Values) -> None:
        root = sentry_sdk.start_transaction(op="request", name="request")
        for key, value in {**values[0], "order.id": own_id}.items():
            root.set_data(key, value)
        for attributes in values[1:]:
            span = root.start_child(op="operation", name="operation")
            for key, value in attributes.items():
                span.set_data(key, value)
            span.finish()
        root.finish()

    return trace


def elastic_apm(port: int) -> Trace:
    """Elastic's agent: a transaction and its spans."""
    import elasticapm  # type: ignore[import-not-found,unused-ignore]

    client = elasticapm.Client(
        service_name="benchmark",
        server_url=f"http://127.0.0.1:{port}",
        central_config=False,
        metrics_interval="0s",
        span_compression_enabled=False,
        transaction_max_spans=100,
    )

    def trace(own_id: str, values: Values) -> None:
        client.begin_transaction("request")
        elasticapm.label(**{key.replace(".", "_"): value for key, value in values[0].items()}, order_id=own_id)
        for attributes in values[1:]:
            labels = {key.replace(".", "_"): value for key, value in attributes.items()}
            with elasticapm.capture_span("operation", labels=labels):
                pass
        client.end_transaction("request")

    return trace


def logfire(port: int) -> Trace:
    """Pydantic's library over the OpenTelemetry SDK, exporting OTLP."""
    import logfire  # type: ignore[import-not-found,unused-ignore]
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = BatchSpanProcessor(OTLPSpanExporter(f"http://127.0.0.1:{port}/v1/traces"))
    logfire.configure(
        send_to_logfire=False,
        console=False,
        metrics=False,
        inspect_arguments=False,
        additional_span_processors=[exporter],
    )

    def trace(own_id: str, values: Values) -> None:
        with logfire.span("request", **values[0], order_id=own_id):
            for attributes in values[1:]:
                with logfire.span("operation", **attributes):
                    pass

    return trace


def langfuse(port: int) -> Trace:
    """Langfuse's library over the OpenTelemetry SDK."""
    from langfuse import Langfuse  # type: ignore[import-not-found,unused-ignore]

    client = Langfuse(public_key="pk", secret_key="sk", host=f"http://127.0.0.1:{port}")

    def trace(own_id: str, values: Values) -> None:
        root = client.start_observation(name="request", metadata={**values[0], "order.id": own_id})
        for attributes in values[1:]:
            root.start_observation(name="operation", metadata=attributes).end()
        root.end()

    return trace


def us_a_span(trace: Trace, traces: list[tuple[str, Values]]) -> float:
    """CPU of the calling thread."""
    started = time.thread_time_ns()
    for own_id, values in traces:
        trace(own_id, values)
    return (time.thread_time_ns() - started) / (TRACES * SPANS_OF_TRACE) / 1e3


def main() -> None:
    """Warm up with a round, then measure one."""
    trace: Trace = globals()[sys.argv[1].replace("-", "_")](int(sys.argv[2]))
    rounds = fresh_traces(SPANS_OF_TRACE)
    us_a_span(trace, next(rounds))
    time.sleep(0.5)  # a queue that is full would make the next round cheaper than it is
    print(json.dumps({"us_a_span": us_a_span(trace, next(rounds))}), flush=True)
    os._exit(0)  # exit hooks are not what is measured


if __name__ == "__main__":
    main()
