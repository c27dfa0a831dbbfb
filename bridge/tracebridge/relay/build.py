"""Settings in, a relay out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

from tracebridge.client import Client
from tracebridge.errors import ConfigError
from tracebridge.plugins.registry import receiver_class
from tracebridge.relay.relay import Relay
from tracebridge.settings.model import Settings

FOREVER_S = 86_400.0
EXAMPLE = '`relay: {kafka: {brokers: ["kafka-1:9092"]}}`'


def client_settings(settings: Settings) -> Settings:
    """Return the settings of the client behind a relay.

    Its journal never drops to make room: a relay reads no more than there is room for, and what is larger than expected waits.
    """
    journal = dataclasses.replace(settings.journal, on_full="block", block_timeout=FOREVER_S)
    return dataclasses.replace(settings, journal=journal)


def relay_of(settings: Settings, client: Client | None, *, stop: Callable[[], bool], until_end: bool = False) -> Relay:
    """Return a relay from what `relay` names into a client made of `client_settings`; None for a dry run.

    Raises ConfigError when the configuration names no receiver, or a package that it needs is not installed.
    """
    if settings.relay is None:
        raise ConfigError(f"the configuration does not say where to read; add a receiver, such as {EXAMPLE}")
    options = settings.relay.options
    return Relay(
        receiver_class(settings.relay.type)(options),
        client,
        options,
        trace_id_attribute=settings.trace_ids.attribute,
        journal_bytes=settings.journal.bound,
        fingerprint=fingerprint(settings),
        stop=stop,
        shutdown_s=settings.lifecycle.shutdown_timeout,
        until_end=until_end,
    )


def fingerprint(settings: Settings) -> str:
    """Return a short text that relays have in common which read and deliver the same. Secrets are not in it: their `repr` hides them."""
    told = repr((settings.adapters, settings.stages, settings.relay)).encode()
    return hashlib.sha256(told).hexdigest()[:8]
