"""What a YAML scalar means under YAML 1.2's core schema, which OpenTelemetry's configuration asks for.

PyYAML follows YAML 1.1, where `yes` and `on` are booleans, `0777` is octal and `1:30` is a number. None of that here.
"""

from __future__ import annotations

import re
from typing import Any, Final

MAX_DIGITS: Final = 400  # longer is text: Python refuses absurd integers, and people do not write them
_INT = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_TAG = "tag:yaml.org,2002:"


def resolve(text: str) -> Any:
    """Return what a plain scalar means.

    >>> resolve("true"), resolve("yes"), resolve("0x1F"), resolve("1e3"), resolve("")
    (True, 'yes', 31, 1000.0, None)
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) < MAX_DIGITS:
        if _INT.fullmatch(text):
            return int(text, 0) if text[:2] in {"0x", "0o"} else int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def resolve_tagged(tag: str, text: str) -> tuple[bool, Any]:
    """Return whether the tag is one of the core schema's and fits the text, and the value."""
    if tag == _TAG + "str":
        return True, text
    kinds: dict[str, type[Any]] = {"null": type(None), "bool": bool, "int": int, "float": float}
    kind = kinds.get(tag.removeprefix(_TAG))
    value = resolve(text)
    if kind is float and type(value) is int:
        value = float(value)
    return (kind is not None and type(value) is kind), value
