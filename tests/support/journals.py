"""A disk journal without its client: one process's life, which can end as `kill -9` ends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracebridge import Client
from tracebridge.journal.accounts import Accounts, AdapterAccount
from tracebridge.journal.adoption import Left, read_folder
from tracebridge.journal.base import Claim, decode_record, encode_record
from tracebridge.journal.cursor import DiskCursor
from tracebridge.journal.disk import DiskJournal
from tracebridge.journal.folder import Folder, folders
from tracebridge.records.record import Resource, SpanRecord

NAMES = ("a", "b")


def record(number: int, size: int = 0, name: str = "", **fields: Any) -> bytes:
    """A finished span that knows its number."""
    span_id = number.to_bytes(8, "big")
    return encode_record(
        SpanRecord(b"t" * 16, span_id, None, name or "x" * size, 1, 2, attributes={"n": number}, **fields)
    )


def number_of(data: bytes) -> int:
    """The number in a record."""
    number = decode_record(data).attributes["n"]
    assert isinstance(number, int)
    return number


class Life:
    """One process's journal, without its threads."""

    def __init__(
        self,
        directory: Path,
        max_bytes: int = 64 * 2**20,
        names: tuple[str, ...] = NAMES,
        segment: int = 0,
        **more: Any,
    ) -> None:
        self.accounts = Accounts()
        self.accounts.adapters.update({name: AdapterAccount() for name in names})
        self.journal = DiskJournal(
            self.accounts, directory, Resource({"service.name": "s"}), max_bytes=max_bytes, **more
        )
        if segment:
            self.journal._next_bytes = self.journal._largest = segment
        self.cursors: dict[str, DiskCursor] = {name: self.journal.cursor(name) for name in names}
        self.claims: dict[str, list[Claim]] = {name: [] for name in names}

    def append(self, *numbers: int, size: int = 0) -> None:
        """End spans of these numbers, under the keys that they were started with."""
        with self.accounts.lock:
            for number in numbers:
                self.journal.append(record(number, size), number)

    def start(self, *numbers: int, size: int = 0) -> None:
        """Open spans of these numbers."""
        with self.accounts.lock:
            for number in numbers:
                self.journal.started(number, record(number, size))

    def take(self, name: str, most: int = 10**6) -> list[int]:
        """Deliver up to so many spans to one adapter; return their numbers."""
        return [number_of(data) for data in self.take_records(name, most)]

    def take_records(self, name: str, most: int = 10**6) -> list[bytes]:
        """Deliver up to so many spans to one adapter; return their records."""
        got: list[bytes] = []
        with self.accounts.lock:
            while len(got) < most and (claim := self.cursors[name].claim(most - len(got), 10**6)) is not None:
                got += list(claim.records)
                self.cursors[name].settle(claim, len(claim.records))
        return got

    def queued(self) -> dict[str, int]:
        """How many spans wait for each adapter."""
        with self.accounts.lock:
            return {name: cursor.queued for name, cursor in self.cursors.items()}

    def dropped(self) -> dict[str, int]:
        """How many spans each adapter lost."""
        return {name: account.dropped.total() for name, account in self.accounts.adapters.items()}

    def adopt(self, directory: Path) -> list[Left]:
        """Take over what dead processes left."""
        found = self.find(directory)
        with self.accounts.lock:
            for left in found:
                self.journal.adopt(left)
        return found

    def find(self, directory: Path) -> list[Left]:
        """Read what dead processes left, and keep others from it, without taking it over yet."""
        found = []
        for path in folders(directory):
            folder = Folder.take(path)
            if folder is not None:
                found.append(read_folder(folder, list(self.cursors)))
        return found

    def die(self) -> None:
        """Leave everything as `kill -9` does: only the system closes the locks."""
        for folder in held(self.journal):
            folder.close()
        self.journal.after_fork_in_child()

    def close(self) -> None:
        """End as a client ends its journal."""
        with self.accounts.lock:
            for cursor in self.cursors.values():
                cursor.abandon()
            self.journal.close()


def held(journal: DiskJournal) -> list[Folder]:
    """The folders that a journal has locked."""
    own = [] if journal.folder is None else [journal.folder]
    return own + [taken.left.folder for taken in journal.backlog.folders]


def crash(client: Client) -> None:
    """End a client as `kill -9` ends its process: nothing is flushed, told or released but by the system."""
    assert client._maintainer is not None
    client._maintainer._stop.set()  # before the folders that it holds are counted
    client._maintainer._poke.set()
    with client._accounts.lock:
        for delivery in client._parts.deliveries.values():
            delivery._books.stopped = True
        client._accounts.lock.notify_all()
        journal = client._journal
        assert isinstance(journal, DiskJournal)
        journal._closed = True
        journal._seal()
        folders_held = held(journal)
    if client._maintainer._thread.is_alive():
        client._maintainer._thread.join()
    client._maintainer._close_waiting()
    for folder in folders_held:
        folder.close()
    client._off = client._closed = True
    client._janitor.stop()
