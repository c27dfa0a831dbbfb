"""The stages of one client, in order: the user's own, then redaction, then the encoding that the journal keeps.

They run in the caller's thread, because nothing unredacted may ever reach the journal. Limits are not a stage: they act at the call
(`records.values`, `spans.span`) and at `Client.ingest`, because a span that is still open must be bounded too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tracebridge.journal.accounts import StageAccount
from tracebridge.journal.base import decode_record, encode_record
from tracebridge.plugins.stage import Drop, Hold, HoldingStage, Stage
from tracebridge.process.interrupts import raise_interrupt
from tracebridge.records.record import EndCause, SpanRecord
from tracebridge.stages.holding import Held, SampledOut

STUCK_S = 10.0  # how long a stage may take before the log names it

_UNFINISHED = EndCause.UNFINISHED.value
_log = logging.getLogger("tracebridge.stages")


class HeldBack(NamedTuple):
    """A span on which a stage failed that may not be passed by: a dead letter."""

    record: SpanRecord
    stage: str


Encoded = bytes | Drop | Held | HeldBack | SampledOut
"""What the stages make of a span: what the journal keeps, or why it is not queued."""


class NamedStage:
    """A user's stage and how it has fared."""

    __slots__ = ("account", "holds", "name", "on_error", "stage")

    def __init__(self, name: str, stage: Stage, on_error: str, account: StageAccount) -> None:
        self.name = name
        self.stage = stage
        self.on_error = on_error
        self.account = account
        self.holds = isinstance(stage, HoldingStage)


class Stages:
    """The stages of one client."""

    def __init__(
        self,
        users: Sequence[NamedStage],
        redact: Callable[[SpanRecord], SpanRecord],
        *,
        redacts_only_keys: bool,
    ) -> None:
        self._users = users
        self.redact = redact
        """Mask the secrets of a record; the record itself when it has none."""
        self.fast_path = redacts_only_keys and all(getattr(user.stage, "skips_plain", False) for user in users)
        """Whether a span that the reducer found plain as it was filled may go straight to the journal."""
        self._deciding = next((user for user in users if user.holds), None)
        self._inside: dict[int, tuple[str, float]] = {}
        """By thread: the stage that it is in, and since when (monotonic seconds)."""
        self._told: set[tuple[str, str]] = set()

    @property
    def users(self) -> int:
        """How many stages of the user's own there are."""
        return len(self._users)

    def encode(self, record: SpanRecord) -> Encoded:
        """Return the record as the journal keeps it, or why it is not to be queued.

        Raises UnicodeEncodeError and TypeError for values that cannot be encoded, which the caller repairs.
        """
        if not self._users:
            return encode_record(self.redact(record))
        return self._encode(record)

    def _encode(self, record: SpanRecord) -> Encoded:
        is_open = record.end_cause == _UNFINISHED
        given, hold, held_back, last = record, None, "", None
        for user in self._users:
            verdict = self._verdict(user, record)
            if isinstance(verdict, _Failed):
                if user.on_error == "hold_back":
                    held_back = user.name
            elif isinstance(verdict, SpanRecord):
                if verdict is not record:
                    record, last = verdict, user
            elif isinstance(verdict, Hold):
                hold, record = verdict, verdict.record
            else:
                drop = verdict or Drop()
                if not is_open:
                    user.account.dropped[drop.reason] += 1
                return drop
        if held_back:
            return Drop() if is_open else HeldBack(self.redact(record), held_back)
        try:
            data = encode_record(self.redact(record))
        except (TypeError, UnicodeEncodeError) as error:
            if last is None:
                raise
            self._failed(last, error)  # it made a value that no record holds
            data = encode_record(self.redact(given))
        if hold is None or is_open:
            return data
        return Held(data, bytes(hold.key), hold.decide, hold.wait_s)

    def _verdict(self, user: NamedStage, record: SpanRecord) -> Any:
        """Return what a stage says of a record; a `_Failed` when it raises or answers anything but a verdict."""
        thread = threading.get_ident()
        self._inside[thread] = user.name, time.monotonic()
        try:
            verdict: Any = user.stage.process(record)
        except BaseException as error:
            raise_interrupt(error)
            return self._failed(user, error)
        finally:
            self._inside.pop(thread, None)
        if verdict is None or isinstance(verdict, (SpanRecord, Drop)):
            return verdict
        if isinstance(verdict, Hold) and isinstance(verdict.record, SpanRecord) and _is_key(verdict.key):
            if user.holds:
                return verdict
            return self._failed(user, TypeError("process() returned Hold, and the stage has no decide()"))
        return self._failed(user, TypeError(f"process() returned {type(verdict).__name__}, which is not a verdict"))

    def decide(self, key: bytes, bodies: Sequence[bytes]) -> list[bytes | None]:
        """Return what is left of held spans once the stage has decided: each as it is kept, or None for one that is dropped."""
        user = self._deciding
        if user is None:
            return list(bodies)
        assert isinstance(user.stage, HoldingStage)  # noqa: S101 - `holds` says so
        records = [decode_record(body) for body in bodies]
        try:
            kept = {(record.trace_id, record.span_id): record for record in user.stage.decide(key, records)}
            out = [
                None if (left := kept.get((record.trace_id, record.span_id))) is None
                else body if left is record
                else encode_record(self.redact(left))
                for body, record in zip(bodies, records, strict=True)
            ]  # fmt: skip
        except BaseException as error:
            raise_interrupt(error)
            self._failed(user, error)
            return list(bodies)
        user.account.dropped[""] += out.count(None)
        return out

    def _failed(self, user: NamedStage, error: BaseException) -> _Failed:
        """Count a failure of a stage, and say the first of each kind, without the text of what was raised by it."""
        user.account.failed += 1
        kind = type(error).__name__
        if (user.name, kind) not in self._told:
            self._told.add((user.name, kind))
            goes = "it becomes a dead letter" if user.on_error == "hold_back" else "it goes on without this stage"
            _log.warning('stage "%s" failed on a span (%s); %s', user.name, _place(error), goes)
        return _Failed()

    def name_stuck(self) -> None:
        """Log each stage that a thread has been in for too long."""
        now = time.monotonic()
        for name, since in list(self._inside.values()):
            if now - since >= STUCK_S and (name, "stuck") not in self._told:
                self._told.add((name, "stuck"))
                _log.warning(
                    'stage "%s" has not returned for %.0f s; the thread that ended a span waits for it',
                    name,
                    now - since,
                )


class _Failed:
    """A stage said nothing that counts."""


def _is_key(key: Any) -> bool:
    return isinstance(key, (bytes, bytearray)) and len(key) <= 255


def _place(error: BaseException) -> str:
    """Return what was raised and where; our own words for a wrong verdict, never those of a stage."""
    frame = error.__traceback__
    if frame is None:
        return str(error)
    while frame.tb_next is not None:
        frame = frame.tb_next
    return f"{type(error).__name__} at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
