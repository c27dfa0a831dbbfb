"""What a destination refused without saying whether to wait or what is wrong (an HTTP 500 of Zipkin's), and what that has told so far.

A destination that takes the one half of a batch and not the other is well, and has found something wrong with a span in the other: that
is halved again. One that takes neither is failing most likely: both halves wait, as after a 503, and are not halved before it has taken
something. What waits here is overtaken by whatever comes after it, so that a destination that is well has the chance to show it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracebridge.journal.base import Claim
from tracebridge.plugins.adapter import Part

CERTAIN = 4
"""How often a span is refused alone, with others taken meanwhile, until the span is to blame and not the moment."""
MOST_CERTAIN = 64
"""As often at most where a span that was refused so was taken after all: a server under load takes one body and refuses the next,
whatever is in them, and needs more patience."""
WAITING_BATCHES = 4
"""Batches' worth of spans that may wait aside before no more is taken from the journal."""


@dataclass(eq=False, slots=True)
class Waiting:
    """A part that was refused without a reason, until it is sent again."""

    claim: Claim
    part: Part
    since: float
    """Monotonic seconds: when it was first sent."""
    due: float = 0.0
    """Monotonic seconds: not to be sent before."""
    refused: int = 0
    """How often it was refused as it is."""
    alone: int = 0
    """How often it was refused alone while others were taken."""


class Unclear:
    """The unclear refusals of one destination. Every method is called with the lock held."""

    def __init__(self, max_batch: int) -> None:
        self._room = WAITING_BATCHES * max_batch
        self._waiting: list[Waiting] = []
        self.takes = True
        """Whether something was taken since a body that was not refused before was refused."""
        self.quiet_until = 0.0
        """Monotonic seconds: a destination that is failing is left alone until then."""
        self.in_vain = 0
        """How often in a row it was left alone and then took nothing."""
        self._certain = CERTAIN

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def full(self) -> bool:
        """Whether so much waits that it has to be seen through before more is taken up."""
        return sum(len(each.part.records) for each in self._waiting) >= self._room

    def taken(self, before: Waiting | None) -> None:
        """Note that the destination took a body: what waits because it took none may be sent at once.

        `before` is what was known of it when it waited aside.
        """
        if not self.takes:
            self.retry_now()
        self.takes = True
        self.in_vain = 0
        if before is not None and before.alone:
            self._certain = min(2 * self._certain, MOST_CERTAIN)
            for each in self._waiting:
                each.alone = 0

    def refused_alone(self, refused: Waiting) -> bool:
        """Note that a span was refused alone, and return whether it is to blame for that."""
        refused.alone = refused.alone + 1 if self.takes else 0
        if refused.alone < self._certain:
            return False
        self._certain = max(CERTAIN, self._certain // 2)
        return True

    def refuses_all(self) -> None:
        """Note that it took nothing of what it had not refused before: whatever it refuses now tells nothing of the spans."""
        self.takes = False
        for each in self._waiting:
            each.alone = 0

    def add(self, refused: Waiting) -> None:
        """Set a part aside until it is due."""
        self._waiting.append(refused)

    def retry_now(self) -> None:
        """Let everything be sent again at once."""
        self.quiet_until = 0.0
        for each in self._waiting:
            each.due = 0.0

    @property
    def due(self) -> float:
        """When the next is due, in monotonic seconds; never, when nothing waits."""
        return min((each.due for each in self._waiting), default=float("inf"))

    def pop(self) -> Waiting:
        """Take out what is due next."""
        chosen = min(self._waiting, key=lambda each: each.due)
        self._waiting.remove(chosen)
        return chosen

    def forget(self, claim: Claim) -> None:
        """Take out what is of one claim."""
        self._waiting = [each for each in self._waiting if each.claim is not claim]
