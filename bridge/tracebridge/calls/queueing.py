"""From the stages to the journal: what is queued, dropped, held until a stage decides, or kept as a dead letter."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable
from functools import partial

from tracebridge.calls.core import Core
from tracebridge.journal.accounts import SAMPLED_OUT
from tracebridge.sampling.attributes import Attributes
from tracebridge.sampling.decision import TAIL, Decision
from tracebridge.sampling.tail import Tail, delivered
from tracebridge.stages.holding import Group, Held, Holding, SampledOut
from tracebridge.stages.stage import Encoded, HeldBack

CUT = {
    "wait": "a trace waited for its root's end for sampling.keep.wait; it is as it was decided at its start, and so are its later spans.",
    "max_spans": "a trace has more than sampling.keep.max_spans spans before its root has ended; it is as it was decided at its start.",
    "max_bytes": "undecided spans take more than sampling.keep.max_bytes; the oldest traces are as it was decided at their start.",
}
"""What is said of a trace that could not wait for its root's end."""
STAGE_FAILED = "stage_failed"
LOOK_INTO_STAGES_S = 5.0  # how often it is looked whether a thread is stuck in one


class Queueing(Core):
    """Moves finished spans on."""

    _holding: Holding
    _tail: Tail | None
    """Decides about whole traces; None without `sampling.keep` and rules."""
    _says: Attributes | None
    """Says what was decided in the attributes of others; None where that is not asked for."""

    def _not_queued(self, span: Hashable, made: Encoded | None) -> Group | None:
        """Count a span that the stages did not let into the queue; return what has to be decided now. Called with the lock held."""
        accounts = self._accounts
        if isinstance(made, Held):
            if self._keeps_open:
                self._journal.hold(span, made.key, made.data)
            if made.wait_s < LOOK_INTO_STAGES_S and not (accounts.held or accounts.undecided):
                self._on_first_hold()  # else the next look is soon enough
            if made.decision is None:
                accounts.held += 1
            else:
                accounts.undecided += 1
            return self._holding.add(made, span if self._keeps_open else None)
        self._journal.forget(span)
        if isinstance(made, SampledOut):
            accounts.sampled[made.reason] += 1
            accounts.left_out += 1
            return None
        reason = STAGE_FAILED if isinstance(made, HeldBack) else SAMPLED_OUT
        for account in accounts.adapters.values():
            account.dropped[reason] += 1
        return None

    def _after_stages(self, made: Encoded | None, group: Group | None) -> None:
        """Do what a span that was not queued is followed by, without the lock."""
        if isinstance(made, HeldBack):
            for name in self._accounts.adapters:
                self._parts.dead_letters.add(name, [made.record], STAGE_FAILED, f'stage "{made.stage}" failed on it')
        if group is not None:
            self._decide([group])

    def _decide(self, groups: Iterable[Group]) -> None:
        """Ask about held spans, and queue what is kept."""
        for group in groups:
            if group.decision is not None:
                self._carry_out(group)
                continue
            left = self._stages.decide(group.key, [data for _, data in group.spans])
            with self._accounts.lock:
                for (span, _), data in zip(group.spans, left, strict=True):
                    if data is None:
                        self._not_queued(span, None)
                    else:
                        self._journal.append(data, span)
                    self._accounts.held -= 1

    def _carry_out(self, group: Group) -> None:
        """Do with a trace's spans that waited what is decided: kept for what is in them, else as it was at the start."""
        tail, decision = self._tail, group.decision
        assert tail is not None  # noqa: S101 - nobody else makes a group with a decision
        wanted = group.wanted or decision.kept  # the latter: of spans that ended as it was being decided
        if group.cut and not wanted:
            self._warn(f"undecided_{group.cut}", CUT[group.cut])
        left: list[bytes] | None = None
        if wanted or decision.delivered:
            final = partial(self._final, decision=decision, wanted=wanted)
            if self._says is None:  # as `_final` has it, without a call that costs as much as it does
                final = partial(tail.kept, decision=decision) if wanted else partial(delivered, decision=decision)
            left = [final(data) for _, data in group.spans]
        accounts, journal, count = self._accounts, self._journal, len(group.spans)
        with accounts.lock:
            tail.decided(group.key, decision, wanted)
            if left is not None:
                for (span, _), data in zip(group.spans, left, strict=True):
                    journal.append(data, span)
            elif self._keeps_open:
                for span, _ in group.spans:
                    journal.forget(span)
            accounts.undecided -= count
            if wanted:
                accounts.kept[wanted] += count
            elif left is None:
                accounts.sampled[TAIL] += count
                accounts.left_out += count

    def _final(self, data: bytes, decision: Decision, wanted: str) -> bytes:
        """Return a span of a trace that is delivered as it is queued."""
        made = delivered(data, decision) if not wanted or self._tail is None else self._tail.kept(data, decision)
        return made if self._says is None else self._says.put(made, kept=bool(wanted))

    def _decide_due(self) -> float | None:
        """Ask about what has been held long enough; return seconds until the next look, None when there is nothing to look after."""
        if not self._stages.users and self._tail is None:
            return None
        self._stages.name_stuck()
        now = time.monotonic()
        with self._accounts.lock:
            due, then = self._holding.take_due(now), self._holding.next_deadline
        self._decide(due)
        return LOOK_INTO_STAGES_S if then is None else max(0.0, min(then - now, LOOK_INTO_STAGES_S))

    def _decide_all(self) -> None:
        """Ask about everything that is held."""
        with self._accounts.lock:
            groups = self._holding.take_all()
        self._decide(groups)

    def _on_first_hold(self) -> None:
        """A span is held: somebody has to look when its time is up."""
        raise NotImplementedError
