"""`${VAR}` in configuration values, by the grammar of OpenTelemetry's Configuration Data Model.

`${VAR}` and `${env:VAR}` become the variable's value, `${VAR:-default}` the default when it is unset or empty, `$$` a single
`$`. Escapes come first: text is cut at every `$$` from left to right, and references are looked for in the pieces between,
so none reaches across an escape. What comes in is not looked at again. Only scalar values are substituted, before their
type is resolved, never keys. `${…}` of any other form is an error; a `${` that is never closed is ordinary text.

`${file:/run/secrets/token}` is an addition of ours: what the file holds, without the line end that editors and `echo` leave. It is how orchestrators
hand out secrets, and such a file can be read again when it has changed.

Specification: https://opentelemetry.io/docs/specs/otel/configuration/data-model/#environment-variable-substitution
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MAX_FILE_BYTES: Final = 65_536
_REFERENCE = re.compile(r"\$\{([^}]*+)(\}|\Z)")  # to the end where it is not closed, so that nothing is passed twice
_body = re.compile(r"(?:env:)?(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)(?::-(?P<default>[^\n]*))?").fullmatch
_file = re.compile(r"file:(?P<path>[^\n]+)").fullmatch
_prefix = re.compile(r"(?!env:)(?P<prefix>[a-zA-Z][a-zA-Z0-9_]*):(?![-?=+])").match


@dataclass(slots=True, eq=False, repr=False)
class Substituted:
    """The outcome for one scalar."""

    text: str
    changed: bool = False
    """Something was replaced, so that the type of a plain scalar must be resolved anew."""
    used: list[str] = field(default_factory=list)
    """Variables whose values stand in the text now."""
    files: list[str] = field(default_factory=list)
    """Files whose contents stand in the text now, or should."""
    unset: list[str] = field(default_factory=list)
    """Variables that were neither set nor had a default."""
    unread: list[str] = field(default_factory=list)
    """What is wrong with each file that could not be read; never holds what stands in it."""
    malformed: list[str] = field(default_factory=list)
    """What is wrong with each reference that is not of the grammar; never holds a value or a default."""


def substitute(text: str, environ: Mapping[str, str]) -> Substituted:
    """Replace every reference in one scalar, left to right, once. Never raises.

    >>> substitute("Bearer ${TOKEN:-none} $${TOKEN}", {}).text
    'Bearer none ${TOKEN}'
    """
    result = Substituted(text)

    def replace(found: re.Match[str]) -> str:
        if not found[2]:
            return found[0]
        result.changed = True
        if (file := _file(found[1])) is not None:
            return _contents(file["path"], result)
        body = _body(found[1])
        if body is None:
            result.malformed.append(_fault(found[1]))
            return ""
        name, default = body["name"], body["default"]
        value = environ.get(name, "")
        if value or default is None:
            (result.used if name in environ else result.unset).append(name)
            return value
        return str(default)

    pieces = text.split("$$")
    result.changed = len(pieces) > 1
    result.text = "$".join(_REFERENCE.sub(replace, piece) for piece in pieces)
    return result


def _contents(path: str, result: Substituted) -> str:
    """Return what a file holds, noted in `result`; nothing where it cannot be read."""
    result.files.append(path)
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ValueError(f"it is larger than {MAX_FILE_BYTES} bytes")
        text = data.decode()
        if not text.strip():
            raise ValueError("it is empty")
    except UnicodeDecodeError:
        result.unread.append(f"the file {path} cannot be read: it is not UTF-8")
    except (OSError, ValueError, RuntimeError) as error:
        result.unread.append(f"the file {path} cannot be read: {getattr(error, 'strerror', None) or error}")
    else:
        return text.removesuffix("\n").removesuffix("\r")
    return ""


def _fault(body: str) -> str:
    """Say what is wrong with the inside of a reference, without what might be a default value."""
    if not body.strip():
        return "`${}` names no variable"
    other = _prefix(body)
    if other:
        return (
            f"`${{{other['prefix']}:…}}`: only `env:` is known before the name of a variable, and `file:` before a path"
        )
    name = re.match(r"(?:env:)?([a-zA-Z_][a-zA-Z0-9_]*)", body)
    if name:
        return f"`${{{name[0]}…}}`: after the name only `:-default` may follow"
    return "a variable's name begins with a letter or _, and goes on with letters, digits and _"
