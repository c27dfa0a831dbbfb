"""Looking for a trace by whatever somebody has of it, in every destination that can be read, by what each can answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tracebridge.errors import DeliveryError, ReadError
from tracebridge.ids.identity import Identity
from tracebridge.plugins.adapter import FindingReader
from tracebridge.reading.destination import Destination
from tracebridge.reading.sought import Sought
from tracebridge.records.record import carried

EXACT = "ID"


class Match(NamedTuple):
    """A trace that a text means, or may mean."""

    destination: Destination
    trace_id: bytes
    why: str
    """`ID` for a whole one, else what of it the text is: see `Near.why`."""


class Finder:
    """Asks destinations; one that cannot be asked is told in `failed`, and the others are asked."""

    def __init__(self, destinations: Sequence[Destination], ids: Identity) -> None:
        self._destinations, self._ids = destinations, ids
        self.failed: list[str] = []
        """What could not be asked, and why."""

    def exact(self, what: Sought) -> Iterator[Match]:
        """Yield the traces whose ID a text is: their own, or their wire ID in any form, destination by destination."""
        own = [wire.trace_id for wire in self._ids.meanings(what.text)] if what.text else []
        for destination in self._destinations:
            try:
                found = list(dict.fromkeys(destination.reader.find(carried(what.text))))
                wires = [wire for wire in dict.fromkeys([*own, *what.wire]) if wire not in found]
                found += [wire for wire in wires if destination.spans(wire, 1)[0]]
            except (DeliveryError, ReadError) as error:
                self.failed.append(f"{destination.shown} cannot be asked: {error}")
                continue
            yield from (Match(destination, wire, EXACT) for wire in found)

    def near(self, what: Sought, limit: int) -> Iterator[Match]:
        """Yield what a text may mean, in the destinations that know traces by less than a whole ID."""
        for destination in self._destinations:
            if isinstance(destination.adapter, FindingReader):
                try:
                    found = destination.adapter.near(what, limit)
                except (DeliveryError, ReadError) as error:
                    self.failed.append(f"{destination.shown} cannot be asked: {error}")
                    continue
                yield from (Match(destination, each.trace_id, each.why) for each in found)

    def similar(self, what: Sought, limit: int) -> list[str]:
        """Return IDs that are like a text."""
        found: list[str] = []
        for destination in self._destinations:
            if isinstance(destination.adapter, FindingReader):
                found += [each.custom_trace_id or "" for each in destination.adapter.similar(what.text, limit)]
        return list(dict.fromkeys(found))[:limit]

    def left_out(self) -> list[str]:
        """Return what was not looked for, and where."""
        whole = [each.name for each in self._destinations if not isinstance(each.adapter, FindingReader)]
        said = "was" if len(whole) == 1 else "were"
        return [f"{', '.join(whole)} {said} asked for whole IDs only: such servers search tags by whole value, and those of the last seven days"] if whole else []  # fmt: skip
