"""Settings in, running parts out: the one place where the parts meet."""

from __future__ import annotations

from dataclasses import dataclass

from tracebridge.accounts import Accounts, AdapterAccount
from tracebridge.adapter import Context
from tracebridge.deadletters import DeadLetters
from tracebridge.delivery import Delivery
from tracebridge.journal.base import Journal
from tracebridge.journal.memory import MemoryJournal
from tracebridge.record import Resource
from tracebridge.redaction import Redaction
from tracebridge.registry import adapter_class
from tracebridge.settings.model import RedactionSettings, Settings
from tracebridge.stages import Stages
from tracebridge.values import Reducer


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything behind the calls of one client in one process."""

    accounts: Accounts
    journal: Journal
    deliveries: dict[str, Delivery]
    dead_letters: DeadLetters
    stages: Stages
    reducer: Reducer
    resource: Resource


def build(settings: Settings) -> Parts:
    """Build the parts. No network, no thread: workers start with the first trace."""
    resource = Resource(dict(settings.resource.attributes))
    accounts = Accounts()
    accounts.adapters.update({name: AdapterAccount() for name in settings.adapters})
    journal = MemoryJournal(
        accounts,
        max_bytes=settings.journal.max_bytes,
        on_full=settings.journal.on_full,
        block_timeout_s=settings.journal.block_timeout,
    )
    dead_letters = DeadLetters()
    deliveries = {}
    for name, chosen in settings.adapters.items():
        context = Context(name, resource, settings.trace_ids.attribute)
        adapter = adapter_class(chosen.type)(chosen.options, context)
        deliveries[name] = Delivery(
            name, adapter, chosen.options, journal.cursor(name), accounts, dead_letters, resource
        )
    redaction = _redaction(settings.redaction)
    stages = Stages((redaction,), only_default_redaction=redaction.only_keys)
    limits = settings.limits
    reducer = Reducer(
        text_limit=limits.attribute_value_length_limit, payload_limit=limits.payload_length_limit, keys=redaction.keys
    )
    return Parts(accounts, journal, deliveries, dead_letters, stages, reducer, resource)


def _redaction(settings: RedactionSettings) -> Redaction:
    return Redaction(
        default_keys=settings.keys == "default",
        deny_keys=settings.deny_keys,
        allow_keys=settings.allow_keys,
        deny_values=settings.deny_values,
        action=settings.action,
    )
