"""Zipkin v1 spans to v2 objects: what instrumentation of before 2018 sends (zipkin-api 1.0.0, `zipkin-api.yaml`).

A v1 span is a list of moments ("annotations") and of key/value pairs ("binary annotations"), each with the endpoint that said it, so that
one span may hold both sides of a call. The core moments `cs cr sr ss ms mr ws wr` give kind, times and the number of sides; the pairs
`ca sa ma` are addresses of the other side. What decides in odd cases is what a real Zipkin does with them (its `V1SpanConverter`).
"""

from __future__ import annotations

from typing import Any

CORE_KINDS = {
    "cs": "CLIENT",
    "cr": "CLIENT",
    "sr": "SERVER",
    "ss": "SERVER",
    "ms": "PRODUCER",
    "mr": "CONSUMER",
    "ws": None,
    "wr": None,
}
ADDRESSES = ("ca", "sa", "ma")

Span = dict[str, Any]
Endpoint = dict[str, Any]


class _Moment:
    """A core annotation."""

    def __init__(self, time_us: int, endpoint: Endpoint) -> None:
        self.time_us, self.endpoint = time_us, endpoint


def is_v1(span: Any) -> bool:
    """Whether only v1 writes a span so. A span that both would write alike is v2's."""
    if not isinstance(span, dict) or "localEndpoint" in span or "tags" in span:
        return False
    annotations = span.get("annotations")
    return "binaryAnnotations" in span or (
        isinstance(annotations, list) and any(isinstance(each, dict) and "endpoint" in each for each in annotations)
    )


def to_v2(span: Span) -> list[Span]:
    """Return the v2 spans that a v1 span holds: one for each service that has a part in it."""
    sides = _Sides(span)
    core: dict[str, _Moment] = {}
    for each in sorted(_objects(span.get("annotations")), key=lambda each: _number(each.get("timestamp"))):
        side = sides.of(_endpoint(each))
        value, endpoint = each.get("value"), _endpoint(each)
        if isinstance(value, str) and value in CORE_KINDS and endpoint:
            core[value] = _Moment(_number(each.get("timestamp")), endpoint)
            if CORE_KINDS[value]:
                side["kind"] = CORE_KINDS[value]
        else:
            _annotate(side, each.get("timestamp"), value)
    _add_missing_start(core, "cs", "cr", sides)
    _add_missing_start(core, "sr", "ss", sides)
    _rpc(core, sides)
    _messaging(core, sides)
    addresses: dict[str, Endpoint] = {}
    for each in _objects(span.get("binaryAnnotations")):
        key, endpoint = each.get("key"), _endpoint(each)
        if key in ADDRESSES:
            addresses[str(key)] = endpoint
            continue
        side = sides.of(endpoint)
        if key != "lc" or each.get("value"):  # "lc" without a value only says where the span was made
            side.setdefault("tags", {})[str(key)] = each.get("value")
    _remote(core, {key: endpoint for key, endpoint in addresses.items() if endpoint}, sides)
    return sides.spans


class _Sides:
    """The v2 spans that one v1 span becomes, by service."""

    def __init__(self, span: Span) -> None:
        self.time_us, self.duration_us = _number(span.get("timestamp")), _number(span.get("duration"))
        self._same: Span = {key: span[key] for key in ("traceId", "id", "parentId", "name", "debug") if key in span}
        self.spans = [dict(self._same)]

    @property
    def first(self) -> Span:
        return self.spans[0]

    def of(self, endpoint: Endpoint) -> Span:
        """Return the side of an endpoint; the first one for what names no endpoint."""
        if not endpoint:
            return self.first
        for side in self.spans:
            if "localEndpoint" not in side:
                side["localEndpoint"] = endpoint
                return side
            if _same_service(side["localEndpoint"], endpoint):
                return side
        return self.fork(endpoint)

    def fork(self, endpoint: Endpoint) -> Span:
        """Return a new side."""
        self.spans.append({**self._same, "localEndpoint": endpoint})
        return self.spans[-1]

    def other(self, one: _Moment, two: _Moment, kinds: tuple[str, str]) -> tuple[Span, Span]:
        """Return both sides of a call; a service that calls itself has two all the same."""
        near = self.of(one.endpoint)
        if not _same_service(one.endpoint, two.endpoint):
            return near, self.of(two.endpoint)
        near["kind"] = kinds[0]
        far = self.fork(two.endpoint)
        far["kind"] = kinds[1]
        return near, far

    def time(self, begin: _Moment, end: _Moment | None) -> None:
        """Set the times of the side where something began: the span's own where it has both, else the moments'."""
        side = self.of(begin.endpoint)
        if self.time_us and self.duration_us:
            side.update(timestamp=self.time_us, duration=self.duration_us)
        else:
            _span_between(side, begin, end)


def _rpc(core: dict[str, _Moment], sides: _Sides) -> None:
    cs, cr, sr, ss = (core.get(name) for name in ("cs", "cr", "sr", "ss"))
    if cs and sr:
        sides.time(cs, cr)
        client, server = sides.other(cs, sr, ("CLIENT", "SERVER"))
        server["shared"] = True
        _span_between(server, sr, ss)
        if not cr and not sides.duration_us:
            client.pop("duration", None)  # one-way
    elif cs and cr:
        sides.time(cs, cr)
    elif sr and ss:
        sides.time(sr, ss)
    else:
        for side in sides.spans:
            _incomplete(side, core)
        if sides.time_us:
            sides.first["timestamp"] = sides.time_us
            if sides.duration_us:
                sides.first["duration"] = sides.duration_us
    # v1 has no field for it: a server that leaves the times to its client shares the client's span
    if not cs and sr and (not sides.time_us or (ss and not sides.duration_us)):
        sides.of(sr.endpoint)["shared"] = True


def _incomplete(side: Span, core: dict[str, _Moment]) -> None:
    begin, end = {"CLIENT": ("cs", "cr"), "SERVER": ("sr", "ss")}.get(side.get("kind", ""), ("", ""))
    if begin in core:
        side["timestamp"] = core[begin].time_us
    if end in core:
        _annotate(side, core[end].time_us, end)


def _messaging(core: dict[str, _Moment], sides: _Sides) -> None:
    ms, mr, ws, wr = (core.get(name) for name in ("ms", "mr", "ws", "wr"))
    if ms and mr:
        producer, consumer = sides.other(ms, mr, ("PRODUCER", "CONSUMER"))
        consumer["shared"] = True
        _span_between(consumer, wr or mr, mr if wr else None)
        _span_between(producer, ms, ws)
    elif ms:
        sides.time(ms, ws)
    elif mr:
        sides.time(wr or mr, mr if wr else None)
    else:
        for name, moment in (("ws", ws), ("wr", wr)):
            if moment:
                _annotate(sides.of(moment.endpoint), moment.time_us, name)


def _remote(core: dict[str, _Moment], addresses: dict[str, Endpoint], sides: _Sides) -> None:
    client, server, broker = (addresses.get(key) for key in ADDRESSES)
    asked, served = core.get("cs") or core.get("cr"), core.get("sr") or core.get("ss")
    if not asked and not served and (client or server):
        side = sides.of(client or {}) if client and server else sides.first
        side["remoteEndpoint"] = server or client
        if not server:
            side["kind"] = "SERVER"
        return
    if client and served and client != served.endpoint:
        if _same_service(client, served.endpoint):  # Finagle names its own service; kept, it would call itself
            client = {key: value for key, value in client.items() if key != "serviceName"}
        sides.of(served.endpoint)["remoteEndpoint"] = client
    if server and asked:
        sides.of(asked.endpoint)["remoteEndpoint"] = server
    for name in ("ms", "mr"):
        if broker and name in core:
            sides.of(core[name].endpoint)["remoteEndpoint"] = broker


def _add_missing_start(core: dict[str, _Moment], begin: str, end: str, sides: _Sides) -> None:
    """Add the moment that a span's own times tell: some tracers leave the first one out."""
    last = core.get(end)
    if begin not in core and last and sides.time_us and sides.duration_us:  # noqa: SIM102 - the rule, then the sum
        if sides.time_us + sides.duration_us == last.time_us:
            core[begin] = _Moment(sides.time_us, last.endpoint)


def _span_between(side: Span, begin: _Moment, end: _Moment | None) -> None:
    side["timestamp"] = begin.time_us
    side.pop("duration", None)
    if end and end.time_us > begin.time_us:
        side["duration"] = end.time_us - begin.time_us


def _annotate(side: Span, time_us: Any, value: Any) -> None:
    side.setdefault("annotations", []).append({"timestamp": time_us, "value": value})


def _objects(given: Any) -> list[dict[str, Any]]:
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []


def _endpoint(holder: dict[str, Any]) -> Endpoint:
    """Return the endpoint of an annotation without what is empty (v1 writes an unknown service as "")."""
    given = holder.get("endpoint")
    return {key: value for key, value in given.items() if value} if isinstance(given, dict) else {}


def _same_service(one: Endpoint, two: Endpoint) -> bool:
    return str(one.get("serviceName", "")).lower() == str(two.get("serviceName", "")).lower()


def _number(given: Any) -> int:
    """Return microseconds; 0, which says "not known", for what is not a number."""
    try:
        return int(given) if isinstance(given, (int, float, str)) else 0
    except (ValueError, OverflowError):
        return 0
