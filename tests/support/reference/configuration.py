"""docs/reference-configuration.md: every key of the YAML file."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from support.reference.parts import Part, Row, Table, first_paragraph
from support.since import since
from tracebridge.plugins import registry
from tracebridge.plugins.registry import OWN_PACKAGE, adapter_class, entries, receiver_class
from tracebridge.plugins.stage import StageOptions
from tracebridge.settings.describe import Described, describe, options_in
from tracebridge.settings.model import Settings
from tracebridge.settings.reader import hints_of

HEAD = """# Reference: configuration

Every key of the YAML file. [Configuration](configuration.md) says how the file is written, where else values come from, and what each error means;
`tracebridge schema` prints the same as a JSON Schema for editors.

A *duration* is written `250ms`, `10s`, `5m` or `1h`; a *size* `64KiB`, `512MiB` or `1GB`, or a number of bytes; a *ratio* `0.1` or `10%`. Any value may be `${VARIABLE}`.
A dot in a key is a level in the file: `sending_queue.max_batch` is `sending_queue: {max_batch: 2048}`.
"""
COLUMNS = ("key", "value", "what it does")


def parts() -> Iterator[Part]:
    """Yield the page."""
    yield HEAD
    yield from _top_level()
    yield from _adapters()
    yield "## Options of every stage\n"
    yield "In the list `stages`, below a stage's name. [Write a stage](stages.md) has an example of each.\n"
    yield Table(COLUMNS, [Row((f"stage: {each.key}",), _cells(each)) for each in describe(StageOptions)])
    for name, entry in entries(registry.RECEIVERS).items():
        if entry.package == OWN_PACKAGE:
            options: Any = receiver_class(name).Options
            yield f"## Options of the receiver `{name}`\n"
            yield f"Under `relay`: where `tracebridge relay` reads. {first_paragraph(options)}\n"
            yield Table(COLUMNS, [Row((f"receiver {name}: {each.key}",), _cells(each)) for each in describe(options)])


def _top_level() -> Iterator[Part]:
    groups = defaultdict(list)
    for each in describe(Settings):
        groups[each.key.partition(".")[0]].append(each)
    for key, keys in groups.items():
        yield f"## `{key}`\n"
        options = options_in(hints_of(Settings)[key])
        if options is not None:
            yield first_paragraph(options) + "\n"
        yield Table(COLUMNS, [Row((f"configuration: {each.key}",), _cells(each)) for each in keys])


def _adapters() -> Iterator[Part]:
    names = [name for name, entry in entries(registry.ADAPTERS).items() if entry.package == OWN_PACKAGE]
    of = {name: describe(adapter_class(name).Options) for name in names}
    came = {name: min((_version(name, each) for each in keys), key=_order) for name, keys in of.items()}
    users: dict[tuple[Described, str], list[str]] = defaultdict(list)
    for name, keys in of.items():
        for each in keys:
            users[_shared(each, name, came)].append(name)
    yield "## Options of several adapters\n"
    yield (
        "Under `adapters`, below the name of a destination. What an adapter has for itself stands under its name, below; one that is younger than an option here has it since "
        "it came.\n"
    )
    rows = []
    for (each, _), having in users.items():
        if len(having) > 1:
            told = sorted((f"adapter {name}: {each.key}" for name in having), key=lambda name: _order(since(name)))
            rows.append(Row(tuple(told), (*_cells(each), _which(having, names))))
    yield Table((*COLUMNS, "adapters"), rows)
    for name, keys in of.items():
        kind: Any = adapter_class(name)
        yield f"## Options of the adapter `{name}`\n"
        yield f"{first_paragraph(inspect.getmodule(kind))} Since {came[name]}.\n"
        own = [each for each in keys if len(users[_shared(each, name, came)]) == 1]
        if own:
            yield Table(COLUMNS, [Row((f"adapter {name}: {each.key}",), _cells(each)) for each in own])
        shared = ", ".join(f"`{each.key}`" for each in keys if each not in own)
        if shared:
            yield f"It has these [options of several adapters](#options-of-several-adapters), too: {shared}.\n"


def _version(adapter: str, each: Described) -> str:
    return since(f"adapter {adapter}: {each.key}")


def _order(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _shared(each: Described, adapter: str, came: dict[str, str]) -> tuple[Described, str]:
    """Return what adapters have in common when they share an option: all about it, and the version that gave it to adapters of before."""
    version = _version(adapter, each)
    return each, "" if version == came[adapter] else version


def _which(having: list[str], names: list[str]) -> str:
    missing = [f"`{name}`" for name in names if name not in having]
    if len(missing) < len(having):
        return "all but " + ", ".join(missing) if missing else "all"
    return ", ".join(f"`{name}`" for name in having)


def _cells(each: Described) -> tuple[str, str, str]:
    value = each.type + (f", {each.limits}" if each.limits else "")
    default = "**required**" if each.required else f"default `{each.default}`" if each.default else ""
    example = f" Example: `{each.example}`" if each.example else ""
    return f"`{each.key}`", "; ".join(filter(None, [value, default])), each.help + example
