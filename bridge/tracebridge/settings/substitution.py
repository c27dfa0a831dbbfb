"""`${VAR}` in configuration values, by OpenTelemetry's grammar (Configuration Data Model, environment variable substitution).

`${VAR}` and `${env:VAR}` become the variable's value, `${VAR:-default}` the default when it is unset or empty, `$$` a single
`$`. Only scalar values are substituted, before their type is resolved, never keys; what comes in is not looked at
again. A reference that is not of this form is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_TOKEN = re.compile(r"\$\$|\$\{(?P<body>[^}]*)\}|\$\{")
_BODY = re.compile(r"(?:env:)?(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)(?::-(?P<default>[^\n]*))?")


@dataclass(slots=True)
class Substituted:
    """The outcome for one scalar."""

    text: str
    changed: bool = False
    """Something was replaced, so that the type of a plain scalar must be resolved anew."""
    unset: list[str] = field(default_factory=list)
    """Variables that were neither set nor had a default."""
    malformed: list[str] = field(default_factory=list)
    """References that are not of the grammar; never holds a value."""


def substitute(text: str, environ: Mapping[str, str]) -> Substituted:
    """Replace every reference in one scalar, left to right, once.

    >>> substitute("Bearer ${TOKEN:-none} $${TOKEN}", {}).text
    'Bearer none ${TOKEN}'
    """
    result = Substituted(text)

    def replace(found: re.Match[str]) -> str:
        result.changed = True
        if found[0] == "$$":
            return "$"
        body = _BODY.fullmatch(found["body"]) if found["body"] is not None else None
        if body is None:
            result.malformed.append(found[0].split(":-")[0])
            return found[0]
        value = environ.get(body["name"], "")
        if value:
            return value
        if body["default"] is None:
            if body["name"] not in environ:
                result.unset.append(body["name"])
            return ""
        default: str = body["default"]
        return default

    result.text = _TOKEN.sub(replace, text)
    return result
