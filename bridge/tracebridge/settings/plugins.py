"""The parts of a configuration that name what is installed, with its options: `adapters:`, `stages:` and `relay:`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tracebridge.errors import ConfigError, nearest
from tracebridge.plugins.registry import (
    adapter_class,
    known_adapters,
    known_receivers,
    known_stages,
    receiver_class,
    stage_class,
)
from tracebridge.settings.environment import filled
from tracebridge.settings.model import AdapterSettings, ReceiverSettings, StageSettings
from tracebridge.settings.place import Place
from tracebridge.settings.problems import Problem, ProblemKind
from tracebridge.settings.reader import BAD, OptionsReader
from tracebridge.settings.safe_keys import joined, shown_key
from tracebridge.settings.tree import Node


def adapters_of(
    reader: OptionsReader, whole: Node, environ: Mapping[str, str], read: dict[str, Node]
) -> dict[str, AdapterSettings]:
    """Return the destinations by their keys; `read` gets the nodes that their options were read from."""
    node = whole.value.get("adapters")
    if node is None or node.value in (None, {}):
        message = "no destination is named; there has to be one at least, such as `adapters: {store: {}}`"
        reader.bad(node or whole, "" if node is None else "adapters", "missing-key", message)
        return {}
    if not isinstance(node.value, dict):
        reader.bad(node, "adapters", "wrong-type", "adapters must be a mapping of `type` or `type/name` to options")
        return {}
    chosen: dict[str, AdapterSettings] = {}
    for key, child in node.value.items():
        place = node.key_places.get(key, node.place)
        path = joined("adapters", shown_key(key))
        kind = _kind(reader, ADAPTER, key, child, path, place)
        if kind is None:
            continue
        options_class: Any = kind.Options
        read[key] = filled(_type(key), options_class, child, environ)
        options = reader.options(options_class, read[key], path)
        if options is not BAD:
            files = dict.fromkeys(path for scalar in child.scalars() for path in scalar.files)
            chosen[key] = AdapterSettings(name=key, type=_type(key), options=options, files=tuple(files))
    return chosen


def stages_of(reader: OptionsReader, whole: Node) -> tuple[StageSettings, ...]:
    """Return the stages in their order."""
    node = whole.value.get("stages")
    if node is None or node.value in (None, []):
        return ()
    if not isinstance(node.value, list):
        reader.bad(
            node, "stages", "wrong-type", "stages must be a list of `type` or `type/name`, each with its options"
        )
        return ()
    chosen: dict[str, StageSettings] = {}
    for number, item in enumerate(node.value):
        path = f"stages[{number}]"
        if isinstance(item.value, str):  # a stage without options
            item.reveal()
            item = Node({item.value: Node(None, item.place)}, item.place)  # noqa: PLW2901 - the same in full
        if not isinstance(item.value, dict) or len(item.value) != 1:
            reader.bad(item, path, "wrong-type", f"{path} must be one stage: `type` or `type/name` and its options")
            continue
        ((key, child),) = item.value.items()
        place = item.key_places.get(key, item.place)
        if key in chosen:
            message = f'there are two stages "{shown_key(key)}"; name the second one, such as `{shown_key(_type(key))}/second`'
            reader.problems.append(Problem("duplicate-key", message, path, place))
            continue
        kind = _kind(reader, STAGE, key, child, joined(path, shown_key(key)), place)
        if kind is None:
            continue
        options = reader.options(kind.Options, child, joined(path, shown_key(key)))
        if options is not BAD:
            chosen[key] = StageSettings(name=key, type=_type(key), options=options)
    return tuple(chosen.values())


def receiver_of(reader: OptionsReader, whole: Node) -> ReceiverSettings | None:
    """Return where `tracebridge relay` reads; None where the configuration does not say."""
    node = whole.value.get("relay")
    if node is None or node.value in (None, {}):
        return None
    if not isinstance(node.value, dict) or len(node.value) != 1:
        message = 'relay must be one receiver with its options, such as `relay: {kafka: {brokers: ["kafka-1:9092"]}}`'
        reader.bad(node, "relay", "wrong-type", message)
        return None
    ((key, child),) = node.value.items()
    path = joined("relay", shown_key(key))
    kind = _kind(reader, RECEIVER, key, child, path, node.key_places.get(key, node.place))
    if kind is None:
        return None
    options = reader.options(kind.Options, child, path)
    return None if options is BAD else ReceiverSettings(type=_type(key), options=options)


class _Section(NamedTuple):
    """What is said of one part, and how its names are looked up."""

    what: str
    one: str
    known: Callable[[], list[str]]
    load: Callable[[str], type[Any]]
    unknown: ProblemKind
    broken: ProblemKind


ADAPTER = _Section("adapter", "a destination", known_adapters, adapter_class, "unknown-adapter", "broken-adapter")
RECEIVER = _Section("receiver", "a receiver", known_receivers, receiver_class, "unknown-receiver", "broken-receiver")
STAGE = _Section("stage", "a stage", known_stages, stage_class, "unknown-stage", "broken-stage")


def _type(key: str) -> str:
    """Return the type in `type` or `type/name`."""
    return key.partition("/")[0]


def _kind(reader: OptionsReader, section: _Section, key: str, child: Node, path: str, place: Place) -> Any:
    """Return the class that a key names; None, noted as a problem, when it names none."""
    kind, slash, name = key.partition("/")
    known = section.known()
    if slash and not name:
        reader.problems.append(Problem("bad-key", f'"{shown_key(key)}" has no name after the slash', path, place))
        return None
    if kind != kind.strip() or name != name.strip():
        message = f"there are blanks around the type or the name of {section.one}"
        reader.problems.append(Problem("bad-key", message, path, place))
        return None
    if kind not in known:
        near = nearest(kind, known)
        shown = shown_key(kind, alone=child.value is None and not near)
        path = joined(path.rpartition(".")[0], shown_key(key, alone=child.value is None and not near))
        hint = f'; did you mean "{near}"?' if near else "" if known else "; known: none; is the package installed?"
        message = f'unknown {section.what} "{shown}"{hint}'
        reader.problems.append(Problem(section.unknown, message, path, place, known, near))
        return None
    try:
        return section.load(kind)
    except ConfigError as error:
        reader.problems.append(Problem(section.broken, str(error), path, place))
        return None
