"""From an error of an adapter, and what was heard at its port, to a cause and an advice."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tracebridge.doctor.findings import Trouble
from tracebridge.doctor.probe import Address, PortAnswer, takes_zipkin, tls_trouble
from tracebridge.doctor.tunnel import refusal
from tracebridge.errors import DeliveryError, Misconfigured, Rejected, TooLarge
from tracebridge.masking.foreign import clean
from tracebridge.plugins.proxies import HttpProxy

PATHS = {
    "zipkin": "Zipkin takes spans at /api/v2/spans; write the whole address",
    "otlp_http": "/v1/traces is added to the endpoint; is this an OTLP/HTTP port (usually 4318), and not a UI or query port?",
}
UNKNOWN_THING = "RESOURCE_DOES_NOT_EXIST"
"""MLflow's word in an answer about an experiment that it does not have."""
_AUTHORIZED = ("authorization", "api-key", "x-api-key", "token", "x-honeycomb-team", "dd-api-key")


def explain(
    error: Exception, kind: str, options: Any, address: Address | None, heard: Callable[[], PortAnswer]
) -> Trouble:
    """Return why a span was not taken. `heard` listens at the port; it is called only when the error itself does not tell."""
    said = clean(error)
    if not isinstance(error, DeliveryError):
        return Trouble(
            "not-usable",
            f"{type(error).__name__}: {said}",
            "this looks like a defect of the adapter; its package can tell more",
        )
    if address is not None and address.proxy is not None and address.forwarded:
        return _through_a_proxy(error, said, kind, options, address, address.proxy)
    if isinstance(error.status, int):
        return _http(error, error.status, said, kind, options, address)
    if isinstance(error.status, str) and error.status in {"UNAUTHENTICATED", "PERMISSION_DENIED"}:
        return _credentials(said, options, kind)
    if isinstance(error.status, str) and (
        "header with status" in said or "END_STREAM" in said
    ):  # an HTTP server that also speaks HTTP/2
        return _not_grpc(address)
    if error.status == UNKNOWN_THING:  # the adapter asked for the experiment itself
        return _unknown_experiment(said, kind)
    if error.status in {"UNIMPLEMENTED", "NOT_FOUND"}:
        return Trouble(
            "wrong-path", said, "a gRPC server, but none that takes OTLP traces; is this its OTLP port (usually 4317)?"
        )
    if "grpc" in kind and error.status is None and isinstance(error, Misconfigured):  # before anything was sent
        return Trouble("not-usable", said, "check tls")
    if address is not None and address.scheme in {"http", "https"}:
        found = _transport(error, said, address, heard())
        if found is not None:
            return found
    if address is not None and isinstance(error.__cause__, ConnectionRefusedError):  # UDP: only sending tells
        return Trouble(
            "refused",
            f"nothing listens at {address}",
            "is the agent started, and is this its port? (Jaeger: 6831 compact, 6832 binary); in a container localhost is the container itself",
        )
    if isinstance(error, (Rejected, TooLarge)):
        return Trouble("refused-span", said, "the destination refuses a plain span; its own log can tell more")
    if isinstance(error, Misconfigured):
        return Trouble("target", said, "check the path, and that this user may write there")
    return Trouble(
        "unhealthy",
        said,
        "the destination is there but not well; its own log can tell more. Spans wait in the journal meanwhile",
    )


def _through_a_proxy(
    error: DeliveryError, said: str, kind: str, options: Any, address: Address, proxy: HttpProxy
) -> Trouble:
    """Return why a request that a proxy hands on was not taken: what it answers and what the server answers look alike."""
    if not isinstance(error.status, int):
        message = f"the proxy {proxy} takes connections, and the exchange with it fails: {said}"
        return Trouble("proxy-unreachable", message, "check proxy: is this the port of an HTTP proxy?")
    if error.status in {407, 502, 503, 504}:
        return refusal(error.status, said, proxy)
    trouble = _http(error, error.status, said, kind, options, address)
    return Trouble(trouble.cause, trouble.message, f"{trouble.advice} (or is the answer the proxy's own?)")


def _http(error: DeliveryError, status: int, said: str, kind: str, options: Any, address: Address | None) -> Trouble:
    path = PATHS.get(kind, "check the path of the endpoint")
    if "web page" in said:
        return Trouble("web-page", said, f"that is a UI or a login page, not an ingest port; {path}")
    if status == 400 and ("HTTPS" in said or "TLS" in said):
        return _tls_required(address)
    if status in {401, 403, 407}:
        return _credentials(said, options, kind)
    if status == 404 and UNKNOWN_THING in said:  # MLflow, which takes spans at the right path
        return _unknown_experiment(said.removesuffix("; check the path"), kind)
    if (
        kind == "otlp_http"
        and status in {400, 404}
        and address is not None
        and takes_zipkin(address, getattr(options, "tls", None))
    ):
        return Trouble(
            "zipkin-port",
            said,
            f"{address} takes Zipkin's spans; use the zipkin adapter for it, or the OTLP/HTTP port (usually 4318)",
        )
    if status in {404, 405}:
        return Trouble("wrong-path", said, path)
    if 300 <= status < 400:
        return Trouble(
            "redirect",
            said,
            "write the address that takes spans; redirects are not followed, so that no credential goes astray"
            + (f" ({PATHS[kind]})" if kind in PATHS else ""),
        )
    if status in {406, 415}:
        return Trouble("wrong-encoding", said, "set encoding to the other one (json, protobuf), or compression: none")
    if isinstance(error, (Rejected, TooLarge)):
        return Trouble(
            "refused-span",
            said,
            "the destination refuses a plain span; is it what this adapter is for, and is `dialect` right?",
        )
    if isinstance(error, Misconfigured):
        return Trouble("wrong-path", said, path)
    return Trouble(
        "unhealthy",
        said,
        "the destination is there but not well; its own log can tell more. Spans wait in the journal meanwhile",
    )


def _unknown_experiment(said: str, kind: str) -> Trouble:
    named = "experiment_id or experiment_name" if kind == "mlflow" else "headers: {x-mlflow-experiment-id: …}"
    return Trouble("unknown-experiment", said, f"name an experiment that is there in {named}")


def _credentials(said: str, options: Any, kind: str) -> Trouble:
    """Say which headers were sent, and what of the address, never what is in them."""
    names = sorted(getattr(options, "headers", None) or ())
    parts = urlsplit(getattr(options, "endpoint", None) or "")
    of_address = ["the endpoint's user info"] if "@" in parts.netloc else []
    if parts.query and "grpc" not in kind:  # which has none
        of_address.append("the endpoint's query")
    if not names and not of_address:
        advice = 'nothing is sent to log in with; add headers: {authorization: "Bearer ${env:TOKEN}"}'
        return Trouble("credentials", said, advice)
    advice = f"the server does not accept what is sent in {', '.join([*names, *of_address])}; is it right, whole and still valid?"
    if not of_address and not any(name.lower() in _AUTHORIZED for name in names):
        advice += " Or does the server want another header, such as authorization?"
    return Trouble("credentials", said, advice)


def _transport(error: DeliveryError, said: str, address: Address, heard: PortAnswer) -> Trouble | None:
    """Return what the port says of itself, when the exchange did not get as far as an answer."""
    by_grpc = isinstance(error.status, str)
    if heard.trouble is not None:
        return heard.trouble
    if heard.spoken == "http2" and not by_grpc:
        return Trouble(
            "grpc-port",
            f"{address} speaks HTTP/2, as gRPC does",
            "use otlp_grpc for this port, or this adapter with the HTTP port (usually 4318)",
        )
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return tls_trouble(cause, address)
        cause = cause.__cause__ or cause.__context__
    if heard.spoken == "http" and by_grpc:
        return _not_grpc(address)
    if heard.spoken == "tls":
        return _tls_required(address)
    if heard.spoken == "nothing":
        return Trouble(
            "no-answer",
            f"{address} takes connections and does not answer as HTTP: {said}",
            "is this the port that takes spans?",
        )
    if by_grpc and isinstance(error, Misconfigured):
        return Trouble(
            "tls-failed" if address.scheme == "https" else "unhealthy", said, "check tls, and the endpoint's scheme"
        )
    return None


def _not_grpc(address: Address | None) -> Trouble:
    advice = "use otlp_http for this port, or this adapter with the gRPC port (usually 4317)"
    return Trouble("http-port", f"{address} speaks HTTP, not gRPC", advice)


def _tls_required(address: Address | None) -> Trouble:
    return Trouble("tls-required", f"{address} speaks TLS only", "write https:// instead of http://")
