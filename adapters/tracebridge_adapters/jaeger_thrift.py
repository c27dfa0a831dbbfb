"""Jaeger as an old stack runs it: Thrift to an agent over UDP, or to a collector over HTTP. Needs `pip install 'tracebridge[jaeger]'`.

Over UDP nothing is ever confirmed: spans are counted as *sent*, not as *exported*.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

from tracebridge.plugins.adapter import Context, Needs, Part, Sent, TraceReader
from tracebridge.plugins.options import Size, TlsOptions, Url, option
from tracebridge_adapters.options import ReadableOptions, link_of

if TYPE_CHECKING:
    from tracebridge.records.record import Resource, SpanRecord, Value
    from tracebridge_adapters.wires.http import HttpWire
    from tracebridge_adapters.wires.udp import UdpWire

TRACES_PATH = "/api/traces"
PORTS = {"compact": 6831, "binary": 6832}
CONTENT_TYPE = "application/vnd.apache.thrift.binary"
MAX_PACKET_BYTES = 65_000  # what a Jaeger agent reads of a datagram; the rest is cut off and the datagram lost
MIN_PACKET_BYTES = 4_096  # names and marks of a span that had to be stripped fit into this
MAX_UDP_SPANS = 256  # of usual size they fill one datagram; more would be encoded only to be split
MAX_HTTP_SPANS = 10_000
MAX_HTTP_BYTES = 16 * 2**20  # servers take 20 MiB


@dataclass(frozen=True, kw_only=True)
class JaegerThriftOptions(ReadableOptions):
    """Options of the `jaeger_thrift` adapter."""

    endpoint: Url = option(
        "udp://localhost:6831",
        help="An agent, udp://host:6831 (compact) or :6832 (binary), or a collector, http://host:14268/api/traces.",
        schemes=("udp", "http", "https"),
    )
    protocol: Literal["compact", "binary"] = option(
        "compact", help="Thrift's protocol over UDP; HTTP is always binary."
    )
    max_packet_size: Size = option(
        MAX_PACKET_BYTES, help="Most bytes of a datagram.", minimum=MIN_PACKET_BYTES, maximum=MAX_PACKET_BYTES
    )
    compression: Literal["gzip", "none"] = option(
        "none", help="Whether HTTP bodies are compressed; a Jaeger 1 collector does not take it."
    )

    def __post_init__(self) -> None:
        """Refuse what UDP cannot do."""
        super().__post_init__()
        if urlsplit(self.endpoint).scheme != "udp":
            return
        asked = (
            self.query_endpoint is not None and self.compression == "none"
        )  # headers, tls and proxy may be for reading back
        if not asked and (self.headers or self.compression != "none" or self.tls != TlsOptions() or self.proxy):
            raise ValueError(
                "headers, compression, tls and proxy are for HTTP, not for a UDP agent: leave them out, or give an http:// endpoint"
            )


class JaegerThriftAdapter:
    """Sends batches, each of one process, to an agent or a collector."""

    Options: ClassVar[type[JaegerThriftOptions]] = JaegerThriftOptions
    needs: ClassVar[Needs] = Needs(("thrift",), "tracebridge[jaeger]")
    max_batch_spans: int
    max_batch_bytes: int | None
    reader: TraceReader | None

    def __init__(self, options: JaegerThriftOptions, context: Context) -> None:
        from tracebridge_adapters.dialects import attributes_for
        from tracebridge_adapters.formats.jaeger import thrift as format_

        over_udp = urlsplit(options.endpoint).scheme == "udp"
        self.max_batch_spans = MAX_UDP_SPANS if over_udp else MAX_HTTP_SPANS
        self.max_batch_bytes = options.max_packet_size if over_udp else MAX_HTTP_BYTES
        self._by_process = format_.by_process
        self._encode = partial(
            format_.encode,
            attributes_of=attributes_for(options.dialect, context.trace_id_attribute),
            framing=format_.Framing(options.protocol if over_udp else "binary", over_udp, self.max_batch_bytes),
            process_tags=partial(_host_of, own=context.resource, host=_host(context.resource)),
        )
        self._wire = _udp(options) if over_udp else _http(options)
        self._confirmed = not over_udp
        self._ui = options.ui
        self.reader = None
        if options.query_endpoint is not None:
            from tracebridge_adapters.readers.jaeger import JaegerReader
            from tracebridge_adapters.wires.http_get import HttpReader

            server = HttpReader(options.query_endpoint, options.access)
            self.reader = JaegerReader(server, context, options.ui)

    def encode(self, records: Sequence[SpanRecord]) -> Sequence[Part]:
        """Return one Batch for each process; over UDP as whole datagrams."""
        return [Part(self._encode(group), group) for group in self._by_process(records)]

    def send(self, body: bytes, spans: int) -> Sent:  # noqa: ARG002 - the contract's signature
        """Send the datagram, which is never confirmed, or POST the body."""
        answer = self._wire.post(body)
        return Sent(confirmed=self._confirmed, doubt=answer.doubt if answer is not None and answer.body else "")

    def link(self, trace_id: bytes) -> str | None:
        """Return the address of a trace in the destination's own UI, as far as the options tell it."""
        return link_of(self._ui, trace_id) if self.reader is None else self.reader.link(trace_id)

    def close(self) -> None:
        """Close the socket or the connections."""
        self._wire.close()


def _udp(options: JaegerThriftOptions) -> UdpWire:
    from tracebridge_adapters.wires.udp import UdpWire

    return UdpWire(options.endpoint, default_port=PORTS[options.protocol], timeout_s=options.timeout)


def _http(options: JaegerThriftOptions) -> HttpWire:
    from tracebridge_adapters.wires.http import HttpWire

    return HttpWire(
        traces_url(options.endpoint),
        options.access,
        compression=options.compression,
        content_type=CONTENT_TYPE,
        on_500="ambiguous",
        max_connections=options.sending_queue.max_in_flight,
    )


def _host(resource: Resource) -> dict[str, Value]:
    """Return `hostname` and `ip` of this process: without them Jaeger's UI distrusts its clock."""
    from tracebridge_adapters.wires.udp import local_ip

    ips = resource.attributes.get("host.ip")
    ip = (ips[0] if isinstance(ips, list) and ips else ips) or local_ip()
    name = resource.attributes.get("host.name") or socket.gethostname()
    return {key: value for key, value in (("hostname", name), ("ip", ip)) if value}


def _host_of(resource: Resource, own: Resource, host: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return the host of a process: ours is known; a span that came from elsewhere tells its own or none."""
    return host if resource is own or resource == own else {}


def traces_url(endpoint: str) -> str:
    """Return the address to post to: an address without a path gets the collector's.

    >>> traces_url("http://localhost:14268"), traces_url("https://host/jaeger/api/traces?format=jaeger.thrift")
    ('http://localhost:14268/api/traces', 'https://host/jaeger/api/traces?format=jaeger.thrift')
    """
    parts = urlsplit(endpoint)
    return endpoint if parts.path.strip("/") else urlunsplit(parts._replace(path=TRACES_PATH))
