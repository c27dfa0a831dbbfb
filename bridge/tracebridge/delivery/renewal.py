"""Credentials that change: an adapter is built anew when a file that its options came from has changed.

Orchestrators replace secrets and certificates in place. A file is looked at before a batch is sent, once a second at most, and at once when the
destination refuses what it was shown.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tracebridge.masking.foreign import clean
from tracebridge.masking.loggers import logger
from tracebridge.plugins.adapter import Adapter

LOOK_EVERY_S = 1.0

_log = logger("tracebridge")
Print = tuple[tuple[int, int, int] | None, ...]


class Renewal:
    """The adapter of one destination, and the files that its credentials stand in. Safe from several threads.

    `build` returns an adapter made of what the files hold now. What it raises is told once for each change; the adapter that is there stays in use.
    """

    def __init__(self, name: str, adapter: Adapter, files: Sequence[str], build: Callable[[], Adapter]) -> None:
        self._name = name
        self._files = [os.path.expanduser(path) for path in files]  # noqa: PTH111 - only text is needed
        self._build = build
        self.newest = adapter
        """The adapter that was built last."""
        self._seen = self._print()
        self._looked = time.monotonic()
        self._lock = threading.Lock()
        self._users: Counter[int] = Counter()
        self._retired: dict[int, Adapter] = {}

    @contextmanager
    def adapter(self) -> Iterator[Adapter]:
        """Lend the adapter of the newest credentials. One that has been replaced is closed when its last user has gone."""
        with self._lock:
            if time.monotonic() - self._looked >= LOOK_EVERY_S:
                self._look()
            lent = self.newest
            self._users[id(lent)] += 1
        try:
            yield lent
        finally:
            with self._lock:
                self._users[id(lent)] -= 1
                unused = [] if self._users[id(lent)] else [self._retired.pop(id(lent), None)]
            for each in unused:
                self._close(each)

    def has_changed(self) -> bool:
        """Look at the files now; return whether there is another adapter than before."""
        with self._lock:
            before = self.newest
            self._look()
            return self.newest is not before

    def _look(self) -> None:
        """Build the adapter anew if a file has changed. Called with the lock held."""
        self._looked = time.monotonic()
        now = self._print()
        if now == self._seen:
            return
        self._seen = now
        try:
            made = self._build()
        except Exception as error:
            _log.warning(
                "%s: the changed credentials cannot be used, and the old ones stay: %s", self._name, clean(error)
            )
            return
        old, self.newest = self.newest, made
        _log.info("%s: uses the credentials that have changed in %s", self._name, ", ".join(self._files))
        if self._users[id(old)]:
            self._retired[id(old)] = old
        else:
            self._close(old)

    def _close(self, adapter: Adapter | None) -> None:
        if adapter is None:
            return
        try:
            adapter.close()
        except Exception:
            _log.warning("%s: close() failed", self._name, exc_info=True)

    def _print(self) -> Print:
        """Return what tells one content of the files from another; links are followed, as Kubernetes replaces secrets by links."""
        return tuple(map(_print_of, self._files))


def _print_of(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - called before each batch
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
