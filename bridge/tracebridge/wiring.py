"""Settings in, running parts out: the one place where the parts meet."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tracebridge.delivery.deadletters.letters import DeadLetters
from tracebridge.delivery.renewal import renewal_of
from tracebridge.delivery.worker import Delivery
from tracebridge.errors import ConfigError
from tracebridge.journal.accounts import Accounts, AdapterAccount, StageAccount, Stats, now_unix_s
from tracebridge.journal.base import Journal
from tracebridge.journal.memory import MemoryJournal
from tracebridge.masking.foreign import clean
from tracebridge.masking.loggers import logger
from tracebridge.plugins.adapter import Adapter, Context
from tracebridge.plugins.registry import OPEN_SPANS, adapter_class, load, stage_class
from tracebridge.plugins.stage import StageContext
from tracebridge.records.record import Resource, SpanRecord
from tracebridge.records.values import Reducer
from tracebridge.settings.model import JournalSettings, OpenSpansSettings, Settings
from tracebridge.stages.redaction import redaction_of
from tracebridge.stages.stage import NamedStage, Stages
from tracebridge.supported import too_old

if TYPE_CHECKING:
    from pathlib import Path

    from tracebridge.delivery.deadletters.files import DeadFiles
    from tracebridge.journal.adoption import Decide
    from tracebridge.journal.disk import DiskJournal
    from tracebridge.journal.maintenance import Maintainer
    from tracebridge.plugins.open_spans import Engine
    from tracebridge.sharing.exchange import Exchange

DIRECTORY = "directory"
"""The engine of one host, where none is named and one is asked for."""


T = TypeVar("T")

log = logger("tracebridge")


class Parts(msgspec.Struct, frozen=True):
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
    journal = _journal(settings.journal, accounts, resource)
    dead_letters = DeadLetters(_dead_files(settings))
    _tell_what_is_too_old(settings)
    deliveries = {}
    for name, chosen in settings.adapters.items():
        context = Context(name, resource, settings.trace_ids.attribute)
        adapter = _built("adapter", name, adapter_class(chosen.type), chosen.options, context)
        _require_limits(name, adapter)
        deliveries[name] = Delivery(
            name,
            adapter,
            chosen.options,
            journal.cursor(name),
            accounts,
            dead_letters,
            resource,
            renewal_of(chosen, adapter, context),
        )
    redaction = redaction_of(settings.redaction)
    stages = Stages(_users_stages(settings, accounts, resource), redaction, redacts_only_keys=redaction.only_keys)
    limits = settings.limits
    reducer = Reducer(
        text_limit=limits.attribute_value_length_limit,
        payload_limit=limits.payload_length_limit,
        most_attributes=limits.attribute_count_limit,
        keys=redaction.keys,
    )
    return Parts(accounts, journal, deliveries, dead_letters, stages, reducer, resource)


def _tell_what_is_too_old(settings: Settings) -> None:
    """Warn of libraries that this package was not tested with: its own, and what the configuration's adapters need."""
    needed = (getattr(adapter_class(chosen.type), "needs", None) for chosen in settings.adapters.values())
    for line in too_old(module for needs in needed if needs is not None for module in needs.modules):
        log.warning("%s", line)


def _built(what: str, name: str, kind: Callable[[Any, Any], T], options: Any, context: Any) -> T:
    """Build an adapter or a stage. Raises ConfigError, which names it, whatever its constructor raises."""
    try:
        return kind(options, context)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f'{what} "{name}" cannot be built: {type(error).__name__}: {clean(error)}') from None


def _require_limits(name: str, adapter: Adapter) -> None:
    """Raise ConfigError, which names the adapter, for limits that delivery cannot keep."""
    for key, may_be_none in (("max_batch_spans", False), ("max_batch_bytes", True)):
        limit = getattr(adapter, key, None)
        if not (limit is None and may_be_none) and not (type(limit) is int and limit > 0):
            wanted = "a positive integer" + (" or None" if may_be_none else "")
            raise ConfigError(f'adapter "{name}": {key} must be {wanted}, not {limit!r:.40}')


def _users_stages(settings: Settings, accounts: Accounts, resource: Resource) -> list[NamedStage]:
    """Build the stages that the configuration names. Raises ConfigError, which names it, for one that cannot be built."""
    stages = []
    for chosen in settings.stages:
        context = StageContext(chosen.name, resource)
        stage = _built("stage", chosen.name, stage_class(chosen.type), chosen.options, context)
        account = accounts.stages[chosen.name] = StageAccount()
        stages.append(NamedStage(chosen.name, stage, chosen.options.on_error, account))
    holding = [stage.name for stage in stages if stage.holds]
    if len(holding) > 1:
        raise ConfigError(f"only one stage may hold spans; {' and '.join(holding)} do")
    if holding and settings.sampling is not None and settings.sampling.keep is not None:
        raise ConfigError(f"sampling.keep holds spans, and so does the stage {holding[0]}; only one of them may")
    return stages


def _journal(settings: JournalSettings, accounts: Accounts, resource: Resource) -> MemoryJournal | DiskJournal:
    if settings.directory is None:
        return MemoryJournal(
            accounts,
            max_bytes=settings.bound,
            on_full=settings.on_full,
            block_timeout_s=settings.block_timeout,
        )
    from tracebridge.journal.disk import DiskJournal

    return DiskJournal(
        accounts,
        directory_of(settings.directory),
        resource,
        max_bytes=settings.bound,
        on_full=settings.on_full,
        block_timeout_s=settings.block_timeout,
        fsync=settings.fsync,
    )


def _dead_files(settings: Settings) -> DeadFiles | None:
    if settings.journal.directory is None:
        return None
    from tracebridge.delivery.deadletters.files import FOLDER, DeadFiles

    return DeadFiles(directory_of(settings.journal.directory) / FOLDER, settings.trace_ids.attribute)


def require_usable(settings: JournalSettings) -> None:
    """Raise ConfigError when the journal's folder is one that a person has to put right first."""
    if settings.directory is None:
        return
    from tracebridge.journal.folder import unusable
    from tracebridge.process.system import HAS_LOCKS, WITHOUT_LOCKS

    if not HAS_LOCKS:
        raise ConfigError(f"journal.directory: {WITHOUT_LOCKS}")
    directory = directory_of(settings.directory)
    wrong = unusable(directory)
    if wrong:
        raise ConfigError(
            f"journal.directory: {directory} {wrong}; name a folder that this user may write, or make it one"
        )


def directory_of(given: str) -> Path:
    """Return a journal's directory as the client uses it."""
    from pathlib import Path

    return Path(given).expanduser().absolute()  # the application may change its working folder


def maintainer_of(
    journal: Journal, settings: Settings, stats: Callable[[], Stats], decide: Decide
) -> Maintainer | None:
    """Return what looks after a journal on disk; None for one in memory."""
    if settings.journal.directory is None:
        return None
    from tracebridge.journal.disk import DiskJournal
    from tracebridge.journal.maintenance import DirectoryBounds, Maintainer
    from tracebridge.journal.unclaimed import Bounds

    assert isinstance(journal, DiskJournal)  # noqa: S101 - `build` made it from the same settings

    def numbers() -> bytes:
        resource = Resource(dict(settings.resource.attributes))
        told = {"pid": os.getpid(), "service": resource.service_name, "time_unix_s": now_unix_s()}
        return msgspec.json.encode({**told, **stats().to_dict()})

    unclaimed = settings.journal.unclaimed
    bounds = DirectoryBounds(settings.journal.max_directory_bytes, Bounds(unclaimed.max_age, unclaimed.max_bytes))
    return Maintainer(journal, sync=settings.journal.fsync == "interval", numbers=numbers, bounds=bounds, decide=decide)


def exchange_of(settings: Settings, deliver: Callable[[SpanRecord], bool]) -> Exchange | None:
    """Return the way to the engine of shared spans; None where none is named. Raises ConfigError for one that cannot be built."""
    chosen = settings.open_spans
    if chosen.engine is None:
        return None
    from tracebridge.sharing.exchange import Exchange

    return Exchange(
        engine_of(chosen),
        chosen.engine,
        deliver=deliver,
        max_open_s=settings.lifecycle.max_open,
    )


def engine_of(chosen: OpenSpansSettings) -> Engine:
    """Return the engine that a configuration names. Raises ConfigError for one that cannot be built."""
    kind: type[Engine] = load(OPEN_SPANS, chosen.engine or DIRECTORY)
    return kind(chosen.url, chosen.timeout)
