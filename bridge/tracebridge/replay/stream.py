"""Files in, lines with what they hold out: the one loop behind `replay`, `convert` and `tail`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tracebridge.plugins.adapter import DEFAULT_TRACE_ID_ATTRIBUTE
from tracebridge.plugins.format import Decoded
from tracebridge.plugins.signing import Key
from tracebridge.replay.envelopes.own import OwnEnvelope
from tracebridge.replay.follower import Follower
from tracebridge.replay.inputs import UnreadableError, expand, identity
from tracebridge.replay.line import Line, Position
from tracebridge.replay.lines import read_lines
from tracebridge.replay.reader import BARE, Found, SpanReader, installed_formats


class Step(NamedTuple):
    """One line that was read."""

    path: str
    key: str
    """The file's identity (`lines.identity`)."""
    line: Line
    decoded: Decoded | None
    """What it holds; None for a line without spans."""
    can_resume: bool
    """Whether another run may begin behind it."""


def _step(path: str, key: str, line: Line, reader: SpanReader) -> Step:
    decoded = reader.read(line)
    return Step(path, key, line, decoded, reader.can_resume_behind(line))


def _from_the_beginning(key: str) -> Position:  # noqa: ARG001 - whatever the file is
    return Position()


def _never() -> bool:
    return False


class SpanFiles:
    """The lines of files and directories (`-` is standard input), read once; counts what it meets in `found`.

    `own` is what a formatter or a shipper of the user's own wraps each line in, `keys` are those that sign lines, where only signed ones count, `start` says where to begin in a file of an identity, `stop` ends the
    reading between two lines. A file that cannot be read (further) is told to `unreadable` and kept in `failed`.

    Raises UnreadableError, when made, for a path that is not there.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        trace_id_attribute: str = DEFAULT_TRACE_ID_ATTRIBUTE,
        own: OwnEnvelope = BARE,
        keys: Mapping[str, Key] | None = None,
        start: Callable[[str], Position] = _from_the_beginning,
        stop: Callable[[], bool] = _never,
        unreadable: Callable[[UnreadableError], None],
    ) -> None:
        self.found = Found()
        self.failed = 0
        self.files = expand(paths)
        self._paths = paths
        self._formats = installed_formats(trace_id_attribute)
        self._own = own
        self._keys = keys
        self._start = start
        self._stop = stop
        self._unreadable = unreadable

    def once(self) -> Iterator[Step]:
        """Yield every line, file after file, to the end of each."""
        for path in self.files:
            reader = self._reader(path)
            try:
                key = identity(path)
                for line in read_lines(path, self._start(key)):
                    yield _step(path, key, line, reader)
                    if self._stop():
                        return
            except UnreadableError as error:
                self._fail(error)
            reader.finish()

    def growing(self) -> Iterator[Step | None]:
        """Yield every line as the files grow, until `stop`; None while there is nothing new."""
        readers: dict[str, tuple[str, SpanReader]] = {}
        for found in Follower(self._paths, self._start, self._stop).lines():
            if found is None:
                yield None
                continue
            path, line = found
            if isinstance(line, UnreadableError):
                self._fail(line)
                continue
            if path not in readers or line.number == 1:
                if path in readers:
                    readers[path][1].finish()
                readers[path] = (identity(path), self._reader(path))
            key, reader = readers[path]
            yield _step(path, key, line, reader)

    def _reader(self, path: str) -> SpanReader:
        return SpanReader(path, self._formats, self.found, self._own, self._keys)

    def _fail(self, error: UnreadableError) -> None:
        self.failed += 1
        self._unreadable(error)
