"""A tree of nodes against an options class: every problem at once, each with its place.

Reading a scalar also decides whether a report may print it: see `tracebridge.settings.excerpts`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
import weakref
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from tracebridge.errors import did_you_mean, nearest
from tracebridge.plugins.options import Secret
from tracebridge.settings.parsers import FORMS, MAX_INT, InvalidValue, unreadable
from tracebridge.settings.place import Place
from tracebridge.settings.problems import Problem, ProblemKind
from tracebridge.settings.safe_keys import joined, names_secret, shown_key
from tracebridge.settings.tree import Node
from tracebridge.settings.wire_text import trimmed, wrong_name, wrong_value

_ADDRESSES = {"url", "proxy"}  # the forms in which a password may stand

BAD: Any = object()
"""What a value that could not be read becomes; its problem has been noted."""

NAMES: Mapping[Any, str] = {
    bool: "true or false",
    str: "text",
    int: "a whole number of at most 63 bits",
    float: "a number of ordinary size",
}
SHORT = 40  # characters of a value that a message repeats


_hints: weakref.WeakKeyDictionary[type[Any], dict[str, Any]] = weakref.WeakKeyDictionary()


def hints_of(options: type[Any]) -> dict[str, Any]:
    """Return the annotations of an options class by YAML key, resolved, with their `Annotated` marks."""
    found = _hints.get(options)
    if found is None:
        hints = typing.get_type_hints(options, include_extras=True)
        found = _hints[options] = {_key(name): hint for name, hint in hints.items()}
    return found


def keys_of(options: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields by YAML key: a class's own first, then those that it inherits, from the nearest class on."""
    declared = [
        vars(cls).get("__dataclass_fields__", {}) for cls in options.__mro__
    ]  # from 3.14 on, annotations stand elsewhere
    fields = [f for f in dataclasses.fields(options) if f.init and "help" in f.metadata]
    depth = {f.name: max(i for i, names in enumerate(declared) if f.name in names) for f in fields}
    return {_key(f.name): f for f in sorted(fields, key=lambda f: depth[f.name])}


def _key(name: str) -> str:
    """Return the YAML key of a field: `class_` has the underscore only because Python has the word."""
    return name.removesuffix("_")


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Return whether an option has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


class OptionsReader:
    """Reads nodes into options classes, collecting problems instead of raising."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def options(self, cls: type[Any], node: Node, path: str) -> Any:
        """Return an instance of an options class, or BAD; an empty node means all defaults."""
        if node.value is None and not node.unset:
            node = Node({}, node.place)
        if not isinstance(node.value, dict):
            return self._wrong_type(node, path, "a mapping")
        hints, fields = hints_of(cls), keys_of(cls)
        values: dict[str, Any] = {}
        for key, child in node.value.items():
            here = joined(path, key)
            if key in fields:
                values[key] = self.value(hints[key], child, here, fields[key].metadata)
            else:
                values[key] = BAD
                self.unknown_key(key, child, path, node.key_places.get(key, node.place), list(fields))
        for name, field in fields.items():
            if is_required(field) and name not in node.value:
                values[name] = BAD
                message = f'{path or "the file"} needs the key "{name}": {field.metadata["help"]}'
                self.bad(node, path, "missing-key", message)
        if any(value is BAD for value in values.values()):
            return BAD
        try:
            return cls(**{fields[key].name: value for key, value in values.items()})
        except (ValueError, TypeError) as error:
            return self.bad(node, path, "conflict", f"{path or 'the file'}: {_without_values(str(error), node)}")

    def unknown_key(self, key: str, child: Node, path: str, place: Place, known: list[str]) -> None:
        """Note a key that means nothing here, and print below it only what is harmless for certain."""
        from tracebridge.settings.excerpts import is_harmless, may_name_secret

        near = nearest(key, known)
        name = shown_key(key, alone=child.value is None and not near)
        where = f" in {path}" if path else ""
        message = f'unknown key "{name}"{where}{did_you_mean(key, known)}'
        self.problems.append(Problem("unknown-key", message, joined(path, name), place, known, near))
        if not may_name_secret(key) and not isinstance(child.value, (dict, list)) and is_harmless(str(child.value)):
            child.reveal()

    def value(self, hint: Any, node: Node, path: str, metadata: Mapping[str, Any]) -> Any:
        """Return a value of the annotated type, or BAD."""
        if hint is Secret or names_secret(path):
            for scalar in node.scalars():
                scalar.shown = False
        else:
            node.reveal()
        if node.broken:
            return BAD
        optional = get_origin(hint) in {Union, types.UnionType}
        if node.unset and not (optional and node.value is None):
            names = ", ".join(node.unset)
            message = f"{path}: the environment variable {names} is not set, and no default is given (${{{node.unset[0]}:-default}})"
            return self.bad(node, path, "unset-variable", message)
        if optional:
            if node.value is None:
                return None
            hint = next(a for a in get_args(hint) if a is not type(None))
        origin = get_origin(hint)
        if origin is Annotated:
            return self._form(get_args(hint)[1], node, path, metadata)
        if origin is Literal:
            return self._choice(list(get_args(hint)), node, path)
        if origin is list:
            return self._list(get_args(hint)[0], node, path, metadata)
        if origin is dict:
            return self._dict(get_args(hint)[1], node, path, metadata)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return self.options(hint, node, path)
        return self._plain(hint, node, path, metadata)

    def _plain(self, hint: Any, node: Node, path: str, metadata: Mapping[str, Any]) -> Any:
        value = node.value
        if hint is Any:
            return to_plain(node)
        if hint in {str, Secret}:
            # A variable's text is text, even when it looks like a number.
            text = node.raw if node.substituted and node.raw is not None and value is not None else value
            if isinstance(text, str):
                return self._secret(text, path) if hint is Secret else text
            return self._wrong_type(node, path, "text; put it in quotes" if value is not None else "text")
        if hint is bool and isinstance(value, bool):
            return value
        if hint is int and isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INT:
            return self._ranged(value, node, path, metadata, str)
        if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_INT:
            return self._ranged(float(value), node, path, metadata, str)
        return self._wrong_type(node, path, NAMES.get(hint, "of another type"))

    def _secret(self, text: str, path: str) -> Secret:
        """Return a secret without what cannot be seen at its edges."""
        return Secret(self._trimmed(text.reveal() if isinstance(text, Secret) else text, path))

    @staticmethod
    def _trimmed(text: str, path: str) -> str:
        bare = trimmed(text)
        if bare != text:
            from tracebridge.masking.loggers import logger  # only what is wrong pays for it

            logger("tracebridge").warning("blanks or line ends around the value of %s are taken off", path)
        return bare

    def _form(self, mark: str, node: Node, path: str, metadata: Mapping[str, Any]) -> Any:
        form = FORMS[mark]
        value = to_plain(node) if isinstance(node.value, (dict, list)) else node.value
        if mark in _ADDRESSES and isinstance(value, str):
            value = self._trimmed(value, path)
        try:
            read = form.read(value, metadata)
        except InvalidValue as wrong:
            if mark in _ADDRESSES:
                self._hide_odd_address(node)
            near = nearest(str(node.value), wrong.allowed) if wrong.allowed and not node.substituted else ""
            meant = f'; did you mean "{near}"?' if near else ""
            message = f"{path} must be {wrong}{self._not(node)}{meant}"
            return self.bad(node, path, wrong.kind, message, allowed=wrong.allowed, suggestion=near)
        if mark == "path" and metadata.get("read"):
            reason = unreadable(read)
            if reason:
                return self.bad(node, path, "unreadable-file", f"{path}: the file cannot be read: {reason}")
        return self._ranged(read, node, path, metadata, form.show)

    @staticmethod
    def _hide_odd_address(node: Node) -> None:
        """Hide an address that is too wrong to tell where a password in it ends."""
        from tracebridge.settings.excerpts import is_harmless

        if not is_harmless(str(node.value)):
            node.shown = False

    def _choice(self, choices: list[Any], node: Node, path: str) -> Any:
        if any(node.value == choice and type(node.value) is type(choice) for choice in choices):
            return node.value
        names = [str(choice) for choice in choices]
        near = nearest(str(node.value), names) if not node.substituted else ""
        meant = f'; did you mean "{near}"?' if near else ""
        message = f"{path} must be one of {', '.join(names)}{self._not(node)}{meant}"
        return self.bad(node, path, "wrong-value", message, allowed=names, suggestion=near)

    def _list(self, item: Any, node: Node, path: str, metadata: Mapping[str, Any]) -> Any:
        if not isinstance(node.value, list):
            return self._wrong_type(node, path, "a list")
        items = [self.value(item, child, f"{path}[{i}]", metadata) for i, child in enumerate(node.value)]
        return BAD if any(value is BAD for value in items) else items

    def _dict(self, item: Any, node: Node, path: str, metadata: Mapping[str, Any]) -> Any:
        if not isinstance(node.value, dict):
            return self._wrong_type(node, path, "a mapping")
        secret = item is Secret or names_secret(path)
        out: dict[str, Any] = {}
        for key, child in node.value.items():
            here = joined(path, shown_key(key, alone=child.value is None, secret=secret))
            for scalar in child.scalars():
                scalar.free_key = key
            value = self.value(item, child, here, metadata)
            name = key
            if item is Secret:  # secrets under names of the user's own are headers
                name = trimmed(key)
                value = self._header(name, value, child, here)
                if name.lower() in {each.lower() for each in out}:
                    value = self.bad(child, here, "bad-header", f"{here}: this header is given twice")
            out[name] = value
        return BAD if any(value is BAD for value in out.values()) else out

    def _header(self, name: str, value: Any, node: Node, path: str) -> Any:
        """Return the value of a header if it can be sent under that name, else BAD. Neither is told beyond what the path shows."""
        if value is BAD:
            return BAD
        wrong = wrong_name(name) or wrong_value(value.reveal())
        return self.bad(node, path, "bad-header", f"{path}: {wrong}") if wrong else value

    def _ranged(
        self, value: Any, node: Node, path: str, metadata: Mapping[str, Any], show: Callable[[Any], str]
    ) -> Any:
        low, high = metadata.get("minimum"), metadata.get("maximum")
        if low is not None and not value >= low:
            return self.bad(node, path, "out-of-range", f"{path} must be at least {show(low)}{self._not(node)}")
        if high is not None and not value <= high:
            return self.bad(node, path, "out-of-range", f"{path} must be at most {show(high)}{self._not(node)}")
        return value

    def _wrong_type(self, node: Node, path: str, wanted: str) -> Any:
        if node.unset:
            return self.bad(
                node, path, "unset-variable", f"{path}: the environment variable {node.unset[0]} is not set"
            )
        return self.bad(node, path, "wrong-type", f"{path or 'the file'} must be {wanted}{self._not(node)}")

    def _not(self, node: Node) -> str:
        """Return `, not …` with the value as it may be repeated: never a secret, never one from the environment."""
        value = node.value
        if value is None:
            return ", not empty"
        if isinstance(value, (dict, list)):
            return ", not a mapping" if isinstance(value, dict) else ", not a list"
        if node.substituted:
            return ", not what the environment variable holds"
        if not node.shown or not isinstance(value, (str, int, float)):
            return ""
        if isinstance(value, bool):
            return f", not {str(value).lower()}"
        text = f'"{value}"' if isinstance(value, str) else str(value)
        if len(text) > SHORT or "/" in text or "@" in text:  # too long to help, or an address that may hold a password
            return ""
        return f", not {text}"

    def bad(
        self, node: Node, path: str, kind: ProblemKind, message: str, *, allowed: Any = (), suggestion: str = ""
    ) -> Any:
        """Note a problem at a node and return BAD."""
        self.problems.append(Problem(kind, message, path, node.place, allowed, suggestion))
        return BAD


def to_plain(node: Node) -> Any:
    """Return a node as plain Python values, and let reports print it where no key in it names a secret."""
    if isinstance(node.value, dict):
        out = {}
        for key, child in node.value.items():
            out[key] = to_plain(child)
            if names_secret(key):
                child.shown = False
        return out
    if isinstance(node.value, list):
        return [to_plain(child) for child in node.value]
    node.reveal()
    return node.value


def _without_values(text: str, node: Node) -> str:
    """Return the words of somebody's ValueError without any value that must not be shown."""
    for scalar in node.scalars():
        value = str.__str__(scalar.value) if isinstance(scalar.value, str) else str(scalar.value)
        if (scalar.substituted or not scalar.shown) and value and not isinstance(scalar.value, bool):
            text = text.replace(value, "***")
    return text
