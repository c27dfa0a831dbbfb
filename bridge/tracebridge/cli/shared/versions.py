"""What `tracebridge --version` tells: this version, the versions of everything that it keeps or writes, and where it runs. docs/upgrades.md says what each promises."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any

import msgspec

import tracebridge
from tracebridge.errors import ConfigError
from tracebridge.journal import segment_header
from tracebridge.native import state
from tracebridge.plugins.registry import ADAPTERS, FORMATS, load
from tracebridge.records import record
from tracebridge.sharing import parts
from tracebridge.version import VERSION


class Data(msgspec.Struct):
    """The versions of one kind of data."""

    writes: int
    """The newest that is written."""
    reads: list[int]
    """All that are read."""

    def __str__(self) -> str:
        first, last = self.reads[0], self.reads[-1]
        return f"{self.writes}" if first == last else f"{self.writes} (reads {first} to {last})"


class Versions(msgspec.Struct):
    """All that is told, in the order in which it is."""

    tracebridge: str
    native_module: str
    """Whether it is used, and why not."""
    record: Data
    journal: Data
    store: Data | None
    """None where the adapter cannot be imported."""
    open_spans: Data
    spanlog: Data | None
    python: str
    executable: str
    installed_in: str

    def __str__(self) -> str:
        lines = [f"tracebridge, version {self.tracebridge}"]
        lines += [f"{name.replace('_', ' ')}: {told}" for name, told in self._rest() if told is not None]
        return "\n".join(lines)

    def _rest(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__[1:]]


def versions() -> Versions:
    """Return what holds here."""
    return Versions(
        tracebridge=VERSION,
        native_module=state,
        record=_data(range(1, record.VERSION + 1)),
        journal=_data(range(segment_header.OLDEST, segment_header.VERSION + 1)),
        store=_of(ADAPTERS, "store"),
        open_spans=_data(range(parts.VERSION[0], parts.VERSION[0] + 1)),
        spanlog=_of(FORMATS, "spanlog"),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        executable=sys.executable,
        installed_in=str(Path(tracebridge.__file__).parent),
    )


def _data(known: range) -> Data:
    return Data(known[-1], list(known))


def _of(group: str, name: str) -> Data | None:
    """Return what a plugin of ours says; None where it is not installed, or is another's."""
    try:
        known = getattr(load(group, name), "data_versions", None)
    except ConfigError:
        return None
    return _data(known) if isinstance(known, range) and known else None
