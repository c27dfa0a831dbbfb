"""The decision at a trace's start: by the caller's, a rule's or the ratio's threshold, and by the limit."""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec.structs import replace

from tracebridge.propagation.context import RANDOM, SAMPLED, RemoteParent
from tracebridge.records.record import SpanRecord
from tracebridge.sampling import member
from tracebridge.sampling.decision import HEAD, PARENT, RATE, RULE, Decision
from tracebridge.sampling.limiter import Limiter
from tracebridge.sampling.matching import RootFits
from tracebridge.sampling.member import Member
from tracebridge.sampling.randomness import HEX, randomness_of, scheme_of
from tracebridge.sampling.short_records import ending_of
from tracebridge.sampling.threshold import NEVER, randomness_in, threshold_of
from tracebridge.settings.sampling import SamplingSettings

MOST_REMEMBERED = 1_024  # decisions that are the same for many traces


class Root(NamedTuple):
    """What rules look at."""

    name: Any
    kind: int
    attributes: Any
    service: str


class Rule(NamedTuple):
    """A rule, ready to be asked."""

    fits: RootFits
    threshold: int


class Judged(NamedTuple):
    """What becomes of a trace at its start."""

    reason: str
    """Empty for one that is delivered."""
    member: Member
    """What its `ot` says from now on."""


class Head:
    """Decides about traces at their start, by one client's settings. Safe from any number of threads."""

    def __init__(self, settings: SamplingSettings, *, delivers_unsampled: bool = False) -> None:
        self._threshold = threshold_of(settings.ratio)
        self._rules = [Rule(RootFits(rule.match), threshold_of(rule.ratio)) for rule in settings.rules]
        self._limiter = None if settings.max_traces_per_second is None else Limiter(settings.max_traces_per_second)
        self._parent = settings.parent
        self._way = settings.randomness
        self._waits = settings.keep is not None
        self._delivers_unsampled = delivers_unsampled
        self._made: dict[tuple[Judged, str, int], Decision] = {}
        alone = Judged("", Member(self._threshold)), Judged(HEAD, member.NOTHING)
        ratio_decides = not self._rules and self._limiter is None
        self._common = (
            [[self._decision(judged, "", flags) for judged in alone] for flags in (0, RANDOM)]
            if ratio_decides
            else None
        )
        """Where the ratio alone decides and others need not be told the randomness: by the random flag, then by whether a trace is dropped."""
        self.looks = bool(self._rules)
        """Whether it asks for more of a root than its ID."""

    # ------------------------------------------------------------------ traces of our own

    def begun(self, trace_id: bytes, scheme: str, text: str | None, flags: int, root: Root | None) -> Decision:
        """Decide about a trace that begins here; without a `root`, about one whose root is elsewhere and of which the ID is all we know."""
        randomness, told = randomness_of(trace_id, scheme, text, self._way)
        if self._common is not None and not told:
            decision = self._common[flags >= RANDOM][randomness < self._threshold]
            return replace(decision) if self._waits else decision
        judged = self._own(randomness, Member(None, randomness if told else None), root)
        return self._decision(judged, "", 0 if told else flags & RANDOM)

    def continued(self, remote: RemoteParent, trace_id: bytes, scheme: str, text: str | None, root: Root) -> Decision:
        """Decide about a trace with a context from elsewhere; `trace_id` is what the trace has here, with its scheme and its text."""
        said = member.read(remote.trace_state)
        if remote.debug:
            judged = Judged("", said._replace(threshold=None))
        elif self._parent == "ignore" or remote.deferred:
            named = remote.trace_id is not None
            randomness = said.randomness
            if randomness is None and named and remote.span_id is not None:
                randomness = randomness_in(trace_id)  # it was begun elsewhere, and there everybody draws by its ID
            if randomness is None:
                randomness, told = randomness_of(trace_id, HEX if named else scheme, None if named else text, self._way)
                said = said._replace(randomness=randomness if told else None)
            judged = self._own(randomness, said, root)
        else:
            judged = self._parents(said, trace_id, bool(remote.flags & SAMPLED))
        return self._decision(judged, remote.trace_state, remote.flags & ~SAMPLED)

    def _parents(self, said: Member, trace_id: bytes, sampled: bool) -> Judged:
        """Do as the caller says, by its flag or (`parent: threshold`) by the threshold that came along."""
        randomness = randomness_in(trace_id) if said.randomness is None else said.randomness
        reaches = None if said.threshold is None else randomness >= said.threshold
        if self._parent == "threshold" and reaches is not None:
            sampled = reaches
        if not sampled:
            return Judged(PARENT, said._replace(threshold=None))
        return Judged("", said if reaches else said._replace(threshold=None))

    def _own(self, randomness: int, said: Member, root: Root | None) -> Judged:
        """Decide by rules, ratio and limit; the threshold that a trace was kept by is its weight."""
        threshold, reason = self._asked(root)
        if threshold == NEVER or randomness < threshold:
            return Judged(reason, said._replace(threshold=None))
        if self._limiter is not None and root is not None:
            limit = self._limiter.threshold(randomness)
            if limit is None or randomness < limit:
                return Judged(RATE, said._replace(threshold=None))
            threshold = max(threshold, limit)
        return Judged("", said._replace(threshold=threshold))

    # ------------------------------------------------------------------ spans made elsewhere

    def thinned(self, record: SpanRecord, root: Root | None, *, waits: bool) -> Decision:
        """Decide about a trace by a finished span of it that comes from elsewhere: a share of what its own tracer kept.

        The larger threshold counts, as in a Collector's equalizing sampler; one that its randomness does not reach is wrong, and left out.
        With `waits` the decision is one that the trace's other spans are waited for with.
        """
        said = member.read(record.trace_state)
        randomness = said.randomness
        if randomness is None:
            scheme = scheme_of(record.trace_id, record.custom_trace_id)
            randomness, told = randomness_of(record.trace_id, scheme, record.custom_trace_id, self._way)
            said = said._replace(randomness=randomness if told else None)
        before = said.threshold if said.threshold is not None and randomness >= said.threshold else None
        threshold, reason = self._asked(root)
        if record.debug:
            judged = Judged("", said._replace(threshold=None))
        elif threshold == NEVER or randomness < threshold:
            judged = Judged(reason, said._replace(threshold=None))
        else:
            after = max(threshold, before or 0)
            weight = after if after or before is not None else None  # else nobody said how many it stands for
            judged = Judged("", said._replace(threshold=weight))
        decision = self._decision(judged, record.trace_state, record.flags & ~SAMPLED)
        if waits and not decision.undecided:
            decision = replace(decision)
            decision.undecided = True
        return decision

    # ------------------------------------------------------------------

    def decides(self, root: Root | None) -> str:
        """Return which key decides about a root: `ratio`, or `rules[0]`."""
        if root is not None:
            for number, rule in enumerate(self._rules):
                if rule.fits(*root):
                    return f"rules[{number}]"
        return "ratio"

    def _asked(self, root: Root | None) -> tuple[int, str]:
        """Return the threshold of the first rule that fits, else the ratio's; and what it is."""
        if root is not None:
            for rule in self._rules:
                if rule.fits(*root):
                    return rule.threshold, RULE
        return self._threshold, HEAD

    def _decision(self, judged: Judged, trace_state: str, other_flags: int) -> Decision:
        key = (judged, trace_state, other_flags)
        decision = self._made.get(key)
        if decision is None:
            state = member.put(trace_state, judged.member)
            delivered = not judged.reason or (judged.reason == PARENT and self._delivers_unsampled)
            flags = other_flags if judged.reason else other_flags | SAMPLED
            decision = Decision(
                delivered,
                judged.reason,
                delivered or self._waits,
                RemoteParent(None, None, flags, state),
                ending_of(state, flags),
            )
            if self._waits:
                kept = member.put(state, judged.member._replace(threshold=0))
                decision.kept_ending = ending_of(kept, flags | SAMPLED)
                decision.undecided = True
            if len(self._made) >= MOST_REMEMBERED:
                self._made.clear()
            self._made[key] = decision
        return replace(decision) if self._waits else decision
