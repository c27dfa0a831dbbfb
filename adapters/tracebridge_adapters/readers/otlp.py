"""Which system is read back behind an OTLP destination: MLflow in its own dialect, else Jaeger's query API.

Most destinations are only written to: a reader is imported when one is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracebridge.plugins.adapter import DEFAULT_EXPERIMENT, Context, TraceReader
from tracebridge.plugins.options import Secret
from tracebridge_adapters.options import ReadableOptions

MLFLOW_EXPERIMENT_HEADER = "x-mlflow-experiment-id"


def otlp_reader(
    options: ReadableOptions,
    context: Context,
) -> TraceReader | None:
    """Return the reader that the options ask for; None without `query_endpoint`. No network."""
    if options.query_endpoint is None:
        return None
    from tracebridge_adapters.wires.http_get import HttpReader

    server = HttpReader(options.query_endpoint, options.access)
    if options.dialect != "mlflow":
        from tracebridge_adapters.readers.jaeger import JaegerReader

        return JaegerReader(server, context, options.ui)
    from tracebridge_adapters.readers.mlflow import MlflowReader
    from tracebridge_adapters.readers.mlflow_experiment import MlflowExperiment

    experiment = MlflowExperiment(server, name=None, experiment_id=None)
    experiment.known = experiment_of(options.headers)
    return MlflowReader(server, context, experiment, options.ui)


def experiment_of(headers: Mapping[str, Secret]) -> str:
    """Return the MLflow experiment that the headers name, or the default one."""
    named = {name.lower(): value.reveal() for name, value in headers.items()}
    return named.get(MLFLOW_EXPERIMENT_HEADER, DEFAULT_EXPERIMENT)
