"""`Client`: the calls, reading, and the life of everything behind them."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex

from tracebridge.calls.core import SPAN_LOCKS
from tracebridge.calls.ending import Ending
from tracebridge.calls.ingesting import Ingesting
from tracebridge.calls.propagating import Propagating
from tracebridge.calls.reading import Reading
from tracebridge.calls.shortcuts import parts_of
from tracebridge.calls.traced import Traced
from tracebridge.delivery.deadletters.letters import DeadLetter
from tracebridge.ids.custom import TraceId
from tracebridge.ids.identity import Identity
from tracebridge.journal.accounts import Progress, SharedStats, StageStats, Stats
from tracebridge.masking.loggers import logger
from tracebridge.metrics.publish import Publication
from tracebridge.plugins.adapter import Adapter
from tracebridge.process import exits
from tracebridge.process.forks import no_fork
from tracebridge.process.threads import INTERRUPTIBLE_S
from tracebridge.propagation.propagator import Propagator
from tracebridge.records.record import EndCause
from tracebridge.sampling.attributes import Attributes
from tracebridge.sampling.head import Head
from tracebridge.sampling.tail import WAITS_FOR_ROOTS, Tail
from tracebridge.settings.load import load
from tracebridge.settings.model import MetricsSettings, Settings
from tracebridge.spans.clock import Clock, SystemClock
from tracebridge.spans.janitor import Janitor
from tracebridge.spans.live import LiveTable, LiveTrace
from tracebridge.spans.span import Span
from tracebridge.stages.holding import Holding
from tracebridge.wiring import build, exchange_of, maintainer_of, require_usable

if TYPE_CHECKING:
    from tracebridge.settings.config import Config

_log = logger("tracebridge")


class Client(Traced, Propagating, Ending, Ingesting, Reading):
    """The tracing client: MLflow's low-level calls, delivered to every configured destination.

    `config` is a path to a YAML file, a mapping with the same keys (`tracebridge.Config`), or Settings. Without it the destinations are those of
    the file that TRACEBRIDGE_CONFIG names, else the MLflow server at `tracking_uri`, else the one that MLFLOW_TRACKING_URI names, else the
    embedded store; one line at INFO says which. A `tracking_uri` that is the path of a YAML file is taken as `config`; one that is neither that nor an http(s)
    address is a warning. `registry_uri` and `workspace_store_uri` are MLflow's and mean nothing here. No network is used. Raises ConfigError,
    with every problem in the message, for a wrong configuration.

    Safe from any number of threads and asyncio tasks. A client is a value: several live side by side.
    """

    def __init__(
        self,
        tracking_uri: str | os.PathLike[str] | None = None,
        registry_uri: str | None = None,
        workspace_store_uri: str | None = None,
        *,
        config: str | os.PathLike[str] | Config | Mapping[str, Any] | Settings | None = None,
        clock: Clock | None = None,
    ) -> None:
        if registry_uri is not None or workspace_store_uri is not None:
            _log.info(
                "registry_uri and workspace_store_uri are about models and workspaces, which tracebridge does not keep"
            )
        with no_fork():  # a child could never import what was being imported here
            loaded = load(config, tracking_uri=tracking_uri)
            _log.info("destinations: %s", loaded.told)
            self._configure(loaded.settings, clock or SystemClock())
            shown = MetricsSettings() if loaded.settings.disabled else loaded.settings.metrics
            self._metrics = Publication(shown, _numbers_of(self))
        self._off = self._settings.disabled
        self._closing = threading.RLock()
        exits.register(self)
        if self._lifecycle.flush_on_sigterm:
            exits.Terminator.install(self._lifecycle.shutdown_timeout)
        if self._maintainer is not None and self._maintainer.has_work() and not self._off:
            self._on_first_trace()  # what was left behind is delivered even if nothing is traced here
        if self._exchange is not None and not self._off:
            self._exchange.start_looking()

    def _configure(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._wall, self._ticks = clock.wall_ns, clock.ticks_ns
        self._most_attributes = self._limits.attribute_count_limit
        self._ids = Identity(settings.trace_ids)
        self._shares_current = settings.opentelemetry.current_span == "shared"
        propagation = settings.propagation
        self._propagator = Propagator(propagation.extract, propagation.inject, propagation.correlation_header)
        sampling = settings.sampling
        self._head = self._tail = self._says = None
        if sampling is not None:
            self._says = Attributes(sampling.attributes) if sampling.attributes else None
            self._head = Head(sampling, delivers_unsampled=not self._drops_unsampled)
            if (
                sampling.keep is not None or sampling.rules
            ):  # rules look at the root, which comes last of what is made elsewhere
                self._tail = Tail(sampling.keep or WAITS_FOR_ROOTS)
        self._table = LiveTable()
        require_usable(settings.journal)
        self._build()

    def _build(self) -> None:
        self._parts = parts = build(self._settings)
        self._accounts = parts.accounts
        self._span_locks = tuple([threading.RLock() for _ in range(SPAN_LOCKS)])
        self._reducer = parts.reducer
        self._journal = parts.journal
        self._keeps_open = parts.journal.keeps_open
        decide = parts.stages.decide if self._tail is None else self._tail.adopted
        self._maintainer = maintainer_of(parts.journal, self._settings, self.stats, decide)
        self._stages = parts.stages
        keep = None if self._tail is None else self._tail.settings
        self._holding = Holding() if keep is None else Holding(keep.max_bytes, keep.max_spans)
        self._janitor = Janitor(self._close_overdue)
        self._shared_calls = self._shared_calls_of()
        self._exchange = exchange_of(self._settings, self._take_in)
        self._shares_all = self._exchange is not None and self._settings.open_spans.share == "all"
        self._running = False
        self._closed = False
        self._native = parts_of(self)

    # ------------------------------------------------------------------ what is open

    @property
    def active_traces(self) -> list[Span]:
        """The roots of the traces that are open here, oldest first; then those that are shared, whoever started them (at most 1,000)."""
        here = [root for trace in self._table.all() for root in trace.roots]
        return here + [self._handle(record) for record in self._open_elsewhere(None)]

    def get_active_trace(self, trace_id: str | TraceId) -> Span | None:
        """Return the open root of a trace, by the caller's own ID or the wire ID; None when it is not open here, and not shared."""
        trace = self._find(trace_id)
        if trace is None or trace.root is None:
            return None if self._off else self._shared_root(trace_id)
        return trace.root

    # ------------------------------------------------------------------ the books

    def stats(self) -> Stats:
        """Return a frozen picture of every counter, taken at one instant."""
        accounts = self._accounts
        now = time.monotonic()
        with accounts.lock:
            return Stats(
                started=accounts.started,
                ingested=accounts.ingested,
                open=accounts.open,
                held=accounts.held,
                shared=accounts.shared,
                open_spans=SharedStats() if self._exchange is None else self._exchange.stats(),
                undecided=accounts.undecided,
                kept=dict(accounts.kept),
                late_ends=accounts.late_ends,
                misuse=dict(accounts.misuse),
                sampled=dict(accounts.sampled),
                rejected=dict(accounts.rejected),
                adapters={name: delivery.stats(now) for name, delivery in self._parts.deliveries.items()},
                journal=self._journal.stats(),
                stages={name: StageStats(dict(a.dropped), a.failed) for name, a in accounts.stages.items()},
            )

    def progress(self) -> Progress:
        """Return how far delivery is, for a program that has to know when what it ingested is safe elsewhere; see `Progress`."""
        accounts, holding = self._accounts, self._holding
        with accounts.lock:
            end = self._journal.end
            settled = min((delivery.settled_to for delivery in self._parts.deliveries.values()), default=end)
            held = accounts.held + accounts.undecided
            since = holding.oldest if held == holding.count else 0.0  # others are being decided about at this instant
            return Progress(end, settled, held, since, self._journal.stats().bytes)

    def adapter(self, name: str) -> Adapter:
        """Return a configured adapter by its key, such as `zipkin` or `otlp_http/main`. Raises KeyError."""
        return self._parts.deliveries[name].adapter

    def dead_letters(self) -> list[DeadLetter]:
        """Return the newest spans that a destination refused for good, oldest first (at most 1,000)."""
        return self._parts.dead_letters.list()

    # ------------------------------------------------------------------ life

    def flush(self, timeout_s: float | None = 30.0) -> bool:
        """Wait until every destination has what was queued before the call; return whether all have.

        Spans that are still open are not waited for. What dead processes left in the journal's directory is, from the first look at it on, for as
        long as its destination accepts spans. Never raises because of a destination: False after `timeout_s` seconds, None meaning
        `lifecycle.shutdown_timeout`.
        """
        timeout_s = self._lifecycle.shutdown_timeout if timeout_s is None else timeout_s
        with self._accounts.lock:
            end = self._request_flush()
            deliveries = self._parts.deliveries.values()
            self._accounts.wait_for(lambda: self._left_is_over() and all(d.flushed(end) for d in deliveries), timeout_s)
            return self._has_looked() and all(d.flushed(end) and not d.left for d in deliveries)

    def decide_held(self) -> None:
        """Have everything decided that a stage or `sampling.keep` holds, as `close` does: for a program that has handed in all there is."""
        self._decide_all()

    def _request_flush(self) -> int:
        """Have delivery wait for no company, up to the position that is returned. Locked."""
        end = self._journal.end
        for delivery in self._parts.deliveries.values():
            delivery.request_flush(end)
        self._accounts.lock.notify_all()
        return end

    def _has_looked(self) -> bool:
        """Return whether all that dead processes left is queued. Locked."""
        found = self._journal.stats()
        return self._maintainer is None or not self._running or (found.looked and not found.waiting)

    def _left_is_over(self) -> bool:
        """Return whether what dead processes left is delivered, as far as destinations accept it. Locked."""
        left = [delivery for delivery in self._parts.deliveries.values() if delivery.left]
        if not all(delivery.is_failing for delivery in left):
            return False
        return self._has_looked() or (bool(left) and self._journal.stats().waiting > 0)

    def close(self, timeout_s: float | None = None) -> None:
        """End and mark the open spans, deliver what is queued for at most `timeout_s` seconds, stop the workers.

        The default is `lifecycle.shutdown_timeout`. What does not fit stays in a journal on disk for the next process; out of memory it is
        counted as dropped. Either is said in one log line. Idempotent: whoever calls it while another thread is at it waits
        for that one, for `timeout_s` too, because it may be about to end the process. Calls after it are harmless and counted.
        """
        timeout_s = self._lifecycle.shutdown_timeout if timeout_s is None else timeout_s
        if not self._wait_to_close(timeout_s + SETTLE_S):
            _log.warning(
                "another thread has been closing this client for more than %gs; it is not waited for", timeout_s
            )
            return
        try:
            if not self._closed:
                self._closed = self._off = True
                self._close(timeout_s)
        finally:
            self._closing.release()

    def _wait_to_close(self, timeout_s: float) -> bool:
        """Take the lock that closing holds from beginning to end; return whether it came free in time.

        A signal handler that closes in the middle of its own thread's close has it already, and finds the client closed.
        """
        deadline = time.monotonic() + timeout_s
        while not self._closing.acquire(timeout=INTERRUPTIBLE_S):
            if time.monotonic() >= deadline:
                return False
        return True

    def _close(self, timeout_s: float) -> None:
        began = time.monotonic()
        self._end_what_is_open()
        if self._exchange is not None:
            self._exchange.close()
        self._decide_all()
        self._janitor.stop()
        with self._accounts.lock:
            deadline = time.monotonic() + timeout_s
            self._request_flush()
            self._accounts.wait_for(self._left_is_over, timeout_s)
            for delivery in self._parts.deliveries.values():
                delivery.request_close(deadline)
            self._accounts.lock.notify_all()
        lost = {name: left for name, delivery in self._parts.deliveries.items() if (left := delivery.join())}
        if self._maintainer is not None:
            self._maintainer.stop()
        with self._accounts.lock:
            kept = max((delivery.queued for delivery in self._parts.deliveries.values()), default=0)
            self._journal.close()
            self._accounts.closed = True
        self._metrics.close()
        took_s = time.monotonic() - began
        if kept:
            _log.info(
                "closed after %.1fs with %d spans undelivered; they wait in %s",
                took_s,
                kept,
                self._settings.journal.directory,
            )
        if lost:
            shown = ", ".join(f"{name}: {count} spans" for name, count in lost.items())
            _log.warning("closed after %.1fs with spans undelivered (%s); they are counted as dropped", took_s, shown)

    def _end_what_is_open(self) -> None:
        """End and mark every open span, those of threads that are starting or ending one just now too."""
        if self._accounts.is_inside():  # called in the middle of a call of ours: the other threads wait for this one
            self._flush_open()
            return
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            with self._accounts.lock:
                if not self._accounts.open:  # and none comes after it: what starts looks at `_off` under the same lock
                    return
            if not self._flush_open():
                time.sleep(SETTLE_S / 1_000)  # other threads are at it

    def _flush_open(self) -> int:
        """End and mark what is open just now; return how many spans there were."""
        return sum(self._close_spans(trace, EndCause.FLUSHED) for trace in self._table.all())

    def _wind_down(self, timeout_s: float) -> None:
        """Do what `close` does for a process that is about to die of a signal while its threads go on tracing.

        A journal on disk stays open to the last instant: what ends between here and the death is in it, for the next process.
        """
        if self._maintainer is None or self._closed:
            self.close(timeout_s)
            return
        self._flush_open()
        self._decide_all()
        self.flush(timeout_s)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            "a client cannot be pickled, because its threads and its journal belong to this process; pass its configuration (a path, a mapping) and make "
            "a client of it there, or fork: a forked child's client starts over by itself"
        )

    def __copy__(self) -> Client:
        return self

    def __deepcopy__(self, memo: Any) -> Client:
        """Stay the same client in a copy of what holds it."""
        return self

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _on_first_trace(self) -> None:
        if self._running:
            return
        with self._accounts.lock:
            if self._running or self._closed:
                return
            self._running = True
        for delivery in self._parts.deliveries.values():
            delivery.start()
        self._janitor.start()
        if self._maintainer is not None:
            self._maintainer.start()

    def _on_late_children(self, trace: LiveTrace) -> None:
        if self._lifecycle.late_children <= 0:
            self._close_spans(trace, EndCause.ABANDONED)
        else:
            self._janitor.poke()

    def _on_first_hold(self) -> None:
        self._janitor.poke()

    def _after_fork_in_child(self) -> None:
        """Start over in a forked child: the parent keeps its records, its open spans and its connections.

        The child may start spans under the parent's open spans, not end them.
        """
        self._closing = threading.RLock()  # the thread that held it is not here
        self._metrics.forget_after_fork()
        if self._closed:
            return
        inherited = self._table.all()
        self._table = LiveTable()
        self._journal.after_fork_in_child()
        _parents_own.append((self._parts.deliveries, self._journal, self._exchange))
        try:
            self._build()
        except Exception:  # whatever it is, the child must neither stop for it nor write where its parent writes
            self._off = True
            _log.exception("tracing is off in this forked process: it could not start over")
            return
        for trace in inherited:
            for span_id in trace.spans:
                trace.ended.add(span_id)
            trace.spans = {}
            trace.roots = ()
            trace.late_since = None
            self._table.add(trace)
            trace.done = True  # its first span here starts this process's workers


def _numbers_of(client: Client) -> Callable[[], dict[str, Any] | None]:
    """Return what reads the books of a client, and keeps it no longer alive than its owner does."""
    known = weakref.ref(client)

    def numbers() -> dict[str, Any] | None:
        found = known()
        return None if found is None else found.stats().to_dict()

    return numbers


_parents_own: list[object] = []
"""What a child inherited: kept, not used and never closed, because the connections in it are the parent's."""

SETTLE_S = 1.0  # at most, for threads that are in the middle of a call as their client is closed
