"""Every error that tracebridge raises on purpose.

    TracebridgeError               .error_code, MLflow's names
    ├── ConfigError                the configuration is wrong; the whole report is in the message
    ├── InvalidParameterError      misuse: a value no call can accept        INVALID_PARAMETER_VALUE
    ├── TraceNotFoundError         misuse: no such open trace or span        RESOURCE_DOES_NOT_EXIST
    │   └── TraceFinishedError     misuse: the trace has already finished    INVALID_PARAMETER_VALUE
    ├── DuplicateTraceError        the custom trace ID is open already       RESOURCE_ALREADY_EXISTS
    ├── DuplicateSpanError         the trace has a span of that ID           RESOURCE_ALREADY_EXISTS
    ├── ClosedError                misuse: the client has been closed        INVALID_STATE
    ├── NoReaderError              no configured adapter can be read back    INVALID_STATE
    └── ReadError                  the destination could not be read back    TEMPORARILY_UNAVAILABLE

    DeliveryError                  what an adapter's send() may raise; never reaches the application
    ├── Retryable                  try again later, this data is fine
    ├── Ambiguous                  try again later, or this data is wrong: the destination does not say which
    ├── Rejected                   the destination says that this data is wrong
    ├── TooLarge                   the destination says that this body is too big
    └── Misconfigured              no data would be accepted until a person changes something

Data never raises: these are for wrong calls and wrong configuration only. When mlflow has been imported by the
application, the misuse errors raised are also `MlflowException`, so that its `except` clauses keep working.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from tracebridge.masking.foreign import clean


class TracebridgeError(Exception):
    """The base of every error an application can see. `error_code` carries MLflow's name for the case."""

    error_code = "INTERNAL_ERROR"

    @property
    def message(self) -> str:
        """The text of the error (MLflow's attribute name)."""
        return str(self)


class ConfigError(TracebridgeError):
    """The configuration is wrong. `str()` is the whole report, all problems at once; secrets are not in it.

    What to do: Read the report: each problem has its line, and says what is allowed there. `tracebridge validate FILE` prints the same.
    """

    error_code = "INVALID_PARAMETER_VALUE"

    def __init__(self, report: str, problems: Sequence[Any] = ()) -> None:
        super().__init__(report)
        self.problems = tuple(problems)
        """The problems as values (`tracebridge.settings.problems.Problem`)."""


class InvalidParameterError(TracebridgeError):
    """A call was given something that it cannot mean.

    What to do: Correct the argument that the message names.
    """

    error_code = "INVALID_PARAMETER_VALUE"


class TraceNotFoundError(TracebridgeError):
    """No trace or span of that ID is known here.

    What to do: Look for a mistyped ID, a span that was ended before, or another process or client that has it; spans that several processes use are started with `shared=True`.
    """

    error_code = "RESOURCE_DOES_NOT_EXIST"


class TraceFinishedError(TraceNotFoundError):
    """The trace was known here and has already finished.

    What to do: Start spans before their root ends, or give them to a trace of their own with `parent=`.
    """

    error_code = "INVALID_PARAMETER_VALUE"


class DuplicateTraceError(TracebridgeError):
    """A trace with that ID is open in this client already.

    What to do: Give each trace its own ID, or set `trace_ids: {on_duplicate: join}` where several roots belong to one trace.
    """

    error_code = "RESOURCE_ALREADY_EXISTS"


class DuplicateSpanError(TracebridgeError):
    """The trace has a span with that ID already.

    What to do: Give each span of a trace its own `span_id`.
    """

    error_code = "RESOURCE_ALREADY_EXISTS"


class ClosedError(TracebridgeError):
    """The client has been closed; raised only with `lifecycle.strict`.

    What to do: Call `close()` last, or leave it to the end of the process.
    """

    error_code = "INVALID_STATE"


class NoReaderError(TracebridgeError):
    """None of the configured adapters can be read back.

    What to do: Add a `store` or `mlflow` adapter, or give `zipkin` or an OTLP adapter its `query_endpoint`.
    """

    error_code = "INVALID_STATE"


class ReadError(TracebridgeError):
    """A destination that can be read back did not answer, or not as its system does.

    What to do: Run `tracebridge doctor`; the destination takes spans and cannot be asked for them just now.
    """

    error_code = "TEMPORARILY_UNAVAILABLE"


class DeliveryError(Exception):
    """The base of what `Adapter.encode` and `Adapter.send` raise to tell delivery what to do next."""

    status: int | str | None = None
    """What the destination's protocol said: an HTTP status or the name of a gRPC status; None when it said nothing."""

    def __init__(self, message: object = "") -> None:
        super().__init__(clean(message))  # it quotes the server, and ends up in logs and terminals


class Retryable(DeliveryError):
    """Try the same body again later: refused, reset, timed out, HTTP 429/502/503/504, gRPC's retryable codes.

    `after_s` is the destination's own wish in seconds (Retry-After, RetryInfo), or None. `tries` is how often in all, where time is no
    measure (an exporter that says no more than FAILURE).

    What to do: Wait, or look after the destination: `last_error` in `stats()` says what it answered.
    """

    def __init__(self, message: str, *, after_s: float | None = None, tries: int | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s
        self.tries = tries


class Ambiguous(DeliveryError):
    """The destination does not say whether it is failing or this data is wrong (Zipkin's HTTP 500); delivery finds out by halving.

    What to do: Raise it only where the protocol cannot tell; delivery retries, then halves the batch.
    """


class Rejected(DeliveryError):
    """The destination says that something in this body is wrong; delivery looks for the span by bisection.

    What to do: Look at `tracebridge dead list` for the span and what the destination said of it.
    """


class TooLarge(DeliveryError):
    """The destination, or our own encoder, says that this body is too big; delivery splits it.

    What to do: Lower `limits` or raise the destination's own bound when single spans are too big.
    """


class Misconfigured(DeliveryError):
    """The destination would refuse any data until a person changes something: 401, 403, 404, TLS, an HTML page.

    What to do: Run `tracebridge doctor`; the spans wait, and are delivered once the cause is gone.
    """


_twins: dict[tuple[type, type], type[TracebridgeError]] = {}


def _also_mlflow(kind: type[TracebridgeError], mlflow_exception: type[Exception]) -> type[TracebridgeError]:
    """Make the twin of an error class that is an MlflowException as well."""

    def __init__(self: TracebridgeError, message: str) -> None:
        Exception.__init__(self, message)
        self.__dict__.update(message=message, json_kwargs={})

    members = {
        "__init__": __init__,
        "__module__": kind.__module__,
        "__doc__": kind.__doc__,
        "error_code": kind.error_code,
        "message": None,
    }
    return _twins.setdefault((kind, mlflow_exception), type(kind.__name__, (kind, mlflow_exception), members))


def misuse(kind: type[TracebridgeError], message: str) -> TracebridgeError:
    """Return the error to raise for a wrong call: an MlflowException too when mlflow is already imported.

    mlflow is never imported for this (it costs about a second): only `sys.modules` is looked at.
    """
    module = sys.modules.get("mlflow.exceptions")
    mlflow_exception = getattr(module, "MlflowException", None)
    if isinstance(mlflow_exception, type) and issubclass(mlflow_exception, Exception):
        return _also_mlflow(kind, mlflow_exception)(message)
    return kind(message)


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Return the known name that was probably meant, or an empty text.

    >>> nearest("endpiont", ["endpoint", "encoding"]), nearest("kafka", ["zipkin"])
    ('endpoint', '')
    """
    import difflib  # only a wrong file pays for it

    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(wrong.lower()[:100], names, n=1, cutoff=0.6)
    return names[near[0]] if near else ""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return `; did you mean "…"?` for a near miss, else nothing."""
    near = nearest(wrong, known)
    return f'; did you mean "{near}"?' if near else ""
