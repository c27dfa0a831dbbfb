"""What the shell's commands share: they write spans straight to an engine of open spans, and load neither a client nor, without a configuration, YAML.

Whoever delivers, the next client that names the engine or `tracebridge drain`, adds its own resource where none was given, and applies the limits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import click
import msgspec

from tracebridge.cli.shared.output import echo
from tracebridge.errors import ConfigError
from tracebridge.ids.schemes import AUTO, derive, derive_span
from tracebridge.journal.base import encode_record
from tracebridge.masking.foreign import clean
from tracebridge.plugins.open_spans import Change, Engine, SpanKey
from tracebridge.records.record import EndCause, Event, Resource, SpanRecord, StatusCode
from tracebridge.sharing.directory import DirectoryEngine
from tracebridge.sharing.parts import Kind, part, together
from tracebridge.stages.redaction import Redaction

TRACE_VARIABLE = "TRACEBRIDGE_TRACE_ID"
CONFIG_VARIABLE = "TRACEBRIDGE_CONFIG"
MAX_OPEN_S = 86_400.0  # without a configuration: longer than any pipeline runs
TIMEOUT_S = 5.0
MOST_OPEN = 1_000
MOST_TEXT = 65_536  # characters of one value
STATUSES = {"ok": StatusCode.OK, "error": StatusCode.ERROR, "unset": StatusCode.UNSET}
_UNFINISHED = EndCause.UNFINISHED.value


class Parent(NamedTuple):
    """What TRACEPARENT names."""

    trace_id: bytes
    span_id: bytes
    flags: int


class Target(NamedTuple):
    """A trace, as it was named."""

    trace_id: bytes
    custom_id: str | None
    scheme: str | None


def traceparent() -> Parent | None:
    """Return what the variable TRACEPARENT names, None where it is not there or says nothing valid."""
    text = os.environ.get("TRACEPARENT")
    if not text:
        return None
    from tracebridge.propagation.tracecontext import read

    found = read({"traceparent": text})
    if found is None or found.trace_id is None or found.span_id is None:
        return None
    return Parent(bytes.fromhex(found.trace_id), bytes.fromhex(found.span_id), found.flags)


class Shell:
    """One command's way to the engine."""

    def __init__(self, config: str | None) -> None:
        """Take the engine that a configuration names, else the folder of this user. Raises ConfigError for a wrong one."""
        self._scheme = self._span_scheme = AUTO
        self._max_open_s = MAX_OPEN_S
        named = config or os.environ.get(CONFIG_VARIABLE)
        if named:
            self._redact, self.engine = self._configured(named)
        else:
            self._redact = Redaction()
            self.engine = DirectoryEngine(None, TIMEOUT_S)
        context = click.get_current_context(silent=True)
        if context is not None:
            context.call_on_close(self.engine.close)
        service = os.environ.get("OTEL_SERVICE_NAME")
        self._resource = Resource({"service.name": service}) if service else None

    def _configured(self, named: str) -> tuple[Redaction, Engine]:
        from tracebridge.plugins.registry import OPEN_SPANS, load
        from tracebridge.settings.load import load_settings
        from tracebridge.stages.redaction import redaction_of

        settings = load_settings(named)
        chosen = settings.open_spans
        if chosen.engine is None:
            raise ConfigError(
                f"{named} names no engine of open spans; add `open_spans: {{engine: directory, url: ./open-spans}}`"
            )
        self._scheme, self._span_scheme = settings.trace_ids.scheme, settings.trace_ids.span_scheme
        self._max_open_s = settings.lifecycle.max_open
        engine: Engine = load(OPEN_SPANS, chosen.engine)(chosen.url, max(chosen.timeout, TIMEOUT_S))
        return redaction_of(settings.redaction), engine

    # ------------------------------------------------------------------ IDs

    def target(self, given: str | None, *, new: bool = False) -> Target:
        """Return the trace that is meant: `--trace`, else $TRACEBRIDGE_TRACE_ID, else that of TRACEPARENT, else a new one.

        Raises UsageError where none is named and `new` is not asked for.
        """
        text = given or os.environ.get(TRACE_VARIABLE)
        if text:
            wire = derive(text, self._scheme)
            own = text.encode("utf-8", "backslashreplace").decode()
            return Target(wire.trace_id, None if own == wire.trace_id.hex() else own, wire.scheme)
        above = traceparent()
        if above is not None:
            return Target(above.trace_id, None, None)
        if not new:
            raise click.UsageError(f"which trace? Name it with --trace, {TRACE_VARIABLE} or TRACEPARENT")
        return Target(os.urandom(16), None, None)

    def span_id(self, given: str) -> bytes:
        """Return the 8 bytes of a span's own ID."""
        return derive_span(given, self._span_scheme)[0]

    def key(self, trace: str | None, span: str | None, *, root: bool = False) -> tuple[SpanKey, Target]:
        """Return which span is meant: `--id`, else the trace's root where that is asked for, else the one that TRACEPARENT names. Raises UsageError."""
        target = self.target(trace)
        if span:
            return SpanKey(target.trace_id, self.span_id(span)), target
        above = traceparent()
        if not root and above is not None and above.trace_id == target.trace_id:
            return SpanKey(above.trace_id, above.span_id), target
        found = self.root(target.trace_id)
        if found is None:
            raise click.ClickException("the trace has no open root; name a span with --id")
        return SpanKey(target.trace_id, found), target

    def open(self, trace_id: bytes | None) -> list[SpanRecord]:
        """Return open spans: of a trace, or the roots of all."""
        found = (together(entry.parts) for entry in self.engine.open(trace_id, MOST_OPEN))
        return [each.record for each in found if each is not None and each.has_start]

    def root(self, trace_id: bytes) -> bytes | None:
        """Return the open root of a trace."""
        records = self.open(trace_id)
        roots = [record for record in records if record.parent_id is None] or [r for r in records if r.parent_is_remote]
        return roots[-1].span_id if roots else None

    # ------------------------------------------------------------------ writing

    def start(
        self,
        trace: str | None,
        span: str | None,
        name: str,
        attributes: Mapping[str, Any],
        *,
        parent: str | None = None,
        kind: int = 1,
        tags: Mapping[str, str] | None = None,
    ) -> Parent | None:
        """Start a span; return its IDs, None where a span of that ID is known already."""
        target, above = self.target(trace, new=True), traceparent()
        flags, parent_id, remote = 1, None, False
        if parent:
            parent_id = self.span_id(parent)
        elif above is not None and above.trace_id == target.trace_id:
            parent_id, flags = above.span_id, above.flags
            there = next((record for record in self.open(target.trace_id) if record.span_id == parent_id), None)
            remote = there is None
            if there is not None and target.custom_id is None:  # TRACEPARENT says nothing of it
                target = target._replace(custom_id=there.custom_trace_id)
        elif trace or os.environ.get(TRACE_VARIABLE):
            parent_id = self.root(target.trace_id)
        own = span.encode("utf-8", "backslashreplace").decode() if span else None
        span_id = self.span_id(span) if span else os.urandom(8)
        if parent_id == span_id:
            parent_id = None
        now = time.time_ns()
        record = SpanRecord(
            target.trace_id, span_id, parent_id, cut(name), now, now, kind=kind, attributes=dict(attributes), custom_trace_id=target.custom_id,
            id_scheme=target.scheme if parent_id is None and target.custom_id is not None else None, tags=dict(tags or {}), flags=flags,
            parent_is_remote=remote, end_cause=_UNFINISHED, resource=self._resource,
            custom_span_id=own if own != span_id.hex() else None,
        )  # fmt: skip
        key = SpanKey(target.trace_id, span_id)
        made = self._part(Kind.START, record)
        if not self.engine.start(key, made, is_root=parent_id is None or remote, max_open_s=self._max_open_s):
            return None
        return Parent(target.trace_id, span_id, flags)

    def change(
        self,
        key: SpanKey,
        attributes: Mapping[str, Any],
        events: Sequence[Event] = (),
        status: int = 0,
        message: str = "",
    ) -> Change:
        """Set something on an open span."""
        now = time.time_ns()
        record = SpanRecord(
            *key, None, "", now, now, status=status, status_message=message, attributes=dict(attributes), events=tuple(events), end_cause=_UNFINISHED
        )  # fmt: skip
        return self.engine.change(key, self._part(Kind.CHANGE, record))

    def end(
        self,
        key: SpanKey,
        attributes: Mapping[str, Any],
        status: StatusCode | None = None,
        message: str = "",
        custom_id: str | None = None,
    ) -> bool | None:
        """End a span, for whoever delivers it; return False where it has been ended already, None where its start is unknown."""
        now = time.time_ns()
        record = SpanRecord(
            *key, None, "", now, now, status=int(status or 0), status_message=message if status is StatusCode.ERROR else "", attributes=dict(attributes),
            custom_trace_id=custom_id, end_cause=_UNFINISHED, resource=self._resource,
        )  # fmt: skip
        kind = Kind.END if status is None else Kind.END_WITH_STATUS
        parts = self.engine.end(key, self._part(kind, record), b"", 0.0)
        if parts is None:
            return False
        return True if len(parts) > 1 else None

    def _part(self, kind: Kind, record: SpanRecord) -> bytes:
        return part(kind, encode_record(self._redact(record)))


def attributes_of(given: Sequence[str]) -> dict[str, Any]:
    """Read `KEY=TEXT` and `KEY:=JSON`. Raises BadParameter.

    >>> attributes_of(["a=1", "n:=3", "ok:=true", "url=http://x?a=b"])
    {'a': '1', 'n': 3, 'ok': True, 'url': 'http://x?a=b'}
    """
    out: dict[str, Any] = {}
    for each in given:
        text = each.encode("utf-8", "backslashreplace").decode()
        key, equals, value = text.partition("=")
        typed = key.endswith(":")
        key = key.removesuffix(":").strip()
        if not equals or not key:
            raise click.BadParameter(f"{text!r}: write KEY=TEXT, or KEY:=JSON for a number, true, false, a list")
        try:
            read = msgspec.json.decode(value) if typed else cut(value)
            msgspec.msgpack.encode(read)
        except (msgspec.DecodeError, OverflowError) as error:
            raise click.BadParameter(f"{text!r}: after := comes JSON ({error})") from None
        if read is not None:
            out[key] = read
    return out


def cut(text: str) -> str:
    """Return text that a record carries, cut to what one value may have."""
    return text.encode("utf-8", "backslashreplace").decode()[:MOST_TEXT]


def told(parent: Parent) -> str:
    """Return what TRACEPARENT is to say of a span."""
    return f"00-{parent.trace_id.hex()}-{parent.span_id.hex()}-{parent.flags & 3:02x}"


def failing(error: Exception) -> str:
    """Return what is wrong with an engine, for one line on stderr."""
    return clean(f"{type(error).__name__}: {error}", 300)


def trace_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--trace` and `--config` to a command."""
    trace = click.option(
        "--trace",
        metavar="ID",
        help=f"The trace, by your own ID or its wire ID; default: ${TRACE_VARIABLE}, else that of $TRACEPARENT.",
    )
    config = click.option(
        "--config",
        metavar="FILE",
        help="YAML file that names the engine; default: $TRACEBRIDGE_CONFIG, else this user's folder.",
    )
    return trace(config(command))


def attribute_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `-a` to a command."""
    return click.option(
        "-a",
        "--attribute",
        "attributes",
        metavar="KEY=TEXT",
        multiple=True,
        help="An attribute; KEY:=JSON for a number, true, false or a list.",
    )(command)


def flush_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--flush` to a command."""
    return click.option(
        "--flush", is_flag=True, help="Then deliver what has ended, as `tracebridge drain` does; needs a configuration."
    )(command)


def deliver(config: str | None) -> None:
    """Deliver what has ended, for at most as long as a client's end takes. Raises ConfigError without a configuration."""
    named = config or os.environ.get(CONFIG_VARIABLE)
    if not named:
        raise ConfigError(f"--flush needs the file that names the destinations: --config, or {CONFIG_VARIABLE}")
    from tracebridge.client import Client

    with Client(config=named) as client:
        client._look_elsewhere()
        if not client.flush(None):
            echo("tracebridge: not everything has arrived; `tracebridge drain` tries again", err=True)


ID_HELP = (
    "The span, by your own ID or its 16 hex digits; default: the one that $TRACEPARENT names, else the trace's root."
)
status_option = click.option(
    "--status",
    type=click.Choice(list(STATUSES), case_sensitive=False),
    help="How it went; without it ok, or the error set before.",
)
message_option = click.option("--message", default="", help="What went wrong, with --status error.")
