"""Texts that make a regular expression work as hard as it can, made from what it is made of."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

_parser: Any = importlib.import_module("re._parser")
MANY = 32  # repetitions from which on an expression can be pumped

Pieces = list[tuple[Any, Any]]


def pumped(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str]]:
    """Yield beginnings and what is to be repeated after them: for every repetition in the expression, its body, what stands before it, and both."""
    for before, body in _repetitions(list(_parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)), ""):
        yield before, body
        yield "", before + body
        yield "", before + body * 6
    whole = _sample(list(_parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)))
    for end in range(1, len(whole) + 1):
        yield "", whole[:end]


def _repetitions(pieces: Pieces, before: str) -> Iterator[tuple[str, str]]:
    for operator, argument in pieces:
        name = str(operator)
        if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            body = list(argument[2])
            if argument[1] >= MANY:
                yield before, _sample(body)
            yield from _repetitions(body, before)
        else:
            for inner in _inner(argument):
                yield from _repetitions(list(inner), before)
        before += _sample([(operator, argument)])


def _inner(argument: Any) -> Iterator[Any]:
    if type(argument).__name__ == "SubPattern":
        yield argument
    elif isinstance(argument, (tuple, list)):
        for each in argument:
            yield from _inner(each)


def _sample(pieces: Pieces) -> str:
    """Return a text that pieces match, as short as they allow; what looks around is left out."""
    return "".join(_sample_of(str(operator), argument) for operator, argument in pieces)


def _sample_of(name: str, argument: Any) -> str:
    if name == "LITERAL":
        return chr(argument)
    if name == "NOT_LITERAL":
        return "a" if argument != ord("a") else "b"
    if name == "ANY":
        return "a"
    if name == "IN":
        return _one_of(argument)
    if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        return _sample(list(argument[2])) * max(int(argument[0]), 1)
    if name == "BRANCH":
        return _sample(list(argument[1][0]))
    if name == "SUBPATTERN":
        return _sample(list(argument[-1]))
    if name == "ATOMIC_GROUP":
        return _sample(list(argument))
    return ""


def _one_of(choices: Any) -> str:
    negated = str(choices[0][0]) == "NEGATE"
    for char in "a0 -.:/\"'=,;_~\t!A" if not negated else "a0x-.Z:\"' ~\0":
        if any(_is_in(char, str(kind), what) for kind, what in choices) != negated:
            return char
    kind, what = choices[0]
    return chr(what if str(kind) == "LITERAL" else what[0]) if str(kind) in {"LITERAL", "RANGE"} else "é"


def _is_in(char: str, kind: str, what: Any) -> bool:
    if kind == "LITERAL":
        return ord(char) == what
    if kind == "RANGE":
        return bool(what[0] <= ord(char) <= what[1])
    classes = {
        "CATEGORY_DIGIT": char.isdigit(),
        "CATEGORY_SPACE": char.isspace(),
        "CATEGORY_WORD": char.isalnum() or char == "_",
    }
    category = str(what)
    return not classes[category.replace("_NOT", "")] if "_NOT" in category else classes.get(category, False)
