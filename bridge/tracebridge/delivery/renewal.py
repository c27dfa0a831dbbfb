"""Credentials that change: an adapter is built anew when a file that its options came from has changed.

Orchestrators replace secrets and certificates in place. A file is looked at before a batch is sent, once a second at most, and at once when the
destination refuses what it was shown.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tracebridge.delivery.parts import send_parts
from tracebridge.errors import Misconfigured
from tracebridge.masking.foreign import clean
from tracebridge.masking.loggers import logger
from tracebridge.plugins.adapter import Adapter, Answer, Context, Part
from tracebridge.plugins.options import TlsOptions
from tracebridge.plugins.registry import adapter_class
from tracebridge.settings.model import AdapterSettings, Settings

LOOK_EVERY_S = 1.0

_log = logger("tracebridge")
Print = tuple[tuple[int, int, int, int] | None, ...]


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

    def send(self, parts: Sequence[Part]) -> list[Answer]:
        """Send parts with the newest credentials; those that are refused for them again, if there are newer ones by then."""
        answers = self._send(parts)
        refused = [at for at, answer in enumerate(answers) if isinstance(answer, Misconfigured)]
        if refused and self.has_changed():
            for at, answer in zip(refused, self._send([parts[at] for at in refused]), strict=True):
                answers[at] = answer
        return answers

    def _send(self, parts: Sequence[Part]) -> list[Answer]:
        with self.adapter() as adapter:
            return list(send_parts(adapter, parts))

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


def _print_of(path: str) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - called before each batch
    except OSError:
        return None
    return (
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )  # who copies may keep the time of the content


def renewal_of(chosen: AdapterSettings, adapter: Adapter, context: Context) -> Renewal | None:
    """Return what builds an adapter anew when its credentials change; None when they stand in no file."""
    files = [*chosen.files, *_files_read_by(chosen.options)]
    if not files:
        return None
    newest: list[Settings] = []

    def build() -> Adapter:
        options = chosen.options
        if chosen.reread is not None:
            newest[:] = [chosen.reread()]  # kept: its secrets are masked as long as it lives
            options = newest[0].adapters[chosen.name].options
        _require_pair(getattr(options, "tls", None))
        return adapter_class(chosen.type)(options, context)

    return Renewal(chosen.name, adapter, files, build)


def _require_pair(tls: object) -> None:
    """Raise SSLError while a certificate has been replaced and its key has not yet: an adapter would find that out with the next connection."""
    if isinstance(tls, TlsOptions) and tls.cert_file is not None:
        import ssl

        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
            os.path.expanduser(tls.cert_file),  # noqa: PTH111 - only text is needed
            os.path.expanduser(tls.key_file or tls.cert_file),  # noqa: PTH111
        )


def _files_read_by(options: Any) -> Iterator[str]:
    """Yield the files that options name and that the adapter reads itself: certificates and keys."""
    for each in dataclasses.fields(options):
        value = getattr(options, each.name)
        if dataclasses.is_dataclass(value):
            yield from _files_read_by(value)
        elif value is not None and each.metadata.get("read"):
            yield str(value)
