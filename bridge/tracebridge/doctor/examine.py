"""One destination, from its name to its UI: every step on the way there, a marked span sent, and the span read back."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tracebridge.delivery.parts import parts_of, send_parts
from tracebridge.doctor.explain import PATHS, explain
from tracebridge.doctor.findings import Outcome, Step, Trouble
from tracebridge.doctor.probe import Address, PortAnswer, address_of, listen, reach
from tracebridge.errors import TracebridgeError
from tracebridge.masking.foreign import clean
from tracebridge.plugins.adapter import Adapter, Context, HealthCheck, Sent, TraceReader, reader_of
from tracebridge.plugins.options import TlsOptions
from tracebridge.plugins.proxies import proxy_to
from tracebridge.plugins.registry import adapter_class
from tracebridge.records.record import Resource, SpanRecord, StatusCode
from tracebridge.settings.model import AdapterSettings, Settings
from tracebridge.version import VERSION

MARK: Final = "tracebridge.doctor"
SPAN_NAME: Final = "tracebridge doctor"
STEP_TIMEOUT_S: Final = 5.0  # for a connection and for a handshake
READ_BACK_S: Final = 15.0  # systems show what they took a little later
MAX_SKEW_S: Final = 5.0  # beyond this, traces of several machines no longer fit together
KEPT: Final = "ot=th:0"  # as `sampling` has it on what is kept with certainty
TO_COLLECTORS: Final = frozenset({"otlp_http", "otlp_grpc", "kafka"})
SAMPLER_MODE: Final = Trouble(
    "sampler-mode",
    "with sampling: every span carries its threshold; a Collector whose probabilistic_sampler is in its default mode takes such spans and drops all of them",
    "where there is such a sampler on the way, give it `mode: equalizing` and `sampling_precision: 14`; docs/sampling.md says more",
)
CLOCK_LOOKS: Final = 3  # a busy server may tell the date of its last quiet moment, but not every time


def examine(chosen: AdapterSettings, settings: Settings, *, read_back_s: float = READ_BACK_S) -> Outcome:
    """Send one marked span to a destination and read it back where that is possible. Never raises for a failing destination."""
    options: Any = chosen.options
    outcome = Outcome(chosen.name, chosen.type, target_of(options))
    resource = Resource(dict(settings.resource.attributes))
    context = Context(chosen.name, resource, settings.trace_ids.attribute)
    try:
        adapter = adapter_class(chosen.type)(options, context)
    except (TracebridgeError, ValueError, OSError, ImportError) as error:
        outcome.problem = Trouble("not-usable", clean(error), "see `tracebridge adapters` for what it needs")
        return outcome
    try:
        record = marked_span(resource, settings.trace_ids.max_bits)
        if settings.sampling is not None:
            record = msgspec.structs.replace(record, trace_state=KEPT)
        _examine(adapter, chosen, record, outcome, read_back_s)
        if settings.sampling is not None and outcome.problem is None and chosen.type in TO_COLLECTORS:
            outcome.warnings.append(SAMPLER_MODE)
    finally:
        adapter.close()
    return outcome


def marked_span(resource: Resource, id_bits: int) -> SpanRecord:
    """Return a finished root span that says what it is; its trace ID has `id_bits` bits, as every new one of the configuration."""
    now_ns = time.time_ns()
    return SpanRecord(
        trace_id=os.urandom(id_bits // 8).rjust(16, b"\0"),
        span_id=os.urandom(8),
        parent_id=None,
        name=SPAN_NAME,
        start_time_ns=now_ns - 1_000_000,
        end_time_ns=now_ns,
        status=int(StatusCode.OK),
        attributes={MARK: True, "tracebridge.version": VERSION},
        resource=resource,
    )


def _examine(
    adapter: Adapter, chosen: AdapterSettings, record: SpanRecord, outcome: Outcome, read_back_s: float
) -> None:
    tls: TlsOptions | None = getattr(chosen.options, "tls", None)
    addresses = addresses_of(chosen.options, over_grpc="grpc" in chosen.type)
    troubles = [reach(address, tls, STEP_TIMEOUT_S, outcome.steps) for address in addresses]
    if addresses and all(troubles):  # one broker of several may be down
        outcome.problem = troubles[0]
        return
    first = addresses[0] if addresses else None
    heard = _Listener(first, tls)
    started = time.perf_counter()
    try:
        (answer,) = send_parts(adapter, parts_of(adapter, [record]))
        if not isinstance(answer, Sent):
            raise answer
    except Exception as error:
        outcome.problem = explain(error, chosen.type, chosen.options, first, heard)
        return
    if answer.rejected:
        outcome.problem = Trouble(
            "refused-span", f"the destination refused the span: {answer.message}", "its own log can tell more"
        )
        return
    reader = reader_of(adapter)
    if answer.doubt and reader is None:
        advice = (
            f"something else than spans is taken at this port or path; {PATHS.get(chosen.type, 'check the endpoint')}"
        )
        outcome.problem = Trouble("foreign-answer", f"{answer.doubt}, which does not answer spans", advice)
        return
    detail = "taken" if answer.confirmed else "sent; this protocol gives no answer"
    outcome.steps.append(Step("send", detail, (time.perf_counter() - started) * 1000))
    if first is not None and first.scheme in {"http", "https"} and "grpc" not in chosen.type:
        _compare_clocks(heard, outcome)
    link = getattr(adapter, "link", None)
    outcome.link = link(record.trace_id) if link is not None else None
    if isinstance(adapter, HealthCheck) and (said := adapter.health_problem()):
        message = f"it took the span, and says that it is not well: {said}"
        outcome.problem = Trouble(
            "unhealthy", message, "spans that it takes now may be lost there; its own log can tell more"
        )
    elif reader is not None:
        _read_back(reader, record, chosen, outcome, read_back_s)


class _Listener:
    """Listens at a port once, when somebody wants to know."""

    def __init__(self, address: Address | None, tls: TlsOptions | None) -> None:
        self._address, self._tls = address, tls
        self._heard: PortAnswer | None = None

    def __call__(self) -> PortAnswer:
        if self._heard is None:
            self._heard = self.again()
        return self._heard

    def again(self) -> PortAnswer:
        return PortAnswer("nothing") if self._address is None else listen(self._address, self._tls, STEP_TIMEOUT_S)


def _compare_clocks(heard: _Listener, outcome: Outcome) -> None:
    ahead_s = heard().ahead_s
    for _ in range(CLOCK_LOOKS - 1):
        if ahead_s is None or abs(ahead_s) <= MAX_SKEW_S:
            return
        ahead_s = heard.again().ahead_s
    if ahead_s is None or abs(ahead_s) <= MAX_SKEW_S:
        return
    side = "ahead of" if ahead_s > 0 else "behind"
    message = f"the destination's clock is {abs(ahead_s):.0f}s {side} this machine's"
    outcome.warnings.append(
        Trouble(
            "clock-skew",
            message,
            "let both take their time from the same source (NTP); until then traces begin at odd times",
        )
    )


def _read_back(
    reader: TraceReader, record: SpanRecord, chosen: AdapterSettings, outcome: Outcome, wait_s: float
) -> None:
    started = time.perf_counter()
    try:
        while not (found := reader.get(record.trace_id)) and time.perf_counter() - started < wait_s:
            time.sleep(0.2)
    except Exception as error:
        message = f"the span was taken, but cannot be read back: {clean(error)}"
        advice = "query_endpoint is the base address of the query API (Jaeger: 16686, Zipkin: 9411), or leave it out"
        outcome.problem = Trouble("query-endpoint", message, advice)
        return
    if not any(span.span_id == record.span_id and MARK in span.attributes for span in found):
        message = f"the span was taken, but was not there to be read back within {wait_s:g}s"
        advice = "does query_endpoint belong to the same system and tenant? Does something in between sample or filter?"
        outcome.problem = Trouble("not-read-back", message, advice)
        return
    outcome.steps.append(Step("read back", f"by {chosen.type}", (time.perf_counter() - started) * 1000))


def addresses_of(options: Any, *, over_grpc: bool) -> list[Address]:
    """Return the servers of a destination, its endpoint or its brokers, and how to get there."""
    given = [getattr(options, "endpoint", None), *(getattr(options, "brokers", None) or ())]
    found = [(text, address_of(text)) for text in given if isinstance(text, str)]
    proxy: str | None = getattr(options, "proxy", None)
    return [_on_its_way(address, text, proxy, over_grpc) for text, address in found if address is not None]


def _on_its_way(address: Address, url: str, proxy: str | None, over_grpc: bool) -> Address:
    if address.scheme not in {"http", "https"}:
        return address
    forwarded = address.scheme == "http" and not over_grpc
    leads = proxy_to(url, proxy)
    return address if leads is None else dataclasses.replace(address, proxy=leads, forwarded=forwarded)


def target_of(options: Any) -> str:
    """Return where a destination is, for people, without user info and query."""
    names = {field.name for field in dataclasses.fields(options)}
    endpoint = getattr(options, "endpoint", None) if "endpoint" in names else None
    if isinstance(endpoint, str):
        scheme, _, rest = endpoint.partition("://")
        return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"
    brokers: Sequence[str] = getattr(options, "brokers", ())
    return ", ".join(brokers) or str(getattr(options, "path", None) or getattr(options, "stream", None) or "")
