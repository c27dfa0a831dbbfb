"""A tree of nodes against an options class: every problem at once, each with its place."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from urllib.parse import urlsplit

from tracebridge.settings.document import Node
from tracebridge.settings.options import Secret
from tracebridge.settings.problems import Problem, did_you_mean
from tracebridge.settings.quantities import parse_duration, parse_size, show_duration, show_size

BAD: Any = object()
"""What a value that could not be read becomes; its problem has been noted."""


def hints_of(options: type[Any]) -> dict[str, Any]:
    """Return the annotations of an options class, resolved, with their `Annotated` marks."""
    return typing.get_type_hints(options, include_extras=True)


class OptionsReader:
    """Reads nodes into options classes, collecting problems instead of raising."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def options(self, cls: type[Any], node: Node, path: str) -> Any:
        """Return an instance of an options class, or BAD; an empty node means all defaults."""
        if node.value is None:
            node = Node({}, node.place)
        if not isinstance(node.value, Mapping):
            return self._bad(
                node, path, "wrong-type", f"{path or 'the file'} must be a mapping, not {_kind(node.value)}"
            )
        hints = hints_of(cls)
        fields = {f.name: f for f in dataclasses.fields(cls) if f.init and "help" in f.metadata}
        values: dict[str, Any] = {}
        good = True
        for key, child in node.value.items():
            here = f"{path}.{key}" if path else key
            if key not in fields:
                self.unknown_key(key, node, path, list(fields))
                good = False
                continue
            value = self.value(hints[key], child, here, fields[key].metadata)
            values[key] = value
            good = good and value is not BAD
        for name, field in fields.items():
            required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            if required and name not in node.value:
                self._bad(node, path, "missing-key", f'{path} needs "{name}": {field.metadata["help"]}')
                good = False
        if not good:
            return BAD
        try:
            return cls(**values)
        except ValueError as error:
            return self._bad(node, path, "conflict", f"{path}: {error}")

    def unknown_key(self, key: str, node: Node, path: str, known: list[str]) -> None:
        """Note a key that means nothing here."""
        where = f" in {path}" if path else ""
        self.problems.append(
            Problem(
                "unknown-key",
                f'unknown key "{key}"{where}{did_you_mean(key, known)}',
                f"{path}.{key}" if path else key,
                node.key_places.get(key, node.place),
                known,
            )
        )

    def value(self, hint: Any, node: Node, path: str, metadata: Mapping[str, Any]) -> Any:
        """Return a value of the annotated type, or BAD."""
        if node.value is None and node.unset:
            names = ", ".join(node.unset)
            if _allows_none(hint):
                return None
            return self._bad(
                node, path, "unset-variable", f"{path}: environment variable {names} is not set and has no default"
            )
        origin = get_origin(hint)
        if origin in {Union, types.UnionType}:
            if node.value is None:
                return None
            return self.value(next(a for a in get_args(hint) if a is not type(None)), node, path, metadata)
        if origin is Annotated:
            return self._marked(get_args(hint)[1], node, path, metadata)
        if origin is Literal:
            choices = list(get_args(hint))
            if node.value in choices and type(node.value) in {type(choice) for choice in choices}:
                return node.value
            near = did_you_mean(str(node.value), map(str, choices)) if not node.substituted else ""
            return self._bad(
                node,
                path,
                "wrong-value",
                f"{path} cannot be {self._show(node)}{near}",
                allowed=[str(c) for c in choices],
            )
        if origin is list:
            return self._list(get_args(hint)[0], node, path, metadata)
        if origin is dict:
            return self._dict(get_args(hint)[1], node, path, metadata)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return self.options(hint, node, path)
        return self._plain(hint, node, path, metadata)

    def _plain(self, hint: Any, node: Node, path: str, metadata: Mapping[str, Any]) -> Any:
        value = node.value
        if hint is Any:
            return to_plain(node)
        if hint is Secret:
            if isinstance(value, (str, int, float)) and not isinstance(value, bool):
                return Secret(value)
            return self._bad(node, path, "wrong-type", f"{path} must be text", secret=True)
        if hint is bool and isinstance(value, bool):
            return value
        if hint is str and isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return str(value)
        if hint is int and isinstance(value, int) and not isinstance(value, bool):
            return self._ranged(value, node, path, metadata, str)
        if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._ranged(float(value), node, path, metadata, str)
        names = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
        return self._bad(
            node, path, "wrong-type", f"{path} must be {names.get(hint, 'of another type')}, not {self._show(node)}"
        )

    def _marked(self, mark: str, node: Node, path: str, metadata: Mapping[str, Any]) -> Any:
        if mark == "duration":
            seconds = parse_duration(node.value)
            if seconds is None:
                return self._bad(
                    node,
                    path,
                    "bad-duration",
                    f"{path} must be a duration such as 10s, 250ms or 1h, not {self._show(node)}",
                )
            return self._ranged(seconds, node, path, metadata, show_duration)
        if mark == "size":
            size = parse_size(node.value)
            if size is None:
                return self._bad(
                    node, path, "bad-size", f"{path} must be a size such as 512MiB or 64KiB, not {self._show(node)}"
                )
            return self._ranged(size, node, path, metadata, lambda number: show_size(int(number)))
        if not isinstance(node.value, str) or not node.value:
            return self._bad(node, path, "wrong-type", f"{path} must be text, not {self._show(node)}")
        if mark == "url":
            return self._url(node, path, metadata)
        if mark == "class" and not all(part.replace(".", "_").isidentifier() for part in _class_parts(node.value)):
            return self._bad(
                node, path, "bad-class", f"{path} must name a class as pkg.mod:Name, not {self._show(node)}"
            )
        return node.value

    def _url(self, node: Node, path: str, metadata: Mapping[str, Any]) -> Any:
        schemes = metadata.get("schemes") or ("http", "https")
        wanted = " or ".join(f"{scheme}://host:port" for scheme in schemes)
        try:
            parts = urlsplit(node.value)
            port_is_fine = parts.port is None or parts.port > 0
        except ValueError:
            return self._bad(node, path, "bad-url", f"{path} is not an address; write {wanted}", secret=True)
        if parts.scheme not in schemes or not parts.hostname or not port_is_fine:
            has_password = parts.password is not None
            return self._bad(
                node, path, "bad-url", f"{path} is not an address of the kind {wanted}", secret=has_password
            )
        return node.value

    def _list(self, item: Any, node: Node, path: str, metadata: Mapping[str, Any]) -> Any:
        if not isinstance(node.value, list):
            return self._bad(node, path, "wrong-type", f"{path} must be a list, not {self._show(node)}")
        items = [self.value(item, child, f"{path}[{i}]", metadata) for i, child in enumerate(node.value)]
        return BAD if any(value is BAD for value in items) else items

    def _dict(self, item: Any, node: Node, path: str, metadata: Mapping[str, Any]) -> Any:
        if not isinstance(node.value, Mapping):
            return self._bad(node, path, "wrong-type", f"{path} must be a mapping, not {self._show(node)}")
        out = {key: self.value(item, child, f"{path}.{key}", metadata) for key, child in node.value.items()}
        return BAD if any(value is BAD for value in out.values()) else out

    def _ranged(self, value: Any, node: Node, path: str, metadata: Mapping[str, Any], show: Any) -> Any:
        low, high = metadata.get("minimum"), metadata.get("maximum")
        if low is not None and not value >= low:
            return self._bad(node, path, "out-of-range", f"{path} must be at least {show(low)}, not {self._show(node)}")
        if high is not None and not value <= high:
            return self._bad(node, path, "out-of-range", f"{path} must be at most {show(high)}, not {self._show(node)}")
        return value

    def _show(self, node: Node) -> str:
        """Return a value as it may be shown: never one that came from the environment."""
        if node.substituted:
            return "the value that was substituted"
        shown = repr(node.value) if isinstance(node.value, (str, int, float, bool)) else _kind(node.value)
        return shown if len(shown) <= 60 else shown[:59] + "…"

    def _bad(self, node: Node, path: str, kind: str, message: str, *, allowed: Any = (), secret: bool = False) -> Any:
        self.problems.append(Problem(kind, message, path, node.place, allowed, secret))
        return BAD


def to_plain(node: Node) -> Any:
    """Return a node as plain Python values."""
    if isinstance(node.value, dict):
        return {key: to_plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [to_plain(child) for child in node.value]
    return node.value


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, (dict, Mapping)):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)[:60]


def _allows_none(hint: Any) -> bool:
    return hint is Any or type(None) in get_args(hint)


def _class_parts(text: str) -> list[str]:
    module, colon, name = text.partition(":")
    return [module, name] if colon else [""]
