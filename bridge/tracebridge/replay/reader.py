"""Lines to records: every format that is installed, inside any known envelope, among any other log lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tracebridge.masking.printable import printable
from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded, Format, OtherLineError
from tracebridge.plugins.registry import FORMATS, entries, load
from tracebridge.plugins.signing import Key
from tracebridge.replay.envelopes.answers import lines_of
from tracebridge.replay.envelopes.hints import hint, looks_like_a_span
from tracebridge.replay.envelopes.own import OwnEnvelope
from tracebridge.replay.envelopes.unwrapping import MAX_LEVELS, Unwrapper
from tracebridge.replay.gaps import Gaps
from tracebridge.replay.line import TOO_LONG, Line

MAX_DAMAGE = 100  # places of damage that are kept to be shown; the rest is counted
MAX_REASON = 300  # characters of one
BARE = OwnEnvelope()
FIRST_ASKED = "spanlog"  # its lines may be OTLP JSON as well, and it knows what was cut from them


def installed_formats(trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE) -> list[Format]:
    """Return every installed file format, in the order in which they are asked. Raises ConfigError for one that cannot be imported."""
    names = sorted(entries(FORMATS), key=lambda name: name != FIRST_ASKED)
    return [load(FORMATS, name)(trace_id_attribute) for name in names]


class UnverifiedError(ValueError):
    """A line holds spans, and nothing proves whose they are."""

    def __init__(self, reason: str, *, signed: bool) -> None:
        super().__init__(reason)
        self.signed = signed


@dataclass(frozen=True, slots=True)
class Damage:
    """A line, or a span on it, that could not be read."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(slots=True)
class Found:
    """What was in the lines so far."""

    lines: int = 0
    span_lines: int = 0
    """Lines that held spans, or told of spans without being one (`span.start`)."""
    other_lines: int = 0
    """The application's other log lines."""
    damaged_lines: int = 0
    """Lines that look like ours and cannot be read, or, where that is asked for, verified."""
    unsigned_lines: int = 0
    """Of the damaged ones: those that hold spans and carry no signature, where one is asked for."""
    forged_lines: int = 0
    """Of the damaged ones: those whose signature is wrong, or made with a key that is not accepted."""
    spans: int = 0
    damaged_spans: int = 0
    """Spans that cannot be read, in lines of which the others were."""
    notes: dict[str, int] = field(default_factory=dict)
    """What could not be restored, and in how many lines."""
    damage: list[Damage] = field(default_factory=list)
    """The first places of damage."""
    gaps: Gaps = field(default_factory=Gaps)
    """Which numbered lines are missing."""

    @property
    def damaged(self) -> int:
        """How many places of damage there are."""
        return self.damaged_lines + self.damaged_spans


class SpanReader:
    """Reads the lines of one file. `found` is shared by the readers of several.

    `own` is what a formatter or a shipper of the user's own wraps each line in. `keys` are those that sign lines: with them no line
    without a right signature holds spans.
    """

    def __init__(
        self,
        file: str,
        formats: Sequence[Format],
        found: Found,
        own: OwnEnvelope = BARE,
        keys: Mapping[str, Key] | None = None,
    ):
        self._keys = keys
        self._file = file
        self._formats = formats
        self._found = found
        self._own = own
        self._unwrapper = Unwrapper()
        self._held_at = 0
        """The number of the last line that was only a part of one."""

    def can_resume_behind(self, line: Line) -> bool:
        """Whether another run may begin behind this line, which was just read, and miss nothing of what spans several lines."""
        return line.ended and not self._unwrapper.waits

    def read(self, line: Line) -> Decoded | None:
        """Return what a line holds; None for a line without spans, counted for what it is. Never raises."""
        found = self._found
        found.lines += 1
        if line.fault:
            self._note_fault(line)
            return None
        try:
            held = self._look_into(self._own.without_prefix(line.text), line.number)
        except ValueError as error:
            self._note_unverified(error)
            self.note_damage(line.number, str(error))
            return None
        if not held:
            found.other_lines += 1
            return None
        found.span_lines += 1
        for decoded in held:
            self._count(decoded, line.number)
        return held[0] if len(held) == 1 else Decoded([record for decoded in held for record in decoded.records])

    def _look_into(self, text: bytes, number: int, level: int = 0, *, is_field: bool = False) -> list[Decoded]:
        """Return what a text holds, whatever wraps it; nothing for a text without spans. Raises ValueError for one that looks like a span and is not one.

        `is_field`: the user's field was looked into already.
        """
        text = text.rstrip()  # what is indented is a part of something else, such as .NET's console lines
        reason = ""
        unverified: UnverifiedError | None = None
        for form in self._formats:
            if form.looks_right(text):
                try:
                    return [self._verified(form.decode(text))]
                except UnverifiedError as error:
                    unverified = error
                except OtherLineError:
                    continue
                except ValueError as error:
                    reason = reason or str(error)
        if text and level < MAX_LEVELS:
            inner = self._unwrapper.unwrap(text)
            if inner == b"":
                self._held_at = number
                return []
            parts = [inner] if inner is not None else lines_of(text)
            if not parts and not is_field:
                parts = self._own.out_of_field(text)
                is_field = bool(parts)
            parts = parts or self._own.lines_in(text)
            if parts:
                return self._look_into_each(parts, number, level + 1, is_field=is_field)
        if unverified is not None:
            raise unverified
        reason = hint(text, self._holds_spans) or reason
        if reason:
            raise ValueError(reason)
        return []

    def _verified(self, decoded: Decoded) -> Decoded:
        """Return what a line held. Raises ValueError where signatures are asked for and it has none, or a wrong one."""
        if self._keys is None or not decoded.records:
            return decoded
        if decoded.proof is None:
            raise UnverifiedError("the line has no signature", signed=False)
        fault = decoded.proof.fault(self._keys)
        if fault:
            raise UnverifiedError(fault, signed=True)
        return decoded

    def _note_unverified(self, error: ValueError) -> None:
        if isinstance(error, UnverifiedError):
            self._found.forged_lines += error.signed
            self._found.unsigned_lines += not error.signed

    def _holds_spans(self, text: bytes) -> bool:
        """Return whether a text by itself is read as spans."""
        for form in self._formats:
            if form.looks_right(text):
                try:
                    return bool(form.decode(text).records)
                except ValueError:
                    continue
        return False

    def _look_into_each(
        self, texts: Sequence[bytes], number: int, level: int, *, is_field: bool = False
    ) -> list[Decoded]:
        """Return what the texts inside one line hold; what is wrong with one of them does not keep the others out."""
        if len(texts) == 1:
            return self._look_into(texts[0], number, level, is_field=is_field)
        held: list[Decoded] = []
        damage: list[str] = []
        for place, text in enumerate(texts, 1):
            try:
                held += self._look_into(text, number, level, is_field=is_field)
            except ValueError as error:
                self._note_unverified(error)
                damage.append(f"text {place} of {len(texts)}: {error}")
        if damage and not held:
            raise ValueError("; ".join(damage))
        return [*held, Decoded([], damage=damage)] if damage else held

    def _note_fault(self, line: Line) -> None:
        """Count what is only the beginning of a line or a document: as damage where spans may be in it."""
        if (
            line.fault == TOO_LONG
            or looks_like_a_span(line.text)
            or any(f.looks_right(line.text) for f in self._formats)
        ):
            self.note_damage(line.number, line.fault)
        else:
            self._found.other_lines += 1

    def finish(self) -> None:
        """The file has ended: count what began like a span, in parts, and whose last part never came."""
        for text in self._unwrapper.give_up():
            if any(form.looks_right(text) for form in self._formats):
                self._found.other_lines -= 1  # it was counted as one
                self.note_damage(self._held_at, "the last part of a line that was split is missing")

    def _count(self, decoded: Decoded, number: int) -> None:
        found = self._found
        found.spans += len(decoded.records)
        if decoded.seq:
            found.gaps.note(decoded.writer, decoded.seq)
        for note in decoded.notes:
            found.notes[note] = found.notes.get(note, 0) + 1
        for reason in decoded.damage:
            found.damaged_spans += 1
            self._tell(number, reason)

    def note_damage(self, number: int, reason: str) -> None:
        """Count a line that cannot be read; `number` is the line's."""
        self._found.damaged_lines += 1
        self._tell(number, reason)

    def _tell(self, number: int, reason: str) -> None:
        found = self._found
        if len(found.damage) < MAX_DAMAGE:
            found.damage.append(Damage(self._file, number, printable(reason)[:MAX_REASON]))
