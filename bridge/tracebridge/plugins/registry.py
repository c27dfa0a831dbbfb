"""Names to what installed packages offer, through entry points: the only door, ours and a stranger's alike.

| group | what a name stands for |
|---|---|
| `tracebridge.adapters` | a destination (`tracebridge.plugins.adapter.Adapter`) |
| `tracebridge.formats` | a file format that can be read and written, for dead letters, `convert` and `replay` |
| `tracebridge.sources` | a foreign library whose spans come in (`Client.source`) |
| `tracebridge.receivers` | where `tracebridge relay` reads messages (`tracebridge.plugins.receiver.Receiver`) |
| `tracebridge.id_schemes` | a way from the caller's own trace ID to 16 bytes |
| `tracebridge.stages` | a step between finished spans and the queue (`tracebridge.plugins.stage.Stage`) |
| `tracebridge.open_spans` | where open spans are kept for several processes (`tracebridge.plugins.open_spans.Engine`) |
| `tracebridge.header_formats` | headers that carry a trace between processes (`tracebridge.propagation.formats.HeaderFormat`) |

Looking names up imports nothing; a module, and the client library that it may need, is imported when its entry is loaded.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
from typing import TYPE_CHECKING, Any

from tracebridge.errors import ConfigError
from tracebridge.masking.foreign import clean
from tracebridge.plugins import installed
from tracebridge.plugins.installed import Entry

if TYPE_CHECKING:
    from tracebridge.plugins.adapter import Adapter
    from tracebridge.plugins.receiver import Receiver
    from tracebridge.plugins.stage import Stage

_log = logging.getLogger("tracebridge")

ADAPTERS = "tracebridge.adapters"
FORMATS = "tracebridge.formats"
SOURCES = "tracebridge.sources"
RECEIVERS = "tracebridge.receivers"
ID_SCHEMES = "tracebridge.id_schemes"
STAGES = "tracebridge.stages"
OPEN_SPANS = "tracebridge.open_spans"
HEADER_FORMATS = "tracebridge.header_formats"
AUTO_SCHEME = "auto"
"""The choice between ID schemes: no entry point, but a name wherever a scheme is named."""
BAGGAGE, CORRELATION = "baggage", "correlation"
"""Headers that go with the IDs of any format: no entry points, but names wherever a header format is named."""
OWN_PACKAGE = "tracebridge"
SLOW_IMPORT_S = 2.0  # the log names a module of another package that takes longer to import
_GROUPS = (ADAPTERS, FORMATS, SOURCES, RECEIVERS, ID_SCHEMES, STAGES, OPEN_SPANS, HEADER_FORMATS)


def entries(group: str) -> dict[str, Entry]:
    """Return what is installed under a group by name, none of it imported.

    When two packages offer the same name, the one that comes first on `sys.path` wins, as with modules. What is installed
    is read once for each `sys.path`: it costs more than reading a whole configuration.
    """
    return dict(_entries(tuple(sys.path))[group])


@functools.lru_cache(maxsize=4)
def _entries(path: tuple[str, ...]) -> dict[str, dict[str, Entry]]:  # noqa: ARG001 - what the answer depends on
    out: dict[str, dict[str, Entry]] = {group: {} for group in _GROUPS}
    for entry in sorted(installed.entries(_GROUPS), key=lambda entry: entry.name):  # stable: a name's first stays first
        out[entry.group].setdefault(entry.name, entry)
    return out


def load(group: str, name: str) -> Any:
    """Import and return what an entry of a group names.

    Raises ConfigError for a name that is not known and a module that cannot be imported.
    """
    what = _singular(group)
    known = entries(group)
    entry = known.get(name)
    if entry is None:
        from tracebridge.errors import did_you_mean

        names = ", ".join(known) or "none; is the package installed? (pip install tracebridge)"
        raise ConfigError(f'unknown {what} "{name}"{did_you_mean(name, known)} (known: {names})')
    started = time.perf_counter()
    try:
        return entry.load()
    except ConfigError:  # the module itself says what it lacks, such as an extra, and what to do
        raise
    except Exception as error:
        why = clean(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {clean(error)}"
        raise ConfigError(f'{what} "{name}" of {entry.package} cannot be imported from {entry.value}: {why}') from error
    finally:
        took_s = time.perf_counter() - started
        if took_s > SLOW_IMPORT_S and entry.package != OWN_PACKAGE:
            _log.warning('%s "%s" of %s took %.1f s to import', what, name, entry.package, took_s)


def _singular(group: str) -> str:
    """Return what one entry of a group is called in a message.

    >>> _singular("tracebridge.id_schemes")
    'ID scheme'
    """
    return {ID_SCHEMES: "ID scheme", HEADER_FORMATS: "header format", OPEN_SPANS: "engine of open spans"}.get(
        group, group.rpartition(".")[2].removesuffix("s")
    )


def known_adapters() -> list[str]:
    """Return the names of the installed adapters, sorted; empty in a bare checkout, where nothing is installed."""
    return list(entries(ADAPTERS))


def known_schemes() -> list[str]:
    """Return what may be named as an ID scheme: `auto`, then the installed ones, sorted."""
    return [AUTO_SCHEME, *entries(ID_SCHEMES)]


def known_stages() -> list[str]:
    """Return the names of the installed stages, sorted."""
    return list(entries(STAGES))


def known_engines() -> list[str]:
    """Return the names of the installed engines of open spans, sorted."""
    return list(entries(OPEN_SPANS))


def known_receivers() -> list[str]:
    """Return the names of the installed receivers, sorted."""
    return list(entries(RECEIVERS))


def known_header_formats() -> list[str]:
    """Return what may be named as a header format: the installed ones and the two that go with any of them, sorted."""
    return sorted([*entries(HEADER_FORMATS), BAGGAGE, CORRELATION])


def own_header_formats() -> list[str]:
    """Return those of them that tracebridge brings."""
    return [
        name
        for name in known_header_formats()
        if (entry := entries(HEADER_FORMATS).get(name)) is None or entry.package == OWN_PACKAGE
    ]


def adapter_class(name: str) -> type[Adapter]:
    """Import and return an adapter's class.

    Raises ConfigError for a name that is not known, a module that cannot be imported, and a class that lacks `Options` or a method.
    """
    from tracebridge.plugins.options import DeliveryOptions

    checked: type[Adapter] = _checked(ADAPTERS, name, DeliveryOptions, ("encode", "send", "close"))
    return checked


def stage_class(name: str) -> type[Stage]:
    """Import and return a stage's class. Raises ConfigError as `adapter_class` does."""
    from tracebridge.plugins.stage import StageOptions

    checked: type[Stage] = _checked(STAGES, name, StageOptions, ("process",))
    return checked


def receiver_class(name: str) -> type[Receiver]:
    """Import and return a receiver's class. Raises ConfigError as `adapter_class` does."""
    from tracebridge.plugins.receiver import ReceiverOptions

    checked: type[Receiver] = _checked(RECEIVERS, name, ReceiverOptions, ("open", "receive", "commit"))
    return checked


def _checked(group: str, name: str, base: type[Any], methods: tuple[str, ...]) -> Any:
    loaded = load(group, name)
    options = getattr(loaded, "Options", None)
    shown = f'{_singular(group)} "{name}" ({entries(group)[name].value})'
    if not (isinstance(options, type) and issubclass(options, base)):
        raise ConfigError(f"{shown} lacks an Options class derived from {base.__module__}.{base.__name__}: give it one")
    missing = [f"{method}()" for method in methods if not callable(getattr(loaded, method, None))]
    if missing:
        raise ConfigError(f"{shown} lacks {', '.join(missing)}: its class needs {', '.join(methods)}")
    return loaded
