"""From the stages to the journal: what is queued, dropped, held until a stage decides, or kept as a dead letter."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable

from tracebridge.calls.core import Core
from tracebridge.delivery.deadletters.letters import DeadLetters
from tracebridge.stages.holding import Group, Held, Holding
from tracebridge.stages.stage import Encoded, HeldBack

STAGE_FAILED = "stage_failed"
LOOK_INTO_STAGES_S = 5.0  # how often it is looked whether a thread is stuck in one


class Queueing(Core):
    """Moves finished spans on."""

    _holding: Holding
    _dead_letters: DeadLetters

    def _not_queued(self, span: Hashable, made: Encoded | None) -> Group | None:
        """Count a span that the stages did not let into the queue; return what has to be decided now. Called with the lock held."""
        if isinstance(made, Held):
            self._journal.hold(span, made.key, made.data)
            self._on_first_hold()
            self._accounts.held += 1
            return self._holding.add(made, span, time.monotonic())
        self._journal.forget(span)
        reason = STAGE_FAILED if isinstance(made, HeldBack) else "sampled"
        for account in self._accounts.adapters.values():
            account.dropped[reason] += 1
        return None

    def _after_stages(self, made: Encoded | None, group: Group | None) -> None:
        """Do what a span that was not queued is followed by, without the lock."""
        if isinstance(made, HeldBack):
            for name in self._accounts.adapters:
                self._dead_letters.add(name, [made.record], STAGE_FAILED, f'stage "{made.stage}" failed on it')
        if group is not None:
            self._decide([group])

    def _decide(self, groups: Iterable[Group]) -> None:
        """Ask the stage about held spans, and queue what it keeps."""
        for group in groups:
            left = self._stages.decide(group.key, [data for _, data in group.spans])
            with self._accounts.lock:
                for (span, _), data in zip(group.spans, left, strict=True):
                    if data is None:
                        self._not_queued(span, None)
                    else:
                        self._journal.append(data, span)
                    self._accounts.held -= 1

    def _decide_due(self) -> float | None:
        """Ask about what has been held long enough; return seconds until the next look, None when there is nothing to look after."""
        if not self._stages.users:
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
