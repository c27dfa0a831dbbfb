"""The configuration as it came to be: every value with where it is from. What `tracebridge validate --print-effective` shows.

Each value is looked up in the tree that the settings were read from, so that what is said of it is what happened. Secrets are masked.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Union, get_args, get_origin

from tracebridge.masking.names import is_credential
from tracebridge.plugins.options import PrivateUrl, Secret
from tracebridge.settings.load import Loaded
from tracebridge.settings.model import Settings
from tracebridge.settings.parsers import FORMS
from tracebridge.settings.reader import hints_of, keys_of
from tracebridge.settings.safe_keys import MASK, names_secret
from tracebridge.settings.scalars import resolve
from tracebridge.settings.tree import Node

COMMENT_COLUMN: Final = 64  # where sources stand, unless a value is longer
_is_plain = re.compile(r"[0-9.]+[A-Za-z]+|[A-Za-z_./~][\w./@%+-]*(?::[\w./@%+-]+)*").fullmatch


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value is from."""

    line: int = 0
    """The line of the file; 0 when no file gave it."""
    variables: tuple[str, ...] = ()
    """The environment variables that gave it, or a part of it."""
    files: tuple[str, ...] = ()
    """The files whose contents gave it, or a part of it."""
    given: bool = False
    """Whether anybody gave it: else it is the default."""

    def told(self, file: str) -> str:
        """Return the source in a few words.

        >>> Origin().told("bridge.yaml"), Origin(3, ("HOST",), given=True).told("bridge.yaml")
        ('default', 'bridge.yaml:3, $HOST')
        """
        named = [f"{file}:{self.line}"] if self.line else []
        sources = [*named, *(f"${name}" for name in self.variables), *self.files]
        return ", ".join(sources) or ("code" if self.given else "default")

    def as_json(self) -> dict[str, Any]:
        """Return the source as plain values for programs."""
        kind = "default" if not self.given else "file" if self.line else "environment" if self.variables else "code"
        return {"kind": kind, "line": self.line or None, "variables": list(self.variables), "files": list(self.files)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One value."""

    path: tuple[str, ...]
    """The keys that lead to it, such as `("adapters", "zipkin", "timeout")`."""
    value: Any
    """As it would be written in YAML; `***` for a secret."""
    origin: Origin


def effective(loaded: Loaded) -> list[Entry]:
    """Return every value of a configuration, in the file format's order."""
    settings, tree = loaded.settings, loaded.tree
    entries = list(_options(settings, tree, ()))
    destinations = _child(tree, "adapters")
    for name, chosen in settings.adapters.items():
        entries += _options(chosen.options, _child(destinations, name), ("adapters", name))
    if settings.stages:
        stages = [{chosen.name: _plain(chosen.options)} for chosen in settings.stages]
        entries.append(Entry(("stages",), stages, _origin(_child(tree, "stages"))))
    if settings.relay is not None:
        node = _child(_child(tree, "relay"), settings.relay.type)
        entries += _options(settings.relay.options, node, ("relay", settings.relay.type))
    return entries


def _plain(options: Any) -> dict[str, Any]:
    """Return options as one value, because what stands in a list has no keys of its own."""
    entries = _options(options, None, ())
    return {".".join(entry.path): entry.value for entry in entries}


def _options(options: Any, node: Node | None, path: tuple[str, ...]) -> Iterator[Entry]:
    kind = Settings if isinstance(options, Settings) else type(options)
    for key, field in keys_of(kind).items():
        yield from _value(getattr(options, field.name), hints_of(kind)[key], _child(node, key), (*path, key))


def _value(value: Any, hint: Any, node: Node | None, path: tuple[str, ...]) -> Iterator[Entry]:
    if dataclasses.is_dataclass(value):
        yield from _options(value, node, path)
    elif get_origin(hint) is dict and value:
        for key, item in value.items():
            yield from _value(item, get_args(hint)[1], _child(node, key), (*path, key))
    else:
        yield Entry(path, _written(value, hint, path), _origin(node))


def _child(node: Node | None, key: str) -> Node | None:
    return node.value.get(key) if node is not None and isinstance(node.value, dict) else None


def _origin(node: Node | None) -> Origin:
    if node is None:
        return Origin()
    variables = dict.fromkeys(name for scalar in node.scalars() for name in scalar.variables)
    files = dict.fromkeys(path for scalar in node.scalars() for path in scalar.files)
    return Origin(node.place.line, tuple(variables), tuple(files), given=True)


def _written(value: Any, hint: Any, path: Sequence[str]) -> Any:
    """Return a value as YAML has it, with nothing secret in it."""
    if value is None or value in ([], {}):
        return value
    if isinstance(value, Secret) or any(names_secret(key) for key in path):
        return MASK
    if get_origin(hint) in {Union, types.UnionType}:
        hint = next(a for a in get_args(hint) if a is not type(None))
    if isinstance(value, PrivateUrl):
        return _private(value)
    if isinstance(value, Mapping):
        return {key: _written(item, Any, (key,)) for key, item in value.items()}
    if isinstance(value, list):
        return [_written(item, get_args(hint)[0] if get_args(hint) else Any, ()) for item in value]
    if isinstance(value, str):
        return MASK if is_credential(value) else value
    return FORMS[get_args(hint)[1]].show(value) if get_origin(hint) is Annotated and not _is_free(hint) else value


def _is_free(hint: Any) -> bool:
    return bool(get_args(hint)[1] == "attribute")


def _private(url: str) -> str:
    """Return an address with its user info and query masked."""
    scheme, _, rest = url.partition("://")
    before, query, _ = rest.partition("?")
    user, at, place = before.rpartition("@")
    return f"{scheme}://{MASK if user else ''}{at}{place}{query}{MASK if query else ''}"


# ---------------------------------------------------------------------- as a file


def as_yaml(entries: Sequence[Entry], file: str) -> str:
    """Return the entries as a file of their own, each with its source as a comment. `$` is doubled, as a file asks for it."""
    out: list[str] = []
    above: tuple[str, ...] = ()
    for entry in entries:
        groups = entry.path[:-1]
        shared = next(
            (i for i, pair in enumerate(zip(above, groups, strict=False)) if pair[0] != pair[1]),
            min(len(above), len(groups)),
        )
        out += [f"{'  ' * depth}{_scalar(groups[depth])}:" for depth in range(shared, len(groups))]
        text = f"{'  ' * len(groups)}{_scalar(entry.path[-1])}: {_flow(entry.value)}"
        out.append(
            f"{text:<{COMMENT_COLUMN}}# {entry.origin.told(file)}"
            if len(text) < COMMENT_COLUMN
            else f"{text}  # {entry.origin.told(file)}"
        )
        above = groups
    return "\n".join(out)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, str):
        return _scalar(value.replace("$", "$$"))
    return json.dumps(value) if value is None or isinstance(value, (bool, int)) else repr(value)


def _scalar(text: str) -> str:
    """Return text plain where YAML takes it for that text, else in quotes."""
    if _is_plain(text) and resolve(text) == text:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
