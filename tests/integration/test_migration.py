"""From B3 of 64 bits to W3C, a service at a time: old and new side by side are one trace in a real Zipkin and a real Jaeger.

The old services run on py_zipkin and do what libraries of their time do: they know 64 bits, cut a longer trace ID to its last 16 digits, and
write the span of a call and the span that serves it under one ID. The new ones run on tracebridge, with the configurations that
docs/migration.md shows.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from py_zipkin import Encoding, Kind
from py_zipkin.request_helpers import create_http_headers, extract_zipkin_attrs_from_headers
from py_zipkin.util import ZipkinAttrs
from py_zipkin.zipkin import zipkin_span

from support.commands import CliRunner
from tracebridge import Client
from tracebridge import Kind as OurKind
from tracebridge.cli import main

pytestmark = pytest.mark.server
WAIT_S = 20
B3 = ("X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "X-B3-Flags", "X-B3-Sampled")
PAGE = Path(__file__).parents[2] / "docs" / "migration.md"
Headers = Mapping[str, str]
Service = Callable[[Headers, Sequence[Any]], None]


def shown(title: str) -> dict[str, Any]:
    """A configuration as the guide has it."""
    text = PAGE.read_text().partition(f'```yaml title="{title}"\n')[2].partition("```")[0]
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def old_service(name: str, zipkin: Any, jaeger: Any) -> Service:
    """A service on py_zipkin: serves a request, and calls the next service within."""

    def tell(body: str) -> None:
        for url in (zipkin.spans_url, jaeger.zipkin_url):
            asked = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
            urllib.request.urlopen(asked, timeout=10).close()

    def serve(headers: Headers, rest: Sequence[Any]) -> None:
        told = {name.lower(): value for name, value in headers.items()}
        attrs = extract_zipkin_attrs_from_headers({name: told[name.lower()] for name in B3 if name.lower() in told})
        if attrs is not None:
            attrs = ZipkinAttrs(
                attrs.trace_id[-16:], attrs.span_id, attrs.parent_span_id, attrs.flags, attrs.is_sampled
            )
        common: dict[str, Any] = {
            "service_name": name,
            "encoding": Encoding.V2_JSON,
            "transport_handler": tell,
            "sample_rate": 100.0,
        }
        with zipkin_span(span_name="serve", kind=Kind.SERVER, zipkin_attrs=attrs, **common):
            if rest:
                with zipkin_span(span_name="call", kind=Kind.CLIENT, service_name=name):
                    rest[0](create_http_headers(), rest[1:])

    def apart(headers: Headers, rest: Sequence[Any]) -> None:
        with ThreadPoolExecutor(1) as elsewhere:  # py_zipkin keeps one tracer a thread: each service has its own
            elsewhere.submit(serve, headers, rest).result()

    return apart


@contextmanager
def new_service(name: str, zipkin: Any, jaeger: Any, config: Mapping[str, Any]) -> Iterator[Service]:
    """A service on tracebridge."""
    adapters = {"zipkin": {"endpoint": zipkin.spans_url}, "otlp_http/jaeger": {"endpoint": jaeger.otlp_http}}
    settings = {**config, "adapters": adapters, "resource": {"attributes": {"service.name": name}}}
    with Client(config=settings) as client:

        def serve(headers: Headers, rest: Sequence[Any]) -> None:
            with client.trace("serve", parent=client.extract(headers), kind=OurKind.SERVER):
                if rest:
                    with client.span("call", kind=OurKind.CLIENT) as call:
                        rest[0](client.inject(call, {}), rest[1:])

        yield serve


@pytest.fixture
def services(zipkin, jaeger) -> Callable[..., Any]:
    """Run a request through services, `old` and `new` ones in the order given, each with its own name."""

    def run(order: str, config: Mapping[str, Any], headers: Headers, salt: str) -> list[str]:
        names = [f"{kind}{n}-{salt[:6]}" for n, kind in enumerate(order.split())]
        with ExitStack() as running:
            made = [
                old_service(name, zipkin, jaeger)
                if name.startswith("old")
                else running.enter_context(new_service(name, zipkin, jaeger, config))
                for name in names
            ]
            made[0](headers, made[1:])
        return [f"{name} {what}" for name in names for what in ("serve", "call")][:-1]

    return run


def ask(url: str) -> Any:
    """JSON from a server; None where it says 404."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def zipkin_chain(zipkin: Any, service: str) -> tuple[list[str], set[str]]:
    """The spans of the newest trace of a service from the root down, as Zipkin joins them, and the trace IDs in it."""
    traces = ask(f"{zipkin.url}/api/v2/traces?serviceName={service}&limit=10")
    spans = [span for trace in traces for span in trace]
    by_id: dict[tuple[str, bool], Any] = {(span["id"], span.get("shared", False)): span for span in spans}

    def parent(span: Any) -> str | None:
        if span.get("shared") and (span["id"], False) in by_id:
            return label(by_id[span["id"], False])
        above = by_id.get((span.get("parentId"), True)) or by_id.get((span.get("parentId"), False))
        return None if above is None else label(above)

    def label(span: Any) -> str:
        return f"{span['localEndpoint']['serviceName']} {span['name']}"

    return down({label(span): parent(span) for span in spans}), {span["traceId"] for span in spans}


def jaeger_chain(jaeger: Any, service: str) -> tuple[list[str], set[str]]:
    """The same as Jaeger joins them."""
    traces = (ask(f"{jaeger.query_url}/api/traces?service={service}&limit=10") or {}).get("data", [])
    spans = [
        (span, trace["processes"][span["processID"]]["serviceName"]) for trace in traces for span in trace["spans"]
    ]
    names = {span["spanID"]: f"{name} {span['operationName']}" for span, name in spans}
    above = {
        names[span["spanID"]]: next((names.get(r["spanID"]) for r in span["references"]), None) for span, _ in spans
    }
    return down(above), {span["traceID"] for span, _ in spans}


def down(parents: Mapping[str, str | None]) -> list[str]:
    """The chain from the only span without a parent; empty when the spans are no chain."""
    chain: list[str] = [name for name, above in parents.items() if above is None]
    while len(chain) < len(parents):
        below = [name for name, above in parents.items() if chain and above == chain[-1]]
        if len(below) != 1:
            return []
        chain += below
    return chain


def until(read: Callable[[], tuple[list[str], set[str]]], wanted: list[str]) -> set[str]:
    """Ask until the chain is what is wanted, and return the trace IDs in it."""
    deadline = time.monotonic() + WAIT_S
    while (told := read())[0] != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    assert told[0] == wanted
    return told[1]


OLD_ID = "463ac35c9f6413ad"
STEPS = [
    ("old new old new", "step1.yaml", 64),  # a new service between old ones
    ("new old new", "step1.yaml", 64),  # a new one begins, and the old one cuts nothing off
    ("new new old", "step1.yaml", 64),
    ("new new", "step2.yaml", 128),  # the old ones are gone: W3C's 128 bits, and still both headers
    ("new new", "step3.yaml", 128),
]


@pytest.mark.parametrize(("order", "step", "bits"), STEPS, ids=[f"{step}: {order}" for order, step, _ in STEPS])
def test_old_and_new_services_are_one_trace_at_every_step(services, zipkin, jaeger, salt, order, step, bits):
    """Every span hangs where it belongs, in both systems, under one ID as long as the step allows."""
    chain = services(order, shown(step), {}, salt)
    service = chain[0].split()[0]
    (zipkin_id,) = until(lambda: zipkin_chain(zipkin, service), chain)
    (jaeger_id,) = until(lambda: jaeger_chain(jaeger, service), chain)
    assert zipkin_id.zfill(32) == jaeger_id.zfill(32)
    assert (len(zipkin_id), zipkin_id[:16] != "0" * 16) == ((16, True) if bits == 64 else (32, True))


def test_without_64_bits_an_old_service_would_part_the_trace(services, zipkin, jaeger, salt):
    """Why step 1 says max_bits: an old service in the middle keeps half of a W3C trace ID, and what it calls is in another trace."""
    config = {**shown("step1.yaml"), "trace_ids": {"max_bits": 128}}
    chain = services("new old new", config, {}, salt)
    until(lambda: zipkin_chain(zipkin, chain[0].split()[0]), chain[:2])
    until(lambda: zipkin_chain(zipkin, chain[-1].split()[0]), chain[2:])


def test_an_id_from_an_old_log_line_finds_the_trace_in_both_systems(services, zipkin, jaeger, salt, tmp_path):
    """The 16 digits, in any spelling that the old logs have, lead to the spans and to the address in the new system's UI."""
    old_id = salt[:16]
    headers = {"X-B3-TraceId": old_id.upper(), "X-B3-SpanId": OLD_ID, "X-B3-Sampled": "1"}
    chain = services("new old", shown("step1.yaml"), headers, salt)
    readers = {
        "zipkin": {"endpoint": zipkin.spans_url, "query_endpoint": zipkin.url},
        "otlp_http/jaeger": {"endpoint": jaeger.otlp_http, "query_endpoint": jaeger.query_url},
    }
    for name, options in readers.items():
        config = tmp_path / "bridge.yaml"
        config.write_text(yaml.safe_dump({"adapters": {name: options}}))
        with Client(config=str(config)) as client:
            deadline = time.monotonic() + WAIT_S
            names: set[str] = set()
            while len(names) < len(chain) and time.monotonic() < deadline:
                names = {
                    f"{s.record.resource.service_name} {s.name}"
                    for s in cast(Any, client.get_trace(old_id.upper())).data.spans
                }
            assert names == set(chain)
        shown_links = CliRunner().invoke(main, ["id", old_id.upper(), "--config", str(config), "--json"]).stdout
        (link,) = json.loads(shown_links)["links"].values()
        assert old_id in link
